"""``eval routing``: who should handle a message. Baselines: the most frequent route, and the text-only head."""

import hashlib
from collections.abc import Callable, Sequence
from typing import ClassVar, get_args

import numpy as np
from pydantic import BaseModel

from shopfloor.errors import InputError, ModelError
from shopfloor.evaluation.metrics import (
    Floats,
    Indices,
    accuracy_at_coverage,
    coverage_at,
    expected_calibration_error,
    macro_f1,
)
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Statistic, Suite, SuiteContext
from shopfloor.graph.local_router import LocalRouter, RouteChoice
from shopfloor.local_models import open_encoder
from shopfloor.local_models.encoder import Encoder
from shopfloor.tools.schemas import Route

LABELS: tuple[Route, ...] = get_args(Route)
Metric = Callable[[Floats, Floats], float]


class RoutingQuestion(BaseModel):
    """What the router reads."""

    text: str


class RoutingCase(Case):
    """A message and who should handle it; ``source`` is only a slice."""

    text: str
    label: Route
    source: str | None = None


class RoutingSuite(Suite[RoutingCase, RoutingQuestion, RouteChoice]):
    """The local router over the real encoder."""

    name: ClassVar[str] = "routing"
    case_model = RoutingCase
    question_model = RoutingQuestion

    def __init__(self) -> None:
        self._encoder: Encoder | None = None
        self._shipped: LocalRouter | None = None
        self._router: LocalRouter | None = None

    async def open(self, context: SuiteContext) -> None:
        supervisor = context.options.get("supervisor", "local")
        if supervisor != "local":
            raise InputError(f"eval routing --supervisor {supervisor}: only local is measured here.")
        try:
            self._encoder = await open_encoder(context.settings)
        except ModelError:
            # Still worth measuring: this is how the service would route without its model.
            self._encoder = None
        self._shipped = self._router = LocalRouter.open(context.settings, self._encoder)

    async def predict(self, question: RoutingQuestion) -> RouteChoice:
        return await _ready(self._router).weigh(question.text)

    def score(self, case: RoutingCase, prediction: RouteChoice) -> CaseScore:
        right = prediction.route == case.label
        slices = {"label": case.label} | ({"source": case.source} if case.source else {})
        note = f"confidence {prediction.confidence:.2f}"
        return CaseScore({"accuracy": float(right)}, right, case.label, prediction.route, slices, note)

    def statistics(self, cases: Sequence[RoutingCase], predictions: Sequence[RouteChoice]) -> dict[str, Statistic]:
        gold = np.array([LABELS.index(case.label) for case in cases])
        found = np.array([LABELS.index(prediction.route) for prediction in predictions])
        confidence = np.array([prediction.confidence for prediction in predictions])
        right = (gold == found).astype(np.float64)

        def at(metric: Metric) -> Statistic:
            def statistic(index: Indices) -> float:
                return metric(confidence[index], right[index])

            return statistic

        return {
            "macro_f1": lambda index: macro_f1(gold[index], found[index], len(LABELS)),
            "ece": at(expected_calibration_error),
            "coverage_at_95": at(coverage_at),
            "accuracy_at_80": at(accuracy_at_coverage),
        }

    async def baselines(self, cases: Sequence[RoutingCase]) -> dict[str, list[CaseScore]]:
        head = _ready(self._router).head
        names: list[Route] = [label for label in LABELS if label in head.card.labels]
        counts = {label: sum(case.label == label for case in cases) for label in names}
        frequent: Route = max(names, key=lambda label: counts[label])
        always = RouteChoice({label: float(label == frequent) for label in names}, degraded=False)
        alone = LocalRouter(head, None)
        texts = [await alone.weigh(case.text) for case in cases]
        return {
            f"always {frequent}": [self.score(case, always) for case in cases],
            "text alone": [self.score(case, choice) for case, choice in zip(cases, texts, strict=True)],
        }

    async def fit(self, cases: Sequence[RoutingCase], seed: int) -> None:
        """Learn from the cases alone (not from the shipped rows); none: the shipped head again."""
        if not cases:
            self._router = self._shipped
            return
        from shopfloor.local_models.head_training import HeadOrigin, LabelledTexts, train_head

        if self._encoder is None:
            raise InputError("eval routing --train needs the embedded model: `shopfloor models get embedded`.")
        texts = [case.text for case in cases]
        rows = LabelledTexts(
            texts=texts,
            labels=np.array([LABELS.index(case.label) for case in cases]),
            hidden=await self._encoder.embed(texts),
            weights=np.ones(len(cases), np.float32),
            groups=np.arange(len(cases)),
            judged=np.ones(len(cases), np.bool_),
        )
        data_hash = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        origin = HeadOrigin("router", self._encoder.hash, "--train", data_hash, "as the file's")
        self._router = LocalRouter(train_head(rows, LABELS, origin, seed=seed), self._encoder)

    def artefacts(self) -> Artefacts:
        head = _ready(self._router).head
        model = self._encoder.hash if self._encoder is not None else None
        return Artefacts(model=model, runtime="embedded" if model else None, heads=[head.hash])

    async def close(self) -> None:
        if self._encoder is not None:
            await self._encoder.close()


def make_suite() -> RoutingSuite:
    """The suite, not yet opened."""
    return RoutingSuite()


def _ready(router: LocalRouter | None) -> LocalRouter:
    if router is None:
        raise RuntimeError("the routing suite was not opened")
    return router
