"""The node that asks the recommendation agent, shows its cards and streams why."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Literal, cast

from langgraph.runtime import Runtime
from langgraph.types import Command, Send
from opentelemetry import trace

from shopfloor.errors import InputError, ModelError
from shopfloor.graph.nodes.common import OpenShop, context_of, elapsed_ms, emit
from shopfloor.graph.results import failed_finding, new_id, recommendation_finding
from shopfloor.graph.routing import after_recommendation
from shopfloor.graph.shop import Shop
from shopfloor.graph.state import AgentState, RecommendTask, ShopContext
from shopfloor.local_models.adapting import held
from shopfloor.tools.schemas import ItemsEvent, TokenEvent

if TYPE_CHECKING:
    from shopfloor.tools.recommendation import Recommendation, RecommendQuery

FAILED = "I couldn't look through the range just now. Please ask again in a moment."


class RecommendationNode:
    """Runs one task a call."""

    def __init__(self, open_shop: OpenShop) -> None:
        self._open_shop = open_shop

    async def run(
        self, state: AgentState, runtime: Runtime[ShopContext]
    ) -> Command[Literal["inventory", "supervisor", "respond"]]:
        """Recommend, then go on with what waits for the result."""
        started = time.perf_counter()
        task = state["recommend"]
        if task is None:
            return Command(goto=state["back"])
        shop = await self._open_shop()
        query = _query(task, state, context_of(runtime).user)
        with trace.get_tracer("shopfloor").start_as_current_span("agent.recommendation"), held(shop.runtime):
            try:
                found = await shop.recommendation.recommend(query)
            except (ModelError, InputError) as error:
                finding = failed_finding("recommendation", task["call_id"], error.code, FAILED)
                return Command(update={"findings": [finding]}, goto=_onward(state, None))
            answer_id = new_id("rec")
            emit(runtime, ItemsEvent(recommendation_id=answer_id, items=found.items))
            cards_ms = elapsed_ms(started)
            text, said = found.answer, False
            if task["explain"] and found.items:
                text, said = await self._explain(shop, found, runtime)
            model = shop.model_of("recommendation")
        finding = recommendation_finding(query, found, answer_id, text, said=said, call_id=task["call_id"])
        finding["record"]["model"] = model.model_dump(mode="json")
        finding["record"]["usage"] = found.usage.to_json()
        finding["record"]["tokens"] = found.usage.prompt + found.usage.completion
        finding["timings_ms"] = {
            **found.timings_ms,
            "first_card": cards_ms,
            "recommendation": elapsed_ms(started),
        }
        top = found.items[0].sku if found.items else None
        return Command(update={"findings": [finding]}, goto=_onward(state, top))

    async def _explain(self, shop: Shop, found: "Recommendation", runtime: Runtime[ShopContext]) -> tuple[str, bool]:
        """Stream the explanation; the template's stands in where the model can't."""
        pieces: list[str] = []
        try:
            async with aclosing(cast(AsyncGenerator[str], shop.recommendation.explain(found, found.usage))) as stream:
                async for piece in stream:
                    if not piece:
                        continue
                    pieces.append(piece)
                    emit(runtime, TokenEvent(text=piece))
        except ModelError:
            if not pieces:
                return found.answer, False
        return ("".join(pieces), True) if pieces else (found.answer, False)


def _onward(state: AgentState, top: str | None) -> Sequence[Send] | Literal["inventory", "supervisor", "respond"]:
    return after_recommendation(state, top)


def _query(task: RecommendTask, state: AgentState, user: str) -> "RecommendQuery":
    from shopfloor.tools.recommendation import ParsedRequest, RecommendQuery

    previous = ParsedRequest.from_json(state["parsed"]) if task["refine"] and state["parsed"] else None
    return RecommendQuery(
        text=task["text"],
        count=task["count"],
        user_id=user,
        shown=tuple(item["sku"] for item in state["shown"]),
        focus_sku=task["like"] or state["focus"].get("sku"),
        previous=previous,
        city=task["city"],
    )
