"""``eval next-basket``: what a shopper buys next, out of the whole catalogue."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from shopfloor.evaluation.metrics import ndcg_at, recall_at
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.store.database import connect
from shopfloor.tools.recommendation.baskets import load_history
from shopfloor.tools.recommendation.next_basket import NextBasketModel

SHOWN = 20


class Past(BaseModel):
    """A purchase of a case's shopper."""

    date: str = ""
    items: list[str]


class NextBasketQuestion(BaseModel):
    """A shopper and their latest purchases."""

    user_id: str | None = None
    date: str | None = None
    history: list[Past] = Field(default_factory=list[Past])


class NextBasketCase(NextBasketQuestion, Case):
    """The question, and what was really bought next."""

    relevant: list[str]
    relevant_new: list[str] = Field(default_factory=list[str])


class NextBasketSuite(Suite[NextBasketCase, NextBasketQuestion, list[str]]):
    """The shop's past and the case's own history; nothing after the case's date is known to either."""

    name = "next-basket"
    shop = "required"
    case_model = NextBasketCase
    question_model = NextBasketQuestion

    async def open(self, context: SuiteContext) -> None:
        """Learn from the shop's past."""
        with closing(connect(context.catalogue or Path(), read_only=True)) as connection:
            self._history = load_history(connection)
        self._model = NextBasketModel(self._history)
        self._own: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
        for basket in self._history.baskets:
            self._own.setdefault(basket.user, []).append((self._date(basket.day), basket.items))

    def _date(self, day: float) -> str:
        return str(np.datetime64(self._history.start, "s") + np.timedelta64(int(day * 86400), "s"))[:10]

    def _past(self, question: NextBasketQuestion) -> list[tuple[int, ...]]:
        """The shopper's purchases before the case's, oldest first: the shop's own records, then the case's newer ones."""
        rows = self._history.row_of
        told = sorted(question.history, key=lambda past: past.date)
        first = told[0].date[:10] if told else (question.date or "9999")
        older = [items for date, items in self._own.get(question.user_id or "", []) if date < first]
        newer = [tuple(rows[sku] for sku in past.items if sku in rows) for past in told]
        return [items for items in (*older, *newer) if items]

    async def predict(self, question: NextBasketQuestion) -> list[str]:
        """The best twenty of the catalogue."""
        scores = self._model.scores(self._past(question), question.user_id)
        return [self._history.sku[row] for row in np.argsort(-scores, kind="stable")[:SHOWN]]

    def score(self, case: NextBasketCase, prediction: list[str]) -> CaseScore:
        """NDCG@10 and recall@20."""
        ndcg = ndcg_at(prediction, case.relevant)
        values = {"ndcg@10": ndcg, "recall@20": recall_at(prediction, case.relevant)}
        return CaseScore(values=values, ok=ndcg > 0, expected=list(case.relevant[:10]), got=list(prediction[:10]))

    async def baselines(self, cases: Sequence[NextBasketCase]) -> dict[str, list[CaseScore]]:
        """Popularity, and the shopper's own frequency."""
        popular = np.bincount(
            [item for basket in self._history.baskets for item in basket.items], minlength=len(self._history.sku)
        ).astype(np.float64)
        popular /= max(1.0, popular.max())
        out: dict[str, list[CaseScore]] = {"popularity": [], "own frequency": []}
        for case in cases:
            own = np.zeros(len(popular))
            for items in self._past(case):
                own[list(items)] += 1
            for name, scores in (("popularity", popular), ("own frequency", own + 0.01 * popular)):
                best = np.argsort(-scores, kind="stable")[:SHOWN]
                out[name].append(self.score(case, [self._history.sku[row] for row in best]))
        return out


def make_suite() -> NextBasketSuite:
    """Made by the registry."""
    return NextBasketSuite()
