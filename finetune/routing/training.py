"""Trains the router's head: rows of the package or of a file, embedded by the local model's first blocks."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.suites.routing import RoutingCase
from shopfloor.finetune.routing.rows import LABELS, Row, shipped_rows
from shopfloor.local_models import open_encoder
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.head_training import HeadOrigin, HeadRecipe, LabelledTexts, train_head
from shopfloor.settings import Settings

LINE_WEIGHT = 2.0
"""A hand-written line says more than one more filling of a template."""
BATCH = 16
RECIPE = HeadRecipe(hidden_scale=1.0, c=5.0)


async def train_router(
    settings: Settings,
    rows_file: Path | None,
    *,
    text_only: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LinearHead:
    """Train on a file's rows, or on the package's own; ``text_only`` leaves the encoder out.

    Raises:
        InputError: the file can't be used; the sentence names line and field.
        ModelMissingError: the embedded model is not installed.
        ConfigError: scikit-learn is not installed.
    """
    if rows_file is None:
        rows: Sequence[Row] = shipped_rows()
        data, licence = "rows.jsonl of this package", "Apache-2.0"
    else:
        cases = load_cases(rows_file, RoutingCase)
        rows = [Row(text=case.text, label=case.label, source="line") for case in cases]
        data, licence = rows_file.name, "as the file's"
    encoder_hash, hidden = "", np.zeros((len(rows), 0), np.float32)
    if not text_only:
        encoder_hash, hidden = await _embedded(settings, rows, progress)
    origin = HeadOrigin("router", encoder_hash, data, rows_hash(rows), licence)
    return await asyncio.to_thread(train_head, labelled(rows, hidden), LABELS, origin, RECIPE, seed=seed)


async def _embedded(
    settings: Settings, rows: Sequence[Row], progress: Callable[[int, int], None] | None
) -> tuple[str, NDArray[np.float32]]:
    """The encoder's hash and the rows' vectors, shape (n, width)."""
    encoder = await open_encoder(settings)
    try:
        vectors: list[NDArray[np.float32]] = []
        for start in range(0, len(rows), BATCH):
            vectors.append(await encoder.embed([row.text for row in rows[start : start + BATCH]]))
            if progress is not None:
                progress(min(start + BATCH, len(rows)), len(rows))
        return encoder.hash, np.concatenate(vectors)
    finally:
        await encoder.close()


def labelled(rows: Sequence[Row], hidden: NDArray[np.float32]) -> LabelledTexts:
    """Rows as arrays. The rows of one template group stay together when some are held out."""
    groups: dict[str, int] = {}
    numbers = [
        groups.setdefault(row.source if row.source != "line" else f"line {place}", len(groups))
        for place, row in enumerate(rows)
    ]
    return LabelledTexts(
        texts=[row.text for row in rows],
        labels=np.array([LABELS.index(row.label) for row in rows]),
        hidden=hidden,
        weights=np.array([LINE_WEIGHT if row.source == "line" else 1.0 for row in rows], np.float32),
        groups=np.array(numbers),
        judged=np.array([row.source == "line" for row in rows]),
    )


def rows_hash(rows: Sequence[Row]) -> str:
    """SHA-256 of the rows' texts and labels, in their order."""
    return hashlib.sha256("".join(f"{row.label}\t{row.text}\n" for row in rows).encode()).hexdigest()
