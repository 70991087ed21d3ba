"""Hard constraints as row masks, and what is given up, in which order, when nothing fits.

Order of relaxing: the occasion, other shades of the colour, attributes (first to those whose text says the word), brand,
colour, a price up to a quarter off, size, price, place, age, the kind of thing (first to its near kinds, for the
occasion's sake), whom it is for. What was excluded ("not red") stays excluded always, and so does a price that must be
below or above what was shown ("cheaper").
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.ages import age_range
from shopfloor.tools.recommendation.colour_rows import colour_rows, denied_colour_rows, is_unwanted, shade_rows
from shopfloor.tools.recommendation.degrees import degree_scores
from shopfloor.tools.recommendation.kind_rows import attribute_postings, gender_rows, kind_rows, named_rows, near_rows
from shopfloor.tools.recommendation.language import ACTIVITIES, DATES, KINDRED, PRESENTS, SAME
from shopfloor.tools.recommendation.measures import Measure, measure_rows
from shopfloor.tools.recommendation.narrowing import (
    CHILDREN,
    child_rows,
    colour_unmet,
    free_rows,
    has_word,
    is_for_child,
    name_rows,
    narrowed,
    text_rows,
    unsaid,
)
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.sizes import labels_for_age
from shopfloor.tools.recommendation.snapshot import Rows, Snapshot

Mask = NDArray[np.bool_]
PRICE_SLACK = 0.25


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint. ``looser`` are weaker forms of it, each with the name a note uses; the last may be everything."""

    name: str
    mask: Mask
    looser: tuple[tuple[str, Mask], ...] = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """Rows that fit, and the names of what was relaxed to find any (empty: nothing was).

    ``unsaid``: qualities that were asked for and that none of the rows speaks of.
    """

    mask: Mask
    relaxed: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


RELAX_ORDER = ("implied_price", "near_use", "occasion", "said", "shade", "measure", "attribute", "brand", "colour", "for_children", "price_near", "size", "price", "place", "age",
               "near_kind", "kind", "gender")  # fmt: skip
ONLY_ALONE = frozenset({"for_children"})
ALONE = frozenset(RELAX_ORDER) - {"kind", "gender"}


def fit(parsed: ParsedRequest, snapshot: Snapshot, place: Mask | None = None, allowed: Mask | None = None) -> Fit:
    """The rows that fit a request, and of those the ones that answer best to its words (:mod:`.narrowing`).

    Args:
        parsed: the request.
        snapshot: the catalogue's facets.
        place: rows in stock where the shopper wants them; None: anywhere.
        allowed: rows that may be shown at all (never relaxed); None: all.
    """
    found = _fit(parsed, snapshot, place, allowed)
    if "kind" in found.relaxed:
        return replace(found, mask=narrowed(found.mask, replace(parsed, categories=(), head=()), snapshot))
    if not has_word(found.mask, parsed, snapshot):
        near = replace(parsed, categories=(), head=(), near=parsed.head)
        other = _fit(near, snapshot, place, allowed)
        if not other.relaxed and has_word(other.mask, parsed, snapshot):
            return replace(other, mask=narrowed(other.mask, parsed, snapshot))
        alike = _fit(
            replace(near, near=(), occasion=None), snapshot, place, _with_all(parsed.modifiers, allowed, snapshot)
        )
        if alike.mask.any() and not alike.relaxed:
            return alike
    mask = narrowed(found.mask, parsed, snapshot)
    if parsed.not_colours and mask.any() and not (mask & ~denied_colour_rows(parsed, snapshot)).any():
        return Fit(mask, (*found.relaxed, "not_colour"))
    if mask.any() and not found.relaxed and colour_unmet(mask, parsed, snapshot):
        return Fit(mask, ("colour_word",))
    return Fit(mask, found.relaxed, unsaid(mask, parsed, snapshot))


def _with_all(words: Sequence[str], allowed: Mask | None, snapshot: Snapshot) -> Mask:
    """Rows with all of several words before a thing in their name: "travel card …"; none for a single word."""
    out = np.full(len(snapshot), len(words) > 1) if allowed is None else allowed & (len(words) > 1)
    for word in words:
        out &= name_rows(word, snapshot)
    return out


def _fit(parsed: ParsedRequest, snapshot: Snapshot, place: Mask | None, allowed: Mask | None) -> Fit:
    """Find the rows that keep every constraint; relax in the stated order only when there are none."""
    never = _excluded(parsed, snapshot)
    if allowed is not None:
        never &= allowed
    constraints = _constraints(parsed, snapshot)
    if place is not None:
        constraints.append(Constraint("place", place, (("place", _all(snapshot)),)))
    mask = _meet(never, constraints, {})
    if mask.any():
        return Fit(mask)
    for named in (_by_name(parsed, constraints, snapshot), _by_name(parsed, constraints, snapshot, near=True)):
        mask = _meet(never, named, {}) if named else mask
        if mask.any():
            return Fit(mask)
    if is_for_child(parsed):
        constraints = _by_name(parsed, constraints, snapshot, near=True) or constraints
    if _has(constraints, "kind") and not kind_rows(parsed, snapshot).any():
        mask = _meet(never, constraints, _choice(constraints, ("kind",)))  # a thing that the shop has not at all
        if mask.any():
            return Fit(mask, ("kind",))
    for name in RELAX_ORDER:
        if name in ALONE and _has(constraints, name):
            mask = _meet(never, constraints, _choice(constraints, (name,)))
            if mask.any():
                return Fit(mask, (name,))
    return _with_less(never, constraints)


def _with_less(never: Mask, constraints: Sequence[Constraint]) -> Fit:
    """Give up one constraint after the other, for good."""
    mask = _meet(never, constraints, {})
    given_up: list[str] = []
    for name in RELAX_ORDER:
        if _has(constraints, name) and name not in ONLY_ALONE:
            given_up.append(name)
            mask = _meet(never, constraints, _choice(constraints, given_up))
            if mask.any():
                return Fit(mask, _stated(given_up))
    return Fit(mask, _stated(given_up))


def _stated(names: Sequence[str]) -> tuple[str, ...]:
    weaker = {"colour": "shade", "price": "price_near", "attribute": "said", "kind": "near_kind"}
    hidden = {weaker[name] for name in names if name in weaker}
    return tuple(name for name in names if name not in hidden)


def _has(constraints: Sequence[Constraint], name: str) -> bool:
    return any(label == name for constraint in constraints for label, _ in constraint.looser)


def _choice(constraints: Sequence[Constraint], names: Sequence[str]) -> dict[str, Mask]:
    out: dict[str, Mask] = {}
    for constraint in constraints:
        for label, mask in constraint.looser:
            if label in names:
                out[constraint.name] = mask
    return out


def _meet(start: Mask, constraints: Sequence[Constraint], relaxed: dict[str, Mask]) -> Mask:
    out = start.copy()
    for constraint in constraints:
        out &= relaxed.get(constraint.name, constraint.mask)
    return out


def _all(snapshot: Snapshot) -> Mask:
    return np.ones(len(snapshot), dtype=np.bool_)


def _constraints(parsed: ParsedRequest, snapshot: Snapshot) -> list[Constraint]:
    out: list[Constraint] = []
    everything = _all(snapshot)
    if parsed.colours:
        exact, near = colour_rows(parsed.colours, snapshot), shade_rows(parsed.colours, snapshot)
        if parsed.sizes:
            exact = _same_variant(exact, parsed, snapshot)
        out.append(Constraint("colours", exact, (("shade", near), ("colour", everything))))
    if parsed.not_colours:
        out.append(_not_colours(parsed, snapshot))
    if parsed.sizes:
        sized = snapshot.mask(snapshot.sizes[size] for size in parsed.sizes if size in snapshot.sizes)
        out.append(Constraint("sizes", sized, (("size", everything),)))
    if parsed.age is not None:
        out.append(Constraint("age", _age_rows(parsed.age, snapshot), (("age", everything),)))
    if parsed.gender is not None:
        out.append(Constraint("gender", gender_rows(parsed.gender, snapshot), (("gender", everything),)))
    if parsed.price_min is not None or parsed.price_max is not None:
        out.append(_price_constraint(parsed, snapshot))
    if parsed.brands:
        rows = snapshot.mask(snapshot.brands[brand] for brand in parsed.brands if brand in snapshot.brands)
        out.append(Constraint("brands", rows, (("brand", everything),)))
    if parsed.attributes:
        exact = _attribute_rows(parsed, snapshot)
        said = exact | _said_rows(parsed, snapshot)
        out.append(Constraint("attributes", exact, (("said", said), ("attribute", everything))))
    if parsed.categories or parsed.head:
        out.append(_kind_constraint(parsed, snapshot))
    elif parsed.near:
        out.append(Constraint("kind", near_rows(parsed.near, snapshot)))
    return [*out, *_meant_constraints(parsed, snapshot)]


def _meant_constraints(parsed: ParsedRequest, snapshot: Snapshot) -> list[Constraint]:
    """What it must be more of than what was shown, and what it is for."""
    out: list[Constraint] = []
    if parsed.measures:
        kind = kind_rows(parsed, snapshot) if parsed.categories or parsed.head else _all(snapshot)
        kept = measure_rows([Measure(*measure) for measure in parsed.measures], snapshot, np.flatnonzero(kind))
        if kept is not None:
            out.append(Constraint("measures", kept, (("measure", _all(snapshot)),)))
    if parsed.quality is not None and parsed.degree_above is not None:
        kind = kind_rows(parsed, snapshot) if parsed.categories or parsed.head else _all(snapshot)
        rows = np.flatnonzero(kind)
        degrees = degree_scores(parsed.quality, snapshot, rows)
        if degrees is not None:
            more = np.zeros(len(snapshot), dtype=np.bool_)
            more[rows] = np.nan_to_num(degrees, nan=-np.inf) > parsed.degree_above
            out.append(Constraint("degree", more))
    meant = occasion_rows(parsed, snapshot)
    if meant is not None:
        out.append(Constraint("occasion", meant, (("occasion", _all(snapshot)),)))
    return out


def _price_constraint(parsed: ParsedRequest, snapshot: Snapshot) -> Constraint:
    """The price limits: a comparison's is never given up in the turn that asks for it, and goes first in later ones."""
    exact, everything = price_rows(parsed, snapshot), _all(snapshot)
    if parsed.price_firm:
        return Constraint("price", exact)
    if parsed.price_implied:
        return Constraint("price", exact, (("implied_price", everything),))
    return Constraint(
        "price", exact, (("price_near", price_rows(parsed, snapshot, PRICE_SLACK)), ("price", everything))
    )


def _kind_constraint(parsed: ParsedRequest, snapshot: Snapshot) -> Constraint:
    """The kind of thing; a comparison ("cheaper") never leaves it."""
    exact = kind_rows(parsed, snapshot)
    near = exact | near_rows(parsed.head, snapshot)
    name = "near_use" if parsed.occasion else "near_kind"
    looser = ((name, near),) if parsed.head and (near & ~exact).any() else ()
    if parsed.categories and parsed.head and parsed.gender is None and parsed.age is None:
        looser = (*looser, ("for_children", exact | named_rows(parsed, snapshot)))
    used = tuple(part for part in looser if part[0] == "near_use")
    compares = parsed.price_firm or parsed.degree_above is not None
    return Constraint("kind", exact, used if compares else (*looser, ("kind", _all(snapshot))))


def occasion_rows(parsed: ParsedRequest, snapshot: Snapshot) -> Mask | None:
    """Rows made for the activities and season asked for, by name or attributes; None: nothing is, or none was asked."""
    asked = [word for word in dict.fromkeys((parsed.occasion or "", *parsed.terms)) if word in ACTIVITIES]
    liked = [term for term in parsed.terms if term not in PRESENTS and term not in DATES]
    if liked and snapshot.search.scores(liked, np.arange(len(snapshot))).any():
        # "A gift for my dad, he likes cooking outdoors": what he likes decides, not what is sold as a gift.
        asked = [word for word in asked if word not in PRESENTS]
    masks = [mask for mask in (_made_for(word, snapshot) for word in asked) if mask.any()]
    if not masks:
        return None
    both = np.logical_and.reduce(masks)
    return both if both.any() else masks[0]


def _made_for(activity: str, snapshot: Snapshot) -> Mask:
    words = {activity, *ACTIVITIES[activity]}
    out = snapshot.mask(snapshot.stems[word] for word in words if word in snapshot.stems)
    if activity in PRESENTS:  # "gift wrap" is no gift: only what the shop calls fit for one
        out = np.zeros(len(snapshot), dtype=np.bool_)
    out |= snapshot.mask(rows for (_, value), rows in snapshot.attributes.items() if words & set(value.split()))
    if not out.any() and activity not in PRESENTS:
        out = snapshot.mask(snapshot.text_stems[word] for word in words if word in snapshot.text_stems)
    return out


def _said_rows(parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Rows whose own text has the words of every attribute that was asked for."""
    out = _all(snapshot)
    for key in dict.fromkeys(key for key, _ in parsed.attributes):
        anyhow = np.zeros(len(snapshot), dtype=np.bool_)
        for value in (value for name, value in parsed.attributes if name == key):
            rows = _all(snapshot)
            for word in (key if value == "yes" else value).split():
                rows &= snapshot.mask([snapshot.text_stems[word]] if word in snapshot.text_stems else [])
            anyhow |= rows
        out &= anyhow
    return out


def _by_name(
    parsed: ParsedRequest,
    constraints: Sequence[Constraint],
    snapshot: Snapshot,
    *,
    near: bool = False,
) -> list[Constraint]:
    """The same constraints with the kind read from names: a child's jacket may stand under "Kids wear".

    ``near``: by what else the kind is called (a child's hat may be a beanie).
    """
    if (parsed.price_firm or parsed.degree_above is not None) and not is_for_child(parsed):
        return []  # "cheaper" stays with the kind
    if not (parsed.categories and parsed.head) or (near and parsed.gender not in CHILDREN and parsed.age is None):
        return []
    named = named_rows(parsed, snapshot)
    if near:
        named |= near_rows(parsed.head, snapshot)
    if parsed.gender not in CHILDREN and parsed.age is None:
        named &= ~snapshot.mask(snapshot.genders[name] for name in CHILDREN if name in snapshot.genders)
    named |= kind_rows(parsed, snapshot)
    return [replace(c, mask=named) if c.name == "kind" else c for c in constraints]


def _excluded(parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Rows that no exclusion forbids (colours aside)."""
    bad = snapshot.mask(snapshot.brands[brand] for brand in parsed.not_brands if brand in snapshot.brands)
    bad |= snapshot.mask(snapshot.categories[name] for name in parsed.not_categories if name in snapshot.categories)
    others = (near for term in parsed.not_terms for near in (*KINDRED.get(term, ()), *SAME.get(term, ())))
    for word in dict.fromkeys((*parsed.not_terms, *(other for other in others if " " not in other))):
        bad |= text_rows(word, snapshot) & ~free_rows(word, snapshot)
    bad |= snapshot.mask(rows for pair in parsed.not_attributes for rows in _denied_postings(snapshot, *pair))
    bad |= snapshot.mask(
        snapshot.stems[word] for _, value in parsed.not_attributes for word in value.split() if word in snapshot.stems
    )
    for gender in parsed.not_genders:
        if gender == "kids":
            bad |= child_rows(snapshot)
        elif gender in snapshot.genders:
            bad |= snapshot.mask([snapshot.genders[gender]])
    rows = [snapshot.row_of[sku] for sku in parsed.exclude_skus if sku in snapshot.row_of]
    bad[rows] = True
    return ~bad


def _not_colours(parsed: ParsedRequest, snapshot: Snapshot) -> Constraint:
    """Rows that can be had in another colour; those that come in none of the unwanted are ranked before the others."""
    wanted = [name for name in snapshot.colours if not is_unwanted(name, parsed.not_colours)]
    other = snapshot.mask(snapshot.colours[name] for name in wanted)
    return Constraint("not_colours", ~denied_colour_rows(parsed, snapshot) | other)


def _same_variant(exact: Mask, parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Where variants have both, one variant must have the colour and the size together."""
    pairs = [
        rows
        for (size, colour), rows in snapshot.combos.items()
        if size in parsed.sizes and any(set(colour.split()).issuperset(c.split()) for c in parsed.colours)
    ]
    return exact & (~snapshot.varied | snapshot.mask(pairs))


def _age_rows(age: float, snapshot: Snapshot) -> Mask:
    """Rows made for this age: by an age attribute, else by a size label that stands for it; silent rows fit."""
    labels = labels_for_age(snapshot, age)
    aged = snapshot.mask(rows for label, rows in snapshot.sizes.items() if age_range(label) is not None)
    told = ~np.isnan(snapshot.age_low)
    inside = (snapshot.age_low <= age) & (age < snapshot.age_high + 1)
    sized = snapshot.mask(snapshot.sizes[label] for label in labels)
    return (told & inside & (sized | ~aged)) | (~told & (sized | ~aged))


def price_rows(parsed: ParsedRequest, snapshot: Snapshot, slack: float = 0.0) -> Mask:
    """Rows that can be bought within the limits; without a price a row never fits."""
    out = ~np.isnan(snapshot.price_low)
    if parsed.price_max is not None:
        out &= snapshot.price_low <= parsed.price_max * (1 + slack) + 1e-9
    if parsed.price_min is not None:
        out &= snapshot.price_high >= parsed.price_min * (1 - slack) - 1e-9
    return out


def _attribute_rows(parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    out = _all(snapshot)
    for key in dict.fromkeys(key for key, _ in parsed.attributes):
        wanted = [value for name, value in parsed.attributes if name == key]
        out &= snapshot.mask(rows for value in wanted for rows in attribute_postings(snapshot, key, value))
    return out


def _denied_postings(snapshot: Snapshot, key: str, value: str) -> list[Rows]:
    """As ``attribute_postings``, compounds included: who wants no wool wants no lambswool."""
    out = attribute_postings(snapshot, key, value)
    for word in KINDRED.get(value, ()):
        out.extend(attribute_postings(snapshot, key, word))
    if len(value) >= 4 and " " not in value:
        ends = [rows for (name, text), rows in snapshot.attributes.items()
                if name == key and any(word.endswith(value) for word in text.split())]  # fmt: skip
        out.extend(ends)
    return out
