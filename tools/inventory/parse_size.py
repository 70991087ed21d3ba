"""Numbers that are sizes: "do you have it in 42", "and a 40?", "is there a 38 in Tokyo"."""

import re
from collections.abc import Sequence
from dataclasses import replace

from shopfloor.tools.inventory.mentions import Mentions
from shopfloor.tools.inventory.numbers import Amount
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import Token, tokenise, word_set

_BEFORE = word_set("in a an size sizes or and")
_AFTER_A_SIZE = frozenset({"", "and", "or", "about", "then"})
_COUNTING = word_set(
    "need needs want wants take takes order orders buy get get have has got supply sell ship send do with least most only just about over under"
    " than exactly like for x times are us me another"
)
_COUNTED = word_set("of x pieces pcs units pairs pair sets left or more fewer items dozen hundred people")
_AFTER = word_set("in at for please online there too instead or and now left by")


def size_from_amount(mentions: Mentions, focus: Sequence[str], said_before: str | None, names: ShopNames) -> Mentions:
    """Read a bare number as a size where the product meant comes in numbered sizes.

    Args:
        mentions: what the question names.
        focus: products meant by "it"; used where the question names none.
        said_before: the size the conversation is about.
        names: the shop's names.
    """
    if mentions.size is not None or not mentions.amounts:
        return mentions
    named = [sku for found in mentions.products if found.kind == "one" for sku in found.skus]
    skus = [sku for sku in (named or focus) if sku in names.matcher.by_sku]
    if len(skus) != 1:
        return mentions
    sizes = names.matcher.by_sku[skus[0]].sizes
    tokens = tokenise(mentions.text)
    for amount in mentions.amounts:
        after_name = any(found.end == amount.start for found in mentions.products)
        before_place = any(found.start == amount.end for found in mentions.places)
        after_place = any(found.end == amount.start for found in mentions.places)
        gap = mentions.text[tokens[amount.end - 1].end : tokens[amount.end].start] if amount.end < len(tokens) else ""
        size = _size(
            amount,
            tokens,
            sizes,
            said_before,
            after_name=after_name,
            after_place=after_place,
            before_place=before_place,
            gap=gap,
        )
        if size is not None:
            return replace(
                mentions, size=size, amounts=tuple(other for other in mentions.amounts if other is not amount)
            )
    return mentions


def _size(
    amount: Amount,
    tokens: Sequence[Token],
    sizes: Sequence[str],
    said_before: str | None,
    *,
    after_name: bool,
    after_place: bool,
    before_place: bool,
    gap: str,
) -> str | None:
    numbered = [size for size in sizes if re.match(r"\d", size)]
    if amount.sense != "exactly" or amount.plural_unit or not numbered or amount.end != amount.start + 1:
        return None
    text = tokens[amount.start].surface
    after_end = amount.end < len(tokens) and any(mark in gap for mark in ".,;:?!")
    before = tokens[amount.start - 1].surface.casefold() if amount.start else ""
    after = tokens[amount.end].surface.casefold() if amount.end < len(tokens) else ""
    if not text.isdigit():
        return None
    if text in sizes and before in ("a", "an") and after_end:
        return text  # "I take a 43. The loafers in Porto?"
    counted = before in _COUNTING or after in _COUNTED or amount.plural_unit
    if text in sizes and not counted and (before_place or after_name or after_place or after_end or not after):
        return text  # "tokyo 40", "…, 43, how's London": one of its own sizes, beside no word that counts
    if after and after not in _AFTER and not before_place:
        return None
    own = text in sizes or any(_within(int(text), size) for size in numbered) or text == said_before
    if own and (before in _BEFORE or not before or (after_name and text in sizes)):
        return text
    if before in ("a", "an") or (said_before is not None and said_before.isdigit() and before in _AFTER_A_SIZE):
        return text  # "do you have a 33?", of trousers that come in 32 and 34
    return text if before == "in" else None


def _within(number: int, size: str) -> bool:
    ends = re.fullmatch(r"\D*(\d{1,3})\s*[-–/]\s*(\d{1,3})\D*", size)
    return ends is not None and int(ends[1]) <= number <= int(ends[2])
