"""``eval ranking``: order the given candidates beside a basket. Learned from the shop's own past events alone."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from shopfloor.evaluation.metrics import ndcg_at, reciprocal_rank
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.evaluation.suites.ranking_ways import boosted_trees, ease, likeness, name_vectors
from shopfloor.store.database import connect
from shopfloor.tools.recommendation.baskets import FEATURES, BasketModel, Logit, fit_logit, load_history
from shopfloor.tools.recommendation.rankers import (
    FADING,
    KNN,
    NAMES,
    ExtraFeatures,
    Group,
    Ranker,
    groups_of_past,
    learn_ranker,
    learned,
)
from shopfloor.tools.recommendation.ways import kept_ways


class Item(BaseModel):
    """A product of a case."""

    sku: str
    name: str = ""
    price: float | None = None


class RankingQuestion(BaseModel):
    """A basket and what may join it."""

    context_items: list[Item] = Field(default_factory=list[Item])
    candidates: list[Item]
    user_id: str | None = None
    date: str | None = None


class RankingCase(Case):
    """A basket, candidates, and which of them were really in it."""

    context_items: list[Item] = Field(default_factory=list[Item])
    candidates: list[Item]
    relevant: list[str]
    user_id: str | None = None
    date: str | None = None


Floats = NDArray[np.float64]
Way = Callable[[RankingQuestion, Floats], Floats]
POPULAR = 7  # column of the features


class RankingSuite(Suite[RankingCase, RankingQuestion, list[str]]):
    """kNN features fused by a conditional logit; plain kNN where the past is too short to learn from."""

    name = "ranking"
    shop = "required"
    case_model = RankingCase
    question_model = RankingQuestion

    async def open(self, context: SuiteContext) -> None:
        """Learn from the shop's past."""
        with closing(connect(context.catalogue or Path(), read_only=True)) as connection:
            self._history = load_history(connection)
            kept = kept_ways(connection)
        self._seed = context.seed
        self._model = await asyncio.to_thread(BasketModel, self._history)
        self._shipped = (
            kept.ranker()
            if kept is not None
            else await asyncio.to_thread(learn_ranker, self._history, seed=context.seed)
        )
        self._ranker = self._shipped
        self._vectors: Floats | None = None
        if "runtime" in context.options:
            self._vectors = await name_vectors(context.settings, self._product_names(context.catalogue or Path()))

    def _product_names(self, catalogue: Path) -> list[str]:
        with closing(connect(catalogue, read_only=True)) as connection:
            found = {row["sku"]: str(row["name"]) for row in connection.execute("SELECT sku, name FROM products")}
        return [found[sku] for sku in self._history.sku]

    def artefacts(self) -> Artefacts:
        """The way that was chosen on the shop's own past."""
        return Artefacts(fusion=self._shipped.words)

    async def fit(self, cases: Sequence[RankingCase], seed: int) -> None:
        """Learn the weights from cases; none: back to the shop's own past."""
        del seed
        self._ranker = learned("logit", [self._group(case) for case in cases]) if cases else self._shipped

    def _group(self, case: RankingCase) -> Group:
        return self._features(_question(case)), np.asarray([item.sku in case.relevant for item in case.candidates])

    def _features(self, question: RankingQuestion) -> NDArray[np.float64]:
        rows = self._history.row_of
        context = [rows[item.sku] for item in question.context_items if item.sku in rows]
        known = [item.sku in rows for item in question.candidates]
        out = np.zeros((len(known), FEATURES))
        places = [place for place, here in enumerate(known) if here]
        here = [rows[question.candidates[place].sku] for place in places]
        out[places] = self._model.features(context, here, question.user_id)
        return out

    async def predict(self, question: RankingQuestion) -> list[str]:
        """The candidates, best first."""
        return _ordered(question, self._ranker.scores(self._features(question)))

    def score(self, case: RankingCase, prediction: list[str]) -> CaseScore:
        """NDCG@10 and reciprocal rank."""
        ndcg = ndcg_at(prediction, case.relevant)
        values = {"ndcg@10": ndcg, "mrr": reciprocal_rank(prediction, case.relevant)}
        return CaseScore(values=values, ok=ndcg > 0, expected=list(case.relevant), got=list(prediction[:10]))

    async def baselines(self, cases: Sequence[RankingCase]) -> dict[str, list[CaseScore]]:
        """Plain ways, other ways to learn from the shop's past, and the learned one without the shopper's features."""
        ways = await asyncio.to_thread(self._ways)
        out: dict[str, list[CaseScore]] = {name: [] for name in ways}
        for case in cases:
            question = _question(case)
            features = self._features(question)
            for name, way in ways.items():
                out[name].append(self.score(case, _ordered(question, way(question, features))))
        return out

    def _ways(self) -> "dict[str, Way]":
        ways: dict[str, Way] = {
            name: partial(_column, column)
            for name, column in (("popularity", POPULAR), ("names", NAMES), ("knn", KNN), ("knn fading", FADING))
        }
        weights = ease(self._history)
        if weights is not None:
            ways["ease"] = partial(self._by_ease, weights)
        groups = groups_of_past(self._history, seed=self._seed)
        if groups:
            ways["logit of the basket"] = partial(_ranked, learned("logit of the basket", groups))
        trees = boosted_trees(groups, self._seed)
        if trees is not None:
            ways["boosted trees"] = lambda _question, features: trees(features)
        if self._vectors is not None and groups:
            extra = partial(likeness, self._vectors)
            model = fit_logit(groups_of_past(self._history, seed=self._seed, extra=extra))
            ways["logit and the local model"] = partial(self._with_model, model, extra)
        return ways

    def _with_model(self, model: Logit, extra: ExtraFeatures, question: RankingQuestion, features: Floats) -> Floats:
        rows = self._history.row_of
        context = [rows[item.sku] for item in question.context_items if item.sku in rows]
        told = np.zeros((len(features), 2))
        places = [place for place, item in enumerate(question.candidates) if item.sku in rows]
        told[places] = extra(context, [rows[question.candidates[place].sku] for place in places])
        return model.scores(np.concatenate([features, told], axis=1))

    def _by_ease(self, weights: NDArray[np.float64], question: RankingQuestion, features: Floats) -> Floats:
        rows = self._history.row_of
        context = [rows[item.sku] for item in question.context_items if item.sku in rows]
        places = [rows.get(item.sku) for item in question.candidates]
        found = [float(weights[context, place].sum()) if place is not None else 0.0 for place in places]
        return np.asarray(found, dtype=features.dtype)


def _column(column: int, _question: RankingQuestion, features: Floats) -> Floats:
    return features[:, column]


def _ranked(ranker: Ranker, _question: RankingQuestion, features: Floats) -> Floats:
    return ranker.scores(features)


def _ordered(question: RankingQuestion, scores: Floats) -> list[str]:
    return [question.candidates[place].sku for place in map(int, np.argsort(-scores, kind="stable"))]


def _question(case: RankingCase) -> RankingQuestion:
    return RankingQuestion(
        context_items=case.context_items, candidates=case.candidates, user_id=case.user_id, date=case.date
    )


def make_suite() -> RankingSuite:
    """Made by the registry."""
    return RankingSuite()
