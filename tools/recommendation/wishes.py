"""Several wishes in one message ("a tent for two and a warm sleeping bag"): told apart, answered side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shopfloor.tools.recommendation.kind_rows import kind_rows
from shopfloor.tools.recommendation.language import KINDS
from shopfloor.tools.recommendation.parsing import parse
from shopfloor.tools.recommendation.query import Candidate, ParsedRequest, Recommendation
from shopfloor.tools.recommendation.sentences import the
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import plain, tokens_of_plain
from shopfloor.tools.recommendation.vocabulary import Vocabulary
from shopfloor.tools.schemas import RecommendedItem

MAX_WISHES = 3
_JOINT = re.compile(
    r"\s*(?:,\s*(?:and|plus)?|\band\b|\bplus\b|\balso\b|\bas well as\b|\balong with\b|&|\+)\s+(?:also\s+)?"
)
_ALTOGETHER = re.compile(
    r"\b(?:together|for (?:both|the lot|everything|all of (?:it|them)|the (?:two|pair|three))|in total|in all|all in|combined|altogether)\b"
)
_THING = 0.3  # a word that ends this share of the names it is in names a thing
_ARTICLE = re.compile(r"(?:an?|some|the|two|three|four|\d+)\b")
_ONE_OF = re.compile(r"\b(?:or|either|not|without|except|match|matches|matching|go with|goes with)\b")


@dataclass(frozen=True, slots=True)
class Wish:
    """One of several wishes: how its kind was called, and what was understood."""

    label: str
    parsed: ParsedRequest


def wishes_of(whole: ParsedRequest, snapshot: Snapshot, vocabulary: Vocabulary) -> tuple[Wish, ...]:
    """The wishes of a request, or none when it is about one kind of thing.

    Whom it is for, ages and prices said once hold for all; colours, sizes and attributes for the wish they stand in.
    """
    text = plain(whole.text)
    if _ONE_OF.search(text) or whole.like_sku is not None:
        return ()
    out: list[Wish] = []
    for part in _JOINT.split(text):
        parsed = parse(part, snapshot, vocabulary)
        named = bool(out) and _ARTICLE.match(part) is not None and any(word in snapshot.stems for word in parsed.head)
        if not (named or _names_thing(parsed, snapshot)):
            return ()
        out.append(Wish(_label(part, parsed, snapshot), _shared(parsed, whole)))
    if whole.price_max is not None and _ALTOGETHER.search(text):
        out = _within(out, whole.price_max, snapshot)
    if not 1 < len(out) <= MAX_WISHES or len({_kind(wish.parsed) for wish in out}) < len(out):
        return ()
    return () if _sold_as_one(out, snapshot) else tuple(out)


def _within(wishes: Sequence[Wish], total: float, snapshot: Snapshot) -> list[Wish]:
    """Share a budget for all: each gets its kind's lowest price and an equal part of what is left."""
    lowest = [_lowest(wish.parsed, snapshot) for wish in wishes]
    left = (total - sum(lowest)) / len(wishes)
    if left < 0:
        return list(wishes)
    return [
        replace(wish, parsed=replace(wish.parsed, price_max=low + left))
        for wish, low in zip(wishes, lowest, strict=True)
    ]


def _lowest(parsed: ParsedRequest, snapshot: Snapshot) -> float:
    prices = snapshot.price_low[kind_rows(parsed, snapshot) & ~np.isnan(snapshot.price_low)]
    return float(prices.min()) if len(prices) else 0.0


def _kind(parsed: ParsedRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return parsed.categories, parsed.head if not parsed.categories else ()


def _names_thing(parsed: ParsedRequest, snapshot: Snapshot) -> bool:
    if parsed.categories:
        return True
    return any(
        word in KINDS or (word in snapshot.stems and snapshot.head_share.get(word, 0.0) >= _THING)
        for word in parsed.head
    )


def _sold_as_one(wishes: Sequence[Wish], snapshot: Snapshot) -> bool:
    """Whether a product's name has all of the things: a cup and saucer is one thing."""
    rows = None
    for wish in wishes:
        for word in wish.parsed.head:
            own = set(snapshot.stems[word].tolist()) if word in snapshot.stems else set[int]()
            rows = own if rows is None else rows & own
    return bool(rows)


def _shared(parsed: ParsedRequest, whole: ParsedRequest) -> ParsedRequest:
    apart = parsed.price_min is not None or parsed.price_max is not None
    return replace(
        parsed,
        gender=parsed.gender or whole.gender,
        age=parsed.age if parsed.age is not None else whole.age,
        price_min=parsed.price_min if apart else whole.price_min,
        price_max=parsed.price_max if apart else whole.price_max,
        occasion=parsed.occasion or whole.occasion,
    )


def _label(part: str, parsed: ParsedRequest, snapshot: Snapshot) -> str:
    """The words of a request that name its kind, as they were written."""
    named = {word for name in parsed.categories for word in snapshot.category_stems.get(name, ())}
    words = [token.word for token in tokens_of_plain(part) if token.stem in named or token.stem in parsed.head]
    return " ".join(dict.fromkeys(words)) or (parsed.categories or parsed.head)[0]


def share_of(count: int, wishes: int, place: int) -> int:
    """How many of ``count`` cards the wish at ``place`` gets: at least one, the first ones more."""
    return max(1, count // wishes + (place < count % wishes))


def joined(answers: Sequence[Recommendation], wishes: Sequence[Wish], whole: ParsedRequest) -> Recommendation:
    """One answer of several: cards take turns, the words name each wish. No product stands twice."""
    turns = max((len(answer.items) for answer in answers), default=0)
    cards: dict[str, RecommendedItem] = {}
    for turn in range(turns):
        for answer in answers:
            if turn < len(answer.items):
                cards.setdefault(answer.items[turn].sku, answer.items[turn])
    items = [card.model_copy(update={"position": place}) for place, card in enumerate(cards.values(), start=1)]
    candidates: dict[str, Candidate] = {c.sku: c for answer in reversed(answers) for c in answer.candidates}
    notes = [
        answer.note if wish.label in answer.note else f"As for the {wish.label}: {answer.note}"
        for wish, answer in zip(wishes, answers, strict=True)
        if answer.note
    ]
    said = " ".join(
        f"{_for_what(wish, answer)}, {_picked(answer, place)}."
        for place, (wish, answer) in enumerate(zip(wishes, answers, strict=True))
        if answer.items
    )
    phrasings = ((said,),) if said else ()
    note = " ".join(notes)
    return Recommendation(
        items=items,
        parsed=_parsed(wishes, whole),
        candidates=tuple(sorted(candidates.values(), key=lambda c: -c.score)),
        answer=" ".join(part for part in (note, *(options[0] for options in phrasings)) if part),
        note=note,
        phrasings=phrasings,
    )


def _for_what(wish: Wish, answer: Recommendation) -> str:
    label = wish.label.replace("tshirt", "t-shirt")
    return f"Instead of the {label}" if "kind" in answer.parsed.relaxed else f"For the {label}"


def _picked(answer: Recommendation, place: int) -> str:
    names = [the(item.name) for item in answer.items]
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return f"I'd take {text}" if place == 0 else f"have a look at {text}"


def _parsed(wishes: Sequence[Wish], whole: ParsedRequest) -> ParsedRequest:
    """What a later "something cheaper" goes on from: any of the kinds, with what was asked of all of them."""
    parts = [wish.parsed for wish in wishes]
    return replace(
        whole,
        categories=tuple(dict.fromkeys(name for part in parts for name in part.categories)),
        head=(),
        colours=tuple(c for c in whole.colours if all(c in part.colours for part in parts)),
        sizes=tuple(s for s in whole.sizes if all(s in part.sizes for part in parts)),
        attributes=tuple(a for a in whole.attributes if all(a in part.attributes for part in parts)),
        terms=tuple(dict.fromkeys(term for part in parts for term in part.terms)),
    )
