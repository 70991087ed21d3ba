"""``eval ranking``: order the given candidates beside a basket. Learned from the shop's own past events alone."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from shopfloor.evaluation.metrics import ndcg_at, reciprocal_rank
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.store.database import connect
from shopfloor.tools.recommendation.baskets import FEATURES, BasketModel, Logit, fit_logit, learn_ranker, load_history


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
        self._model = BasketModel(self._history)
        self._shipped = learn_ranker(self._history, seed=context.seed)
        self._logit: Logit | None = self._shipped

    async def fit(self, cases: Sequence[RankingCase], seed: int) -> None:
        """Learn the weights from cases; none: back to the shop's own past."""
        del seed
        if not cases:
            self._logit = self._shipped
            return
        groups = [
            (
                self._features(_question(case)),
                np.asarray([item.sku in case.relevant for item in case.candidates]),
            )
            for case in cases
        ]
        self._logit = fit_logit(groups)

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
        features = self._features(question)
        scores = self._logit.scores(features) if self._logit is not None else features[:, 0]
        return [question.candidates[place].sku for place in map(int, np.argsort(-scores, kind="stable"))]

    def score(self, case: RankingCase, prediction: list[str]) -> CaseScore:
        """NDCG@10 and reciprocal rank."""
        ndcg = ndcg_at(prediction, case.relevant)
        values = {"ndcg@10": ndcg, "mrr": reciprocal_rank(prediction, case.relevant)}
        return CaseScore(values=values, ok=ndcg > 0, expected=list(case.relevant), got=list(prediction[:10]))

    async def baselines(self, cases: Sequence[RankingCase]) -> dict[str, list[CaseScore]]:
        """Popularity, and co-purchase kNN (cosine summed over the basket)."""
        out: dict[str, list[CaseScore]] = {"popularity": [], "knn": []}
        for case in cases:
            question = _question(case)
            features = self._features(question)
            for name, column in (("popularity", 7), ("knn", 0)):
                order = np.argsort(-features[:, column], kind="stable")
                out[name].append(self.score(case, [case.candidates[place].sku for place in map(int, order)]))
        return out


def _question(case: RankingCase) -> RankingQuestion:
    return RankingQuestion(
        context_items=case.context_items, candidates=case.candidates, user_id=case.user_id, date=case.date
    )


def make_suite() -> RankingSuite:
    """Made by the registry."""
    return RankingSuite()
