"""A shop with a catalogue of its own, turns, answers and reactions, in real databases."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopfloor.settings import Settings
from shopfloor.store.catalogue import ensure_catalogue
from shopfloor.store.database import connect
from shopfloor.store.migrations import open_state

START = datetime(2026, 9, 1, 12, tzinfo=UTC)


@dataclass
class LearningShop:
    """A data folder whose state database the tests fill; time goes on by an hour with every turn."""

    settings: Settings
    hours: int = 0
    numbers: dict[str, int] = field(default_factory=dict)
    connection: sqlite3.Connection | None = None

    def visit(self, user: str, day: int = -9) -> None:
        """An earlier turn, so that the account is established."""
        self._turn(f"visit-{user}", user, "hello", "supervisor", "rules", START + timedelta(days=day))

    def turn(self, user: str, text: str, route: str = "recommendation", decided_by: str = "local") -> str:
        """A turn that was answered; returns its trace id."""
        trace_id = f"t{self._number('turn'):05d}"
        self.hours += 1
        self._turn(trace_id, user, text, route, decided_by, START + timedelta(hours=self.hours))
        return trace_id

    def recommend(self, user: str, text: str, skus: list[str], *, answer: str = "", price_off: float = 0.0) -> str:
        """A recommendation that showed the SKUs; returns the answer's id."""
        trace_id = self.turn(user, text)
        answer_id = f"rec_{self._number('answer'):05d}"
        with closing(connect(self.settings.catalogue_path, read_only=True)) as shop:
            rows = [shop.execute("SELECT * FROM products WHERE sku = ?", (sku,)).fetchone() for sku in skus]
        items = [
            {"sku": row["sku"], "name": row["name"], "price": row["price"] + price_off, "currency": row["currency"]}
            for row in rows
        ]
        candidates = [{"sku": sku, "score": 1.0, "signals": {"text": 1.0}} for sku in skus]
        self._answer(answer_id, trace_id, "recommendation", user, {"text": text}, {"items": items}, answer, candidates)
        with self._state() as state:
            for position, sku in enumerate(skus, start=1):
                state.execute(
                    "INSERT INTO shown (answer_id, position, sku, user_id, score) VALUES (?, ?, ?, ?, 1.0)",
                    (answer_id, position, sku, user),
                )
        return answer_id

    def check_stock(self, user: str, question: str, slots: dict[str, Any], counts: dict[str, int]) -> str:
        """A stock answer; returns its id."""
        trace_id = self.turn(user, question, "inventory")
        answer_id = f"inv_{self._number('answer'):05d}"
        result = {
            "intent": "stock_at_store",
            "slots": slots,
            "structured": {"quantities": counts},
            "product": {"sku": slots.get("sku")},
        }
        request = {"question": question, "sku": slots.get("sku"), "city": None, "size": None, "slots": slots}
        self._answer(answer_id, trace_id, "inventory", user, request, result, "So many.", [])
        return answer_id

    def react(self, user: str | None, about: str, *, source: str = "api", **reaction: Any) -> str:
        """A reaction to a turn or an answer (by its id); returns the feedback's id."""
        feedback_id = f"f{self._number('feedback'):05d}"
        self.hours += 1
        at = (START + timedelta(hours=self.hours)).isoformat(timespec="microseconds")
        correction = reaction.get("correction")
        with self._state() as state:
            answer = state.execute("SELECT * FROM answers WHERE answer_id = ?", (about,)).fetchone()
            position = state.execute(
                "SELECT position FROM shown WHERE answer_id = ? AND sku = ?", (about, reaction.get("sku"))
            ).fetchone()
            state.execute(
                """INSERT INTO feedback (feedback_id, created_at, updated_at, user_id, agent, trace_id, answer_id, sku,
                                         position, rating, action, correction, source)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    *(feedback_id, at, at, user, answer["agent"] if answer else "supervisor"),
                    *(answer["trace_id"] if answer else about, about if answer else None, reaction.get("sku")),
                    *(position[0] if position else None, reaction.get("rating"), reaction.get("action")),
                    *(None if correction is None else json.dumps(correction), source),
                ),
            )
        return feedback_id

    def correct_routes(self, rows: list[tuple[str, str]], users: int = 20, prefix: str = "user") -> None:
        """Users correct the route of messages."""
        for number, (text, label) in enumerate(rows):
            user = f"{prefix}{number % users}"
            self.react(user, self.turn(user, text), correction={"route": label})

    @contextmanager
    def _state(self) -> Iterator[sqlite3.Connection]:
        if self.connection is None:
            self.connection = connect(self.settings.state_path)
        yield self.connection

    def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.close()

    def _number(self, what: str) -> int:
        self.numbers[what] = self.numbers.get(what, 0) + 1
        return self.numbers[what]

    def _turn(self, trace_id: str, user: str, text: str, route: str, decided_by: str, at: datetime) -> None:
        with self._state() as state:
            state.execute(
                """INSERT INTO turns (trace_id, thread_id, user_id, created_at, door, text, route, decided_by, confidence,
                                      reply, status)
                   VALUES (?, ?, ?, ?, 'ask', ?, ?, ?, 0.9, 'A reply.', 'answered')""",
                (trace_id, f"th-{user}", user, at.isoformat(timespec="microseconds"), text, route, decided_by),
            )
            state.execute(
                "INSERT OR IGNORE INTO threads (thread_id, user_id, created_at) VALUES (?, ?, ?)",
                (f"th-{user}", user, at.isoformat()),
            )

    def _answer(
        self,
        answer_id: str,
        trace_id: str,
        agent: str,
        user: str,
        request: dict[str, Any],
        result: dict[str, Any],
        answer: str,
        candidates: list[dict[str, Any]],
    ) -> None:
        at = (START + timedelta(hours=self.hours)).isoformat(timespec="microseconds")
        with self._state() as state:
            state.execute(
                """INSERT INTO answers (answer_id, trace_id, agent, user_id, created_at, request, candidates, answer, result)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    *(answer_id, trace_id, agent, user, at, json.dumps(request), json.dumps(candidates), answer),
                    json.dumps(result),
                ),
            )


@pytest.fixture(scope="session")
def catalogue_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo shop's catalogue, imported once."""
    settings = Settings(_env_file=None, data=tmp_path_factory.mktemp("catalogue"))  # pyright: ignore[reportCallIssue]
    path = ensure_catalogue(settings)
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def learning_shop(tmp_path: Path, models_path: Path, catalogue_file: Path) -> Iterator[LearningShop]:
    """The demo shop with an empty state database."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=tmp_path / "data",
        models=models_path,
        google_api_key=None,
    )
    settings.data.mkdir()
    shutil.copy(catalogue_file, settings.catalogue_path)
    open_state(settings.state_path)
    shop = LearningShop(settings)
    yield shop
    shop.close()
