"""Requests that lean on what came before: "something cheaper", "the second one in green", "not red", "more options"."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from shopfloor.tools.recommendation.degrees import degree_scores, quality_of, read_comparative
from shopfloor.tools.recommendation.extents import room_for, tells_room
from shopfloor.tools.recommendation.kind_rows import kind_rows
from shopfloor.tools.recommendation.language import ORDINALS
from shopfloor.tools.recommendation.narrowing import text_rows, value_rows
from shopfloor.tools.recommendation.query import ParsedRequest, RecommendQuery
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import plain, stem

CENT = 0.01

_CHEAPER = re.compile(r"\b(?:cheaper|less expensive|more affordable|less pricey|lower (?:price|priced)|costs? less|not (?:so|that|as|too) (?:expensive|pricey|dear)|"
                      r"(?:too|so|very|quite|rather|pretty|bit|little|tad|touch|somewhat) (?:over)?(?:expensive|pricey|dear|much money|steep|costly|priced)|"
                      r"too (?:much|high)|for less|(?:out of|over|above|beyond) (?:my|our|the) (?:budget|range|reach|means|price range)|"
                      r"(?:not|cannot|never) afford)\b(?! than \d)")  # fmt: skip
_DEARER = re.compile(
    r"\b(?:more expensive|dearer|pricier|more premium|higher[- ]end|fancier|better quality|nicer quality)\b(?! than \d)"
)
_OTHERS = re.compile(
    r"\b(?:something else|anything else|others?|another(?: one)?|different(?: ones?)?|more options|more choices|(?:^|and )more(?=\s*$|[.?!])|"
    r"not (?:that|this|those|these)(?: ones?)?(?=\s*(?:$|[,.!?]|please))|show (?:me )?more|any more|next ones?|alternatives?|what else|other options|more please)\b"
)
# "Any other colour?" is about the same thing.
_OTHER_COLOUR = re.compile(r"\b(?:other|another|different|else in) colou?rs?\b|\bother shades?\b")
_LIKE = re.compile(
    r"\b(?:like|similar to|same as|same style as|as|along the lines of|match(?:ing)?)\s+"
    r"(?:the |that |this |these |those |my )?(?P<which>[a-z0-9#]+)?"
)
_REFERENCE = re.compile(
    r"\b(?:the|that|this|number|option|no\.?|#)\s*#?(?P<which>first|second|third|fourth|fifth|sixth|last|1st|2nd|3rd|4th|5th|"
    r"6th|[1-9])\b(?:\s+(?:one|option|product|item))?"
)
_PRONOUN = re.compile(r"\b(?:it|this|that|that one|this one|same|same one|the one|one)\b")
_LAST_BOUGHT = re.compile(r"\b(?:last|previous)\b.{0,30}\b(?:bought|ordered|purchased|got|order|purchase)\b|"
                          r"\b(?:bought|ordered|purchased)\b.{0,20}\blast\b")  # fmt: skip
_LEANS = re.compile(
    r"^(?:and|but|or|what about|how about|in|not|no|without|any|only|also|with|under|below|for|same|make it|instead|"
    r"actually|hmm|ok|okay|too|just)\b"
)
# "And something to cook in?" asks for another thing, whatever it is.
_FRESH = re.compile(r"\b(?:something|anything) (?:to|for|that)\b")
# "Make that a shirt" changes the thing alone; "actually boots" is a new wish for the same person.
_SWAPS = re.compile(r"\bmake (?:it|that|them) (?:an? |some )?\w")
# "Just the jacket", of a wish that named no thing: that thing of what was wished for.
_THAT_PART = re.compile(r"^(?:no |ok |okay |and |but |well )*(?:just|only) (?:the|an?|some) \w")
# "What shoes go with it?": of the same person and style.
_TO_GO_WITH = re.compile(
    r"\b(?:to wear with|(?:that |to |which )?(?:go|goes|wear) (?:well )?with|to match|match(?:es|ing)|pairs? with)\b"
)
_RATHER = re.compile(r"^(?:actually|no|hmm|or)\b|\binstead\b|\brather\b")
# "Boots too" is for the same person.
_ALONGSIDE = re.compile(r"^(?:and|also|plus)\b|\b(?:too|as well|also)\b")
_PURPOSE = re.compile(
    r"^(?:and |but |it is |they are )?(?:for|to) (?:\w+ing\b|(?:a |the )?(?:office|wedding|party|trip|winter|summer|beach))"
)
_TOO = re.compile(r"\b(?:(?:far |way |a bit |much |a little )?too|less|not (?:so|as)) (?P<what>[a-z]{4,})\b(?! than)")
# "Without the size then", "the colour does not matter": what is no longer asked for.
_WISH = r"(?P<{}>sizes?|colou?rs?|prices?|budget|brands?|makes?|materials?|fabrics?)"
_DROPS = re.compile(
    rf"\b(?:without|forget(?: about)?|ignore|drop|never mind|leave out|skip|regardless of|whatever|any) (?:the |my |about |that )?{_WISH.format('what')}(?! \d)\b|"
    rf"\b{_WISH.format('which')} (?:does not|do not|is not|are not|not|no longer) (?:matter|important|relevant|so important|count)"
)
_WISHES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "size": ("sizes",), "colour": ("colours", "not_colours"), "color": ("colours", "not_colours"), "price": ("price_min", "price_max"),
    "budget": ("price_min", "price_max"), "brand": ("brands", "not_brands"), "make": ("brands", "not_brands"), "material": ("attributes",), "fabric": ("attributes",),
})  # fmt: skip
_CARRIED = ("colours", "sizes", "attributes", "brands", "categories", "head", "measures")
_DENIED = ("not_colours", "not_categories", "not_genders", "not_brands", "not_attributes", "not_terms")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a request points at: SKUs on the screen, in the order of pointing, and whether by name or by place."""

    skus: tuple[str, ...]
    explicit: bool


def refine(
    parsed: ParsedRequest, query: RecommendQuery, snapshot: Snapshot, bought: Sequence[str] = ()
) -> ParsedRequest:
    """Resolve references and merge with the previous request where this one leans on it.

    Args:
        parsed: this request read by itself.
        query: with what is shown, in focus, and what was asked before.
        snapshot: the catalogue's facets, for the prices of what is shown.
        bought: the shopper's purchases, newest first ("like the last one I bought").
    """
    text = plain(query.text)
    reference = _reference(text, query, bought)
    cheaper, dearer = bool(_CHEAPER.search(text)), bool(_DEARER.search(text))
    recoloured = bool(_OTHER_COLOUR.search(text))
    others = bool(_OTHERS.search(text)) and not recoloured
    out = _without_reference_words(parsed)
    more = read_comparative(text) if query.shown or query.focus_sku else None
    points = cheaper or dearer or others or recoloured or reference.explicit or more is not None
    leans = _leans(text, out, query, points)
    if leans and query.previous is not None:
        previous = query.previous
        out = _merge(_kept(previous) if cheaper or dearer or more else previous, _described(out, query.text))
        out = _with_room(out, text, snapshot)
    if not leans and query.previous is not None and _SWAPS.search(text) and not query.previous.is_vague:
        leans, out = True, _merge(query.previous, out)
    if not leans and query.previous is not None and (_ALONGSIDE.search(text) or _RATHER.search(text)):
        out = replace(out, gender=out.gender or query.previous.gender, age=out.age or query.previous.age)
    row = snapshot.row_of.get(query.focus_sku or "")
    if not leans and row is not None and _TO_GO_WITH.search(text):
        out = _beside(out, row, snapshot)
    dropped = _dropped(text)
    if dropped and query.previous is not None and not (out.categories or out.head) and not leans:
        leans, out = True, _merge(query.previous, replace(out, terms=()))
    for name in dropped if leans else ():
        out = replace(out, **{name: getattr(parsed, name)})
    if leans and recoloured and not parsed.colours:
        out = replace(out, colours=())
    if leans and query.previous is not None:
        out = _lessened(out, text, snapshot)
    if leans and more is not None:
        out = _exceeding(out, more, reference, snapshot)
    if cheaper or dearer or reference.explicit:
        out = _by_reference(out, reference, snapshot, cheaper=cheaper, dearer=dearer)
    if leans and (others or cheaper or dearer or more is not None):
        out = replace(out, exclude_skus=tuple(dict.fromkeys((*out.exclude_skus, *query.shown))))
    return replace(out, text=query.text, refines=leans)


def _lessened(parsed: ParsedRequest, text: str, snapshot: Snapshot) -> ParsedRequest:
    """ "Too formal": without that word, where things of the kind are not described by it."""
    for match in _TOO.finditer(text):
        word = stem(match["what"])
        said = text_rows(word, snapshot) | value_rows(word, snapshot)
        if quality_of(match["what"]) is not None:  # less of it is asked for by degree, not by its word
            parsed = replace(
                parsed, attributes=tuple(pair for pair in parsed.attributes if word not in pair[1].split())
            )
        elif said.any() and (kind_rows(parsed, snapshot) & ~said).any():
            parsed = replace(
                parsed,
                not_terms=tuple(dict.fromkeys((*parsed.not_terms, word))),
                terms=tuple(term for term in parsed.terms if term != word),
                attributes=tuple(pair for pair in parsed.attributes if word not in pair[1].split()),
                described=tuple(term for term in parsed.described if term != word),
                occasion=None if parsed.occasion == word else parsed.occasion,
            )
    return parsed


def _dropped(text: str) -> list[str]:
    """Fields of a request that a text gives up."""
    words = [m["what"] or m["which"] for m in _DROPS.finditer(text)]
    return [name for word in words for name in _WISHES[word.removesuffix("s")]]


def _beside(parsed: ParsedRequest, row: int, snapshot: Snapshot) -> ParsedRequest:
    """What goes with a product: for the person it is made for, and like it in style."""
    gender = snapshot.gender[row]
    if parsed.gender is None and parsed.age is None and gender not in (None, "unisex"):
        parsed = replace(parsed, gender=gender)
    return replace(parsed, like_sku=parsed.like_sku or snapshot.sku[row])


def _with_room(parsed: ParsedRequest, text: str, snapshot: Snapshot) -> ParsedRequest:
    """ "So for two": of the thing that was asked for before, one for so many people."""
    room = room_for(text, parsed, snapshot)
    if room is None:
        return parsed
    return replace(parsed, attributes=(*(pair for pair in parsed.attributes if pair[0] != room[0]), room))


def _reference(text: str, query: RecommendQuery, bought: Sequence[str]) -> Reference:
    if _LAST_BOUGHT.search(text) and bought:
        return Reference((bought[0],), True)
    places = [m["which"] for m in _REFERENCE.finditer(text)] if query.shown else []
    named = tuple(dict.fromkeys(sku for word in places if (sku := _at(word, query.shown)) is not None))
    if named:
        return Reference(named, True)
    focus = (query.focus_sku,) if query.focus_sku else query.shown
    like = _LIKE.search(text)
    pointing = like is not None and (like["which"] is None or _PRONOUN.fullmatch(like["which"]) is not None or
                                     like["which"] in {"these", "those", "them", "ones", "last"})  # fmt: skip
    return Reference(focus, bool(focus) and pointing)


def _at(word: str, shown: Sequence[str]) -> str | None:
    place = int(word) - 1 if word.isdigit() else ORDINALS[word]
    return shown[place] if -len(shown) <= place < len(shown) else None


def _without_reference_words(parsed: ParsedRequest) -> ParsedRequest:
    words = frozenset({"else", "like", "similar", "alternative", "style", *ORDINALS})
    return replace(parsed, terms=tuple(term for term in parsed.terms if term not in words),
                   head=tuple(term for term in parsed.head if term not in words))  # fmt: skip


def refines_previous(parsed: ParsedRequest) -> bool:
    """Whether a request, read by itself, only narrows: a colour, size, price, person, order or denial, and no thing.

    Such a message goes on from the previous request where there is one ("only in red", "no, for women", "the cheapest").
    """
    return not (parsed.is_empty or parsed.categories or parsed.head or parsed.terms or parsed.like_sku)


def _kept(before: ParsedRequest) -> ParsedRequest:
    """The previous request less what was given up to find what was shown: "cheaper" compares with that."""
    given_up = set(before.relaxed)
    out = replace(before, relaxed=())
    if given_up & {"attribute", "said"}:
        out = replace(out, attributes=())
    if "brand" in given_up:
        out = replace(out, brands=())
    if "colour" in given_up:
        out = replace(out, colours=())
    if "size" in given_up:
        out = replace(out, sizes=())
    if given_up & {"price", "price_near"}:
        out = replace(out, price_min=None, price_max=None)
    if "kind" in given_up:
        out = replace(out, categories=(), head=())
    return out


def _described(now: ParsedRequest, text: str) -> ParsedRequest:
    """ "For sleeping in a cold tent" says what the thing is for: words to rank by, no new kind."""
    if _PURPOSE.match(plain(text)) and (now.categories or now.head):
        return replace(now, categories=(), head=())
    return now


def _leans(text: str, parsed: ParsedRequest, query: RecommendQuery, points: bool) -> bool:
    """A request that names no kind of its own, or points at the screen, goes on from the previous one."""
    if query.previous is None and not query.shown and query.focus_sku is None:
        return False
    if _FRESH.search(text) and parsed.terms:
        return False
    if query.previous is not None and not query.previous.is_vague and _PURPOSE.match(text):
        return True
    if query.previous is not None and tells_room(text) and not (parsed.categories or parsed.head):
        return True
    if parsed.categories or parsed.head:
        broad = query.previous is not None and not (query.previous.categories or query.previous.head)
        if broad and _THAT_PART.match(text):
            return True
        same = query.previous is not None and (
            set(parsed.categories) & set(query.previous.categories) or set(parsed.head) & set(query.previous.head)
        )
        return bool(same) and (points or _LEANS.match(text) is not None)
    only_terms = bool(parsed.terms) and not _LEANS.match(text) and len(text.split()) > 6
    return points or not only_terms


def _merge(before: ParsedRequest, now: ParsedRequest) -> ParsedRequest:
    """What is said now wins over what was said before; the rest is kept."""
    if "edge" in before.relaxed:  # nothing was cheaper: go on from what was compared with
        before = replace(before, price_min=None, price_max=None, price_firm=False, exclude_skus=())
    out = replace(before, text=now.text, quantity=now.quantity or before.quantity, refines=True)
    for name in _CARRIED:
        if getattr(now, name):
            out = replace(out, **{name: getattr(now, name)})
    for name in _DENIED:
        out = replace(out, **{name: tuple(dict.fromkeys((*getattr(before, name), *getattr(now, name))))})
    out = replace(
        out,
        colours=tuple(c for c in out.colours if c not in now.not_colours),
        not_colours=tuple(c for c in out.not_colours if c not in now.colours),
        not_terms=tuple(t for t in out.not_terms if t not in now.terms and t not in now.head),
        attributes=tuple(a for a in out.attributes if a not in now.not_attributes),
        brands=tuple(b for b in out.brands if b not in now.not_brands),
        categories=tuple(c for c in out.categories if c not in now.not_categories),
        terms=tuple(dict.fromkeys((*(t for t in before.terms if t not in now.not_terms), *now.terms))),
        gender=now.gender or before.gender,
        age=now.age if now.age is not None else before.age,
        order=now.order or (None if now.quality else before.order),
        quality=now.quality or (None if now.order else before.quality),
        price_firm=False,
        price_implied=(before.price_firm or before.price_implied) and now.price_max is None and now.price_min is None,
        degree_above=None,
        relaxed=(),
        occasion=now.occasion or before.occasion,
        like_sku=None,
    )
    if now.categories or now.head:
        kind = {*before.head, *now.head}
        before_words = () if set(now.head) - set(before.head) else before.modifiers
        out = replace(out, modifiers=tuple(dict.fromkeys((*before_words, *now.modifiers))))
        out = replace(out, terms=tuple(t for t in out.terms if t not in kind - set(now.head)))
    else:
        out = replace(out, described=tuple(dict.fromkeys((*before.described, *now.described))))
    return _merged_prices(out, before, now)


def _merged_prices(out: ParsedRequest, before: ParsedRequest, now: ParsedRequest) -> ParsedRequest:
    low = now.price_min if now.price_min is not None else before.price_min
    high = now.price_max if now.price_max is not None else before.price_max
    if low is not None and high is not None and low > high:
        low, high = (now.price_min, None) if now.price_min is not None else (None, now.price_max)
    return replace(out, price_min=low, price_max=high)


def _exceeding(parsed: ParsedRequest, quality: str, reference: Reference, snapshot: Snapshot) -> ParsedRequest:
    """ "Something warmer": more of the quality than the most that is on the screen has."""
    rows = np.asarray([snapshot.row_of[sku] for sku in reference.skus if sku in snapshot.row_of], dtype=np.int64)
    degrees = degree_scores(quality, snapshot, rows) if len(rows) else None
    above = None if degrees is None else float(np.nanmax(degrees))
    return replace(parsed, quality=quality, order=None, degree_above=above)


def _below(low: float | None, high: float) -> float | None:
    return low if low is not None and low <= high else None


def _by_reference(
    parsed: ParsedRequest, reference: Reference, snapshot: Snapshot, *, cheaper: bool, dearer: bool
) -> ParsedRequest:
    rows = [snapshot.row_of[sku] for sku in reference.skus if sku in snapshot.row_of]
    if not rows:
        return replace(parsed, order="price_low") if cheaper else parsed
    prices = [float(snapshot.price_low[row]) for row in rows if snapshot.price_low[row] > 0]
    out = parsed
    if cheaper and prices:
        high = round(min(prices) - CENT, 2)
        high = high if out.price_max is None else min(high, out.price_max)
        out = replace(out, price_max=high, price_min=_below(out.price_min, high), price_firm=True, price_implied=False)
    if dearer and prices:
        out = replace(out, price_min=round(max(prices) + CENT, 2), price_max=None, price_firm=True, price_implied=False)
    first = rows[0]
    if not (out.categories or out.head):
        kinds = tuple(dict.fromkeys(snapshot.category[row] for row in rows if snapshot.category[row]))
        out = replace(out, categories=kinds)
    gender = snapshot.gender[first]
    if out.gender is None and gender not in (None, "unisex") and len({snapshot.gender[row] for row in rows}) == 1:
        out = replace(out, gender=gender)
    if reference.explicit or len(rows) == 1:
        out = replace(out, like_sku=snapshot.sku[first])
        if not (parsed.colours or parsed.sizes):  # else the product itself may come in what is asked
            out = replace(out, exclude_skus=tuple(dict.fromkeys((*out.exclude_skus, snapshot.sku[first]))))
    return out
