"""The node that asks the inventory agent one stock question."""

import time
from typing import TYPE_CHECKING, Literal

from langgraph.runtime import Runtime
from langgraph.types import Command
from opentelemetry import trace

from shopfloor.errors import InputError, ModelError
from shopfloor.graph import cues
from shopfloor.graph.nodes.common import OpenShop, context_of, elapsed_ms, emit
from shopfloor.graph.results import failed_finding, inventory_finding
from shopfloor.graph.shop import Shop
from shopfloor.graph.state import AgentState, InventoryTask, ShopContext
from shopfloor.local_models.adapting import held
from shopfloor.tools.schemas import StockEvent

if TYPE_CHECKING:
    from shopfloor.tools.inventory import InventoryContext

FAILED = "I couldn't check the stock just now. Please ask again in a moment."


class InventoryNode:
    """Runs one task a call."""

    def __init__(self, open_shop: OpenShop) -> None:
        self._open_shop = open_shop

    async def run(self, state: AgentState, runtime: Runtime[ShopContext]) -> Command[Literal["supervisor", "respond"]]:
        """Answer the question, then go back."""
        started = time.perf_counter()
        task = state["inventory"]
        if task is None:
            return Command(goto=state["back"])
        shop = await self._open_shop()
        asked = _context(task, state, context_of(runtime).user, shop)
        with trace.get_tracer("shopfloor").start_as_current_span("agent.inventory"):
            try:
                with held(shop.runtime):
                    answer = await shop.inventory.answer(_question(task, asked.sku), asked)
                    model = shop.model_of("inventory")
            except (ModelError, InputError) as error:
                text = error.detail if isinstance(error, InputError) else FAILED
                finding = failed_finding("inventory", task["call_id"], error.code, text)
                return Command(update={"findings": [finding]}, goto=state["back"])
        emit(runtime, StockEvent(inventory=answer))
        finding = inventory_finding(task["question"], asked, answer, call_id=task["call_id"])
        finding["timings_ms"]["inventory"] = elapsed_ms(started)
        finding["record"]["model"] = model.model_dump(mode="json")
        return Command(update={"findings": [finding]}, goto=state["back"])


def _question(task: InventoryTask, sku: str | None) -> str:
    """The question with "it" or "the second one" said out: the SKU names the product beyond doubt."""
    if sku is None or sku.casefold() in task["question"].casefold():
        return task["question"]
    return cues.with_name(task["question"], sku)


def _context(task: InventoryTask, state: AgentState, user: str, shop: Shop) -> "InventoryContext":
    from shopfloor.tools.inventory import InventoryContext

    # A remote supervisor may name a SKU that is none: then the question speaks for itself.
    sku = task["sku"] if task["sku"] in shop.lexicon.skus else None
    return InventoryContext(
        sku=sku,
        shown=tuple(item["sku"] for item in state["shown"]),
        store_id=task["store_id"],
        city=task["city"],
        size=task["size"],
        user_id=user,
    )
