"""Decides who handles a message by a linear head over the local model's hidden states and the text; no network.

Without the encoder the head's text-only weights decide: a little less sure, and marked as degraded. Where the head is
unsure, a trained adapter of the local model is asked too, if one serves the router.
"""

import asyncio
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.graph.route_member import Member, blended, unsure
from shopfloor.local_models.forgetting import forget_texts
from shopfloor.local_models.head import LinearHead
from shopfloor.settings import Settings
from shopfloor.tools.schemas import Route, RouteInfo

MAX_CHARS = 2_000
"""Of a longer text the beginning and the end decide, half each."""


OTHER_ENCODER = (
    "The router's head was trained on another model, so it decides by the text alone: `shopfloor router train` trains "
    "one for this model."
)


class TextEncoder(Protocol):
    """What the router needs of :class:`shopfloor.local_models.encoder.Encoder`."""

    @property
    def hash(self) -> str:
        """Names the weights and the depth."""
        ...

    async def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), width)."""
        ...


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """A decision with the probability of every route.

    ``degraded``: decided without the encoder; ``seconded``: an adapter was asked too.
    """

    probabilities: dict[Route, float]
    degraded: bool
    seconded: bool = False

    @property
    def route(self) -> Route:
        """The most probable route."""
        return max(self.probabilities, key=lambda route: self.probabilities[route])

    @property
    def confidence(self) -> float:
        """Probability of the chosen route."""
        return self.probabilities[self.route]

    def info(self) -> RouteInfo:
        """The decision as the rest of the graph shows it."""
        how = "local head over the text alone" if self.degraded else "local head"
        how += " and adapter" if self.seconded else ""
        return RouteInfo(route=self.route, decided_by="local", confidence=self.confidence, reason=how)


@dataclass(frozen=True, slots=True)
class _Judge:
    """A head with the encoder that it was trained on, replaced as a whole."""

    head: LinearHead
    encoder: TextEncoder | None
    uses_hidden: bool
    labels: tuple[Route, ...]
    problem: str

    @classmethod
    def of(cls, head: LinearHead, encoder: TextEncoder | None) -> "_Judge":
        uses_hidden = head.uses_hidden
        fits = encoder is None or not uses_hidden or encoder.hash == head.card.encoder_hash
        labels = cast("tuple[Route, ...]", tuple(head.card.labels))
        return cls(head, encoder if fits else None, uses_hidden, labels, "" if fits else OTHER_ENCODER)


class LocalRouter:
    """The router that ships with the package, or one of a folder's own."""

    def __init__(self, head: LinearHead, encoder: TextEncoder | None, member: Member | None = None) -> None:
        """``member`` is asked where the head is unsure."""
        self._given = encoder
        self._member = member
        self._judge = _Judge.of(head, encoder)

    @classmethod
    def open(
        cls,
        settings: Settings,
        encoder: TextEncoder | None,
        folder: Path | None = None,
        member: Member | None = None,
    ) -> "LocalRouter":
        """Load the head from ``folder``; by default the shop's own in DATA/heads/router, else the shipped one.

        A head that was trained on another encoder decides by the text alone; :attr:`problem` then says so.

        Raises:
            ModelError: the head is absent or damaged.
        """
        own = settings.data / "heads" / "router"
        if folder is None and own.is_dir():
            folder = own
        return cls(shipped_head() if folder is None else LinearHead.load(folder), encoder, member)

    @property
    def head(self) -> LinearHead:
        """The head in use."""
        return self._judge.head

    @property
    def problem(self) -> str:
        """What it lacks, in a sentence; empty where it has everything."""
        return self._judge.problem

    @property
    def reads_hidden(self) -> bool:
        """Whether it decides by the encoder too, and has one."""
        return self._judge.uses_hidden and self._judge.encoder is not None

    def use(self, head: LinearHead) -> None:
        """Decide by another head from now on; a decision under way keeps the one it began with."""
        self._judge = _Judge.of(head, self._given)

    async def forget_texts(self) -> None:
        """Let go of the messages that were embedded."""
        await forget_texts(self._given)

    def beside(self, head: LinearHead) -> "LocalRouter":
        """Another router over the same encoder and adapter."""
        return LocalRouter(head, self._given, self._member)

    async def weigh(self, text: str) -> RouteChoice:
        """Probabilities of all routes for one message."""
        shortened, judge = shorten(text), self._judge
        hidden: NDArray[np.float32] | None = None
        if judge.uses_hidden and judge.encoder is not None and shortened.strip():
            try:
                hidden = (await judge.encoder.embed([shortened]))[0]
            except ModelError:
                # The text alone still decides well; the choice says that it was degraded.
                hidden = None
        probabilities = await asyncio.to_thread(judge.head.probabilities, shortened, hidden)
        second = None
        if self._member is not None and unsure(probabilities) and shortened.strip():
            second = await self._member.ask(shortened)
            if second is not None:
                probabilities = blended(probabilities, second, judge.labels)
        values = (float(value) for value in probabilities)
        by_route: dict[Route, float] = dict(zip(judge.labels, values, strict=True))
        return RouteChoice(by_route, hidden is None and judge.uses_hidden, seconded=second is not None)

    async def decide(self, text: str) -> RouteInfo:
        """Who handles the message, and how sure that is."""
        return (await self.weigh(text)).info()


def shipped_head() -> LinearHead:
    """The head that comes with the package.

    Raises:
        ModelError: it is absent or damaged.
    """
    with as_file(files("shopfloor.local_models").joinpath("artefacts", "router")) as shipped:
        return LinearHead.load(shipped)


def shorten(text: str) -> str:
    """The text, or the first and last halves of what the router reads of a long one."""
    if len(text) <= MAX_CHARS:
        return text
    half = MAX_CHARS // 2
    return f"{text[:half]} {text[-half:]}"
