"""Makes the rows that the shipped router learns from: hand-written lines, and templates filled from word lists.

Everything is drawn from the files beside this one by one seed, so the same files give the same rows on any machine.
A template writes alternatives as ``(one|two|)`` and slots as ``{name}``; slots are looked up in the row's trade, then
in the label's own file, then in ``words.yaml``, and may hold templates themselves.

Rows too near to a row of an evaluation set are withheld: ``withheld.txt`` has their hashes, never their texts.
"""

import hashlib
import json
import random
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ConfigDict

from shopfloor.errors import InputError
from shopfloor.evaluation.nearness import nearest
from shopfloor.finetune.routing.noise import chat_style
from shopfloor.tools.schemas import Route

PACKAGE = "shopfloor.finetune.routing"
LABELS: tuple[Route, ...] = get_args(Route)
SEED = 20260
TOO_NEAR = 0.6
MAX_STEPS = 200

_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")


class Row(BaseModel):
    """One training row. ``source``: ``line`` (written by hand) or the template group it came from."""

    model_config = ConfigDict(frozen=True)

    text: str
    label: Route
    source: str


class TemplateGroup(BaseModel):
    """Templates of one kind; ``weight`` rows are made of them, of one ``trade`` where the words fit no other."""

    model_config = ConfigDict(extra="forbid")

    weight: int
    templates: list[str]
    trade: str | None = None


@dataclass(frozen=True)
class Writer:
    """Fills templates. ``words`` are the slots of every trade, ``own`` those of the label's own file."""

    trades: Mapping[str, Mapping[str, Sequence[str]]]
    words: Mapping[str, Sequence[str]]
    own: Mapping[str, Sequence[str]]

    @cached_property
    def trade_names(self) -> list[str]:
        """Names of the trades, in a fixed order."""
        return sorted(self.trades)

    def write(self, template: str, rng: random.Random, trade: str | None = None) -> str:
        """One text of a template.

        Raises:
            InputError: the template names a slot that is nowhere, or never ends.
        """
        slots = self.trades[trade or rng.choice(self.trade_names)]
        text = template
        for _ in range(MAX_STEPS):
            found = _CHOICE.search(text)
            if found is not None:
                chosen = rng.choice(found.group(1).split("|"))
                text = text[: found.start()] + chosen + text[found.end() :]
                continue
            found = _SLOT.search(text)
            if found is None:
                return _tidy(text)
            chosen = rng.choice(self._values(found.group(1), slots))
            text = text[: found.start()] + chosen + text[found.end() :]
        raise InputError(f"The template {template!r} does not end after {MAX_STEPS} steps.")

    def _values(self, slot: str, trade: Mapping[str, Sequence[str]]) -> Sequence[str]:
        for place in (trade, self.own, self.words):
            if slot in place:
                return place[slot]
        raise InputError(f"There are no words for the slot {{{slot}}}.")


def make_rows(seed: int = SEED, scale: float = 0.7) -> list[Row]:
    """All rows, in a shuffled but fixed order; ``scale`` multiplies the number of templated ones."""
    withheld = frozenset(_text("withheld.txt").split())
    rng = random.Random(seed)
    rows: dict[str, Row] = {}
    for label in LABELS:
        for text in _lines(label):
            rows.setdefault(text.casefold(), Row(text=text, label=label, source="line"))
        for row in _templated(label, rng, scale):
            rows.setdefault(row.text.casefold(), row)
    kept = [row for row in rows.values() if text_hash(row.text) not in withheld]
    rng.shuffle(kept)
    return kept


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write rows as JSONL."""
    path.write_text("".join(f"{json.dumps(row.model_dump(), ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def shipped_rows() -> list[Row]:
    """The rows as they are shipped with the package."""
    return [Row.model_validate_json(line) for line in _text("rows.jsonl").splitlines()]


def text_hash(text: str) -> str:
    """Names a row in ``withheld.txt``."""
    return hashlib.sha256(text.casefold().encode()).hexdigest()[:16]


def too_near(rows: Sequence[Row], others: Sequence[str], limit: float = TOO_NEAR) -> Collection[str]:
    """Hashes of the rows that are at least ``limit`` similar to one of ``others``."""
    found = nearest([row.text for row in rows], others)
    return sorted({text_hash(row.text) for row, value in zip(rows, found, strict=True) if value >= limit})


def _templated(label: Route, rng: random.Random, scale: float) -> Iterable[Row]:
    content: dict[str, list[str] | list[dict[str, object]]] = yaml.safe_load(_text(f"{label}.yaml"))
    groups = [TemplateGroup.model_validate(group) for group in content.pop("groups")]
    own = {name: [str(value) for value in values] for name, values in content.items()}
    writer = Writer(trades=yaml.safe_load(_text("trades.yaml")), words=yaml.safe_load(_text("words.yaml")), own=own)
    for number, group in enumerate(groups):
        for index in range(round(group.weight * scale)):
            template = group.templates[index % len(group.templates)]
            text = chat_style(writer.write(template, rng, group.trade), rng)
            if text:
                yield Row(text=text, label=label, source=f"{label}/{number}")


def _lines(label: Route) -> list[str]:
    return [line.strip() for line in _text(f"lines_{label}.txt").splitlines() if line.strip()]


def _text(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _tidy(text: str) -> str:
    return re.sub(r"\s+([?,.!])", r"\1", " ".join(text.split())).strip(" ,")
