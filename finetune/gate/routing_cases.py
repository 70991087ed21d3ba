"""The frozen cases of the router's gate: written by hand for it, in ``cases/routing.jsonl``; nothing is trained on them."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from shopfloor.finetune.routing.rows import Row, shipped_rows

FORGETTING_CASES = 600


@dataclass(frozen=True, slots=True)
class RoutingCase:
    """A message and who should handle it."""

    id: str
    text: str
    label: str


@cache
def core_cases() -> tuple[RoutingCase, ...]:
    """The cases that come with the package."""
    return tuple(RoutingCase(**json.loads(line)) for line in _content().splitlines())


def core_hash() -> str:
    """SHA-256 of the frozen file: two reports with the same hash judged by the same cases."""
    return hashlib.sha256(_content().encode()).hexdigest()


def known_cases(count: int = FORGETTING_CASES) -> list[RoutingCase]:
    """Hand-written rows that the shipped head learned from: what must not be forgotten. Always the same ones."""
    lines = [row for row in shipped_rows() if row.source == "line"]
    chosen = sorted(lines, key=_shuffled)[:count]
    return [RoutingCase(f"k{number:03d}", row.text, row.label) for number, row in enumerate(chosen, start=1)]


def _shuffled(row: Row) -> str:
    return hashlib.sha256(row.text.encode()).hexdigest()


def _content() -> str:
    return (files("shopfloor.finetune.gate") / "cases" / "routing.jsonl").read_text(encoding="utf-8")
