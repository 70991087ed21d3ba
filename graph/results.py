"""Agents' typed results as the findings that the state, the trace and the reply are made of."""

import secrets
from typing import TYPE_CHECKING, cast

from pydantic import JsonValue

from shopfloor.graph.state import AgentName, Finding
from shopfloor.tools.schemas import InventoryAnswer

if TYPE_CHECKING:
    from shopfloor.tools.inventory import InventoryContext
    from shopfloor.tools.recommendation import Recommendation, RecommendQuery


def new_id(prefix: str) -> str:
    """A fresh, unguessable id."""
    return f"{prefix}_{secrets.token_hex(12)}"


def recommendation_finding(
    query: "RecommendQuery",
    found: "Recommendation",
    answer_id: str,
    text: str,
    *,
    said: bool = False,
    call_id: str | None = None,
) -> Finding:
    """A recommendation as a finding. ``text``: the explanation; ``said``: it was streamed already."""
    items = [item.model_dump(mode="json") for item in found.items]
    parsed = cast(JsonValue, found.parsed.to_json())
    return Finding(
        agent="recommendation",
        answer_id=answer_id,
        call_id=call_id,
        text=text,
        said=said,
        error=None,
        degraded=found.degraded,
        result={
            "items": cast(JsonValue, items),
            "parsed": parsed,
            "note": found.note,
            "model_scored": found.model_scored,
            "city": query.city,
        },
        record={
            "request": {"text": query.text, "count": query.count, "parsed": parsed},
            "prompt": found.prompt,
            "candidates": cast(JsonValue, [candidate.to_json() for candidate in found.candidates]),
            "tokens": 0,
        },
        timings_ms={name: round(value, 2) for name, value in found.timings_ms.items() if name != "total"},
    )


def inventory_finding(
    question: str, asked: "InventoryContext", answer: InventoryAnswer, *, call_id: str | None = None
) -> Finding:
    """A stock answer as a finding."""
    return Finding(
        agent="inventory",
        answer_id=answer.stock.answer_id if answer.stock is not None and answer.stock.answer_id else new_id("inv"),
        call_id=call_id,
        text=answer.answer,
        said=False,
        error=None,
        degraded=answer.degraded,
        result=cast(dict[str, JsonValue], answer.model_dump(mode="json")),
        record={
            "request": {
                "question": question,
                "sku": asked.sku,
                "city": asked.city,
                "size": asked.size,
                "slots": cast(JsonValue, answer.slots),
            },
            "prompt": "",
            "candidates": [],
            "tokens": 0,
        },
        timings_ms={name: round(value, 2) for name, value in answer.timings_ms.items() if name != "total"},
    )


def failed_finding(agent: AgentName, call_id: str | None, code: str, text: str) -> Finding:
    """What an agent that could not answer leaves: a sentence for the shopper, and the error's code."""
    return Finding(
        agent=agent,
        answer_id=new_id("ans"),
        call_id=call_id,
        text=text,
        said=False,
        error=code,
        degraded=True,
        result={},
        record={"request": {}, "prompt": "", "candidates": [], "tokens": 0},
        timings_ms={},
    )
