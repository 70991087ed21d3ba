"""What won goes live by shares: who gets it, when more do, when it is taken back, and that it is decided once."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.errors import ArtefactRejectedError, NotFoundError
from shopfloor.evaluation.rollout import Rules, Seen, judge, look_at
from shopfloor.finetune.rollout import go_live
from shopfloor.http.rollout_watch import RolloutWatch, set_pause
from shopfloor.http.training import TrainingWatch
from shopfloor.observability import Metrics
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Manifest, Registry
from shopfloor.store.database import Database, connect
from shopfloor.store.loop import Run, begin_run, end_run
from shopfloor.store.migrations import open_state
from shopfloor.store.reviews import add_review
from shopfloor.store.rollouts import Rollout, begin, latest, running, take_back_by_hand
from shopfloor.store.traces import now

USERS = [f"user{number}" for number in range(4_000)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(_env_file=None, data=tmp_path, rollout_min_hours=0)  # pyright: ignore[reportCallIssue]
    open_state(made.state_path)
    return made


@pytest.fixture
def state(settings: Settings) -> Iterator[sqlite3.Connection]:
    with closing(connect(settings.state_path)) as connection:
        yield connection


async def artefact(registry: Registry, folder: Path, content: str, kind: str = "head") -> str:
    path = folder / "weights.json"
    path.write_text(json.dumps({"which": content}))
    agent = "router" if kind == "head" else "recommendation"
    return await registry.add(Manifest(agent=agent, kind=kind), {"weights.json": path})  # type: ignore[arg-type]


async def started(settings: Settings, tmp_path: Path, dataset: str = "d1") -> Rollout:
    """A champion that serves, and a challenger at the first share."""
    async with Database(settings.state_path) as database:
        registry = Registry(database, settings.artefacts_path)
        await registry.activate(await artefact(registry, tmp_path, "old"), "at first")
        new = await artefact(registry, tmp_path, f"new {dataset}")
        live = await go_live(settings, database, new, "won", shares=True, dataset_hash=dataset)
        assert (live.status, live.share) == ("promoted", 10)
        return (await database.read(running))[0]


def outcomes(
    state: sqlite3.Connection,
    trial: Rollout,
    champion: list[int | None],
    challenger: list[int | None],
    *,
    ms: float = 80,
) -> None:
    """A turn for each, of another user each, with so many stars; None: nobody reacted; 0: the turn failed."""
    before = state.execute("SELECT count(*) FROM turns").fetchone()[0]
    for side, stars in (("champion", champion), ("challenger", challenger)):
        for number, rating in enumerate(stars):
            trace = f"{side}-{before}-{number}"
            status = "failed" if rating == 0 else "answered"
            state.execute(
                """INSERT INTO turns (trace_id, thread_id, user_id, created_at, door, text, route, status, timings_ms)
                   VALUES (?, ?, ?, ?, 'ask', 'hello', 'recommendation', ?, ?)""",
                (trace, trace, trace, now(), status, json.dumps({"total": ms})),
            )
            state.execute(
                "INSERT INTO rollout_turns VALUES (?, ?, ?, ?, '')", (trace, trial.rollout_id, trial.stage, side)
            )
            if rating:
                react(state, trace, rating=rating)


def react(state: sqlite3.Connection, trace: str, **given: object) -> None:
    columns = {"rating": None, "action": None, "correction": None, **given}
    state.execute(
        """INSERT INTO feedback (feedback_id, created_at, updated_at, user_id, agent, trace_id, rating, action, correction)
           VALUES (hex(randomblob(8)), ?, ?, ?, 'recommendation', ?, ?, ?, ?)""",
        (now(), now(), trace, trace, columns["rating"], columns["action"], columns["correction"]),
    )


def aged(state: sqlite3.Connection, trial: Rollout, hours: float) -> None:
    state.execute(
        "UPDATE rollouts SET stage_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', ?) WHERE rollout_id = ?",
        (f"-{hours} hours", trial.rollout_id),
    )


def look(settings: Settings) -> RolloutWatch:
    watch = RolloutWatch(settings, Metrics())
    watch.look()
    return watch


def decisions(state: sqlite3.Connection) -> list[str]:
    return [row["action"] for row in state.execute("SELECT action FROM artefact_changes ORDER BY change_no")]


# Who gets it ----------------------------------------------------------------------------------------------------------


async def test_users_stick_to_their_side_in_every_process_and_as_the_share_grows(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    trial = await started(settings, tmp_path)
    early = {user for user in USERS if trial.side(user) == "challenger"}
    assert 0.08 < len(early) / len(USERS) < 0.12
    code = """
import sys
from shopfloor.store.database import connect
from shopfloor.store.rollouts import running
from pathlib import Path
trial = running(connect(Path(sys.argv[1]), read_only=True))[0]
print(" ".join(u for u in (f"user{n}" for n in range(4000)) if trial.side(u) == "challenger"))
"""
    there = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", code, str(settings.state_path)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert set(there.stdout.split()) == early
    outcomes(state, trial, [5] * 60, [5] * 60)
    state.execute("UPDATE rollouts SET stage = 1")
    later = running(state)[0]
    half = {user for user in USERS if later.side(user) == "challenger"}
    assert early < half and 0.47 < len(half) / len(USERS) < 0.53


async def test_another_trial_draws_other_users(settings: Settings, tmp_path: Path, state: sqlite3.Connection) -> None:
    first = await started(settings, tmp_path)
    take_back_by_hand(state, "router", "head", "by command")
    other = begin(state, first.artefact, (10, 50), "again")
    drawn = [{user for user in USERS if trial.side(user) == "challenger"} for trial in (first, other)]
    assert len(drawn[0] & drawn[1]) < 0.3 * len(drawn[0])


# What is decided ------------------------------------------------------------------------------------------------------


async def test_a_better_one_reaches_everybody_step_by_step(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    trial = await started(settings, tmp_path)
    assert look(settings).decided == 0
    for share in (50, None):
        outcomes(state, running(state)[0], [2, 3, 3, 4] * 60, [5, 4, 5, 5] * 60)
        assert look(settings).decided == 1
        if share:
            assert running(state)[0].share == share
    ended = latest(state)[0]
    assert (ended.status, ended.rollout_id) == ("finished", trial.rollout_id)
    serving = state.execute("SELECT hash FROM artefacts WHERE state = 'champion'").fetchone()["hash"]
    assert serving == trial.artefact
    assert decisions(state) == ["add", "activate", "add", "challenger", "share", "activate"]
    last = state.execute("SELECT reason, numbers FROM artefact_changes ORDER BY change_no DESC LIMIT 1").fetchone()
    numbers = json.loads(last["numbers"])
    assert numbers["share"] == 100 and numbers["quality"]["low"] > 0 and "of 1, difference" in last["reason"]


@pytest.mark.parametrize(
    ("champion", "challenger", "ms", "why"),
    [
        ([5, 4, 5] * 20, [1, 2, 1] * 20, 80, "less happy"),
        ([None] * 300, [None] * 50 + [0] * 20, 80, "turns fail"),
    ],
    ids=["quality", "errors"],
)
async def test_a_worse_one_is_taken_back(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection,
    champion: list[int | None], challenger: list[int | None], ms: float, why: str,
) -> None:  # fmt: skip
    trial = await started(settings, tmp_path)
    outcomes(state, trial, champion, challenger, ms=ms)
    assert look(settings).decided == 1
    assert look(settings).decided == 0
    ended = latest(state)[0]
    assert ended.status == "rolled_back" and why in ended.reason
    states = {row["hash"]: row["state"] for row in state.execute("SELECT hash, state FROM artefacts")}
    assert states == {trial.champion: "champion", trial.artefact: "retired"}
    assert decisions(state)[-1] == "rollback"


async def test_a_slower_one_is_taken_back(settings: Settings, tmp_path: Path, state: sqlite3.Connection) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [None] * 100, [], ms=200)
    outcomes(state, trial, [], [None] * 40, ms=settings.latency_budget_ms + 1)
    assert look(settings).decided == 1
    assert "more turns are slow" in latest(state)[0].reason


async def test_a_corrected_route_counts_against_the_side_that_decided(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [5] * 40, [None] * 40)
    for number in range(40):
        wrong = json.dumps({"kind": "route", "route": "inventory"})
        react(state, f"challenger-0-{number}", correction=wrong)
    trial_now, judgement = look_at(state, running(state)[0], settings)
    assert judgement.differences["quality"].treated == 0 and judgement.action == "take_back"
    assert trial_now.users == (40, 40)


async def test_a_correction_that_the_owner_refused_counts_against_nobody(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [5] * 40, [None] * 40)
    wrong = json.dumps({"kind": "route", "route": "inventory"})
    for number in range(40):
        react(state, f"challenger-0-{number}", correction=wrong)
    for row in state.execute("SELECT feedback_id FROM feedback WHERE correction IS NOT NULL").fetchall():
        add_review(state, row["feedback_id"], "refused", wrong, "command")
    _, judgement = look_at(state, running(state)[0], settings)
    assert judgement.differences["quality"].n_treated == 0 and judgement.action == "wait"


async def test_one_user_counts_once(settings: Settings, tmp_path: Path, state: sqlite3.Connection) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [5] * 40, [1] * 40)
    state.execute("UPDATE turns SET user_id = 'grumpy' WHERE trace_id LIKE 'challenger-%'")
    _, judgement = look_at(state, trial, settings)
    assert judgement.differences["quality"].n_treated == 1
    assert judgement.action == "wait"


def seen(hours: float, users: int, stars: float = 0.75, reactions: int = 0) -> Seen:
    said, none = [stars] * reactions, [0.0] * users
    return Seen(hours, (users, users), {"quality": (said, said), "failed": (none, none), "slow": (none, none)})


def test_without_reactions_time_decides_where_nothing_shows_harm() -> None:
    rules = Rules(stages=2)
    assert judge(seen(23, 20), rules).action == "wait"
    late = judge(seen(24.1, 20), rules)
    assert late.action == "advance" and "24.1 h without a sign of harm" in late.reason
    assert judge(seen(24.1, 19), rules).action == "wait"  # hardly anybody was there
    assert judge(seen(500, 60), Rules(stages=2, patience_hours=0)).action == "wait"
    assert judge(seen(0.5, 900, reactions=900), rules).action == "wait"  # too early
    assert judge(seen(1.1, 900, reactions=900), rules).action == "advance"


# By hand --------------------------------------------------------------------------------------------------------------


async def test_what_an_owner_decides_wins(settings: Settings, tmp_path: Path, state: sqlite3.Connection) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [5] * 60, [1] * 60)
    async with Database(settings.state_path) as database:
        registry = Registry(database, settings.artefacts_path)
        await registry.pin(trial.artefact)
        assert look(settings).decided == 0 and running(state)[0].share == 10  # pinned at its share, whatever is said
        await registry.pin(trial.artefact, False)
        assert trial.champion is not None
        await registry.pin(trial.champion)
        assert running(state) == [] and latest(state)[0].status == "stopped"
        with pytest.raises(ArtefactRejectedError):
            await go_live(settings, database, trial.artefact, "again", shares=True)
        await registry.pin(trial.champion, False)
        await go_live(settings, database, trial.artefact, "again", shares=True)
        assert await registry.rollback("router", "head", "by hand") is None
        assert running(state) == []
        with pytest.raises(NotFoundError):
            take_back_by_hand(state, "router", "head", "nothing is tried")


async def test_promoted_by_hand_it_is_no_longer_tried(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    trial = await started(settings, tmp_path)
    async with Database(settings.state_path) as database:
        registry = Registry(database, settings.artefacts_path)
        await registry.activate(trial.artefact, "by hand")
        assert (await registry.champion("router", "head")).hash == trial.artefact  # type: ignore[union-attr]
        assert running(state) == []
        outcomes(state, trial, [5] * 60, [1] * 60)
        assert look(settings).decided == 0
        before = await registry.rollback("router", "head", "by hand")
        assert before is not None and before.hash == trial.champion


async def test_kinds_that_can_not_be_served_twice_go_to_everybody(settings: Settings, tmp_path: Path) -> None:
    async with Database(settings.state_path) as database:
        registry = Registry(database, settings.artefacts_path)
        name = await artefact(registry, tmp_path, "w", "fusion")
        assert (await go_live(settings, database, name, "won", shares=True)).share == 100
        assert (await registry.champion("recommendation", "fusion")).hash == name  # type: ignore[union-attr]


# After it was taken back ----------------------------------------------------------------------------------------------


async def test_the_same_data_is_not_promoted_again_and_training_waits_while_it_cools(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    watch = TrainingWatch(settings)
    assert watch.waits_for == ""
    trial = await started(settings, tmp_path)
    assert "being tried" in watch.waits_for
    run = Run(*("run1", "router", "d1", "c", {}, 0, "automatic", "running", None, None, None, None, now(), None))
    begin_run(state, run)
    end_run(state, "run1", "promoted", artefact=trial.artefact)
    outcomes(state, trial, [5] * 40, [1] * 40)
    look(settings)
    assert "was taken back" in watch.waits_for
    async with Database(settings.state_path) as database:
        registry = Registry(database, settings.artefacts_path)
        same = await artefact(registry, tmp_path, "made from the same data")
        held = await go_live(settings, database, same, "won again", shares=False, dataset_hash="d1")
        assert (held.status, held.share) == ("held", 0) and "taken back" in held.reason
        assert (await registry.get(same)).state == "candidate" and decisions(state)[-1] == "hold"
        other = await artefact(registry, tmp_path, "made from more")
        assert (await go_live(settings, database, other, "won", shares=True, dataset_hash="d2")).share == 10
        warm = settings.model_copy(update={"rollout_cooldown_hours": 0.0})
        await registry.set_state(other, "candidate")
        assert (await go_live(warm, database, same, "won again", shares=True, dataset_hash="d1")).status == "promoted"


# Processes ------------------------------------------------------------------------------------------------------------

DECIDING = """
import sys, time
from shopfloor.http import rollout_watch
from shopfloor.http.rollout_watch import RolloutWatch
from shopfloor.observability import Metrics
from shopfloor.settings import Settings

settings = Settings.model_validate_json(sys.argv[1])
if sys.argv[2] == "hang":
    inner = rollout_watch.take_back
    def take_back(*given):
        done = inner(*given)
        print("in between", flush=True)
        time.sleep(60)
        return done
    rollout_watch.take_back = take_back
watch = RolloutWatch(settings, Metrics())
print("ready", flush=True)
sys.stdin.readline()
watch.look()
print(watch.decided, flush=True)
"""


def decider(settings: Settings, how: str) -> subprocess.Popen[str]:
    given = settings.model_dump_json(exclude={"google_api_key", "api_keys", "model_api_key"})
    process = subprocess.Popen(
        [sys.executable, "-c", DECIDING, given, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


async def test_killed_in_the_middle_of_a_decision_it_was_not_taken_and_is_taken_once(
    settings: Settings, tmp_path: Path, state: sqlite3.Connection
) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [5] * 40, [1] * 40)
    before = decisions(state)
    with decider(settings, "hang") as process:
        assert process.stdout is not None
        go(process)
        assert process.stdout.readline() == "in between\n"
        process.send_signal(signal.SIGKILL)
    assert running(state) == [trial] and decisions(state) == before
    assert look(settings).decided == 1
    assert decisions(state) == [*before, "rollback"]


async def test_two_processes_decide_once(settings: Settings, tmp_path: Path, state: sqlite3.Connection) -> None:
    trial = await started(settings, tmp_path)
    outcomes(state, trial, [2, 3] * 120, [5, 5] * 120)
    with decider(settings, "look") as one, decider(settings, "look") as two:
        go(one)
        go(two)
        said = [int(process.stdout.readline()) for process in (one, two) if process.stdout is not None]
    assert sum(said) == 1
    assert decisions(state).count("share") == 1 and running(state)[0].stage == 1


# Room for shoppers ----------------------------------------------------------------------------------------------------


async def test_a_training_pauses_while_answers_are_slow(settings: Settings, state: sqlite3.Connection) -> None:
    run = Run(*("run1", "router", "d", "c", {}, 0, "automatic", "running", None, None, None, None, now(), None))
    folder = settings.data / "runs" / "run1" / "lora"
    folder.mkdir(parents=True)
    (folder / "job.json").touch()
    begin_run(state, run)
    watch = RolloutWatch(settings, Metrics())
    watch.pause_or_not()
    assert not (folder / "pause").exists()
    slow = settings.latency_budget_ms + 1
    turn = """INSERT INTO turns (trace_id, thread_id, user_id, created_at, door, text, status, timings_ms)
              VALUES (hex(randomblob(8)), 't', 'u', ?, 'ask', 'x', 'answered', ?)"""
    state.executemany(turn, [(now(), json.dumps({"total": slow if number < 2 else 50})) for number in range(20)])
    watch.pause_or_not()
    assert (folder / "pause").exists()
    state.executemany(turn, [(now(), json.dumps({"total": 50})) for _ in range(40)])
    watch.pause_or_not()
    assert not (folder / "pause").exists()
    set_pause(folder / "pause", False)
