"""Rows for the recommendation agent: which product was right for a request, and answers worth repeating.

A structured correction, or a sentence that names exactly one product, gives the better product; what else a correction
says is not used, so no shopper can write what the assistant will say. Every product must be in the range, at the price
that was shown.
"""

from collections.abc import Mapping
from typing import Any, cast

from shopfloor.finetune.datasets.facts import Checker
from shopfloor.finetune.datasets.rows import Basis, Evidence, Row, Source, Unusable
from shopfloor.finetune.datasets.texts import clean
from shopfloor.store.catalogue import Product

EXPLAINED_RATING = 4


def rows_of(evidence: Evidence, checker: Checker) -> list[Row]:
    """The rows that a reaction gives, one for the choice and perhaps one for the explanation.

    Raises:
        Unusable: with the reason.
    """
    text = clean(str(evidence.request.get("text") or evidence.text))
    items = cast("list[dict[str, Any]]", evidence.result.get("items") or [])
    if evidence.correction is not None:
        return [_corrected(evidence, checker, text)]
    if evidence.liked is None:
        raise Unusable("neither_good_nor_bad")
    if not items:
        raise Unusable("nothing_shown")
    if evidence.liked is False:
        return [_disliked(evidence, checker, text)]
    rows = [_liked(evidence, checker, text, items)] if evidence.sku is not None else []
    if evidence.rating is not None and evidence.rating >= EXPLAINED_RATING and evidence.answer.strip():
        rows.append(_explained(evidence, checker, text, items))
    if not rows:
        raise Unusable("names_no_product")
    return rows


def _corrected(evidence: Evidence, checker: Checker, text: str) -> Row:
    sku = _better(evidence.correction, checker)
    product = checker.product(sku)
    _within_limit(evidence, product)
    rejected = tuple(one for one in evidence.shown if one != product.sku)
    return _row(evidence, text, product.sku, "correction", checker, rejected=rejected)


def _better(correction: str | dict[str, Any] | None, checker: Checker) -> str:
    if isinstance(correction, dict):
        named = correction.get("sku") or correction.get("better_sku") or correction.get("product_id")
        if not isinstance(named, str) or correction.get("kind", "better_product") == "stock":
            raise Unusable("not_about_the_choice")
        return named
    named = checker.named_in(correction or "")
    if named is None:
        raise Unusable("correction_names_no_product")
    return named


def _within_limit(evidence: Evidence, product: Product) -> None:
    """A "better" product that costs more than the shopper said is not better."""
    parsed: object = evidence.request.get("parsed")
    limit = parsed.get("price_max") if isinstance(parsed, Mapping) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if isinstance(limit, int | float) and product.price is not None and product.price > limit:
        raise Unusable("over_the_limit_asked_for", product.sku)


def _liked(evidence: Evidence, checker: Checker, text: str, items: list[dict[str, Any]]) -> Row:
    shown = next((item for item in items if item.get("sku") == evidence.sku), None)
    if shown is None:
        raise Unusable("not_shown")
    product = checker.shown_item(shown)
    return _row(evidence, text, product.sku, evidence.basis, checker)


def _disliked(evidence: Evidence, checker: Checker, text: str) -> Row:
    if evidence.sku is None:
        raise Unusable("names_no_product")
    return _row(evidence, text, checker.product(evidence.sku).sku, evidence.basis, checker, positive=False)


def _explained(evidence: Evidence, checker: Checker, text: str, items: list[dict[str, Any]]) -> Row:
    products = tuple(checker.shown_item(item) for item in items)
    answer = clean(evidence.answer)
    checker.answer(answer, products, text)
    return Row(
        kind="explain",
        text=text,
        target=answer,
        positive=True,
        basis=evidence.basis,
        at=evidence.at,
        sources=_sources(evidence),
        fresh=evidence.fresh,
        context="\n".join(_described(product) for product in products),
    )


def _row(
    evidence: Evidence,
    text: str,
    sku: str,
    basis: Basis,
    checker: Checker,
    *,
    positive: bool = True,
    rejected: tuple[str, ...] = (),
) -> Row:
    weighed = [one for one in evidence.candidates if _in_range(str(one.get("sku", "")), checker)]
    candidates: tuple[dict[str, Any], ...] = tuple(
        {**one, "name": checker.product(str(one["sku"])).name} for one in weighed
    )
    if positive and all(one["sku"] != sku for one in candidates):
        added: dict[str, Any] = {"sku": sku, "score": 0.0, "signals": {}, "name": checker.product(sku).name}
        candidates = (*candidates, added)
    return Row(
        kind="choose",
        text=text,
        target=sku,
        positive=positive,
        basis=basis,
        at=evidence.at,
        sources=_sources(evidence),
        fresh=evidence.fresh,
        candidates=candidates,
        rejected=tuple(one for one in rejected if _in_range(one, checker)),
        position=evidence.position,
    )


def _in_range(sku: str, checker: Checker) -> bool:
    try:
        checker.product(sku)
    except Unusable:
        return False
    return True


def _described(product: Product) -> str:
    price = "" if product.price is None else f", {product.price:.2f} {product.currency}"
    rated = f", rated {product.rating_mean:.1f} by {product.rating_count} customers" if product.rating_mean else ""
    return f"{product.name} ({product.sku}){price}{rated}: {product.description}"


def _sources(evidence: Evidence) -> tuple[Source, ...]:
    return (Source(evidence.trace_id, evidence.feedback_id, evidence.user_id),)
