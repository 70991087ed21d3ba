"""What happens when an agent's node runs out of time or breaks: the turn goes on without it, and says so."""

from typing import Literal

from langgraph.errors import NodeError, NodeTimeoutError
from langgraph.types import Command

from shopfloor.graph.nodes import inventory, recommendation
from shopfloor.graph.results import failed_finding
from shopfloor.graph.state import AgentState
from shopfloor.observability import get_logger

log = get_logger("shopfloor.graph")


async def recommendation_failed(state: AgentState, error: NodeError) -> Command[Literal["supervisor", "respond"]]:
    """Say that the range could not be searched."""
    task = state["recommend"]
    return _failed("recommendation", state, task["call_id"] if task else None, recommendation.FAILED, error)


async def inventory_failed(state: AgentState, error: NodeError) -> Command[Literal["supervisor", "respond"]]:
    """Say that the stock could not be checked."""
    task = state["inventory"]
    return _failed("inventory", state, task["call_id"] if task else None, inventory.FAILED, error)


def _failed(
    agent: Literal["recommendation", "inventory"],
    state: AgentState,
    call_id: str | None,
    text: str,
    error: NodeError,
) -> Command[Literal["supervisor", "respond"]]:
    code = "timeout" if isinstance(error.error, NodeTimeoutError) else "internal"
    log.error("agent_failed", agent=agent, code=code, exc_info=error.error)
    finding = failed_finding(agent, call_id, code, text)
    return Command(update={"findings": [finding]}, goto=state["back"])
