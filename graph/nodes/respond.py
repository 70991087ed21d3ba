"""The last node: says what the agents found, remembers it, and closes the turn's trace."""

import time
from collections.abc import Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage
from langgraph.runtime import Runtime
from pydantic import JsonValue

from shopfloor.graph.aspects import content_words
from shopfloor.graph.cues import words
from shopfloor.graph.facts import ProductFacts, describe, read_facts
from shopfloor.graph.memory import remember
from shopfloor.graph.nodes.common import OpenShop, context_of, emit
from shopfloor.graph.product_answers import answer_about, answer_about_several
from shopfloor.graph.recorder import TurnEnd
from shopfloor.graph.shop import Shop
from shopfloor.graph.spelling import understood
from shopfloor.graph.state import (
    Decision,
    Finding,
    ShopContext,
    ShopState,
    ShownItem,
    Tokens,
    last_human,
    memory_of,
    text_of,
)
from shopfloor.settings import Settings
from shopfloor.tools.schemas import RouteInfo, TokenEvent, Usage

_GAP = "\n\n"
_NO_DECISION = Decision(
    route="supervisor", decided_by="rules", confidence=0.0, reason="no decision", reply="overloaded", text=None, skus=[]
)


class RespondNode:
    """Closes a turn."""

    def __init__(self, open_shop: OpenShop, settings: Settings) -> None:
        self._open_shop = open_shop
        self._settings = settings

    async def run(self, state: ShopState, runtime: Runtime[ShopContext]) -> dict[str, Any]:
        """Say the rest of the answer and write the turn down."""
        shop = await self._open_shop()
        context = context_of(runtime)
        decision = state.get("decision") or _NO_DECISION
        findings = list(state.get("findings") or [])
        facts = await _facts(decision, shop)
        if len(facts) > 1:
            asked = _asked(state, decision, shop)
            about, chosen = answer_about_several(facts, asked, _columns(shop, asked, facts))
            decision["text"] = decision["text"] or about
            facts.sort(key=lambda one: one.sku != chosen.sku)
        text = self._say(state, runtime, decision, findings, facts, shop)
        usage = _usage(findings, state.get("tokens"))
        degraded = any(finding["degraded"] for finding in findings) or decision["reply"] == "overloaded"
        timings = _timings(findings, state)
        trace_id = state.get("trace_id", "")
        await shop.recorder.finish(TurnEnd(trace_id, context.user, text, decision, degraded, findings, timings, usage))
        remembered = remember(memory_of(state), decision, findings, facts)
        shown = await _with_traits(remembered.shown, shop)
        metadata = _metadata(trace_id, decision, findings, degraded, timings, usage, remembered.options, shop)
        message = AIMessage(text, response_metadata=metadata)
        return {
            "messages": [*_forgotten(state.get("messages") or [], self._settings.history_messages), message],
            "shown": shown,
            "focus": remembered.focus,
            "parsed": remembered.parsed,
            "pending": remembered.pending,
            "last_route": remembered.last_route,
            "hops": 0,
            "decision": None,
            "calls": [],
            "findings": None,
        }

    def _say(
        self,
        state: ShopState,
        runtime: Runtime[ShopContext],
        decision: Decision,
        findings: Sequence[Finding],
        facts: Sequence[ProductFacts],
        shop: Shop,
    ) -> str:
        """The whole reply; what was not streamed yet is sent now."""
        said = [finding["text"] for finding in findings if finding["said"]]
        rest: list[str] = []
        if decision["text"] is not None:
            rest.append(decision["text"])
        elif findings:
            # A shopper reads the wish's answer first, whatever finished first.
            ordered = sorted(findings, key=lambda finding: finding["agent"] != "recommendation")
            rest.extend(finding["text"] for finding in ordered if not finding["said"] and finding["text"])
        else:
            rest.append(self._direct(state, decision, facts, shop))
        text = _GAP.join(said)
        for part in dict.fromkeys(rest):
            piece = f"{_GAP}{part}" if text else part
            emit(runtime, TokenEvent(text=piece))
            text += piece
        return text

    def _direct(self, state: ShopState, decision: Decision, facts: Sequence[ProductFacts], shop: Shop) -> str:
        messages = state.get("messages") or []
        asked = _asked(state, decision, shop)
        turn = sum(1 for message in messages if isinstance(message, AIMessage))
        if facts and decision["reply"] == "details":
            answer = answer_about(facts[0], asked, _columns(shop, asked, facts))
            return answer if facts[0].name in answer else f"{facts[0].name}: {answer}"
        if facts and decision["reply"] == "chosen":
            return (
                f"{describe(facts[0])} I can't place orders from here, but I can check which store has it: "
                "tell me your city."
            )
        kind = decision["reply"] if decision["reply"] in shop.replies.kinds else "unclear"
        name, kinds = shop.lexicon.shop_name, shop.lexicon.categories
        return shop.replies.say(kind or "unclear", shop=name, text=asked, turn=turn, categories=kinds)


def _asked(state: ShopState, decision: Decision, shop: Shop) -> str:
    """The question to answer: as the supervisor put it, or as the shopper did."""
    said = text_of(last_human(state.get("messages") or []))
    return decision.get("asked") or understood(said, shop.lexicon, shop.replies)


def _columns(shop: Shop, asked: str, facts: Sequence[ProductFacts]) -> frozenset[str]:
    """The columns that the question's words, the products' own names apart, are values of."""
    named = {word for one in facts for word in words(one.name)}
    return shop.lexicon.columns_of(content_words(asked) - named)


async def _facts(decision: Decision, shop: Shop) -> list[ProductFacts]:
    if decision["reply"] is None or not decision["skus"]:
        return []
    skus = decision["skus"]
    return await shop.catalogue.read(lambda connection: read_facts(connection, skus))


async def _with_traits(shown: list[ShownItem], shop: Shop) -> list[ShownItem]:
    """What is on the screen with what its rows say beside: "the wool one" is told by it."""
    new = [item["sku"] for item in shown if "traits" not in item]
    if not new:
        return shown
    traits = {one.sku: one.traits for one in await shop.catalogue.read(lambda connection: read_facts(connection, new))}
    told: list[ShownItem] = []
    for item in shown:
        copy = item.copy()
        copy["traits"] = item.get("traits") or traits.get(item["sku"], {})
        told.append(copy)
    return told


def _usage(findings: Sequence[Finding], tokens: Tokens | None) -> Usage:
    spent = tokens or Tokens(prompt=0, completion=0)
    local = [cast(dict[str, Any], finding["record"].get("usage") or {}) for finding in findings]
    speeds = [float(one["tokens_per_second"]) for one in local if one.get("tokens_per_second")]
    return Usage(
        local_prompt_tokens=sum(int(one.get("prompt", 0)) for one in local),
        local_completion_tokens=sum(int(one.get("completion", 0)) for one in local),
        gemini_prompt_tokens=spent["prompt"],
        gemini_completion_tokens=spent["completion"],
        tokens_per_second=round(speeds[0], 1) if speeds else None,
    )


def _timings(findings: Sequence[Finding], state: ShopState) -> dict[str, float]:
    timings: dict[str, float] = {"decision": state.get("decision_ms", 0.0)}
    for finding in findings:
        timings.update(finding["timings_ms"])
    timings["total"] = round((time.time() - state.get("started_at", time.time())) * 1000, 2)
    return timings


def _metadata(
    trace_id: str,
    decision: Decision,
    findings: Sequence[Finding],
    degraded: bool,
    timings: dict[str, float],
    usage: Usage,
    options: list[str],
    shop: Shop,
) -> dict[str, JsonValue]:
    """What a front door shows beside the text; JSON, so any checkpointer keeps it."""
    recommended = next((one for one in findings if one["agent"] == "recommendation" and one["error"] is None), None)
    stock = next((one for one in findings if one["agent"] == "inventory" and one["error"] is None), None)
    route = RouteInfo(
        route=decision["route"],
        decided_by=decision["decided_by"],
        confidence=decision["confidence"],
        reason=decision["reason"],
    )
    return {
        "trace_id": trace_id,
        "route": route.model_dump(mode="json"),
        "items": recommended["result"]["items"] if recommended is not None else [],
        "recommendation_id": recommended["answer_id"] if recommended is not None else None,
        "inventory": cast(JsonValue, stock["result"]) if stock is not None else None,
        "answer_ids": {one["agent"]: one["answer_id"] for one in reversed(findings) if one["error"] is None},
        "options": cast(JsonValue, options),
        "model": _model(findings, shop),
        "degraded": degraded,
        "timings_ms": cast(JsonValue, timings),
        "usage": usage.model_dump(mode="json"),
    }


def _model(findings: Sequence[Finding], shop: Shop) -> JsonValue:
    """The model with the adapter that answered; with two agents, the recommendation's."""
    answered = sorted(
        (one for one in findings if one["record"].get("model")), key=lambda one: one["agent"], reverse=True
    )
    return answered[0]["record"]["model"] if answered else shop.model.model_dump(mode="json")


def _forgotten(messages: Sequence[AnyMessage], keep: int) -> list[RemoveMessage]:
    """The oldest messages over the limit, the new answer counted; a thread never begins with an answer."""
    over = len(messages) + 1 - keep
    if over <= 0:
        return []
    while over < len(messages) and isinstance(messages[over], AIMessage):
        over += 1
    return [RemoveMessage(id=message.id) for message in messages[:over] if message.id]
