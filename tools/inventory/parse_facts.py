"""Which products a question about facts is about, and which of its words ask something of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.inventory.fact_cues import (
    ASPECTS,
    PRICE,
    asks_about_facts,
    asks_for_more,
    chooses_among,
    plain_question,
)
from shopfloor.tools.inventory.mentions import Mentions
from shopfloor.tools.inventory.reading import ProductMention
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import stem, stems, tokenise, word_set

_POINTING = re.compile(
    r"\b(it|its|this|that|these|those|they|them|their|both|(first|second|third|fourth|fifth|last|1st|2nd|3rd) (one|two|three)?|one|ones)\b"
)
# Words that ask nothing of a product by themselves.
_EMPTY = frozenset(
    stem(word)
    for word in word_set(
        """
a an the this that these those it its them they their there i me my we us our you your he she his her is are was were be been am
do does did doing done have has had having can could will would shall should may might must let and so but or also too very really
actually just only then well ok okay hi hello hey please thanks thank sorry great nice cool hmm um what which who how when why where
if of to for from by with without in on at as into out up about over any some all much many more most less least one ones both either
come comes coming get gets got give gives made make makes making use used using want need like look looks looking suit suits suitable
good fine great right proper okay best better bit little quite enough still thing kind sort type know tell say says describe detail
details info information think believe sure possible maybe keep keeps work works go goes take wear wearing put wash eat first second
third fourth fifth last 1st 2nd 3rd isnt arent doesnt dont cant not no yes than other another another same two three four five old
""".replace("wash ", "")
    )
)


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """Products in order, or options when it may be one of several; the words that ask something of them."""

    skus: tuple[str, ...]
    options: tuple[str, ...] = ()
    text: str = ""
    words: tuple[str, ...] = ()


def read_fact_question(
    mentions: Mentions, focus: Sequence[str], context: InventoryContext, names: ShopNames
) -> FactQuestion | None:
    """What a question about facts is about, None when it is about stock or about nothing known."""
    text = _with_pronoun(mentions, names)
    if mentions.services or mentions.zips or mentions.point is not None or not asks_about_facts(text):
        return None
    said = plain_question(text)
    if mentions.size is not None and not any(aspect.asked.search(said) for aspect in ASPECTS):
        return None  # "does it come in XL?" is answered with the stock of that size
    focus = _ordinal(said, context) or focus
    exact = tuple(
        dict.fromkeys(sku for found in mentions.products if found.exact and found.kind == "one" for sku in found.skus)
    )
    if any(found.exact and found.kind == "none" for found in mentions.products):
        return None
    about_price = PRICE.asked.search(said) or re.search(r"\b(cheaper|dearer|expensive|same price)\b", said)
    about_origin = re.search(
        r"\b(made|produced|manufactured|grown) (in|from)\b|\b(comes?|coming) from\b|\borigin\b", said
    )
    if mentions.places and not about_price and not about_origin:
        return None
    pair = _pair(said, exact, context)
    if pair:
        return FactQuestion(pair)
    if chooses_among(said) and not exact:
        shown = context.shown[:2] if re.search(r"\b(two|both|either)\b", said) else context.shown
        if len(shown) > 1:
            return FactQuestion(shown, words=_words(mentions, shown, names, named=False))
        if not shown and context.sku is None:
            return None
    if exact:
        if len(exact) > 1 or not context.sku or not chooses_among(said):
            return FactQuestion(exact, words=_words(mentions, exact, names, named=True))
        return FactQuestion((context.sku, *exact), words=_words(mentions, exact, names, named=True))
    return _described(said, mentions, focus, context, names)


def _with_pronoun(mentions: Mentions, names: ShopNames) -> str:
    """The question with "it" in the place of each product's name, which may be made of any words."""
    text = mentions.text
    for found in mentions.products:
        if found.kind == "one":
            name = found.text if found.exact else names.matcher.by_sku[found.skus[0]].name
            text = re.sub(rf"(\bthe )?{re.escape(name)}", "it", text, count=1, flags=re.IGNORECASE)
    return text


def _pair(said: str, exact: tuple[str, ...], context: InventoryContext) -> tuple[str, ...]:
    """The two products of "is it lighter than the second one?"."""
    if " than " not in f"{said} " or not any(aspect.direction(said) for aspect in ASPECTS):
        return ()
    found = (*((context.sku,) if context.sku else ()), *exact, *_ordinal(said, context))
    both = tuple(dict.fromkeys(found))
    if len(both) == 1 and re.search(r"\bother\b", said):
        both = (*both, *(sku for sku in context.shown if sku != both[0]))
    return both if len(both) == 2 else ()


def _ordinal(said: str, context: InventoryContext) -> tuple[str, ...]:
    found = re.search(r"\b(first|1st|second|2nd|third|3rd|fourth|4th|fifth|5th|last)\b(?! (time|class|hand|aid))", said)
    if found is None or not context.shown:
        return ()
    place = ("first", "1st", "second", "2nd", "third", "3rd", "fourth", "4th", "fifth", "5th", "last").index(
        found[1]
    ) // 2
    return (context.shown[-1],) if found[1] == "last" else context.shown[place : place + 1]


def _described(
    said: str, mentions: Mentions, focus: Sequence[str], context: InventoryContext, names: ShopNames
) -> FactQuestion | None:
    """The product is pointed at, described, or simply the one in focus."""
    described = [found for found in mentions.products if not found.exact and _named_by(found, said)]
    known = tuple(sku for sku in focus if sku in names.matcher.by_sku)
    if described:
        found = described[0]
        near = [
            sku
            for sku in dict.fromkeys((*((context.sku,) if context.sku else ()), *context.shown))
            if _fits(sku, found, names)
        ]
        if len(near) == 1 or (near and near[0] == context.sku):
            return FactQuestion((near[0],), words=_words(mentions, near[:1], names, named=True))
        if found.kind == "one":
            return FactQuestion(found.skus, words=_words(mentions, found.skus, names, named=True))
        if near:
            return FactQuestion((), tuple(near), found.text)
        if found.kind == "many" and not known and not _POINTING.search(said):
            return FactQuestion((), found.skus, found.text)
    if known and len(known) == 1:
        return FactQuestion(known, words=_words(mentions, known, names, named=False))
    if known and (_POINTING.search(said) or chooses_among(said)):
        return FactQuestion(known, words=_words(mentions, known, names, named=False))
    if context.shown and _POINTING.search(said) and not asks_for_more(said):
        return FactQuestion((), context.shown)
    return None


def _named_by(found: ProductMention, said: str) -> bool:
    """Whether a description stands as what the question is about ("is the rain jacket ..."), not as what is asked."""
    first = plain_question(found.text).split()
    if not first:
        return False
    return (
        re.search(
            rf"(?<!\bin )(?<!\bfor )(?<!\bwith )\b(the|this|that|these|those|your|of|about) ({re.escape(first[0])})\b",
            said,
        )
        is not None
    )


def _fits(sku: str, found: ProductMention, names: ShopNames) -> bool:
    entry = names.matcher.by_sku.get(sku)
    if entry is None:
        return False
    own = {*stems(entry.name), *stems(entry.category), *stems(entry.colour)}
    nouns = [word for word in found.words if word in own]
    return bool(nouns) and found.words[0] in own


def _words(mentions: Mentions, skus: Sequence[str], names: ShopNames, *, named: bool) -> tuple[str, ...]:
    """The content words of the question, without those that name the product or a fact by its name."""
    own: set[str] = set()
    if named:
        for sku in skus:
            entry = names.matcher.by_sku.get(sku)
            if entry is not None:
                own |= {*stems(entry.name), *stems(entry.category)}
    codes = (
        {sku.casefold() for sku in names.matcher.by_sku if sku.casefold() in mentions.text.casefold()}
        if named
        else set[str]()
    )
    text = mentions.text
    for code in codes:
        text = re.sub(re.escape(code), " ", text, flags=re.IGNORECASE)
    said = plain_question(text)
    for aspect in ASPECTS:
        said = aspect.asked.sub(" ", said)
    kept = [
        token.stem
        for token in tokenise(said)
        if token.stem not in _EMPTY and token.stem not in own and len(token.stem) > 1
    ]
    return tuple(dict.fromkeys(word for word in kept if not word.isdigit()))
