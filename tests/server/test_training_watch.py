"""The service starts a training when enough new feedback is there, one at a time, and stops it when it stops."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.http.training import TrainingWatch, is_due, is_quiet
from shopfloor.settings import Settings
from shopfloor.store.migrations import open_state


def react(settings: Settings, count: int) -> None:
    """So many usable reactions more."""
    with closing(sqlite3.connect(settings.state_path)) as state:
        before = state.execute("SELECT count(*) FROM feedback").fetchone()[0]
        for number in range(before, before + count):
            state.execute(
                """INSERT INTO feedback (feedback_id, created_at, updated_at, agent, trace_id, rating)
                   VALUES (?, '2026-01-01', '2026-01-01', 'recommendation', 't', 5)""",
                (f"f{number}",),
            )
        state.commit()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(_env_file=None, data=tmp_path)  # pyright: ignore[reportCallIssue]
    open_state(made.state_path)
    return made


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def wait_for(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():
            await asyncio.sleep(0.05)


async def test_it_starts_at_the_threshold_and_not_again(settings: Settings, tmp_path: Path) -> None:
    mark = tmp_path / "trained"
    code = f"import os; open({str(mark)!r}, 'a').write(os.environ['SHOPFLOOR_DATA'] + chr(10))"
    watch = TrainingWatch(settings, look_every_s=0.05, command=command(code))
    react(settings, 49)
    async with watch.running():
        await asyncio.sleep(0.4)
        assert not mark.exists()
        react(settings, 1)
        await wait_for(mark)
        await asyncio.sleep(0.5)
        assert mark.read_text() == f"{settings.data}\n"
        react(settings, 50)
        async with asyncio.timeout(20):
            while watch.started < 2:
                await asyncio.sleep(0.05)
    assert watch.started == 2


async def test_reactions_that_come_while_it_trains_start_the_next_one(settings: Settings, tmp_path: Path) -> None:
    """Fifty more may be there at the first look after a training: the count is the same, what it counts from is not."""
    code = f"""
import sqlite3
from shopfloor.store.loop import Run, begin_run, end_run
state = sqlite3.connect({str(settings.state_path)!r}, isolation_level=None)
state.row_factory = sqlite3.Row
begin_run(state, Run("r1", "router", "d", "c", {{}}, 0, "automatic", "running", None, None, None, None, "2026-02-01", None))
for number in range(60):
    state.execute(
        "INSERT INTO feedback (feedback_id, created_at, updated_at, agent, trace_id, rating)"
        " VALUES (?, '2026-03-01', '2026-03-01', 'recommendation', 't', 5)", (f"later{{number}}-" + str(id(state)),))
end_run(state, "r1", "promoted")
"""
    watch = TrainingWatch(settings, look_every_s=0.05, command=command(code))
    react(settings, 50)
    async with watch.running(), asyncio.timeout(20):
        while watch.started < 2:
            await asyncio.sleep(0.05)


async def test_it_is_stopped_with_the_service(settings: Settings, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    react(settings, 60)
    async with TrainingWatch(settings, look_every_s=0.05, command=command(code)).running():
        await wait_for(mark)
        await asyncio.sleep(0.2)
    assert not Path(f"/proc/{mark.read_text()}").exists()


async def test_it_can_be_switched_off(settings: Settings, tmp_path: Path) -> None:
    off = settings.model_copy(update={"train_automatically": False})
    react(settings, 60)
    watch = TrainingWatch(off, look_every_s=0.02, command=command("raise SystemExit"))
    async with watch.running():
        await asyncio.sleep(0.2)
    assert watch.started == 0


def test_when_it_is_due() -> None:
    assert is_due(50, 0, 50) and not is_due(49, 0, 50)
    assert not is_due(99, 50, 50) and is_due(100, 50, 50)


@pytest.mark.parametrize(
    ("hours", "hour", "quiet"),
    [
        ("", 12, False),
        ("9-18", 9, True),
        ("9-18", 18, False),
        ("22-6", 23, True),
        ("22-6", 5, True),
        ("22-6", 6, False),
    ],
)
def test_quiet_hours(hours: str, hour: int, quiet: bool) -> None:
    assert is_quiet(hours, hour) is quiet
