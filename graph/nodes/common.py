"""What the nodes share."""

import time
from collections.abc import Awaitable, Callable

from langgraph.runtime import Runtime
from pydantic import BaseModel

from shopfloor.graph.shop import Shop
from shopfloor.graph.state import ShopContext

OpenShop = Callable[[], Awaitable[Shop]]
ANONYMOUS = ShopContext()


def context_of(runtime: Runtime[ShopContext]) -> ShopContext:
    """The run's context; a host may have passed none."""
    return runtime.context or ANONYMOUS


def emit(runtime: Runtime[ShopContext], event: BaseModel) -> None:
    """Send an event on the graph's ``custom`` stream, as JSON."""
    runtime.stream_writer(event.model_dump(mode="json"))


def elapsed_ms(started: float) -> float:
    """Milliseconds since ``started`` (``time.perf_counter``)."""
    return round((time.perf_counter() - started) * 1000, 2)
