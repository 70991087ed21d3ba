"""Trains a :class:`~shopfloor.local_models.head.LinearHead`, from nothing or from a head that is there.

Multinomial logistic regression, fitted by SciPy's L-BFGS; SciPy is needed here alone, never where a head is used.
Starting from a head, the penalty is on the distance from it: a few rows change little, many change much.
Temperatures are fitted on predictions for rows that the model of that fold did not see; rows of one group (a template,
near-duplicates) are never on both sides.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ConfigError
from shopfloor.local_models.head import HeadCard, HeadWeights, LinearHead, softmax
from shopfloor.local_models.text_features import BUCKETS, featurise, inverse_frequencies

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
TEMPERATURES = np.geomspace(0.3, 4.0, 60)


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """How to train. The scales weigh hidden states, words and characters; ``c`` is the inverse of L2's weight."""

    hidden_scale: float = 1.0
    c: float = 10.0
    iterations: int = 80
    folds: int = 3


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Training rows. ``hidden`` is (n, W), of width 0 for a head over the text alone; the others are (n,).

    ``judged`` says which rows are held out for the temperature; the others are always learned from. Made-up rows are
    easier than what people write, so a temperature judged on them would promise too much or too little.
    """

    texts: Sequence[str]
    labels: NDArray[np.intp]
    hidden: Floats
    weights: Floats
    groups: NDArray[np.intp]
    judged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HeadOrigin:
    """What the card says about where a head comes from."""

    task: str
    encoder_hash: str
    data: str
    data_hash: str
    licence: str


def train_head(
    rows: LabelledTexts,
    labels: Sequence[str],
    origin: HeadOrigin,
    recipe: HeadRecipe | None = None,
    *,
    seed: int = 0,
    start: LinearHead | None = None,
) -> LinearHead:
    """Train a head, its text-only twin and their temperatures.

    Args:
        rows: what to learn from; its ``hidden`` comes from the encoder that ``origin`` names.
        labels: the names behind ``rows.labels``; those of ``start`` where it is given.
        origin: what the card says of the data.
        recipe: how to train.
        seed: of the folds that the temperatures are fitted on.
        start: a head to begin from and to stay near; its encoder is the rows'.

    Raises:
        ConfigError: SciPy is not installed.
    """
    recipe = recipe or HeadRecipe()
    width, count = rows.hidden.shape[1], len(labels)
    before = start.weights if start is not None else _blank(rows, recipe, count)
    alone = _Problem.of(rows, before, with_hidden=False)
    text_temperature, text_metrics = _calibrate(alone, rows, recipe, seed, start and start.card.text_temperature)
    text_only, text_only_bias = alone.fit(rows, recipe)
    if width > 0:
        both = _Problem.of(rows, before, with_hidden=True)
        temperature, metrics = _calibrate(both, rows, recipe, seed, start and start.card.temperature)
        coefficients, bias = both.fit(rows, recipe)
    else:
        temperature, metrics, bias = text_temperature, text_metrics, text_only_bias
        coefficients = np.hstack([np.zeros((count, width), np.float32), text_only])
    hidden: Floats = (coefficients[:, :width] * before.factor).astype(np.float32)
    weights = HeadWeights(
        hidden=before.hidden + hidden,
        text=before.text + coefficients[:, width:],
        bias=(before.bias + bias - hidden @ before.centre).astype(np.float32),
        text_only=before.text_only + text_only,
        text_only_bias=before.text_only_bias + text_only_bias,
        idf=before.idf,
        centre=before.centre,
        factor=before.factor,
    )
    card = HeadCard(
        task=origin.task,
        labels=list(labels),
        encoder_hash=origin.encoder_hash,
        encoder_width=width,
        temperature=temperature,
        text_temperature=text_temperature,
        rows=len(rows.texts),
        data=origin.data,
        data_hash=origin.data_hash,
        licence=origin.licence,
        recipe=asdict(recipe),
        seed=seed,
        parent=start.hash if start is not None else "",
        metrics=metrics | {f"text_only_{name}": value for name, value in text_metrics.items()},
    )
    return LinearHead(card, weights)


def _blank(rows: LabelledTexts, recipe: HeadRecipe, count: int) -> HeadWeights:
    """A head that knows nothing but how to scale its features; a label without a row is very unlikely in it."""
    width = rows.hidden.shape[1]
    spread = np.maximum(rows.hidden.std(axis=0), 1e-6)
    bias = np.where(np.isin(np.arange(count), rows.labels), 0, -20).astype(np.float32)
    text = np.zeros((count, BUCKETS), np.float32)
    return HeadWeights(
        hidden=np.zeros((count, width), np.float32),
        text=text,
        bias=bias,
        text_only=text,
        text_only_bias=bias,
        idf=inverse_frequencies(rows.texts),
        centre=rows.hidden.mean(axis=0).astype(np.float32),
        factor=(recipe.hidden_scale / spread / np.sqrt(max(1, width))).astype(np.float32),
    )


@dataclass(frozen=True)
class _Problem:
    """A design matrix (SciPy CSR), with or without the hidden states, and what the starting head says of its rows."""

    matrix: Any
    offsets: Doubles

    @classmethod
    def of(cls, rows: LabelledTexts, before: HeadWeights, *, with_hidden: bool) -> "_Problem":
        sparse = _import("scipy.sparse")
        features = [featurise(text, before.idf) for text in rows.texts]
        ends = np.cumsum([0, *(len(item.buckets) for item in features)])
        values = np.concatenate([item.weights for item in features])
        buckets = np.concatenate([item.buckets for item in features])
        text = sparse.csr_matrix((values, buckets, ends), shape=(len(features), BUCKETS))
        if not with_hidden:
            return cls(text, np.asarray(text @ before.text_only.T + before.text_only_bias, np.float64))
        scaled = (rows.hidden - before.centre) * before.factor
        offsets = np.asarray(text @ before.text.T + rows.hidden @ before.hidden.T + before.bias, np.float64)
        return cls(sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(scaled), text])), offsets)

    def fit(
        self, rows: LabelledTexts, recipe: HeadRecipe, chosen: NDArray[np.intp] | None = None
    ) -> tuple[Floats, Floats]:
        """What to add to the starting head: coefficients (L, features) and bias (L,)."""
        optimise = _import("scipy.optimize")
        chosen = np.arange(len(rows.texts)) if chosen is None else chosen
        count = self.offsets.shape[1]
        active = np.flatnonzero(np.asarray(self.matrix[chosen].getnnz(axis=0)))
        matrix = self.matrix[chosen][:, active].astype(np.float64)
        transposed = matrix.T.tocsr()
        offsets = self.offsets[chosen]
        weights = rows.weights[chosen].astype(np.float64)[:, None] * recipe.c
        gold = rows.labels[chosen]
        at = np.arange(len(chosen))

        def loss(flat: Doubles) -> tuple[float, Doubles]:
            change = flat.reshape(len(active) + 1, count)
            guess = softmax(offsets + matrix @ change[:-1] + change[-1])
            error = -float((weights[:, 0] * np.log(guess[at, gold] + 1e-12)).sum())
            guess[at, gold] -= 1
            guess *= weights
            gradient = change.copy()
            gradient[:-1] += transposed @ guess
            gradient[-1] += guess.sum(axis=0)
            return error + 0.5 * float((change**2).sum()), gradient.ravel()

        start = np.zeros((len(active) + 1) * count)
        options = {"maxiter": recipe.iterations, "gtol": 1e-3}
        found = optimise.minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
        change = found.x.reshape(len(active) + 1, count).astype(np.float32)
        coefficients = np.zeros((count, self.matrix.shape[1]), np.float32)
        coefficients[:, active] = change[:-1].T
        return coefficients, change[-1]


def _calibrate(
    problem: _Problem, rows: LabelledTexts, recipe: HeadRecipe, seed: int, otherwise: float | None
) -> tuple[float, dict[str, float]]:
    """The temperature of least log-loss on held-out rows, and the figures there; ``otherwise`` (or 1) with too few rows."""
    groups = np.unique(rows.groups[rows.judged])
    if len(groups) < 4 * recipe.folds:
        return otherwise or 1.0, {}
    logits, judged = _held_out(problem, rows, recipe, groups, seed)
    labels, scores = rows.labels[judged], logits[judged]
    at = np.arange(len(judged))
    losses = [-float(np.mean(np.log(softmax(scores / value)[at, labels] + 1e-12))) for value in TEMPERATURES]
    right = scores.argmax(axis=1) == labels
    figures = {"cv_accuracy": round(float(right.mean()), 4), "cv_log_loss": round(min(losses), 4)}
    return float(TEMPERATURES[int(np.argmin(losses))]), figures


def _held_out(
    problem: _Problem, rows: LabelledTexts, recipe: HeadRecipe, groups: NDArray[np.intp], seed: int
) -> tuple[Doubles, NDArray[np.intp]]:
    """Logits (n, L) of the judged rows by models that did not see their group, and which rows those are."""
    order = np.random.default_rng(seed).permutation(len(groups)) % recipe.folds
    fold_of = dict(zip(groups.tolist(), order.tolist(), strict=True))
    pairs = zip(rows.groups.tolist(), rows.judged.tolist(), strict=True)
    folds = np.array([fold_of[group] if judged else -1 for group, judged in pairs])
    logits = np.zeros_like(problem.offsets)
    for fold in range(recipe.folds):
        coefficients, bias = problem.fit(rows, recipe, np.flatnonzero(folds != fold))
        held = np.flatnonzero(folds == fold)
        logits[held] = problem.offsets[held] + problem.matrix[held] @ coefficients.T + bias
    return logits, np.flatnonzero(rows.judged)


def _import(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError("Training needs SciPy: install it with `pip install shopfloor[learn]`.") from error
