"""Trains a :class:`~shopfloor.local_models.head.LinearHead` by multinomial logistic regression (scikit-learn).

scikit-learn is needed here alone, never where a head is used. Temperatures are fitted on predictions for rows that the
model of that fold did not see; rows of one group (a template, near-duplicates) are never on both sides.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ConfigError
from shopfloor.local_models.head import HeadCard, HeadWeights, LinearHead, softmax
from shopfloor.local_models.text_features import BUCKETS, featurise, inverse_frequencies

Floats = NDArray[np.float32]
TEMPERATURES = np.geomspace(0.3, 4.0, 60)


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """How to train. ``hidden_scale`` weighs the hidden states against the text; ``c`` is the inverse of L2's weight."""

    hidden_scale: float = 1.0
    c: float = 10.0
    iterations: int = 80
    folds: int = 3


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Training rows. ``hidden`` is (n, W), of width 0 for a head over the text alone; ``weights``, ``groups`` and ``judged`` are (n,).

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


@dataclass(frozen=True, slots=True)
class _Scaling:
    mean: Floats
    factor: Floats
    idf: Floats


def train_head(
    rows: LabelledTexts, labels: Sequence[str], origin: HeadOrigin, recipe: HeadRecipe | None = None, *, seed: int = 0
) -> LinearHead:
    """Train a head, its text-only twin and their temperatures.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    recipe = recipe or HeadRecipe()
    scaling = _scaling(rows, recipe)
    alone = _Problem.of(rows, scaling, with_hidden=False)
    count = len(labels)
    width = rows.hidden.shape[1]
    text_temperature, text_metrics = _calibrate(alone, rows, recipe, count, seed)
    text_only, text_only_bias = alone.fit(rows, recipe, count)
    if width > 0:
        both = _Problem.of(rows, scaling, with_hidden=True)
        temperature, metrics = _calibrate(both, rows, recipe, count, seed)
        coefficients, bias = both.fit(rows, recipe, count)
    else:
        temperature, metrics, bias = text_temperature, text_metrics, text_only_bias
        coefficients = np.hstack([np.zeros((count, width), np.float32), text_only])
    hidden = coefficients[:, :width] * scaling.factor
    weights = HeadWeights(
        hidden=hidden,
        text=coefficients[:, width:],
        bias=(bias - hidden @ scaling.mean).astype(np.float32),
        text_only=text_only,
        text_only_bias=text_only_bias,
        idf=scaling.idf,
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
        metrics=metrics | {f"text_only_{name}": value for name, value in text_metrics.items()},
    )
    return LinearHead(card, weights)


@dataclass(frozen=True)
class _Problem:
    """A design matrix (SciPy CSR), with or without the hidden states."""

    matrix: Any

    @classmethod
    def of(cls, rows: LabelledTexts, scaling: _Scaling, *, with_hidden: bool) -> "_Problem":
        sparse = _import("scipy.sparse")
        features = [featurise(text, scaling.idf) for text in rows.texts]
        offsets = np.cumsum([0, *(len(item.buckets) for item in features)])
        text = sparse.csr_matrix(
            (
                np.concatenate([item.weights for item in features]),
                np.concatenate([item.buckets for item in features]),
                offsets,
            ),
            shape=(len(features), BUCKETS),
        )
        if not with_hidden:
            return cls(text)
        scaled = (rows.hidden - scaling.mean) * scaling.factor
        return cls(sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(scaled), text])))

    def fit(
        self, rows: LabelledTexts, recipe: HeadRecipe, count: int, chosen: NDArray[np.intp] | None = None
    ) -> tuple[Floats, Floats]:
        """Coefficients (L, features) and bias (L,); a label without a row gets a very low bias."""
        linear = _import("sklearn.linear_model")
        chosen = np.arange(len(rows.texts)) if chosen is None else chosen
        present = np.unique(rows.labels[chosen])
        coefficients = np.zeros((count, self.matrix.shape[1]), np.float32)
        bias = np.full(count, -20.0, np.float32)
        if len(present) < 2:
            bias[present] = 0.0
            return coefficients, bias
        model = linear.LogisticRegression(C=recipe.c, max_iter=recipe.iterations, tol=1e-3)
        with _quiet():
            model.fit(self.matrix[chosen], rows.labels[chosen], sample_weight=rows.weights[chosen])
        weights, intercept = cast("Floats", model.coef_), cast("Floats", model.intercept_)
        if len(present) == 2:
            weights, intercept = np.vstack([-weights, weights]) / 2, np.concatenate([-intercept, intercept]) / 2
        coefficients[present], bias[present] = weights, intercept
        return coefficients, bias


def _scaling(rows: LabelledTexts, recipe: HeadRecipe) -> _Scaling:
    spread = np.maximum(rows.hidden.std(axis=0), 1e-6)
    factor = recipe.hidden_scale / spread / np.sqrt(max(1, rows.hidden.shape[1]))
    return _Scaling(rows.hidden.mean(axis=0), factor.astype(np.float32), inverse_frequencies(rows.texts))


def _calibrate(
    problem: _Problem, rows: LabelledTexts, recipe: HeadRecipe, count: int, seed: int
) -> tuple[float, dict[str, float]]:
    """The temperature of least log-loss on held-out rows, and the figures there; 1 where there are too few rows."""
    groups = np.unique(rows.groups[rows.judged])
    if len(groups) < 4 * recipe.folds:
        return 1.0, {}
    fold_of = dict(zip(groups, np.random.default_rng(seed).permutation(len(groups)) % recipe.folds, strict=True))
    folds = np.array([fold_of[group] if judged else -1 for group, judged in zip(rows.groups, rows.judged, strict=True)])
    logits = np.zeros((len(rows.texts), count))
    for fold in range(recipe.folds):
        coefficients, bias = problem.fit(rows, recipe, count, np.flatnonzero(folds != fold))
        held = np.flatnonzero(folds == fold)
        logits[held] = problem.matrix[held] @ coefficients.T + bias
    judged = np.flatnonzero(rows.judged)
    labels, scores = rows.labels[judged], logits[judged]
    at = np.arange(len(judged))
    losses = [-float(np.mean(np.log(softmax(scores / value)[at, labels] + 1e-12))) for value in TEMPERATURES]
    right = scores.argmax(axis=1) == labels
    figures = {"cv_accuracy": round(float(right.mean()), 4), "cv_log_loss": round(min(losses), 4)}
    return float(TEMPERATURES[int(np.argmin(losses))]), figures


def _import(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError("Training needs scikit-learn: install it with `pip install shopfloor[learn]`.") from error


def _quiet() -> Any:
    """Stopping at the iteration limit is part of the recipe, so its warning says nothing new."""
    import warnings

    exceptions = _import("sklearn.exceptions")
    context = warnings.catch_warnings(action="ignore", category=exceptions.ConvergenceWarning)
    return context
