"""Feedback as JSONL: out and in again without doubling, bad lines by their number."""

import json
from pathlib import Path

import pytest

from shopfloor.errors import InputError
from shopfloor.store.database import Database
from shopfloor.store.feedback import FeedbackStore, NewFeedback
from shopfloor.store.feedback_files import export_feedback, import_feedback
from shopfloor.store.migrations import open_state
from shopfloor.store.traces import NewAnswer, NewTurn, Shown, TraceStore


@pytest.fixture
async def reactions(state: Database, catalogue: Database) -> FeedbackStore:
    """Three reactions: two joined (one to each agent), one to nothing."""
    traces = TraceStore(state)
    for agent, trace_id in (("recommendation", "t1"), ("inventory", "t2")):
        await traces.start_turn(NewTurn(trace_id, "th", "u1", "rest", "a table, bitte: größer\n2nd line"))
        await traces.save_answer(NewAnswer(trace_id, agent, "u1", "Here.", shown=[Shown("A1", 1)], answer_id=agent))
    store = FeedbackStore(state, catalogue)
    await store.add(NewFeedback(user_id="u1", recommendation_id="recommendation", rating=5, correction={"sku": "A2"}))
    await store.add(NewFeedback(user_id="u1", recommendation_id="inventory", rating=1, comment="=1+1"))
    await store.add(NewFeedback(product_id="A3", action="clicked"))
    return store


async def test_one_file_an_agent_one_object_a_line(reactions: FeedbackStore, state: Database, tmp_path: Path) -> None:
    files = await export_feedback(state, tmp_path / "out")
    assert {file.path.name: file.rows for file in files} == {
        "inventory.jsonl": 1,
        "none.jsonl": 1,
        "recommendation.jsonl": 1,
    }
    lines = (tmp_path / "out" / "recommendation.jsonl").read_text("utf-8").splitlines()
    found = json.loads(lines[0])
    assert (found["rating"], found["correction"], found["sku"], found["position"]) == (5, {"sku": "A2"}, "A1", 1)
    assert (found["question"], found["answer"]) == ("a table, bitte: größer\n2nd line", "Here.")
    assert not list((tmp_path / "out").glob("*.part"))


async def test_only_one_agent(reactions: FeedbackStore, state: Database, tmp_path: Path) -> None:
    files = await export_feedback(state, tmp_path / "out", agent="inventory")
    assert [file.agent for file in files] == ["inventory"]


async def test_importing_it_again_doubles_nothing(reactions: FeedbackStore, state: Database, tmp_path: Path) -> None:
    await export_feedback(state, tmp_path / "out")
    report = await import_feedback(state, tmp_path / "out")
    assert (report.read, report.unchanged, report.added, report.updated) == (3, 3, 0, 0)


async def test_into_another_database_and_back_out(reactions: FeedbackStore, state: Database, tmp_path: Path) -> None:
    await export_feedback(state, tmp_path / "out")
    open_state(tmp_path / "other.db")
    async with Database(tmp_path / "other.db") as other:
        for expected in ((3, 0), (0, 3)):
            report = await import_feedback(other, tmp_path / "out")
            assert (report.added, report.unchanged) == expected
        rows = await other.read(
            lambda connection: connection.execute(
                "SELECT trace_id, agent, rating FROM feedback ORDER BY agent"
            ).fetchall()
        )
        # The answers are not in that database: the reactions join to nothing there.
        assert [tuple(row) for row in rows] == [
            (None, "inventory", 1),
            (None, "none", None),
            (None, "recommendation", 5),
        ]


async def test_a_newer_line_updates(reactions: FeedbackStore, state: Database, tmp_path: Path) -> None:
    await export_feedback(state, tmp_path / "out", agent="inventory")
    path = tmp_path / "out" / "inventory.jsonl"
    line = json.loads(path.read_text("utf-8")) | {"rating": 3, "updated_at": "2999-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(line), encoding="utf-8")
    report = await import_feedback(state, path)
    assert report.updated == 1
    stored = await reactions.get(line["feedback_id"])
    assert stored is not None
    assert (stored.rating, stored.trace_id) == (3, "t2")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rating": 6}, "rating"),
        ({"rating": "5"}, "rating"),
        ({"rating": True}, "rating"),
        ({"action": "stolen"}, "stolen"),
        ({"feedback_id": None}, "feedback_id is missing"),
        ({"created_at": "yesterday"}, "ISO 8601"),
        ({"rating": None}, "none of rating"),
        ({"correction": 3}, "correction"),
        ({"comment": ["x"]}, "comment is not a text"),
    ],
)
async def test_bad_lines_are_reported_and_the_good_ones_stay(
    state: Database, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    good = {"feedback_id": "f1", "agent": "inventory", "rating": 4}
    lines = [json.dumps(good), "", json.dumps(good | {"feedback_id": "f2"} | change), "{oops"]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    report = await import_feedback(state, tmp_path / "in.jsonl")
    assert (report.read, report.added, report.rejected) == (3, 1, 2)
    assert [issue.line for issue in report.issues] == [3, 4]
    assert reason in report.issues[0].reason


async def test_nothing_to_import(state: Database, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no feedback"):
        await import_feedback(state, tmp_path / "absent.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"feedback_id": "f1", "rating": 4}\n{"comment": "\xe9"}\n')
    with pytest.raises(InputError, match="UTF-8"):
        await import_feedback(state, tmp_path / "latin.jsonl")
    rows = await state.read(lambda connection: connection.execute("SELECT count(*) FROM feedback").fetchone()[0])
    assert rows == 0


async def test_an_agents_name_never_leaves_the_folder(state: Database, tmp_path: Path) -> None:
    line = {"feedback_id": "f1", "agent": "../../etc/passwd", "rating": 4}
    (tmp_path / "in.jsonl").write_text(json.dumps(line), encoding="utf-8")
    await import_feedback(state, tmp_path / "in.jsonl")
    files = await export_feedback(state, tmp_path / "out")
    assert [file.path.parent for file in files] == [tmp_path / "out"]
