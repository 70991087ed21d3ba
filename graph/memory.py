"""What a turn leaves in the conversation's memory. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from pydantic import JsonValue

from shopfloor.graph.facts import ProductFacts
from shopfloor.graph.state import Decision, Finding, Focus, Memory, Pending, ShownItem
from shopfloor.tools.schemas import Route

_PRODUCT_ERRORS = frozenset({"ambiguous_product", "unknown_product", "missing_product"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """The memory after a turn. ``options``: what the shopper may choose from now."""

    shown: list[ShownItem]
    focus: Focus
    parsed: dict[str, JsonValue] | None
    last_route: Route | None
    pending: Pending | None = None
    options: list[str] = field(default_factory=list[str])


def remember(
    memory: Memory, decision: Decision, findings: Sequence[Finding], facts: Sequence[ProductFacts]
) -> Remembered:
    """Fold a turn's results into the memory: what is on the screen, what we speak of, what is asked."""
    kept = Remembered(
        shown=list(memory.shown),
        focus=cast(Focus, dict(memory.focus or {})),
        parsed=memory.parsed,
        last_route=decision["route"] if decision["route"] != "supervisor" else memory.last_route,
    )
    for finding in findings:
        if finding["agent"] == "recommendation" and finding["error"] is None:
            kept = _after_recommendation(kept, finding)
    for finding in findings:
        if finding["agent"] == "inventory" and finding["error"] is None:
            kept = _after_inventory(kept, finding, single=_stock_answers(findings) == 1)
    if facts:
        focus = kept.focus.copy()
        focus["sku"], focus["name"] = facts[0].sku, facts[0].name
        on_screen = {item["sku"] for item in kept.shown}
        together = len(facts) > 1 and not on_screen.issuperset(one.sku for one in facts)
        shown = kept.shown if kept.shown and not together else [one.shown for one in facts]
        kept = replace(kept, focus=focus, shown=shown)
    return replace(kept, focus=_with_before(kept.focus, memory))


def _with_before(focus: Focus, memory: Memory) -> Focus:
    """The focus with the product that we spoke of before it."""
    old = memory.focus or Focus()
    before = old.get("sku") if old.get("sku") != focus.get("sku") else old.get("before")
    kept = focus.copy()
    if before:
        kept["before"] = before
    return kept


def _after_recommendation(kept: Remembered, finding: Finding) -> Remembered:
    result = finding["result"]
    items = cast(list[dict[str, Any]], result.get("items") or [])
    parsed = cast(dict[str, JsonValue] | None, result.get("parsed"))
    if not items:
        return replace(kept, parsed=parsed or kept.parsed)
    shown = [_shown(item) for item in items]
    focus = Focus(sku=shown[0]["sku"], name=shown[0]["name"])
    city = cast(str | None, result.get("city")) or kept.focus.get("city")
    if city:
        focus["city"] = city
    sizes = cast(list[str], (parsed or {}).get("sizes") or [])
    if len(sizes) == 1:
        focus["size"] = str(sizes[0])
    return replace(kept, shown=shown, focus=focus, parsed=parsed)


def _after_inventory(kept: Remembered, finding: Finding, *, single: bool) -> Remembered:
    result = cast(dict[str, Any], finding["result"])
    slots = cast(dict[str, Any], result.get("slots") or {})
    focus = cast(Focus, dict(kept.focus))
    product = cast(dict[str, Any] | None, result.get("product"))
    if product is not None and single:
        if focus.get("sku") != product["sku"]:
            focus.pop("size", None)
        focus["sku"], focus["name"] = str(product["sku"]), str(product["name"])
    structured = cast(dict[str, Any], result.get("structured") or {})
    store = slots.get("store_id") or structured.get("store_id")
    if len(cast(list[Any], structured.get("store_ids") or [])) > 1:
        store = slots.get("store_id")  # a city of several stores
    if isinstance(store, str | int) and store:
        focus["store_id"] = str(store)
    elif slots.get("city"):
        focus.pop("store_id", None)
    for key in ("city", "size"):
        value = slots.get(key)
        if isinstance(value, str) and value:
            focus[key] = value
    kept = replace(kept, focus=focus)
    if result.get("status") in {"ask", "unknown"} and kept.pending is None:
        pending = _pending(finding, slots)
        return replace(kept, pending=pending, options=list(pending["options"]) if pending is not None else [])
    return kept


def _pending(finding: Finding, slots: dict[str, Any]) -> Pending | None:
    """The agent's question as the next message may answer it; None where there is nothing to choose or name."""
    result = cast(dict[str, Any], finding["result"])
    structured = cast(dict[str, Any], result.get("structured") or {})
    request = cast(dict[str, Any], finding["record"].get("request") or {})
    options = list(dict.fromkeys(str(option) for option in cast(list[str], result.get("options") or [])))
    error = structured.get("error")
    about: Literal["product", "place"] = "product" if error in _PRODUCT_ERRORS else "place"
    skus = [str(sku) for sku in cast(list[Any], structured.get("skus") or structured.get("nearest") or [])]
    if not options and error not in {"missing_product", "missing_place"}:
        return None
    values = skus[: len(options)] if about == "product" and len(skus) >= len(options) else options
    product = cast(dict[str, Any] | None, result.get("product"))
    unclear = slots.get("product_text") if about == "product" else slots.get("city")
    return Pending(
        about=about,
        question=str(request.get("question") or ""),
        unclear=str(unclear) if unclear and error != "missing_place" else None,
        options=options,
        values=values,
        sku=str(product["sku"]) if product is not None else cast(str | None, slots.get("sku") or request.get("sku")),
        city=cast(str | None, slots.get("city")) if about == "product" else None,
        size=cast(str | None, slots.get("size")) or cast(str | None, request.get("size")),
    )


def _stock_answers(findings: Sequence[Finding]) -> int:
    """How many products the stock answers are about."""
    answered = [one["result"] for one in findings if one["agent"] == "inventory" and one["error"] is None]
    products = [cast(dict[str, Any], result.get("product") or {}).get("sku") for result in answered]
    return len(set(products)) if all(products) else len(answered)


def _shown(item: dict[str, Any]) -> ShownItem:
    return ShownItem(
        sku=str(item["sku"]),
        name=str(item["name"]),
        price=item.get("price"),
        currency=str(item["currency"]),
        colour=item.get("colour"),
        category=item.get("category"),
        sizes=[str(size) for size in cast(list[str], item.get("sizes") or [])],
    )
