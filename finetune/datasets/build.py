"""Builds an agent's dataset: collect, judge, merge, cap, split, write.

The folder ``DATA/datasets/HASH`` is named by its content, so the same reactions give the same dataset on any machine.
It is put together under another name and renamed: a killed build leaves nothing that looks like one.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopfloor.evaluation.nearness import nearest
from shopfloor.finetune.datasets import choices, routes, slots
from shopfloor.finetune.datasets.card import CardFacts, card_of, card_text
from shopfloor.finetune.datasets.collect import decisions, reactions
from shopfloor.finetune.datasets.facts import Checker
from shopfloor.finetune.datasets.formats import Format, Template, lines
from shopfloor.finetune.datasets.limits import NEAR, Caps, cap, merge
from shopfloor.finetune.datasets.rows import PARTS, Agent, Drop, Evidence, Part, Row, Sifted, Unusable, compact
from shopfloor.finetune.datasets.split import split, user_names
from shopfloor.finetune.gate.feedback_cases import HeldOut, hold_out
from shopfloor.finetune.routing.rows import TOO_NEAR
from shopfloor.store.database import connect
from shopfloor.store.loop import DatasetRecord, DatasetSource, save_dataset

ROWS_FILE = "rows.jsonl"
DROPS_FILE = "drops.jsonl"
CARD_FILE = "card.json"
VERSION = 1
ABANDONED_S = 3600


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What to build. ``gate_texts``: the gate's own cases, which no row may come near to."""

    agent: Agent
    form: Format
    caps: Caps = field(default_factory=Caps)
    gate_texts: Sequence[str] = ()
    guess: routes.Guesser | None = None
    template: Template | None = None
    licence: str = "the shop's own; not for publication"


@dataclass(frozen=True, slots=True)
class Built:
    """A dataset that is on disk. ``rows`` and ``parts`` go together."""

    hash: str
    agent: Agent
    folder: Path
    rows: tuple[Row, ...]
    parts: tuple[Part, ...]
    drops: tuple[Drop, ...]
    held_out: int
    files: tuple[Path, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each part."""
        return {part: self.parts.count(part) for part in PARTS}

    @property
    def reasons(self) -> dict[str, int]:
        """How many reactions were dropped for each reason, the most frequent first."""
        return dict(sorted(Counter(drop.reason for drop in self.drops).items(), key=lambda pair: (-pair[1], pair[0])))

    def card_facts(self) -> CardFacts:
        """What the card says."""
        return CardFacts(self.hash, self.agent, self.rows, self.counts, self.reasons, self.held_out)

    def to_json(self) -> dict[str, Any]:
        """What ``dataset build --json`` prints."""
        return {
            "hash": self.hash,
            "agent": self.agent,
            "folder": str(self.folder),
            "rows": len(self.rows),
            "parts": self.counts,
            "kinds": dict(sorted(Counter(row.kind for row in self.rows).items())),
            "basis": dict(sorted(Counter(row.basis for row in self.rows).items())),
            "held_out_for_gate": self.held_out,
            "dropped": len(self.drops),
            "reasons": self.reasons,
            "files": [str(path) for path in self.files],
        }


def build_dataset(state: Path, catalogue: Path, data: Path, plan: BuildPlan) -> Built:
    """Build, write and record a dataset (blocking). Building again from the same state changes nothing.

    Args:
        state: the state database, migrated.
        catalogue: the shop's database.
        data: the data folder.
        plan: what to build.

    Raises:
        InputError: the format ``text`` without a template.
        StoreError: a database can't be opened.
    """
    with closing(connect(state)) as connection, closing(connect(catalogue, read_only=True)) as shop:
        held = hold_out(connection, plan.agent)
        connection.execute("BEGIN")
        try:
            sifted = _sift(connection, Checker(shop), plan, held)
        finally:
            connection.execute("ROLLBACK")
        built = _write(data, plan, sifted, held)
        record = _record(built, plan, data)
        save_dataset(connection, record, list(_sources(built.rows)))
    return built


def _sift(state: sqlite3.Connection, checker: Checker, plan: BuildPlan, held: HeldOut) -> Sifted:
    judged = _judge(state, checker, plan.agent, held)
    if plan.agent == "router" and plan.guess is not None:
        more = routes.distilled(routes.without_decided(list(decisions(state)), judged.rows), plan.guess)
        judged.rows += more.rows
        judged.drops += more.drops
    kept = Sifted(drops=judged.drops)
    for row, near in zip(judged.rows, _nearest_case(judged.rows, plan.gate_texts, held), strict=True):
        if near:
            kept.drop(row, "gate_case")
        else:
            kept.rows.append(row)
    for step in (merge, _capped(plan.caps)):
        done = step(kept.rows)
        kept.rows = done.rows
        kept.drops += done.drops
    return kept


def _judge(state: sqlite3.Connection, checker: Checker, agent: Agent, held: HeldOut) -> Sifted:
    out = Sifted()
    for evidence in reactions(state):
        if agent != "router" and evidence.agent != agent:
            continue
        try:
            if not evidence.trace_id:
                raise Unusable("joins_no_answer")
            if evidence.feedback_id in held.feedback_ids:
                raise Unusable("gate_case")
            if evidence.review == "refused":
                raise Unusable("refused_by_owner")
            out.rows.extend(_rows_of(agent, evidence, checker))
        except Unusable as reason:
            out.drops.append(Drop(evidence.feedback_id, evidence.trace_id, reason.reason, reason.detail))
    return out


def _rows_of(agent: Agent, evidence: Evidence, checker: Checker) -> list[Row]:
    if agent == "router":
        return [routes.row_of(evidence)]
    if agent == "inventory":
        return [slots.row_of(evidence, checker)]
    return choices.rows_of(evidence, checker)


def _capped(caps: Caps) -> Callable[[Sequence[Row]], Sifted]:
    return lambda rows: cap(rows, caps)


def _nearest_case(rows: Sequence[Row], gate_texts: Sequence[str], held: HeldOut) -> list[bool]:
    """Whether each row is too near to a case that the gate judges by."""
    ours = nearest([row.text for row in rows], gate_texts) if gate_texts else [0.0] * len(rows)
    own = nearest([row.text for row in rows], held.texts) if held.texts else [0.0] * len(rows)
    return [one >= TOO_NEAR or other >= NEAR for one, other in zip(ours, own, strict=True)]


def _write(data: Path, plan: BuildPlan, sifted: Sifted, held: HeldOut) -> Built:
    rows = tuple(sifted.rows)
    parts = tuple(split(rows))
    content = "".join(
        f"{compact(row.to_json(part, user))}\n" for row, part, user in zip(rows, parts, user_names(rows), strict=True)
    ).encode()
    name = hashlib.sha256(f"{VERSION}\n{plan.agent}\n".encode() + content).hexdigest()
    drops = tuple(sorted(sifted.drops, key=lambda drop: (drop.feedback_id, drop.trace_id, drop.reason)))
    folder = data / "datasets" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    made = Built(name, plan.agent, folder, rows, parts, drops, len(held.feedback_ids), ())
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        if not folder.is_dir():
            (making / ROWS_FILE).write_bytes(content)
            os.replace(making, folder)
        # The report of drops and the card belong to this build, the rows to every build of this content.
        _put(folder / DROPS_FILE, "".join(f"{compact(_drop_line(drop))}\n" for drop in drops))
        card = card_of(made.card_facts(), plan.licence)
        _put(folder / CARD_FILE, json.dumps(card, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
        _put(folder / "README.md", card_text(card))
        files = tuple(_write_form(folder, plan, rows, parts))
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return Built(name, plan.agent, folder, rows, parts, drops, len(held.feedback_ids), files)


def _write_form(folder: Path, plan: BuildPlan, rows: Sequence[Row], parts: Sequence[Part]) -> list[Path]:
    written: list[Path] = []
    for part in PARTS:
        of_part = [row for row, where in zip(rows, parts, strict=True) if where == part]
        path = folder / plan.form / f"{part}.jsonl"
        path.parent.mkdir(exist_ok=True)
        _put(
            path,
            "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines(of_part, plan.form, plan.template)),
        )
        written.append(path)
    return written


def _sweep(folder: Path) -> None:
    """Remove what killed builds left."""
    for left in folder.glob(".making-*"):
        try:
            old = time.time() - left.stat().st_mtime > ABANDONED_S
        except FileNotFoundError:  # finished meanwhile
            continue
        if old:
            shutil.rmtree(left, ignore_errors=True)


def _put(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def _drop_line(drop: Drop) -> dict[str, str]:
    return {"feedback_id": drop.feedback_id, "trace_id": drop.trace_id, "reason": drop.reason, "detail": drop.detail}


def _sources(rows: Sequence[Row]) -> list[DatasetSource]:
    return [
        DatasetSource(number, source.trace_id, source.feedback_id, source.user_id)
        for number, row in enumerate(rows)
        for source in row.sources
    ]


def _record(built: Built, plan: BuildPlan, data: Path) -> DatasetRecord:
    return DatasetRecord(
        hash=built.hash,
        agent=built.agent,
        folder=str(built.folder.relative_to(data)),
        rows=len(built.rows),
        card=card_of(built.card_facts(), plan.licence),
    )
