"""Where a turn goes next: pure functions from a plan or a state to node names and their work."""

from collections.abc import Sequence
from typing import Literal

from langgraph.types import Send

from shopfloor.graph.plan import Plan
from shopfloor.graph.state import AgentState, InventoryTask, Memory, RecommendTask

RECOMMENDATION = "recommendation"
INVENTORY = "inventory"
RESPOND = "respond"
SUPERVISOR = "supervisor"

Back = Literal["supervisor", "respond"]


def targets(plan: Plan, memory: Memory, back: Back) -> list[Send]:
    """The agents to start now. Nothing: the answer needs none.

    A stock question about what will be recommended waits for the recommendation, and the others wait with it; all
    others start side by side.
    """
    if plan.recommend is None:
        return [_inventory(task, memory, back) for task in plan.inventory if not task["of_top"]]
    if any(task["of_top"] for task in plan.inventory):
        return [_recommendation(plan.recommend, memory, back, plan.inventory)]
    return [
        _recommendation(plan.recommend, memory, back, ()),
        *(_inventory(task, memory, back) for task in plan.inventory),
    ]


def after_recommendation(state: AgentState, top: str | None) -> list[Send] | Back:
    """What follows a recommendation: the stock questions that waited for it, or back.

    Args:
        state: what the recommendation agent was sent.
        top: its first product's SKU; None: it found nothing, and there is nothing to ask about.
    """
    sends: list[Send] = []
    for task in state["after"]:
        if task["of_top"] and top is None:
            continue
        known = task.copy()
        if task["of_top"]:
            known["sku"] = top
        sent = state.copy()
        sent["recommend"], sent["inventory"], sent["after"] = None, known, []
        sends.append(Send(INVENTORY, sent))
    return sends or state["back"]


def over_hops(hops: int, limit: int) -> bool:
    """Whether the supervisor has had its turns."""
    return hops > limit


def _recommendation(task: RecommendTask, memory: Memory, back: Back, after: Sequence[InventoryTask]) -> Send:
    return Send(RECOMMENDATION, _agent_state(memory, back, recommend=task, after=list(after)))


def _inventory(task: InventoryTask, memory: Memory, back: Back) -> Send:
    return Send(INVENTORY, _agent_state(memory, back, inventory=task))


def _agent_state(
    memory: Memory,
    back: Back,
    *,
    recommend: RecommendTask | None = None,
    inventory: InventoryTask | None = None,
    after: list[InventoryTask] | None = None,
) -> AgentState:
    return AgentState(
        recommend=recommend,
        inventory=inventory,
        after=after or [],
        back=back,
        shown=list(memory.shown),
        focus=memory.focus or {},
        parsed=memory.parsed,
    )
