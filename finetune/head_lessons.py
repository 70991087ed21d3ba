"""What the router's head learns: rows of a dataset, and messages rehearsed beside them."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from shopfloor.evaluation.nearness import near_groups
from shopfloor.evaluation.suites.routing import ADAPTING
from shopfloor.finetune.cycle import LICENCE
from shopfloor.finetune.gate.routing_cases import known_cases
from shopfloor.finetune.routing.rows import LABELS, Row, shipped_rows
from shopfloor.graph.local_router import TextEncoder, shorten
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.head_training import HeadOrigin, HeadRecipe, LabelledTexts, train_head
from shopfloor.tools.schemas import Route

AGENT = "router"
REHEARSED_ROWS = 800


@dataclass(frozen=True, slots=True)
class Lesson:
    """A row as the head learns it."""

    text: str
    label: str
    weight: float


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """Messages to learn again beside the new ones, with their vectors, shape (n, width) or (n, 0)."""

    rows: Sequence[Row]
    hidden: NDArray[np.float32]


async def fit(
    lessons: Sequence[Lesson],
    base: LinearHead,
    encoder: TextEncoder | None,
    dataset_hash: str,
    *,
    seed: int = 0,
    recipe: HeadRecipe = ADAPTING,
    rehearsed: Rehearsed | None = None,
) -> LinearHead:
    """Train a head on from ``base``. A shopper's words are embedded and forgotten, not kept in the cache of vectors.

    Raises:
        ConfigError: SciPy is not installed.
        ModelError: the encoder failed.
    """
    texts = [shorten(lesson.text) for lesson in lessons]
    hidden = np.zeros((len(texts), 0), np.float32)
    if encoder is not None and base.card.encoder_width:
        hidden = await encoder.embed(texts)
    again = rehearsed or Rehearsed((), np.zeros((0, hidden.shape[1]), np.float32))
    labels = [LABELS.index(cast(Route, lesson.label)) for lesson in lessons]
    count = len(again.rows)
    rows = LabelledTexts(
        texts=[*texts, *(row.text for row in again.rows)],
        labels=np.array([*labels, *(LABELS.index(row.label) for row in again.rows)]),
        hidden=np.concatenate([hidden, again.hidden]),
        weights=np.array([*(lesson.weight for lesson in lessons), *[1.0] * count], np.float32),
        groups=np.array([*near_groups(texts), *[-1] * count]),
        judged=np.array([True] * len(texts) + [False] * count, np.bool_),
    )
    origin = HeadOrigin(AGENT, base.card.encoder_hash, "feedback", dataset_hash, LICENCE)
    return await asyncio.to_thread(train_head, rows, LABELS, origin, recipe, seed=seed, start=base)


def rehearsal_rows() -> list[Row]:
    """Hand-written messages of the shipped rows, always the same, none of which the gate asks for again."""
    asked = {case.text for case in known_cases()}
    lines = [row for row in shipped_rows() if row.source == "line" and row.text not in asked]
    return sorted(lines, key=lambda row: hashlib.sha256(row.text.encode()).hexdigest())[:REHEARSED_ROWS]


def read_lessons(path: Path) -> list[Lesson]:
    """The training part of a dataset."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Lesson(row["text"], row["target"], row["weight"]) for row in rows if row["part"] == "train" and row["positive"]
    ]
