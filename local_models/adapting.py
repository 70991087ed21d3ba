"""One base model with adapters by agent: what a runtime needs for it, and how callers ask for their part of it.

``runtime_for(runtime, "inventory")`` is the model as that agent has it; ``held(runtime)`` keeps one answer, however many
calls it takes, on the adapter that it began with. Both take any runtime: one that has no adapters is used as it is.
"""

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.runtime import Message, Runtime

Adapters = Mapping[str, AdapterFile]
"""Adapters by the agent that they serve."""


@runtime_checkable
class Adaptable(Protocol):
    """A runtime whose adapters can be changed while it serves."""

    def for_agent(self, agent: str) -> Runtime:
        """The model as one agent has it, now and after each change."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Everything inside is answered by what serves now."""
        ...

    def warm_with(self, agent: str, messages: Sequence[Message]) -> None:
        """A chat whose prompt is read with a new adapter before it serves, e.g. an agent's system prompt."""
        ...

    @property
    def adapters(self) -> Adapters:
        """What serves now."""
        ...

    async def use_adapters(self, adapters: Adapters, *, drained: bool = True) -> None:
        """Serve with these from now on.

        Args:
            adapters: by agent; an agent without one is served by the base.
            drained: return only when the last call on the ones before has ended.

        Raises:
            ModelError: they can't be loaded, or a change is under way; what served until now goes on serving.
        """
        ...


def runtime_for(runtime: Runtime, agent: str) -> Runtime:
    """The model as one agent has it."""
    return runtime.for_agent(agent) if isinstance(runtime, Adaptable) else runtime


def held(runtime: Runtime | None) -> AbstractContextManager[None]:
    """Keep what is asked inside on the adapters that serve now."""
    return runtime.hold() if isinstance(runtime, Adaptable) else contextlib.nullcontext()
