"""Who is judged at the router's gate: a head, and the adapter that is asked where it is unsure, both as they serve."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ArtefactRejectedError, ConfigError
from shopfloor.graph.local_router import shorten
from shopfloor.graph.route_member import AGENT, Chances, Member, blended, opinion, prompt_version, unsure
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adaptable
from shopfloor.local_models.artefact_check import check_artefact
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.profiles import choose
from shopfloor.local_models.runtime import Runtime
from shopfloor.local_models.sides import Sharing
from shopfloor.local_models.swapping import SwappingRuntime
from shopfloor.settings import Settings
from shopfloor.store.artefact_files import read_artefact
from shopfloor.store.artefacts import Artefact, Registry

GATE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Decider:
    """A head, and what its adapter said of the texts that the head is unsure of; ``adapter`` names it, or is empty."""

    head: LinearHead
    adapter: str = ""
    opinions: Mapping[str, Chances] = field(default_factory=dict[str, Chances])

    @property
    def labels(self) -> Sequence[str]:
        """The routes in the order of the probabilities."""
        return self.head.card.labels

    @property
    def name(self) -> str:
        """For the report."""
        head = self.head.hash or "the shipped head"
        return f"{head} and adapter {self.adapter}" if self.adapter else head

    def probabilities(self, text: str, hidden: NDArray[np.float32] | None) -> Chances:
        """As the router has them: of both where the head is unsure, shape (4,)."""
        chances = self.head.probabilities(text, hidden)
        second = self.opinions.get(text) if unsure(chances) else None
        return chances if second is None else blended(chances, second, self.labels)


async def ask(
    head: LinearHead, member: Member | None, adapter: str, texts: Sequence[str], vectors: NDArray[np.float32]
) -> Decider:
    """A decider that knows what the adapter says wherever the head, with or without its vectors, is unsure.

    Args:
        head: decides.
        member: the adapter; None: the head decides alone.
        adapter: names it in the report.
        texts: all that will be asked, shortened as the router shortens them, n of them.
        vectors: of the texts, shape (n, width); width 0 without an encoder.

    Raises:
        ModelError: the model failed.
    """
    if member is None:
        return Decider(head)
    opinions: dict[str, Chances] = {}
    for text, vector in zip(texts, vectors, strict=True):
        hidden = vector if vector.size and head.card.encoder_width else None
        if text in opinions or not text.strip():
            continue
        if unsure(head.probabilities(text, hidden)) or unsure(head.probabilities(text, None)):
            said = await member.ask(text)
            if said is not None:
                opinions[text] = said
    return Decider(head, adapter, opinions)


@dataclass(frozen=True, slots=True)
class GateMember:
    """An adapter at the gate: asked as in service, but never in a hurry."""

    runtime: Runtime

    async def ask(self, text: str) -> Chances:
        """Probabilities of the routes."""
        return await opinion(self.runtime, shorten(text))


class _Carrying(Runtime, Protocol):
    """A runtime with adapters; the embedded one as it is opened here can't change them, and is no ``Adaptable``."""

    def for_agent(self, agent: str) -> Runtime: ...


@asynccontextmanager
async def opened_members(settings: Settings, adapters: Mapping[str, AdapterFile]) -> AsyncGenerator[dict[str, Member]]:
    """The serving runtime with adapters, each as a member by the name it is given here.

    Raises:
        ConfigError: the runtime carries no adapters.
        ModelError: the model or an adapter can't be loaded.
    """
    if not adapters:
        yield {}
        return
    runtime = await _open(settings.model_copy(update={"model_timeout_s": GATE_TIMEOUT_S}), adapters)
    try:
        yield {name: GateMember(runtime.for_agent(name)) for name in adapters}
    finally:
        await runtime.close()


async def serving_adapter(settings: Settings, registry: Registry) -> tuple[Artefact, AdapterFile] | None:
    """The adapter that is asked for routes now; None where none serves, or one that the router would not ask."""
    found = await registry.champion(AGENT, "lora")
    if found is None:
        return None

    def look() -> AdapterFile | None:
        try:
            recipe = read_artefact(found.folder)[0].recipe
            source = open_model_file(find_model(settings), settings.models_path)
            return check_artefact(found.folder, source) if recipe.get("prompt") == prompt_version() else None
        except ArtefactRejectedError:
            return None

    adapter = await asyncio.to_thread(look)
    return None if adapter is None else (found, adapter)


CARRIES_NONE = "carries no adapters: train the head (--learn head), or serve with SHOPFLOOR_RUNTIME=embedded."


async def _open(settings: Settings, adapters: Mapping[str, AdapterFile]) -> _Carrying:
    chosen = choose(settings).runtime
    if chosen == "embedded":
        return await open_embedded(settings, adapters=adapters)
    from shopfloor.local_models.choosing import open_chosen

    opened = await open_chosen(settings)
    if isinstance(opened, Sharing):
        opened = await SwappingRuntime.sharing(opened, settings.model_timeout_s)
    if not isinstance(opened, Adaptable):
        await opened.close()
        raise ConfigError(f"SHOPFLOOR_RUNTIME={chosen} {CARRIES_NONE}")
    try:
        await opened.use_adapters(adapters)
    except BaseException:
        await opened.close()
        raise
    return opened
