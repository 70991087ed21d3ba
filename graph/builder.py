"""The graph's wiring, and nothing else: read it as the diagram.

``build_graph`` is for servers and embedders, ``make_graph`` for LangGraph Studio, which brings its own checkpointer.
Both return at once: databases and models are opened by the first turn.
"""
# LangGraph is a namespace package: its py.typed is not found from its subpackages.
# pyright: reportMissingTypeStubs=false

# LangGraph leaves parts of these signatures untyped.
# pyright: reportUnknownMemberType=false

import sqlite3
from typing import Any, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import RetryPolicy

from shopfloor.graph.nodes.failure import inventory_failed, recommendation_failed
from shopfloor.graph.nodes.inventory import InventoryNode
from shopfloor.graph.nodes.recommendation import RecommendationNode
from shopfloor.graph.nodes.respond import RespondNode
from shopfloor.graph.nodes.supervisor import SupervisorNode
from shopfloor.graph.shop import Resources
from shopfloor.graph.state import AgentState, ShopContext, ShopState
from shopfloor.settings import Settings, load_settings

# The one layer that repeats a node: a database that another process holds for a moment.
_BUSY = RetryPolicy(max_attempts=2, initial_interval=0.05, jitter=False, retry_on=sqlite3.OperationalError)


def build_graph(
    *,
    settings: Settings | None = None,
    checkpointer: BaseCheckpointSaver[Any] | bool | None = None,
    store: BaseStore | None = None,
    resources: Resources | None = None,
) -> CompiledStateGraph[ShopState, ShopContext, Any, Any]:
    """Wire the assistant's graph.

    Args:
        settings: the shop and its models; empty: from the environment.
        checkpointer: where conversations are kept; empty: each call stands alone.
        store: a LangGraph store for the host's own use.
        resources: opened by the caller, who closes them; empty: the graph opens its own on the first turn and keeps
            them as long as the process lives.
    """
    settings = settings or (resources.settings if resources is not None else load_settings())
    opened = resources or Resources(settings)
    limit = settings.node_timeout_s

    graph = StateGraph(ShopState, context_schema=ShopContext)
    graph.add_node("supervisor", SupervisorNode(opened.get, settings).run, timeout=limit)
    graph.add_node(
        "recommendation",
        RecommendationNode(opened.get).run,
        input_schema=AgentState,
        timeout=limit,
        retry_policy=_BUSY,
        error_handler=cast(Any, recommendation_failed),
    )
    graph.add_node(
        "inventory",
        InventoryNode(opened.get).run,
        input_schema=AgentState,
        timeout=limit,
        retry_policy=_BUSY,
        error_handler=cast(Any, inventory_failed),
    )
    graph.add_node("respond", RespondNode(opened.get, settings).run, timeout=limit)
    graph.add_edge(START, "supervisor")
    return graph.compile(checkpointer=checkpointer, store=store, name="shop")


def make_graph() -> CompiledStateGraph[ShopState, ShopContext, Any, Any]:
    """The graph for LangGraph Studio: settings from the environment, no checkpointer of its own."""
    return build_graph()
