"""The hand-written requests: gold computed from the database, files that load, parts that can be left out."""

from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from shopfloor.errors import InputError
from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.nearness import nearest
from shopfloor.evaluation.registry import make_suite
from shopfloor.evaluation.runner import EvalRequest, run_suite
from shopfloor.evaluation.suites.request_gold import Gold, Good, Offer, Predicate
from shopfloor.evaluation.suites.request_variety import Variety
from shopfloor.evaluation.suites.requests import RequestCase
from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import connect

CASES = Path(str(files("shopfloor.evaluation").joinpath("cases")))
OPEN = CASES / "requests_demo_open.yaml"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_catalogue(Settings(_env_file=None, data=tmp_path_factory.mktemp("gold")))  # pyright: ignore[reportCallIssue]


@pytest.fixture(scope="module")
def gold(shop: Path) -> Gold:
    with closing(connect(shop, read_only=True)) as connection:
        return Gold.load(connection)


def good(sku: str, name: str, *offers: Offer, **columns: str) -> Good:
    return Good(sku, name, "Lamps", "Hel", "", offers or (Offer("", "", 10.0),), columns)


def asked(**fields: object) -> Predicate:
    return Predicate.model_validate(fields)


SMALL = Gold(
    [
        good("A", "Red Desk Lamp", Offer("S", "red", 20.0), Offer("L", "blue", 30.0), material="steel", watts="40"),
        good("B", "Children's Lamps", material="recycled plastic", ages="3-6 years", watts="5.5"),
    ]
)


@pytest.mark.parametrize(
    ("predicate", "skus"),
    [
        (asked(name="lamp"), ["A", "B"]),
        (asked(name=["child lamp", "children lamp"]), ["B"]),
        (asked(colour="red", size="s"), ["A"]),
        (asked(colour="red", size="L"), []),
        (asked(colour="blue", price={"max": 29}), []),
        (asked(colour="red", price={"max": 29}), ["A"]),
        (asked(price={"min": 20}), ["A"]),
        (asked(material="plastic"), ["B"]),
        (asked(watts={"max": 10}), ["B"]),
        (asked(age=4), ["B"]),
        (Predicate.model_validate({"not": {"material": "steel"}}), ["B"]),
        (Predicate.model_validate({"not": {"colour": "red"}, "name": "desk"}), ["A"]),
        (Predicate.model_validate({"not": {"colour": ["red", "blue"]}, "name": "desk"}), []),
        (Predicate.model_validate({"any": [{"material": "steel"}, {"age": 5}]}), ["A", "B"]),
        (Predicate.model_validate({"all": [{"name": "lamp"}, {"name": "red"}]}), ["A"]),
    ],
)
def test_predicates(predicate: Predicate, skus: list[str]) -> None:
    assert SMALL.fitting(predicate) == skus


def test_a_column_that_the_shop_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="'fabric'"):
        SMALL.fitting(asked(fabric="wool"))


def test_gold_over_the_demo_shop(gold: Gold) -> None:
    assert gold.fitting(Predicate.model_validate({"name": "rain jacket", "for": "kids", "age": 5})) == ["SKU_KID_01"]
    assert gold.fitting(asked(category="Shoes", colour="red", size="42")) == [], "the red ones are no longer sold"
    assert gold.fitting(asked(category="Tents", sleeps={"min": 4})) == ["SKU_TNT_03"]
    assert gold.dearest("parka") == ("SKU_COT_02", 259.0)


@pytest.mark.parametrize("name", ["demo", "retail"])
def test_a_third_of_the_cases_is_sealed(name: str) -> None:
    parts = {part: load_cases(CASES / f"requests_{name}_{part}.yaml", RequestCase) for part in ("open", "sealed")}
    ids = [case.id for cases in parts.values() for case in cases]
    texts = [(case.text, str(case.context)) for cases in parts.values() for case in cases]
    assert len(set(ids)) == len(ids) and len(set(texts)) == len(texts)
    assert len(parts["sealed"]) == pytest.approx(len(ids) / 3, abs=1)
    assert all(case.keep is not None for cases in parts.values() for case in cases)


@pytest.mark.parametrize(
    ("name", "part", "least"),
    [("demo", "sealed2", 60), ("retail", "sealed2", 40), ("demo", "sealed3", 70), ("retail", "sealed3", 60)],
)
def test_a_later_sealed_set_is_unlike_the_older_ones(name: str, part: str, least: int) -> None:
    cases = load_cases(CASES / f"requests_{name}_{part}.yaml", RequestCase)
    older = ("open", "sealed") if part == "sealed2" else ("open", "sealed", "sealed2")
    read = [case for old in older for case in load_cases(CASES / f"requests_{name}_{old}.yaml", RequestCase)]
    assert len(cases) >= least
    assert len({case.id for case in cases}) == len(cases)
    assert all(case.keep is not None for case in cases)
    assert max(nearest([case.text for case in cases], [case.text for case in read])) < 0.6


@pytest.mark.parametrize(
    ("part", "ids"),
    [
        ("sealed2", ["050", "056", "057"]),  # a cap no longer sold in white, a surfboard, skirts for men
        ("sealed3", ["019", "043", "059", "069"]),  # below every price; no longer sold in red; a kettle
    ],
)
def test_a_later_sealed_set_asks_for_what_the_demo_shop_has(part: str, ids: list[str], gold: Gold) -> None:
    cases = load_cases(CASES / f"requests_demo_{part}.yaml", RequestCase)
    empty = [case.id for case in cases if case.keep is not None and not gold.fitting(case.keep)]
    assert [case.removeprefix(f"demo{part[-1]}-") for case in empty] == ids


@pytest.mark.parametrize("part", ["sealed2", "sealed3"])
def test_what_fits_best_is_among_what_fits(part: str, gold: Gold) -> None:
    for case in load_cases(CASES / f"requests_demo_{part}.yaml", RequestCase):
        if case.keep is not None and case.best is not None:
            assert set(gold.fitting(case.keep)) & set(gold.fitting(case.best)), case.id


def test_variety() -> None:
    words = {"A": frozenset({"red", "lamp"}), "B": frozenset({"blue", "lamp"}), "C": frozenset({"rug"})}
    variety = Variety(words, {"A": "Lamps", "B": "Lamps", "C": "Rugs"}, {"A": 1.0, "B": 2.0, "C": 6.0}, {"A": 4})
    figures = variety.of(["A", "B", "C"])
    assert figures["categories"] == 2
    assert figures["diversity"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert figures["novelty"] == pytest.approx(3.0)
    assert figures["in_stock"] == pytest.approx(1 / 3)


async def test_every_open_request_of_the_demo_shop_is_kept(shop: Path, tmp_path: Path) -> None:
    run = await run_suite(make_suite("requests"), EvalRequest(cases=OPEN, shop=shop), Settings(data=tmp_path))
    broken = [f"{record.question}: {record.got}" for record in run.records if not record.ok]
    assert not broken
    assert run.report.metrics["ndcg@10"] >= 0.93
    assert run.report.metrics["constraints_kept"] > run.report.baselines["bm25"]["constraints_kept"]


async def test_parts_can_be_left_out(shop: Path, tmp_path: Path) -> None:
    figures = {}
    for part in ("facets", "behaviour", "words,copurchase"):
        request = EvalRequest(cases=OPEN, shop=shop, limit=30, options={"without": part})
        figures[part] = (await run_suite(make_suite("requests"), request, Settings(data=tmp_path))).report.metrics
    assert figures["facets"]["constraints_kept"] < figures["behaviour"]["constraints_kept"]
    with pytest.raises(InputError, match="--without taste"):
        request = EvalRequest(cases=OPEN, shop=shop, limit=1, options={"without": "taste"})
        await run_suite(make_suite("requests"), request, Settings(data=tmp_path))


async def test_a_case_has_one_gold(shop: Path, tmp_path: Path) -> None:
    cases = tmp_path / "both.jsonl"
    cases.write_text('{"text": "a tent", "constraints": {"category": "tents"}, "keep": {"category": "Tents"}}\n')
    with pytest.raises(InputError, match="line 1.*either constraints or keep"):
        await run_suite(make_suite("requests"), EvalRequest(cases=cases, shop=shop), Settings(data=tmp_path))


@pytest.mark.parametrize(("mode", "share"), [("hide", 0.0), ("demote", None), ("show", None)])
async def test_what_is_sold_out_is_hidden_or_comes_last(
    shop: Path, tmp_path: Path, mode: str, share: float | None
) -> None:
    import shutil

    own = Path(shutil.copy(shop, tmp_path / "own.db"))
    with closing(connect(own)) as connection, connection:
        connection.execute("UPDATE stock SET quantity = 0 WHERE sku = 'SKU_TNT_01'")
    cases = tmp_path / "tents.jsonl"
    cases.write_text('{"text": "a tent for two people or more", "keep": {"category": "Tents"}}\n')
    settings = Settings(data=tmp_path, out_of_stock=mode)  # pyright: ignore[reportArgumentType]
    run = await run_suite(make_suite("requests"), EvalRequest(cases=cases, shop=own), settings)
    skus = [str(line).split()[0] for line in run.records[0].got]  # pyright: ignore[reportGeneralTypeIssues, reportOptionalIterable]
    if share == 0.0:
        assert "SKU_TNT_01" not in skus
        assert run.report.metrics["in_stock"] == 1.0
    else:
        assert "SKU_TNT_01" in skus
        assert run.report.metrics["in_stock"] < 1.0
        assert mode == "show" or skus[-1] == "SKU_TNT_01"
