"""A second opinion on a route: the local model with a trained adapter, where the head alone is unsure.

The adapter answers with one word out of four, so its opinion is one pass over a short prompt: the probabilities of the
four words. Head and adapter count alike. Where the model carries no adapter for the router, the head decides alone.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.graph.prompts import load_prompt
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adaptable, runtime_for
from shopfloor.local_models.head import softmax
from shopfloor.local_models.runtime import Runtime
from shopfloor.observability import get_logger
from shopfloor.tools.schemas import Route

log = get_logger("shopfloor.graph")

AGENT = "router"
WORDS: Mapping[Route, str] = {
    "recommendation": " product",
    "inventory": " stock",
    "both": " both",
    "supervisor": " other",
}
"""What the model answers for each route: one token after the prompt."""

UNSURE_BELOW = 0.7
"""Chosen on 400 of the shipped rows, with a head and an adapter that had learned from others: asking below .8 gave half a
point more, and half as many questions again."""
MAX_CHARS = 240
"""Of a longer message the beginning and the end are read, half each: a pass must stay short."""

PATIENCE_S = 0.15
"""A busy model must not hold a decision up: after this the head's stands."""

Chances = NDArray[np.float64]


class Member(Protocol):
    """Who is asked where the head is unsure."""

    async def ask(self, text: str) -> Chances | None:
        """Probabilities of the routes in the order of ``WORDS``, shape (4,); None where it can't say."""
        ...


def prompt_of(text: str) -> str:
    """What the model reads of a message."""
    short = " ".join(text.split())
    if len(short) > MAX_CHARS:
        short = f"{short[: MAX_CHARS // 2]} {short[-MAX_CHARS // 2 :]}"
    return load_prompt("route_label").strip().replace("{text}", short)


def prompt_version() -> str:
    """Names prompt and answers: an adapter that learned others is not asked."""
    said = (
        f"{load_prompt('route_label').strip()}|{MAX_CHARS}|{'|'.join(f'{name}={word}' for name, word in WORDS.items())}"
    )
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def unsure(chances: Chances) -> bool:
    """Whether a head's probabilities call for a second opinion."""
    return float(chances.max()) < UNSURE_BELOW


def blended(head: Chances, member: Chances, labels: Sequence[str]) -> Chances:
    """Both together, each with the same weight; shape (4,), in the order of the head's ``labels``."""
    order = [list(WORDS).index(cast(Route, label)) for label in labels]
    return (head + member[order]) / 2


async def opinion(runtime: Runtime, text: str) -> Chances:
    """What a runtime with an adapter for routes says, in the order of ``WORDS``, shape (4,).

    Raises:
        ModelError: the model failed.
    """
    scores = await runtime.score([prompt_of(text)], list(WORDS.values()))
    return softmax(scores[0].astype(np.float64))


class AdaptedMember:
    """The service's model with the adapter that serves the router now, if one does."""

    def __init__(self, runtime: Runtime, patience_s: float = PATIENCE_S) -> None:
        self._runtime = runtime
        self._view = runtime_for(runtime, AGENT)
        self._patience_s = patience_s
        self._failed = ""
        self._checked: dict[str, bool] = {}

    async def ask(self, text: str) -> Chances | None:
        """Probabilities of the routes; None where no adapter serves, or the model is too busy."""
        adapter = self._runtime.adapters.get(AGENT) if isinstance(self._runtime, Adaptable) else None
        # A turn that began before a change is held on what served then: that may be the bare base.
        if adapter is None or self._view.info.adapter != adapter.identity or not await self._fits(adapter):
            return None
        try:
            async with asyncio.timeout(self._patience_s):
                return await opinion(self._view, text)
        except TimeoutError:
            log.info("router_adapter_too_slow", adapter=adapter.identity[:12])
        except ModelError as error:
            if self._failed != adapter.identity:
                log.warning("router_adapter_failed", adapter=adapter.identity[:12], detail=error.detail)
            self._failed = adapter.identity
        return None

    async def _fits(self, adapter: AdapterFile) -> bool:
        """Whether it learned these answers to this prompt; looked up once an adapter."""
        known = self._checked.get(adapter.identity)
        if known is None:
            known = self._checked[adapter.identity] = await asyncio.to_thread(_learned_this, adapter)
            if not known:
                log.warning("router_adapter_not_asked", adapter=adapter.identity[:12], detail=OTHER_PROMPT)
        return known


OTHER_PROMPT = "It learned another prompt: `shopfloor train --agent router --learn lora` makes one for this version."


def _learned_this(adapter: AdapterFile) -> bool:
    from shopfloor.store.artefact_files import read_artefact

    if adapter.folder is None:
        return True
    return read_artefact(adapter.folder)[0].recipe.get("prompt") == prompt_version()
