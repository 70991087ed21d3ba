"""What is said beside the product that a question names: "for the front desk", "not the women ones", "the ones that are made here".

Where a product is named in full, a word that the catalogue happens to use as well is a product of its own only when it
stands in a list with it ("… and gloves", "… + socks").
"""

import re
from dataclasses import replace

from shopfloor.tools.inventory.lexicon import CONNECTORS, DETERMINERS, NUMBER_WORDS, SPLITTERS
from shopfloor.tools.inventory.mentions import Mentions
from shopfloor.tools.inventory.reading import ProductMention
from shopfloor.tools.matching import COLOURS, Token, tokenise

_BESIDE = (
    CONNECTORS
    | DETERMINERS
    | SPLITTERS
    | frozenset(NUMBER_WORDS)
    | frozenset({"as", "well", "too", "both", "pair", "pairs", "some", "together", "along", "alongside", "addition"})
)
_TO_WHOM = frozenset({"for", "the", "our", "my", "your"})
_JOINING = SPLITTERS | frozenset({"well", "together", "along", "alongside", "addition"})
_CORRECTED = re.compile(
    r"\b(?:i mean|i meant|or rather|sorry|no wait|correction|make that)\b[\s,:]*(?:the |a |an )?$", re.IGNORECASE
)
_LISTING = ",+&"


def without_asides(mentions: Mentions) -> Mentions:
    """The mentions less those that only say something about a product named in full."""
    if not any(mention.exact and mention.kind == "one" for mention in mentions.products):
        return mentions
    tokens = tokenise(mentions.text)
    products = _after_correction(mentions.products, mentions.text, tokens)
    kept = [mention for mention in products if mention.exact or _stands(mention, products, mentions.text, tokens)]
    return mentions if len(kept) == len(mentions.products) else replace(mentions, products=tuple(kept))


def _after_correction(
    products: tuple[ProductMention, ...], text: str, tokens: list[Token]
) -> tuple[ProductMention, ...]:
    """Of "…, I mean the Down Jacket Women" what is meant in the end."""
    for number, mention in enumerate(products):
        if number and mention.exact and _CORRECTED.search(text[: tokens[mention.start].start]):
            return products[number:]
    return products


def _stands(mention: ProductMention, others: tuple[ProductMention, ...], text: str, tokens: list[Token]) -> bool:
    """Whether a description is a colour of what is named, or stands in a list with another product."""
    if set(mention.words) <= COLOURS:
        return True
    before = tokens[mention.start - 1].surface.casefold() if mention.start else ""
    if mention.kind == "one" and len(mention.words) > 1 and before not in _TO_WHOM:
        return True
    return any(_listed(mention, other, text, tokens) for other in others if other is not mention)


def _listed(one: ProductMention, other: ProductMention, text: str, tokens: list[Token]) -> bool:
    first, second = sorted((one, other), key=lambda mention: mention.start)
    between = tokens[first.end : second.start]
    words = [token.surface.casefold() for token in between]
    if not all(word in _BESIDE or word.isdigit() for word in words):
        return False
    start = tokens[first.end - 1].end
    gaps = text[start : tokens[second.start].start] if second.start < len(tokens) else ""
    if any(mark in gaps for mark in ".;:?!(") or "for" in words:
        return False
    return bool(set(words) & _JOINING) or any(mark in gaps for mark in _LISTING)
