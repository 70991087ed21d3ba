"""Rows for the inventory agent: a stock question and the intent and slots that answer it.

A shopper's "right stock" is a claim: it becomes a row only where the shop's own count says the same. An answer whose
counts no longer agree with the database is dropped too, however many stars it has.
"""

from collections.abc import Mapping
from typing import Any

from shopfloor.finetune.datasets.facts import Checker
from shopfloor.finetune.datasets.rows import Evidence, Row, Source, Unusable, compact
from shopfloor.finetune.datasets.texts import clean


def row_of(evidence: Evidence, checker: Checker) -> Row:
    """The row that a reaction gives.

    Raises:
        Unusable: with the reason.
    """
    request, result = evidence.request, evidence.result
    text = clean(str(request.get("question") or evidence.text))
    intent, slots = result.get("intent"), result.get("slots")
    if not isinstance(intent, str) or not isinstance(slots, dict):
        raise Unusable("no_slots")
    parsed: dict[str, Any] = {**slots}
    if evidence.correction is not None:
        parsed |= _corrected(evidence.correction, checker)
        basis, positive = "correction", True
    elif evidence.liked is None:
        raise Unusable("neither_good_nor_bad")
    else:
        basis, positive = evidence.basis, evidence.liked
        if positive:
            _agrees(result, checker)
    _known(parsed, checker)
    context = {name: request[name] for name in ("sku", "city", "size") if isinstance(request.get(name), str)}
    return Row(
        kind="slots",
        text=text,
        target=compact({"intent": intent, "slots": parsed}),
        positive=positive,
        basis=basis,
        at=evidence.at,
        sources=(Source(evidence.trace_id, evidence.feedback_id, evidence.user_id),),
        fresh=evidence.fresh,
        context=compact(context) if context else "",
    )


def _corrected(correction: str | dict[str, Any], checker: Checker) -> dict[str, Any]:
    """The slots that a correction changes, each checked."""
    if isinstance(correction, str):
        named = checker.named_in(correction)
        if named is None:
            raise Unusable("correction_names_no_product")
        return {"sku": named}
    changed: dict[str, Any] = {}
    sku = correction.get("sku") or correction.get("product_id")
    store_id = correction.get("store_id")
    if isinstance(sku, str):
        changed["sku"] = checker.product(sku).sku
    if isinstance(store_id, str):
        changed["store_id"] = checker.store(store_id)
    claimed = correction.get("quantity", correction.get("stock"))
    if claimed is not None:
        if "sku" not in changed:
            raise Unusable("names_no_product")
        if not isinstance(claimed, int) or claimed != checker.stock(changed["sku"], changed.get("store_id")):
            raise Unusable("disagrees_with_database")
    if not changed:
        raise Unusable("not_about_the_stock")
    return changed


def _agrees(result: Mapping[str, Any], checker: Checker) -> None:
    """The counts of the answer are those of the database."""
    structured: object = result.get("structured")
    product: object = result.get("product")
    if not isinstance(structured, Mapping) or not isinstance(product, Mapping):
        return
    sku, counts = product.get("sku"), structured.get("quantities")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(sku, str):
        return
    checker.product(sku)
    pairs: list[tuple[str, int]] = []
    if isinstance(counts, Mapping):
        pairs = [(str(store), int(units)) for store, units in counts.items()]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    by_size = isinstance(result.get("slots"), Mapping) and "size" in result["slots"]
    if not by_size and any(checker.stock(sku, store) != units for store, units in pairs):
        raise Unusable("stock_has_changed")


def _known(slots: Mapping[str, Any], checker: Checker) -> None:
    sku, store_id = slots.get("sku"), slots.get("store_id")
    if isinstance(sku, str):
        checker.product(sku)
    if isinstance(store_id, str):
        checker.store(store_id)
