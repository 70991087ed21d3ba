"""``eval next-basket``: what a shopper buys next, out of the whole catalogue."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field

from shopfloor.evaluation.metrics import ndcg_at, recall_at
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.store.database import connect
from shopfloor.tools.recommendation.baskets import load_history
from shopfloor.tools.recommendation.choosing_weights import WAYS, learn_next_basket
from shopfloor.tools.recommendation.next_basket import MAX_PAST, Buying, NextBasketModel, NextBasketWeights
from shopfloor.tools.recommendation.sparse import Floats
from shopfloor.tools.recommendation.ways import kept_ways

SHOWN = 20
KNN_SHARE = 0.3  # of what is bought together, beside a shopper's own frequency, in a baseline


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
            kept = kept_ways(connection)
        self._chosen = (
            kept.chosen()
            if kept is not None
            else await asyncio.to_thread(learn_next_basket, self._history, seed=context.seed)
        )
        self._model = await asyncio.to_thread(NextBasketModel, self._history, self._chosen.weights)
        self._own: dict[str, list[tuple[str, float, tuple[int, ...]]]] = {}
        for basket in self._history.baskets:
            self._own.setdefault(basket.user, []).append((self._date(basket.day), basket.day, basket.items))

    def artefacts(self) -> Artefacts:
        """The way that was chosen on the shop's own past."""
        return Artefacts(fusion=self._chosen.words)

    def _date(self, day: float) -> str:
        return str(np.datetime64(self._history.start, "s") + np.timedelta64(int(day * 86400), "s"))[:10]

    def _day(self, date: str) -> float:
        """Days since the shop's first basket; noon of a date."""
        start = np.datetime64(self._history.start, "s")
        return float((np.datetime64(date[:10]) - start) / np.timedelta64(1, "D")) + 0.5

    def _buying(self, question: NextBasketQuestion) -> Buying:
        """The shopper's purchases before the case's, oldest first: the shop's own records, then the case's newer ones."""
        rows = self._history.row_of
        told = sorted(question.history, key=lambda past: past.date)
        first = told[0].date[:10] if told else (question.date or "9999")
        known = [(day, items) for date, day, items in self._own.get(question.user_id or "", []) if date < first]
        last = self._history.baskets[-1].day if self._history.baskets else 0.0
        for past in told:
            items = tuple(dict.fromkeys(rows[sku] for sku in past.items if sku in rows))
            known.append((self._day(past.date) if past.date else last, items))
        known = [(day, items) for day, items in known if items][-MAX_PAST:]
        day = self._day(question.date) if question.date else max((day for day, _ in known), default=last)
        return Buying(tuple(items for _, items in known), tuple(day for day, _ in known), day, question.user_id)

    async def predict(self, question: NextBasketQuestion) -> list[str]:
        """The best twenty of the catalogue."""
        return self._shown(self._model.scores(self._buying(question)))

    def _shown(self, scores: Floats) -> list[str]:
        return [self._history.sku[row] for row in np.argsort(-scores, kind="stable")[:SHOWN]]

    def score(self, case: NextBasketCase, prediction: list[str]) -> CaseScore:
        """NDCG@10 and recall@20."""
        ndcg = ndcg_at(prediction, case.relevant)
        values = {"ndcg@10": ndcg, "recall@20": recall_at(prediction, case.relevant)}
        return CaseScore(values=values, ok=ndcg > 0, expected=list(case.relevant[:10]), got=list(prediction[:10]))

    async def baselines(self, cases: Sequence[NextBasketCase]) -> dict[str, list[CaseScore]]:
        """Plain ways, and our own without each of its parts ("without …": what a part is worth)."""
        mixes = {**WAYS, **{f"without {part}": self._without(part) for part in self._chosen.weights.of_part}}
        out: dict[str, list[CaseScore]] = {}
        for case in cases:
            buying = self._buying(case)
            parts = self._model.parts(buying)
            own = np.zeros(self._model.size)
            for items in buying.baskets:
                own[list(items)] += 1
            own /= max(1.0, float(own.max()))
            ways = {
                "popularity": parts["popular"],
                "bought together": parts["beside"],
                "own frequency": own + 0.01 * parts["popular"],
                "own frequency + knn": own + KNN_SHARE * parts["beside"],
                "what follows what": parts["follows"],
            }
            for name, mix in mixes.items():
                ways[name] = np.sum([weight * parts[part] for part, weight in mix.of_part.items()], axis=0)
            for name, scores in ways.items():
                out.setdefault(name, []).append(self.score(case, self._shown(scores)))
        return out

    def _without(self, part: str) -> NextBasketWeights:
        kept = {name: weight for name, weight in self._chosen.weights.of_part.items() if name != part}
        return NextBasketWeights(kept or {"popular": 1.0})


def make_suite() -> NextBasketSuite:
    """Made by the registry."""
    return NextBasketSuite()
