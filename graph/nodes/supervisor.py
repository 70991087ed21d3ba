"""The node that decides: plans a new turn, or goes on with one when Gemini has its tools' results."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AnyMessage
from langgraph.runtime import Runtime
from langgraph.types import Command
from opentelemetry import trace

from shopfloor.graph.nodes.common import OpenShop, context_of, emit
from shopfloor.graph.plan import Plan
from shopfloor.graph.recorder import TurnStart
from shopfloor.graph.routing import Back, over_hops, targets
from shopfloor.graph.shop import Shop
from shopfloor.graph.state import (
    Finding,
    Memory,
    ShopContext,
    ShopState,
    Tokens,
    last_human,
    memory_of,
    text_of,
)
from shopfloor.graph.supervisor import Decided, Turn
from shopfloor.settings import Settings
from shopfloor.tools.schemas import RouteEvent, RouteInfo

GIVE_UP = "overloaded"


@dataclass
class _Progress:
    """A turn as the node finds it: fresh, or with results."""

    trace_id: str
    hops: int
    calls: list[AnyMessage] = field(default_factory=list[AnyMessage])
    tokens: Tokens = field(default_factory=lambda: Tokens(prompt=0, completion=0))
    findings: list[Finding] = field(default_factory=list[Finding])
    update: dict[str, Any] = field(default_factory=dict[str, Any])
    fresh: bool = False


class SupervisorNode:
    """Runs one decision a call."""

    def __init__(self, open_shop: OpenShop, settings: Settings) -> None:
        self._open_shop = open_shop
        self._settings = settings

    async def run(
        self, state: ShopState, runtime: Runtime[ShopContext]
    ) -> Command[Literal["recommendation", "inventory", "respond"]]:
        """Decide where the turn goes."""
        started = time.perf_counter()
        shop = await self._open_shop()
        context = context_of(runtime)
        human = last_human(state.get("messages") or [])
        text = text_of(human)[: self._settings.max_text_chars]
        turn_id = human.id if human is not None else None
        await shop.refresh()
        progress = await self._progress(state, turn_id, text, context, shop)
        memory = memory_of(state)
        if over_hops(progress.hops, self._settings.hop_limit):
            return Command(update=progress.update, goto="respond")
        turn = Turn(
            text, state.get("messages") or [], memory, progress.calls, progress.findings, context.shop, who(context)
        )
        with trace.get_tracer("shopfloor").start_as_current_span("supervisor") as span:
            decided = await shop.supervisor.decide(turn)
            span.set_attribute("shopfloor.route", decided.plan.route)
            span.set_attribute("shopfloor.decided_by", decided.plan.decided_by)
            if decided.fell_back is not None:
                span.set_attribute("shopfloor.fell_back", decided.fell_back)
        if decided.exposure is not None:
            await shop.recorder.expose(progress.trace_id, decided.exposure)
        if progress.fresh:
            self._announce(runtime, decided, progress.trace_id, context)
            progress.update["decision_ms"] = round((time.perf_counter() - started) * 1000, 2)
        return _command(decided, progress, memory)

    async def _progress(
        self, state: ShopState, turn_id: str | None, text: str, context: ShopContext, shop: Shop
    ) -> _Progress:
        if turn_id is not None and state.get("turn_id") == turn_id and state.get("hops", 0) > 0:
            hops = state.get("hops", 0) + 1
            return _Progress(
                trace_id=state.get("trace_id", ""),
                hops=hops,
                calls=list(state.get("calls") or []),
                tokens=state.get("tokens") or Tokens(prompt=0, completion=0),
                findings=list(state.get("findings") or []),
                update={"hops": hops},
            )
        trace_id = await shop.recorder.begin(
            TurnStart(context.trace_id, context.thread, context.user, context.door, text)
        )
        fresh: dict[str, Any] = {
            "turn_id": turn_id,
            "trace_id": trace_id,
            "started_at": time.time(),
            "hops": 1,
            "decision": None,
            "calls": [],
            "tokens": Tokens(prompt=0, completion=0),
            "findings": None,
        }
        return _Progress(trace_id=trace_id, hops=1, update=fresh, fresh=True)

    def _announce(self, runtime: Runtime[ShopContext], decided: Decided, trace_id: str, context: ShopContext) -> None:
        emit(runtime, RouteEvent(trace_id=trace_id, thread_id=context.thread, route=route_info(decided.plan)))


def who(context: ShopContext) -> str:
    """By whom shares of the users are told apart: the user, or the conversation of one without a name."""
    return context.thread if context.user in ("", "anonymous") else context.user


def route_info(plan: Plan) -> RouteInfo:
    """A plan's route as the front doors show it."""
    return RouteInfo(
        route=plan.route, decided_by=plan.decided_by, confidence=min(1.0, plan.confidence), reason=plan.reason
    )


def _command(
    decided: Decided, progress: _Progress, memory: Memory
) -> Command[Literal["recommendation", "inventory", "respond"]]:
    plan = decided.plan
    back: Back = "supervisor" if plan.decided_by == "gemini" else "respond"
    update = {
        **progress.update,
        "decision": plan.decision,
        "tokens": Tokens(
            prompt=progress.tokens["prompt"] + decided.tokens["prompt"],
            completion=progress.tokens["completion"] + decided.tokens["completion"],
        ),
    }
    if decided.call is not None:
        update["calls"] = [*progress.calls, decided.call]
    sends = targets(plan, memory, back)
    return Command(update=update, goto=sends or "respond")
