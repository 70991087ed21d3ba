"""What the runtimes have in common that attach adapters to the model that serves: views by agent, and changing them."""

import asyncio
import copy
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Self

from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.live_adapters import WARM, AdapterStore, LiveAdapters
from shopfloor.local_models.runtime import Message, ModelInfo
from shopfloor.local_models.streaming import StreamingRuntime


class LiveRuntime(StreamingRuntime):
    """Implements :class:`~shopfloor.local_models.adapting.Adaptable`. Views are copies: what they share is shared."""

    def __init__(self, info: ModelInfo, timeout_s: float, store: AdapterStore) -> None:
        super().__init__(info, timeout_s)
        self._live = LiveAdapters(store)
        self._agent = ""

    @property
    def info(self) -> ModelInfo:
        """What serves this agent now."""
        adapter = self._live.table.get(self._agent)
        return replace(self._info, adapter=adapter.identity if adapter is not None else None)

    @property
    def adapters(self) -> Adapters:
        """What serves now, by agent."""
        return self._live.table

    def for_agent(self, agent: str) -> Self:
        """The model as one agent has it, now and after each change; closing any view closes all."""
        view = copy.copy(self)
        view._agent = agent
        return view

    def hold(self) -> AbstractContextManager[None]:
        """Everything inside is answered by what serves now."""
        return self._live.hold()

    def warm_with(self, agent: str, messages: Sequence[Message]) -> None:
        """A chat whose prompt is read with a new adapter before it serves."""
        self._live.warm_with(agent, messages)

    async def use_adapters(self, adapters: Adapters, *, drained: bool = True) -> None:
        """Serve with these LoRA adapters from now on; requests under way keep what they began with.

        Args:
            adapters: by agent; an agent without one is served by the base.
            drained: return only when the last request with the ones before has ended.

        Raises:
            ModelError: one does not fit or can't be loaded, or a change is under way; nothing changes.
        """
        await asyncio.to_thread(self._check_adapters, adapters)
        await self._live.use(
            adapters, lambda agent, messages: self.for_agent(agent).chat(messages, WARM), drained=drained
        )

    async def use_adapter(self, adapter: AdapterFile | None) -> None:
        """:meth:`use_adapters` for this view's agent alone; the others keep theirs."""
        others = {agent: other for agent, other in self.adapters.items() if agent != self._agent}
        await self.use_adapters(others | ({self._agent: adapter} if adapter is not None else {}))

    @abstractmethod
    def _check_adapters(self, adapters: Adapters) -> None:
        """Refuse what can't be used, before anything is loaded (blocking). Raises ModelError."""
