"""Empties what an open assistant holds in memory when somebody was forgotten, by any process.

Nothing says who it was, so everything that texts were remembered in is emptied: embedded messages, the slots of the
local model, words of requests. It fills again by itself; answers are the same, some a little later.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

from shopfloor.errors import ModelError
from shopfloor.graph.agents import Agents
from shopfloor.local_models.forgetting import forget_texts
from shopfloor.observability import get_logger
from shopfloor.settings import Settings
from shopfloor.store.forgettings import ForgetWatch

log = get_logger("shopfloor.graph")

LOOK_EVERY_S = 0.25
RETRY_S = 5.0
PACKAGE = "shopfloor."

Heard = Callable[[], Awaitable[None]]


@runtime_checkable
class _Cached(Protocol):
    """A function under ``functools.lru_cache``."""

    def cache_parameters(self) -> dict[str, int | bool | None]: ...
    def cache_clear(self) -> None: ...


class Forgetting:
    """Follows the state database while it runs.

    Args:
        settings: where it lies.
        agents: what is emptied.
    """

    def __init__(self, settings: Settings, agents: Agents) -> None:
        self._settings = settings
        self._agents = agents
        self._heard: list[Heard] = []
        self.times = 0

    def on_forget(self, heard: Heard) -> None:
        """Call ``heard()`` too, for what others hold."""
        self._heard.append(heard)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Follow while the block runs."""
        watch = await asyncio.to_thread(ForgetWatch, self._settings.state_path)
        task = asyncio.create_task(self._follow(watch))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await asyncio.to_thread(watch.close)

    async def _follow(self, watch: ForgetWatch) -> None:
        due = False
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if await asyncio.to_thread(watch.heard) or due:
                    due = True
                    await self._empty()
                    due = False
            except Exception as error:  # whatever it is, it must not end the watch: it is tried again
                log.warning("memory_not_emptied", error=type(error).__name__, exc_info=True)
                await asyncio.sleep(RETRY_S)

    async def _empty(self) -> None:
        for heard in self._heard:
            await heard()
        await empty(self._agents)
        self.times += 1
        log.info("memory_emptied")


async def empty(agents: Agents) -> None:
    """Let go of every text that the agents, the router and the model remember.

    Raises:
        ModelError: the model could not read over what it holds; the rest is emptied all the same.
    """
    forget_words()
    failure: ModelError | None = None
    for holder in (agents.recommendation, agents.inventory, agents.router, agents.runtime):
        try:
            await forget_texts(holder)
        except ModelError as error:
            failure = error
    if failure is not None:
        raise failure


def forget_words() -> None:
    """Empty every bounded cache of a function of this package: those see what people write.

    Unbounded ones hold the package's own files. Looked up by what they are, so that none is missed when one is added.
    """
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(PACKAGE)]
    for module in modules:
        for value in list(vars(module).values()):
            if (
                not isinstance(value, type)
                and isinstance(value, _Cached)
                and value.cache_parameters()["maxsize"] is not None
            ):
                value.cache_clear()
