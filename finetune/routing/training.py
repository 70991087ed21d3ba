"""Trains the router's head: rows of the package or of a file, embedded by the local model's first blocks."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.nearness import near_groups
from shopfloor.evaluation.suites.routing import ADAPTING, RoutingCase
from shopfloor.finetune.routing.rows import LABELS, Row, shipped_rows
from shopfloor.finetune.routing.vectors import VectorCache
from shopfloor.graph.local_router import shipped_head, shorten
from shopfloor.local_models import open_encoder
from shopfloor.local_models.encoder import Encoder
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.head_training import HeadOrigin, HeadRecipe, LabelledTexts, train_head
from shopfloor.settings import Settings

OWN_DATA = "rows.jsonl of this package"
LICENCE = "Apache-2.0"
LINE_WEIGHT = 3.0
"""A hand-written line says more than one more filling of a template."""
RECIPE = HeadRecipe(hidden_scale=0.5, c=4.0)


async def train_router(
    settings: Settings,
    rows_file: Path | None,
    *,
    text_only: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LinearHead:
    """Train on the package's rows; with a file, go on from there with the file's rows.

    The package's own head is where that starts if it fits the encoder; for another encoder one is trained first.
    ``text_only`` leaves the encoder out. Vectors are kept in the models folder, so a second run is quick.

    Raises:
        InputError: the file can't be used; the sentence names line and field.
        ModelMissingError: the embedded model is not installed.
        ConfigError: SciPy is not installed.
    """
    cases = load_cases(rows_file, RoutingCase) if rows_file is not None else []
    encoder = None if text_only else await open_encoder(settings)
    try:
        if rows_file is None:
            return await _train(_Data(shipped_rows(), OWN_DATA, LICENCE), settings, encoder, seed, progress)
        start = await asyncio.to_thread(shipped_head)
        if encoder is None:
            start = start.text_twin()
        elif start.card.encoder_hash != encoder.hash:
            start = await _train(_Data(shipped_rows(), OWN_DATA, LICENCE), settings, encoder, seed, progress)
        rows = [Row(text=case.text, label=case.label, source="line") for case in cases]
        return await _train(_Data(rows, rows_file.name, "as the file's"), settings, encoder, seed, progress, start)
    finally:
        if encoder is not None:
            await encoder.close()


@dataclass(frozen=True, slots=True)
class _Data:
    rows: Sequence[Row]
    name: str
    licence: str


async def _train(
    data: _Data,
    settings: Settings,
    encoder: Encoder | None,
    seed: int,
    progress: Callable[[int, int], None] | None,
    start: LinearHead | None = None,
) -> LinearHead:
    hidden = np.zeros((len(data.rows), 0), np.float32)
    if encoder is not None:
        cache = VectorCache(settings.models_path, encoder)
        hidden = await cache.embed([shorten(row.text) for row in data.rows], progress)
    encoder_hash = encoder.hash if encoder is not None else ""
    origin = HeadOrigin("router", encoder_hash, data.name, rows_hash(data.rows), data.licence)
    recipe = RECIPE if start is None else ADAPTING
    rows = labelled(data.rows, hidden)
    return await asyncio.to_thread(train_head, rows, LABELS, origin, recipe, seed=seed, start=start)


def labelled(rows: Sequence[Row], hidden: NDArray[np.float32]) -> LabelledTexts:
    """Rows as arrays. Hand-written lines alone are held out, near wordings together."""
    written = np.array([row.source == "line" for row in rows], np.bool_)
    groups = np.full(len(rows), -1)
    groups[written] = near_groups([row.text for row in rows if row.source == "line"])
    return LabelledTexts(
        texts=[row.text for row in rows],
        labels=np.array([LABELS.index(row.label) for row in rows]),
        hidden=hidden,
        weights=np.where(written, LINE_WEIGHT, 1.0).astype(np.float32),
        groups=groups,
        judged=written,
    )


def rows_hash(rows: Sequence[Row]) -> str:
    """SHA-256 of the rows' texts and labels, in their order."""
    return hashlib.sha256("".join(f"{row.label}\t{row.text}\n" for row in rows).encode()).hexdigest()
