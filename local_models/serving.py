"""Opens the runtime that a service answers with: on the registry's champions, and changed with them while it serves."""

import asyncio
from dataclasses import dataclass

import psutil

from shopfloor.errors import ArtefactRejectedError, ConfigError, ModelError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adaptable, Adapters
from shopfloor.local_models.artefact_check import check_artefact
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.files import ModelFile, find_model, open_model_file
from shopfloor.local_models.following import Champions, Following
from shopfloor.local_models.opening import model_need, open_embedded
from shopfloor.local_models.paired import AbsentRuntime, PairedRuntime
from shopfloor.local_models.profiles import choose
from shopfloor.local_models.runtime import ModelInfo, Runtime
from shopfloor.local_models.sides import Sharing
from shopfloor.local_models.swapping import SwappingRuntime
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Artefact, Kind

INVENTORY = "inventory"
LORA: frozenset[Kind] = frozenset({"lora"})
RESERVE = 256 * 1024**2  # bytes that stay free beside two sides
BUFFERS = 128 * 1024**2  # bytes a second side takes beside weights, adapters and context
KV_BYTES = 2  # of one key or value, in half precision


@dataclass(frozen=True, slots=True)
class Part:
    """The agents that one of several models answers: those named, or (``others``) all but those named."""

    name: str = "adapters"
    agents: frozenset[str] = frozenset()
    others: bool = True

    def of(self, champions: Champions) -> Champions:
        """The champions of these agents."""
        return {key: one for key, one in champions.items() if (key[0] in self.agents) != self.others}


ALL = Part()


async def open_serving(settings: Settings, following: Following) -> Runtime:
    """Open the chosen runtime with the champions' adapters, and keep it on them; a second one where agents differ.

    A champion that can't be served leaves its agent with the base alone, and a sentence in ``following.problems``. A
    second model that can't be opened leaves one there too; its agent is refused by a stand-in, the other is served.

    Raises:
        ConfigError: the runtime needs a library or a setting that is not there, or memory does not hold the models.
        ModelError: the first model is missing, can't be loaded, or its server does not answer.
    """
    from shopfloor.local_models.choosing import inventory_settings

    own = inventory_settings(settings)
    if own is None:
        return await _open_part(settings, following, ALL)
    names = frozenset({INVENTORY})
    first = await _open_part(settings, following, Part(agents=names))
    try:
        left = await asyncio.to_thread(_within, own, settings)
        second = await _open_part(left, following, Part("inventory adapters", names, others=False))
    except ModelError as error:
        following.problems["inventory model"] = f"The inventory agent's model is not there: {error.detail}"
        second = AbsentRuntime(_asked_for(own), error.detail)
    except ConfigError:
        await first.close()
        raise
    return PairedRuntime(first, {INVENTORY: second})


async def _open_part(settings: Settings, following: Following, part: Part) -> Runtime:
    if choose(settings).runtime != "embedded":
        from shopfloor.local_models.choosing import open_chosen

        opened = await open_chosen(settings)
        if isinstance(opened, Sharing):
            opened = await SwappingRuntime.sharing(opened, settings.model_timeout_s)
        if isinstance(opened, Adaptable):
            await follow_adapters(following, opened, await asyncio.to_thread(_local_source, settings), part)
        return opened
    source = await asyncio.to_thread(_source, settings)
    adapters, _ = await asyncio.to_thread(read_adapters, part.of(following.champions), source, {})
    opener = _Opener(settings, source)
    side = await opener(adapters)
    runtime = SwappingRuntime.over(
        side, opener, has_room=opener.has_room, timeout_s=settings.model_timeout_s, adapters=adapters
    )
    await follow_adapters(following, runtime, source, part)
    return runtime


def _within(second: Settings, first: Settings) -> Settings:
    """The settings of a second model: of a limit that was set, what the first one leaves."""
    if not first.model_memory_mb or choose(first).runtime != "embedded":
        return second
    left = first.model_memory_mb - round(model_need(first).total / 1e6)
    return second.model_copy(update={"model_memory_mb": max(1, left)})


def _asked_for(settings: Settings) -> ModelInfo:
    choice = choose(settings)
    name = settings.model_name or (settings.model.stem if settings.model is not None else "none")
    return ModelInfo(name, "", "", "none", choice.runtime, choice.profile.name, "unknown", settings.model_ctx)


async def follow_adapters(following: Following, runtime: Adaptable, source: ModelFile | None, part: Part = ALL) -> None:
    """Keep a runtime that serves ``runtime.adapters`` on the champions.

    Args:
        following: tells of changes.
        runtime: what serves.
        source: the model that adapters must fit; None where its file is out of sight.
        part: the agents that it answers.
    """

    async def use(every: Champions) -> None:
        champions = part.of(every)
        adapters, refused = await asyncio.to_thread(read_adapters, champions, source, runtime.adapters)
        if _identities(adapters) != _identities(runtime.adapters):
            await runtime.use_adapters(adapters, drained=False)
        if refused:
            raise ArtefactRejectedError(" ".join(refused.values()))

    served = {adapter.artefact for adapter in runtime.adapters.values()}
    mine = part.of(following.champions)
    # The other models' champions are no concern of this one: they count as taken up.
    present = {key: one for key, one in following.champions.items() if key not in mine or one.hash in served}
    await following.follow(part.name, LORA, use, present)


def read_adapters(
    champions: Champions, source: ModelFile | None, present: Adapters
) -> tuple[dict[str, AdapterFile], dict[str, str]]:
    """Check the champions' adapters (blocking).

    Args:
        champions: what should serve.
        source: the model they must fit.
        present: what serves now; it stays where the champion is refused.

    Returns:
        The adapters by agent, and why one was refused by agent.
    """
    adapters: dict[str, AdapterFile] = {}
    refused: dict[str, str] = {}
    for agent, artefact in _loras(champions).items():
        known = present.get(agent)
        if known is not None and known.artefact == artefact.hash:
            adapters[agent] = known
            continue
        try:
            adapter = check_artefact(artefact.folder, source)
        except ArtefactRejectedError as error:
            refused[agent] = f"The {agent} adapter {artefact.hash[:12]} is not served: {error.detail}"
            adapter = known
        if adapter is not None:
            adapters[agent] = adapter
    return adapters, refused


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens sides of the embedded model, and says how much memory one takes."""

    settings: Settings
    source: ModelFile

    async def __call__(self, adapters: Adapters) -> EmbeddedRuntime:
        return await open_embedded(self.settings, adapters=adapters)

    def has_room(self) -> bool:
        """Whether the machine, and the limit that was set, hold a second side beside the first."""
        needed, limit = self.needed(), self.settings.model_memory_mb * 1_000_000
        return psutil.virtual_memory().available > needed + RESERVE and not 0 < limit < 2 * needed

    def needed(self) -> int:
        """Bytes of a side: its weights (they may be laid out anew), its context, its buffers."""
        header, settings = self.source.header, self.settings
        heads = header.of_architecture("attention.head_count") or 1
        kv_heads = header.of_architecture("attention.head_count_kv") or heads
        width = header.of_architecture("embedding_length") // heads * kv_heads
        token = 2 * header.of_architecture("block_count") * width * KV_BYTES
        weights = max(self.source.path.stat().st_size, 0) * 3 // 2  # the faster form is larger than the shipped one
        return weights + token * settings.model_ctx * settings.model_slots + BUFFERS


def _source(settings: Settings) -> ModelFile:
    return open_model_file(find_model(settings), settings.models_path)


def adapter_base(settings: Settings, agent: str = "") -> ModelFile | None:
    """The model that an agent's adapters must fit (blocking); None where it is out of sight: on a server, or the inventory
    agent's own by a repository's name.

    Raises:
        ModelError: its file is missing or damaged.
    """
    from shopfloor.local_models.choosing import inventory_settings

    own = inventory_settings(settings) if agent == INVENTORY else None
    if choose(settings).runtime in ("ollama", "openai") or (own is not None and own.model_name is not None):
        return None
    return _source(own or settings)


def _local_source(settings: Settings) -> ModelFile | None:
    """As :func:`adapter_base`; None also where the model is a repository's, or no GGUF file."""
    if settings.model_name is not None:
        return None
    try:
        return adapter_base(settings)
    except ModelError:  # a folder, or fetched by the runtime itself: that looks at the shapes when it loads an adapter
        return None


def _loras(champions: Champions) -> dict[str, Artefact]:
    return {agent: artefact for (agent, kind), artefact in champions.items() if kind == "lora"}


def _identities(adapters: Adapters) -> dict[str, str]:
    return {agent: adapter.identity for agent, adapter in adapters.items()}
