"""One agent asked directly, without the supervisor: what the REST routes need. Traced like a turn.

With a thread, the conversation's memory is used and kept, so a chat can go on from there.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from opentelemetry import trace

from shopfloor.graph import cues
from shopfloor.graph.memory import remember
from shopfloor.graph.nodes.common import elapsed_ms
from shopfloor.graph.recorder import TurnEnd, TurnStart
from shopfloor.graph.results import inventory_finding, new_id, recommendation_finding
from shopfloor.graph.shop import Shop
from shopfloor.graph.state import Decision, Finding, Memory, memory_of
from shopfloor.graph.turn import Graph
from shopfloor.local_models.adapting import held
from shopfloor.tools.inventory import InventoryContext
from shopfloor.tools.recommendation import ParsedRequest, RecommendQuery
from shopfloor.tools.schemas import (
    InventoryAnswer,
    InventoryRequest,
    InventoryResponse,
    RecommendRequest,
    RecommendResponse,
    Route,
)

DOOR = "rest"


async def recommend(shop: Shop, graph: Graph, request: RecommendRequest) -> RecommendResponse:
    """Answer one recommendation request; its thread, if any, is the user's already."""
    started = time.perf_counter()
    memory = await _memory(graph, request.thread_id)
    refines = memory.parsed is not None and cues.refines(cues.normal(request.context))
    query = RecommendQuery(
        text=request.context,
        count=request.count,
        user_id=request.user_id,
        shown=memory.skus,
        focus_sku=memory.focus_sku,
        previous=ParsedRequest.from_json(memory.parsed) if refines and memory.parsed else None,
    )
    start = TurnStart("", request.thread_id or "", request.user_id, DOOR, request.context)
    async with _traced(shop, start, "agent.recommendation") as trace_id:
        with held(shop.runtime):
            found, model = await shop.recommendation.recommend(query), shop.model_of("recommendation")
        finding = recommendation_finding(query, found, new_id("rec"), found.answer)
        finding["record"]["model"] = model.model_dump(mode="json")
        finding["timings_ms"]["recommendation"] = elapsed_ms(started)
        await _finish(shop, trace_id, request.user_id, "recommendation", finding)
    await _keep(graph, request.thread_id, memory, "recommendation", finding)
    return RecommendResponse(
        recommendation_id=finding["answer_id"],
        trace_id=trace_id,
        user_id=request.user_id,
        items=found.items,
        explanation=found.answer,
        model=model,
        degraded=found.degraded or shop.runtime is None,
        model_scored=found.model_scored,
        timings_ms={**finding["timings_ms"], "total": elapsed_ms(started)},
    )


async def check_inventory(shop: Shop, graph: Graph, request: InventoryRequest) -> InventoryResponse:
    """Answer one stock question about one product; its thread, if any, is the user's already.

    Raises:
        NotFoundError: the product, store or city is not known; the nearest matches are offered.
    """
    started = time.perf_counter()
    memory = await _memory(graph, request.thread_id)
    user = request.user_id or "anonymous"
    text = request.question or f"stock of {request.product_id}"
    async with _traced(shop, TurnStart("", request.thread_id or "", user, DOOR, text), "agent.inventory") as trace_id:
        with held(shop.runtime):
            response, model = await shop.inventory.check(request), shop.model_of("inventory")
        response = response.model_copy(update={"trace_id": trace_id, "model": model})
        place = request.location_context
        answer = InventoryAnswer(
            status="answered",
            intent="check",
            slots={"city": place.city if place else None, "size": request.size, "sku": response.product.sku},
            structured={"available": response.available, "total_quantity": response.total_quantity},
            answer=response.answer,
            product=response.product,
            stock=response,
            slots_by="caller",
            degraded=response.degraded,
            timings_ms=response.timings_ms,
        )
        finding = inventory_finding(text, InventoryContext(sku=response.product.sku), answer)
        finding["timings_ms"]["inventory"] = elapsed_ms(started)
        finding["record"]["model"] = model.model_dump(mode="json")
        await _finish(shop, trace_id, user, "inventory", finding)
    await _keep(graph, request.thread_id, memory, "inventory", finding)
    timings = {**finding["timings_ms"], "total": elapsed_ms(started)}
    return response.model_copy(update={"answer_id": finding["answer_id"], "timings_ms": timings})


@asynccontextmanager
async def _traced(shop: Shop, start: TurnStart, name: str) -> AsyncGenerator[str]:
    """A turn's row around a call: failed when it raises, cancelled when the caller leaves."""
    with trace.get_tracer("shopfloor").start_as_current_span(name):
        trace_id = await shop.recorder.begin(start)
        try:
            yield trace_id
        except Exception:
            await shop.traces.end_turn(trace_id, "failed")
            raise
        except BaseException:
            await shop.traces.end_turn(trace_id, "cancelled")
            raise


async def _finish(shop: Shop, trace_id: str, user_id: str, route: Route, finding: Finding) -> None:
    await shop.recorder.finish(
        TurnEnd(
            trace_id=trace_id,
            user_id=user_id,
            reply=finding["text"],
            decision=_decision(route),
            degraded=finding["degraded"],
            findings=[finding],
            timings_ms={**finding["timings_ms"], "total": finding["timings_ms"][finding["agent"]]},
        )
    )


def _decision(route: Route) -> Decision:
    return Decision(
        route=route,
        decided_by="caller",
        confidence=1.0,
        reason="asked the agent directly",
        reply=None,
        text=None,
        skus=[],
    )


def _config(thread_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id}}


async def _memory(graph: Graph, thread_id: str | None) -> Memory:
    if thread_id is None:
        return Memory()
    snapshot = await graph.aget_state(_config(thread_id))
    return memory_of(snapshot.values)  # type: ignore[arg-type]


async def _keep(graph: Graph, thread_id: str | None, memory: Memory, route: Route, finding: Finding) -> None:
    if thread_id is None:
        return
    kept = remember(memory, _decision(route), [finding], ())
    values: dict[str, Any] = {
        "shown": kept.shown,
        "focus": kept.focus,
        "parsed": kept.parsed,
        "pending": kept.pending,
        "last_route": kept.last_route,
    }
    await graph.aupdate_state(_config(thread_id), values, as_node="respond")
