"""The simulated shoppers: what they ask, what they like, how they react, and how a night passes."""

import math
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest

from shopfloor.errors import InputError
from shopfloor.settings import Settings
from shopfloor.simulation.behaviour import Answer, Card, bought_share, dishonest, heedless, honest
from shopfloor.simulation.casting import Cast, Stage, set_stage
from shopfloor.simulation.nights import pass_night
from shopfloor.simulation.phrases import Ask, with_typo
from shopfloor.simulation.quality import differences, graded_ndcg, oracle, retrieval
from shopfloor.simulation.record import Record, SimulationPlan, Visit
from shopfloor.simulation.report import to_svg
from shopfloor.store.database import connect
from shopfloor.store.migrations import open_state
from shopfloor.store.traces import now

PLAN = SimulationPlan(days=2, withheld=60, visits=40)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("stage")
    return set_stage(Settings(_env_file=None, data=folder / "own"), PLAN, folder)  # pyright: ignore[reportCallIssue]


def test_the_same_plan_gives_the_same_visits_and_withheld_messages_stay_withheld(stage: Stage) -> None:
    one, two = Cast(PLAN, stage.scene), Cast(PLAN, stage.scene)
    visits = [one.visit(day, number) for day in (1, 2) for number in range(PLAN.visits)]
    again = [two.visit(day, number) for day in (1, 2) for number in range(PLAN.visits)]
    assert [caller.ask for caller in visits] == [caller.ask for caller in again]
    assert [case.ask for case in one.withheld] == [case.ask for case in two.withheld]
    asked = {caller.ask.text.casefold() for caller in visits}
    assert not asked & {case.ask.text.casefold() for case in one.withheld}
    assert not {caller.person.user_id for caller in visits} & {case.person.user_id for case in one.withheld}
    styles = Counter(caller.ask.style for caller in visits)
    assert styles["plain"] >= 20 and styles["own"] >= 20 and not styles["unheard"]
    assert {case.ask.style for case in one.withheld} == {"plain", "own", "unheard"}
    assert {caller.ask.route for caller in visits} == {"recommendation", "inventory", "both", "supervisor"}


def test_a_wish_fits_what_was_asked_for(stage: Stage) -> None:
    for case in Cast(PLAN, stage.scene).withheld:
        fitting = case.ask.fitting
        assert bool(fitting) == case.ask.is_wish
        assert "{" not in case.ask.text and "[" not in case.ask.text
        if fitting:
            assert max(fitting.values()) == pytest.approx(1.0) and min(fitting.values()) > 0
            assert set(fitting) <= set(stage.scene.items)


def test_the_oracle_is_above_the_search_box(stage: Stage) -> None:
    cases = Cast(PLAN, stage.scene).withheld
    best, box = oracle(cases), retrieval(stage.catalogue, cases)
    for name in ("routing", "bought", "ndcg@10"):
        gain, low, _ = differences(best, box, 0)[name]
        assert gain > 0 and low > 0, name


def test_who_looks_from_the_top_buys_what_they_like() -> None:
    likes = {"A": 1.0, "B": 0.2}
    assert bought_share(["A", "B"], likes) > bought_share(["B", "A"], likes) > bought_share(["B"], likes)
    assert bought_share(["X"], likes) == 0 and bought_share([], likes) == 0
    assert graded_ndcg(["A", "B"], likes) == pytest.approx(1.0)
    assert 0 < graded_ndcg(["B", "A"], likes) < 0.99
    answer = Answer("recommendation", "t", "r", tuple(Card(sku, place) for place, sku in enumerate("XABA", 1)))
    wish = Ask("boots", "recommendation", "plain", likes)
    bought: Counter[str] = Counter()
    for seed in range(300):
        reactions = honest(wish, answer, {}, Random(seed))
        bought.update(str(one["product_id"]) for one in reactions.now if one.get("action") == "purchased")
    assert bought["A"] > 3 * bought["B"] > 0 and not bought["X"]


def test_wrong_routes_are_corrected_mostly_rightly_and_by_noise_without_a_look() -> None:
    stock = Ask("peg check boots", "inventory", "own", {})
    answer = Answer("recommendation", "t", "r", (Card("A", 1),))
    said: Counter[str] = Counter()
    noise: Counter[str] = Counter()
    for seed in range(400):
        for one in honest(stock, answer, {}, Random(seed)).now:
            said[one["correction"]["route"]] += 1
        for one in heedless(answer, 0.2, Random(seed)).now:
            noise.update([one["correction"]["route"]] if "correction" in one else [])
    assert said["inventory"] > 0.9 * said.total() and 180 < said.total() < 300
    assert not any("correction" in one for seed in range(99) for one in heedless(answer, 0.0, Random(seed)).now)
    assert noise.total() > 30 and max(noise.values()) < 0.5 * noise.total()
    lies = [
        dishonest(Ask("boots", "recommendation", "plain", {"B": 1.0}), answer, "A", Random(n)).now[0] for n in range(50)
    ]
    assert {one.get("rating") for one in lies} == {5, 1}
    assert {one["correction"]["route"] for one in lies if "correction" in one} == {"inventory"}


def test_a_typo_changes_two_letters() -> None:
    for seed in range(30):
        typo = with_typo("waterproof hiking boots", Random(seed))
        assert sorted(typo) == sorted("waterproof hiking boots")
    assert with_typo("a b c", Random(1)) == "a b c"


def test_a_night_moves_every_moment_back_by_a_day_and_only_once(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    open_state(state)
    with closing(connect(state)) as connection:
        at = now()
        connection.execute("INSERT INTO threads (thread_id, user_id, created_at) VALUES ('t', 'u', ?)", (at,))
        pass_night(state, 1)
        pass_night(state, 1)
        once = str(connection.execute("SELECT created_at FROM threads").fetchone()[0])
        pass_night(state, 2)
        twice = str(connection.execute("SELECT created_at FROM threads").fetchone()[0])
    assert twice < once < at and once[10:] == at[10:] == twice[10:]


def test_a_folder_goes_on_and_refuses_another_plan(tmp_path: Path) -> None:
    record = Record(tmp_path / "run", PLAN)
    record.add(Visit(1, 0, "u", "boots", "plain", "recommendation", "recommendation", "t", False, 1))
    record.progress.days = 1
    record.save()
    with (tmp_path / "run" / "visits.jsonl").open("a") as file:
        file.write('{"day": 1, "numb')  # killed within a line
    again = Record(tmp_path / "run", SimulationPlan(**asdict(PLAN)))
    assert list(again.visits) == [(1, 0)] and again.progress.days == 1
    more = SimulationPlan(days=5, withheld=60, visits=40)
    assert Record(tmp_path / "run", more).progress.days == 1
    with pytest.raises(InputError, match="seed"):
        Record(tmp_path / "run", SimulationPlan(days=2, withheld=60, visits=40, seed=9))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        Record(tmp_path / "other", PLAN)


def test_a_shops_later_orders_are_withheld_from_the_service(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "shopfloor" / "demo"
    plan = SimulationPlan(days=1, withheld=30, shop=str(source))
    stage = set_stage(Settings(_env_file=None, data=tmp_path / "own"), plan, tmp_path / "run")  # pyright: ignore[reportCallIssue]
    assert stage.split is not None and stage.split.earlier > stage.split.later > 100
    with closing(connect(stage.catalogue, read_only=True)) as connection:
        known = connection.execute("SELECT count(*), max(ts) FROM events").fetchone()
        products = connection.execute("SELECT count(*) FROM products WHERE active = 1").fetchone()[0]
        stores = connection.execute("SELECT count(*) FROM stores").fetchone()[0]
        variants = connection.execute("SELECT count(*) FROM variants").fetchone()[0]
    assert known[0] > 100 and known[1] < stage.split.at
    assert (products, stores) == (130, 13) and variants > 1000
    assert len(stage.scene.items) == 130 and stage.scene.bad_product in stage.scene.items
    cases = Cast(plan, stage.scene).withheld
    assert len(cases) == 30 and any(case.ask.fitting for case in cases)
    again = set_stage(Settings(_env_file=None, data=tmp_path / "own"), plan, tmp_path / "run")  # pyright: ignore[reportCallIssue]
    assert [case.ask for case in Cast(plan, again.scene).withheld] == [case.ask for case in cases]


def test_the_plot_draws_what_the_report_says() -> None:
    values = {"routing": 0.8, "bought": 0.5, "ndcg@10": 0.6}
    generation = {
        "n_feedback": 0,
        "verdict": "start",
        "metrics": values,
        "ci": {name: [value - 0.05, value + 0.05] for name, value in values.items()},
        "baseline": {"frozen": values, "retrieval": values},
        "oracle": {"routing": 1.0, "bought": 0.7},
    }
    later = {**generation, "n_feedback": 120, "verdict": "promoted", "metrics": {**values, "routing": 0.9}}
    missing = {**generation, "n_feedback": 60, "metrics": None}
    report = {"generations": [generation, missing, later], "withheld": 9, "conclusion": {"words": "<b>", "reason": "&"}}
    drawn = to_svg(report)
    assert drawn.count("<circle") == 4 and "promoted: 0.900" in drawn and "&lt;b&gt;" in drawn
    assert not math.isnan(float(drawn.split('cy="')[1].split('"')[0]))
