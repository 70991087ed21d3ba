"""``eval routing``: who should handle a message. Baselines: the most frequent route, and the text-only head.

``--supervisor gemini`` asks Gemini as a conversation's first turn does; where it fails the local router decides, and
the slice ``decided_by`` says how often. ``--train`` and ``--folds`` learn on from the shipped head.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import ClassVar, get_args

import numpy as np
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from shopfloor.errors import ConfigError, InputError, ModelError
from shopfloor.evaluation.metrics import (
    Floats,
    Indices,
    accuracy_at_coverage,
    coverage_at,
    expected_calibration_error,
    macro_f1,
)
from shopfloor.evaluation.nearness import near_groups
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Statistic, Suite, SuiteContext
from shopfloor.graph.breaker import TokenBudget
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.local_router import LocalRouter, RouteChoice, shorten
from shopfloor.graph.replies import load_replies
from shopfloor.graph.state import Memory
from shopfloor.graph.supervisor import Supervisor, Turn
from shopfloor.local_models import open_encoder
from shopfloor.local_models.encoder import Encoder
from shopfloor.local_models.head_training import HeadOrigin, HeadRecipe, LabelledTexts, train_head
from shopfloor.settings import Settings
from shopfloor.tools.schemas import Route

LABELS: tuple[Route, ...] = get_args(Route)
ADAPTING = HeadRecipe(c=4.0, iterations=40, folds=3)
"""How a head learns on from a shop's own messages."""
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
        self._stack = AsyncExitStack()
        self._encoder: Encoder | None = None
        self._shipped: LocalRouter | None = None
        self._router: LocalRouter | None = None
        self._remote: RemoteRouter | None = None

    async def open(self, context: SuiteContext) -> None:
        supervisor = context.options.get("supervisor", "local")
        if supervisor not in {"local", "gemini"}:
            raise InputError(f"--supervisor {supervisor}: choose local or gemini.")
        if supervisor == "gemini":
            self._remote = await open_remote(context.settings, self._stack)
        try:
            self._encoder = await open_encoder(context.settings)
            self._stack.push_async_callback(self._encoder.close)
        except ModelError:
            # Still worth measuring: this is how the service would route without its model.
            self._encoder = None
        self._shipped = self._router = await asyncio.to_thread(LocalRouter.open, context.settings, self._encoder)

    async def predict(self, question: RoutingQuestion) -> RouteChoice:
        if self._remote is not None:
            found = await self._remote.ask(question.text)
            if found is not None:
                return found
        return await _ready(self._router).weigh(question.text)

    def score(self, case: RoutingCase, prediction: RouteChoice) -> CaseScore:
        right = prediction.route == case.label
        slices = {"label": case.label} | ({"source": case.source} if case.source else {})
        if self._remote is not None:
            slices["decided_by"] = "gemini" if isinstance(prediction, RemoteChoice) else "local"
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

    def groups(self, cases: Sequence[RoutingCase]) -> list[int]:
        return near_groups([case.text for case in cases])

    async def fit(self, cases: Sequence[RoutingCase], seed: int) -> None:
        """Learn on from the shipped head; without cases it is the shipped head again."""
        shipped = _ready(self._shipped)
        if not cases:
            self._router = shipped
            return
        texts = [shorten(case.text) for case in cases]
        encoder = self._encoder if shipped.reads_hidden else None
        start = shipped.head if encoder is not None else shipped.head.text_twin()
        rows = LabelledTexts(
            texts=texts,
            labels=np.array([LABELS.index(case.label) for case in cases]),
            hidden=await encoder.embed(texts) if encoder is not None else np.zeros((len(texts), 0), np.float32),
            weights=np.ones(len(cases), np.float32),
            groups=np.array(near_groups(texts)),
            judged=np.ones(len(cases), np.bool_),
        )
        data_hash = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        origin = HeadOrigin("router", start.card.encoder_hash, "--train", data_hash, "as the file's")
        head = await asyncio.to_thread(train_head, rows, LABELS, origin, ADAPTING, seed=seed, start=start)
        self._router = LocalRouter(head, encoder)

    def artefacts(self) -> Artefacts:
        head = _ready(self._router).head
        model = self._encoder.hash if self._encoder is not None else None
        return Artefacts(model=model, runtime="embedded" if model else None, heads=[head.hash])

    async def close(self) -> None:
        await self._stack.aclose()


class RemoteChoice(RouteChoice):
    """Decided by Gemini."""


class RemoteRouter:
    """Gemini's decision on a conversation's first message; it answers nothing."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def ask(self, text: str) -> RemoteChoice | None:
        """Gemini's route, or None where it did not decide."""
        decided = await self._supervisor.decide(Turn(text=text, messages=[HumanMessage(text)], memory=Memory()))
        plan = decided.plan
        if plan.decided_by != "gemini":
            return None
        rest = (1 - plan.confidence) / (len(LABELS) - 1)
        return RemoteChoice({label: plan.confidence if label == plan.route else rest for label in LABELS}, False)


async def open_remote(settings: Settings, stack: AsyncExitStack) -> RemoteRouter:
    """Connect to Gemini; ``stack`` closes the connection.

    Raises:
        ConfigError: there is no key.
    """
    from shopfloor.graph.gemini import Gemini, open_chat_model

    if settings.google_api_key is None:
        raise ConfigError("--supervisor gemini needs GOOGLE_API_KEY.")
    model = await asyncio.to_thread(open_chat_model, settings)
    gemini = Gemini(model, settings, TokenBudget(settings.gemini_daily_tokens))
    stack.push_async_callback(gemini.close)
    replies = await asyncio.to_thread(load_replies)
    return RemoteRouter(Supervisor(None, Lexicon(), replies, gemini))


def make_suite() -> RoutingSuite:
    """The suite, not yet opened."""
    return RoutingSuite()


def _ready(router: LocalRouter | None) -> LocalRouter:
    if router is None:
        raise RuntimeError("the routing suite was not opened")
    return router
