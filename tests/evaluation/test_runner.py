"""The evaluation base with a small suite of its own: what it reports, what it hides, what it refuses."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from shopfloor.errors import InputError
from shopfloor.evaluation.report import EvalReport, to_markdown
from shopfloor.evaluation.runner import (
    Case,
    CaseScore,
    EvalRequest,
    Suite,
    SuiteContext,
    check_question_model,
    question_of,
    run_suite,
)
from shopfloor.settings import Settings
from shopfloor.store.migrations import open_catalogue


class ParityQuestion(BaseModel):
    number: int


class ParityCase(Case):
    number: int
    gold: str
    slots: dict[str, str] = Field(default_factory=dict)


class ParitySuite(Suite[ParityCase, ParityQuestion, str]):
    """Says whether a number is even; learns to be right about 7."""

    name = "parity"
    case_model = ParityCase
    question_model = ParityQuestion

    def __init__(self) -> None:
        self.seen: list[ParityQuestion] = []
        self.context: SuiteContext | None = None
        self.closed = False
        self.knows_seven = False

    async def open(self, context: SuiteContext) -> None:
        self.context = context

    async def predict(self, question: ParityQuestion) -> str:
        self.seen.append(question)
        if question.number == 7 and not self.knows_seven:
            return "even"
        return "odd" if question.number % 2 else "even"

    def score(self, case: ParityCase, prediction: str) -> CaseScore:
        right = prediction == case.gold
        return CaseScore({"exact": float(right)}, right, case.gold, prediction, {"gold": case.gold})

    async def baselines(self, cases: Sequence[ParityCase]) -> dict[str, list[CaseScore]]:
        return {"always even": [self.score(case, "even") for case in cases]}

    async def fit(self, cases: Sequence[ParityCase], seed: int) -> None:
        self.knows_seven = any(case.number == 7 for case in cases)

    async def close(self) -> None:
        self.closed = True


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    rows = [{"id": f"n{n}", "number": n, "gold": "odd" if n % 2 else "even", "slots": {"a": "b"}} for n in range(10)]
    return write(tmp_path / "cases.jsonl", rows)


async def test_report_has_metrics_intervals_baselines_and_slices(cases: Path, tmp_path: Path) -> None:
    suite = ParitySuite()
    run = await run_suite(suite, EvalRequest(cases=cases, seed=3), Settings(data=tmp_path))
    report = run.report
    assert report.metrics == {"exact": 0.9}
    low, high = report.ci["exact"]
    assert low < 0.9 <= high <= 1.0
    assert report.baselines == {"always even": {"exact": 0.5}}
    assert report.paired["always even"]["exact"].diff == pytest.approx(0.4)
    assert report.slices["gold"] == {"even": {"n": 5, "exact": 1.0}, "odd": {"n": 5, "exact": 0.8}}
    assert [record.id for record in run.records if not record.ok] == ["n7"]
    assert suite.closed
    text = to_markdown(report, run.records)
    assert "**n7** 7 → expected odd, got even" in text
    parsed = json.loads(report.to_json())
    assert set(parsed) >= {
        *("suite", "cases", "n", "seed", "version", "metrics", "ci", "baselines", "slices", "artefacts", "seconds"),
    }
    assert set(parsed["artefacts"]) == {"model", "runtime", "adapters", "heads", "fusion"}
    assert "curve" not in parsed
    assert EvalReport.model_validate(parsed).metrics == report.metrics


async def test_gold_never_reaches_the_system(cases: Path, tmp_path: Path) -> None:
    stripped = write(tmp_path / "stripped.jsonl", [{"number": n, "gold": ""} for n in range(10)])
    full, bare = ParitySuite(), ParitySuite()
    first = await run_suite(full, EvalRequest(cases=cases), Settings(data=tmp_path))
    second = await run_suite(bare, EvalRequest(cases=stripped), Settings(data=tmp_path))
    assert [question.model_dump() for question in full.seen] == [{"number": n} for n in range(10)]
    assert full.seen == bare.seen
    assert [record.got for record in first.records] == [record.got for record in second.records]


def test_a_question_with_a_scoring_field_is_refused() -> None:
    class Leaky(BaseModel):
        number: int
        gold: str

    class LeakySuite(ParitySuite):
        question_model = Leaky  # type: ignore[assignment]

    with pytest.raises(TypeError, match="gold"):
        check_question_model(LeakySuite())
    assert question_of(ParitySuite(), ParityCase(number=1, gold="odd")) == ParityQuestion(number=1)


async def test_runs_in_a_folder_of_its_own(cases: Path, tmp_path: Path) -> None:
    suite = ParitySuite()
    await run_suite(suite, EvalRequest(cases=cases), Settings(data=tmp_path / "live"))
    assert suite.context is not None
    assert suite.context.settings.data != tmp_path / "live"
    assert suite.context.settings.models_path == tmp_path / "live" / "models"
    assert not suite.context.settings.data.exists()
    assert not (tmp_path / "live").exists()


async def test_learning_curve(cases: Path, tmp_path: Path) -> None:
    request = EvalRequest(cases=cases, train=cases, sizes=(0, 10))
    run = await run_suite(ParitySuite(), request, Settings(data=tmp_path))
    assert run.report.curve is not None
    assert [(point.n, point.metrics["exact"]) for point in run.report.curve] == [(0, 0.9), (10, 1.0)]
    assert json.loads(run.report.to_json())["curve"][1]["n"] == 10


async def test_a_suite_without_training_refuses_folds(cases: Path, tmp_path: Path) -> None:
    class Fixed(ParitySuite):
        fit = Suite.fit

    with pytest.raises(InputError, match="nothing to train"):
        await run_suite(Fixed(), EvalRequest(cases=cases, folds=2), Settings(data=tmp_path))


async def test_cross_validation_predicts_each_case_from_the_others(cases: Path, tmp_path: Path) -> None:
    run = await run_suite(ParitySuite(), EvalRequest(cases=cases, folds=5), Settings(data=tmp_path))
    found = run.report.cross_validation
    assert found is not None
    assert found.metrics == {"exact": 0.9}  # 7 is known only where it was learned from, never where it is asked
    assert found.slices["gold"]["odd"]["n"] == 5
    assert json.loads(run.report.to_json())["cross_validation"]["folds"] == 5
    assert "Learned from these cases, 5 folds" in to_markdown(run.report, run.records)


async def test_a_finished_database_is_copied_and_left_as_it_is(cases: Path, tmp_path: Path) -> None:
    class NeedsShop(ParitySuite):
        shop = "required"

        async def open(self, context: SuiteContext) -> None:
            await super().open(context)
            assert context.catalogue is not None
            assert read_meta_names(context.catalogue) == read_meta_names(database)
            assert context.catalogue.parent == context.settings.data

    database = tmp_path / "finished.db"
    open_catalogue(database)
    before = database.read_bytes()
    await run_suite(NeedsShop(), EvalRequest(cases=cases, shop=database), Settings(data=tmp_path))
    assert database.read_bytes() == before


def read_meta_names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master"))


async def test_limit_and_sizes_beyond_the_file(cases: Path, tmp_path: Path) -> None:
    run = await run_suite(ParitySuite(), EvalRequest(cases=cases, limit=4), Settings(data=tmp_path))
    assert run.report.n == 4
    with pytest.raises(InputError, match="11 is more than the 10 cases"):
        await run_suite(ParitySuite(), EvalRequest(cases=cases, train=cases, sizes=(11,)), Settings(data=tmp_path))


async def test_same_seed_same_intervals(cases: Path, tmp_path: Path) -> None:
    runs = [
        await run_suite(ParitySuite(), EvalRequest(cases=cases, seed=seed), Settings(data=tmp_path))
        for seed in (1, 1, 2)
    ]
    assert runs[0].report.ci == runs[1].report.ci
    assert runs[0].report.paired == runs[1].report.paired


async def test_no_cases_and_no_shop(tmp_path: Path) -> None:
    class NeedsShop(ParitySuite):
        shop = "required"

    with pytest.raises(InputError, match="--cases"):
        await run_suite(ParitySuite(), EvalRequest(), Settings(data=tmp_path))
    with pytest.raises(InputError, match="--shop"):
        await run_suite(NeedsShop(), EvalRequest(), Settings(data=tmp_path))
    with pytest.raises(InputError, match="no shop folder"):
        await run_suite(NeedsShop(), EvalRequest(shop=tmp_path / "absent"), Settings(data=tmp_path))
