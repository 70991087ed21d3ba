"""Trains the head that tells a message's act, on the build of the rows' messages."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.nearness import nearest
from shopfloor.evaluation.suites.chat import ChatCase
from shopfloor.evaluation.suites.routing import RoutingCase
from shopfloor.finetune.acts.rows import ActRow, all_trades, make_rows
from shopfloor.finetune.routing.rows import TOO_NEAR, text_hash
from shopfloor.graph.acts import ACTS, TASK
from shopfloor.graph.skeleton import skeleton
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.head_training import HeadOrigin, HeadRecipe, LabelledTexts, train_head

LICENCE = "Apache-2.0"
DATA = "templates.yaml of this package and the router's lines"
LINE_WEIGHT = 0.5
"""The lines were written for single messages; acts count alike in the end."""
LEAST_WORDS = 4
"""Shorter messages ("44?", "thanks") are bound to be said alike by everybody."""
RECIPE = HeadRecipe(c=4.0)


def train_acts(*, seed: int = 0) -> LinearHead:
    """Train on the package's rows, by the text alone.

    Raises:
        ConfigError: SciPy is not installed.
    """
    rows = make_rows()
    origin = HeadOrigin(TASK, "", DATA, rows_hash(rows), LICENCE)
    return train_head(labelled(rows), ACTS, origin, RECIPE, seed=seed)


def labelled(rows: Sequence[ActRow]) -> LabelledTexts:
    """Rows as arrays; all fillings of a template are held out together."""
    shop = all_trades()
    sources = sorted({row.source for row in rows} - {"line"})
    groups = np.array([sources.index(row.source) if row.source != "line" else -1 for row in rows])
    labels = np.array([ACTS.index(row.act) for row in rows])
    weights = np.array([LINE_WEIGHT if row.source == "line" else 1.0 for row in rows])
    shares = np.bincount(labels, weights, minlength=len(ACTS))
    return LabelledTexts(
        texts=[skeleton(row.text, shop) for row in rows],
        labels=labels,
        hidden=np.zeros((len(rows), 0), np.float32),
        weights=(weights * (shares.mean() / shares)[labels]).astype(np.float32),
        groups=groups,
        judged=groups >= 0,
    )


def near_rows(files: Iterable[Path]) -> list[str]:
    """Hashes of the rows too near to an evaluation's messages of four words or more.

    Raises:
        InputError: a file can't be used.
    """
    said: list[str] = []
    for file in files:
        if file.suffix == ".jsonl":
            said += [case.text for case in load_cases(file, RoutingCase)]
        else:
            said += [turn.user for case in load_cases(file, ChatCase) for turn in case.turns]
    said = [text for text in said if len(text.split()) >= LEAST_WORDS]
    rows = make_rows()
    found = nearest([row.text for row in rows], said)
    near = {
        text_hash(row.text)
        for row, value in zip(rows, found, strict=True)
        if value >= TOO_NEAR and len(row.text.split()) >= LEAST_WORDS
    }
    return sorted(near)


def rows_hash(rows: Sequence[ActRow]) -> str:
    """SHA-256 of the rows' texts and acts, in their order."""
    return hashlib.sha256("".join(f"{row.act}\t{row.text}\n" for row in rows).encode()).hexdigest()
