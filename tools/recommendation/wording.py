"""Grounded words: why a card is there, what was relaxed, and one or two sentences over the list.

Everything said here is put together from the request and from facts of the database; free text of a product's
description is never copied into a sentence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.cards import Facts, Place
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import colour_words, size_label
from shopfloor.tools.recommendation.text import plain, stems

MIN_RATINGS = 3


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of one chosen product beside its facts."""

    facts: Facts
    signals: Mapping[str, float]
    partner: str | None = None
    bought_before: bool = False
    best_seller: bool = False
    rating_scale: float = 5.0


def money(value: float, currency: str) -> str:
    """ "39.90 EUR"; whole amounts as "120 EUR"."""
    text = f"{value:.0f}" if value == int(value) else f"{value:.2f}"
    return f"{text} {currency}".strip()


def reasons(chosen: Sequence[Why], parsed: ParsedRequest, place: Place) -> list[str]:
    """One short reason a card; a phrase that an earlier card used is not used again while there is another."""
    used: set[str] = set()
    out: list[str] = []
    for why in chosen:
        fresh = [part for part in _parts(why, parsed, place) if part not in used]
        picked = fresh[:3] or [_plain_fact(why.facts)]
        used.update(picked)
        out.append(_sentence("; ".join(picked)))
    return out


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""


def _plain_fact(facts: Facts) -> str:
    return f"{facts.name}, {money(facts.price, facts.currency)}" if facts.price is not None else facts.name


def _parts(why: Why, parsed: ParsedRequest, place: Place) -> Iterator[str]:
    """Phrases for one card, the most telling first."""
    facts = why.facts
    wishes = list(_met_wishes(facts, parsed))
    if wishes:
        yield ", ".join(wishes)
    yield from _price_phrases(facts, parsed)
    yield from _behaviour_phrases(why)
    if place.name and facts.in_stock and facts.stock:
        yield f"{facts.stock} in stock in {place.name}"
    yield from _own_phrases(facts, parsed)


def _met_wishes(facts: Facts, parsed: ParsedRequest) -> Iterator[str]:
    colours = [c for c in facts.colours if any(_is_colour(c, wanted) for wanted in parsed.colours)]
    if colours:
        yield colours[0].lower()
    for key, value in parsed.attributes:
        found = fact_attribute(facts, key, value)
        if found:
            yield found
    sizes = [size for size in facts.sizes if size_label(size) in parsed.sizes]
    if sizes:
        yield f"comes in {' and '.join(sizes[:2])}"
    brand = facts.brand or ""
    if brand and " ".join(stems(brand)) in parsed.brands:
        yield f"by {brand}"


def _is_colour(colour: str, wanted: str) -> bool:
    return any(set(name.split()).issuperset(wanted.split()) for name in colour_words(colour))


def fact_attribute(facts: Facts, key: str, value: str) -> str | None:
    """How the shop writes an attribute that was asked for, None when this product does not have it."""
    for name, text in facts.attributes.items():
        if " ".join(stems(name.replace("_", " "))) != key:
            continue
        if value == "yes":
            return name.replace("_", " ").lower()
        parts = [part.strip() for part in text.split("|")]
        return next((part.lower() for part in parts if " ".join(stems(part)) == value), None)
    return None


def _price_phrases(facts: Facts, parsed: ParsedRequest) -> Iterator[str]:
    if facts.price is None:
        return
    price = money(facts.price, facts.currency)
    if parsed.price_max is not None and facts.price <= parsed.price_max:
        yield f"{price}, within your {money(parsed.price_max, facts.currency)}"
    elif parsed.order == "price_low":
        yield f"only {price}"


def _behaviour_phrases(why: Why) -> Iterator[str]:
    facts = why.facts
    if why.bought_before:
        yield "you bought it before"
    if why.partner:
        yield f"often bought with {why.partner}"
    if facts.rating_mean is not None and facts.rating_count >= MIN_RATINGS and why.signals.get("rating", 0) > 0.05:
        yield f"rated {facts.rating_mean:.1f} by {facts.rating_count} customers"
    if why.best_seller:
        yield "one of the best sellers here"
    if why.signals.get("taste", 0.0) > 0.08:
        yield "close to what you usually buy"
    if why.signals.get("season", 0.0) > 0.03:
        yield "often bought at this time of year"


def _own_phrases(facts: Facts, parsed: ParsedRequest) -> Iterator[str]:
    words = set(parsed.terms) & set(stems(facts.name))
    if words:
        named = [word for word in plain(facts.name).split() if stems(word) and stems(word)[0] in words]
        yield f"matches “{' '.join(dict.fromkeys(named))}”"
    if facts.category:
        yield f"from {facts.category}" + (f", {facts.colours[0].lower()}" if facts.colours else "")
    if facts.price is not None:
        yield f"at {money(facts.price, facts.currency)}"


# Notes ---------------------------------------------------------------------------------------------------------------

_RELAXED = {
    "shade": "a near shade instead of {colours}",
    "not_colour": "products that also come in another colour",
    "attribute": "without {attributes}",
    "brand": "of other brands",
    "colour": "in other colours than {colours}",
    "price_near": "a little outside your price",
    "size": "in other sizes than {sizes}",
    "price": "outside your price",
    "place": "in stock elsewhere, not in {place}",
    "age": "in other ages' sizes",
    "kind": "of another kind",
    "gender": "made for others",
}


def relaxed_note(relaxed: Sequence[str], parsed: ParsedRequest, place: Place, found: bool) -> str:
    """Say what was given up because nothing fitted; empty when nothing was."""
    if not found:
        return "Nothing in this shop fits that, even with fewer wishes."
    if not relaxed:
        return ""
    words = {
        "colours": " or ".join(parsed.colours),
        "sizes": " or ".join(size.upper() for size in parsed.sizes),
        "attributes": ", ".join(key if value == "yes" else value for key, value in parsed.attributes),
        "place": place.name,
    }
    if "kind" in relaxed:
        named = " ".join(parsed.head) or " or ".join(parsed.categories)
        return f"I found no {named} here that fits, so these are other things you might like."
    parts = [_RELAXED[name].format(**words) for name in relaxed]
    return f"Nothing fits every wish, so these are the closest: {', '.join(parts)}."


# Over the whole list -------------------------------------------------------------------------------------------------


def explanations(chosen: Sequence[Why], parsed: ParsedRequest) -> list[list[str]]:
    """Grounded phrasings: for each sentence the ways to say it, the plainest first. Any choice is true."""
    if not chosen:
        return []
    sentences = [_openings(chosen, parsed)]
    highlight = _highlights(chosen, parsed)
    if highlight:
        sentences.append(highlight)
    return sentences


def _openings(chosen: Sequence[Why], parsed: ParsedRequest) -> list[str]:
    names = _joined([why.facts.name for why in chosen[:3]])
    asked = request_phrase(parsed)
    if len(chosen) == 1:
        what = f" for {asked}" if asked else ""
        return [f"I suggest the {names}{what}.", f"The {names} is my pick{what}."]
    if asked:
        return [f"For {asked} I suggest {names}.", f"{names} fit {asked}.", f"My picks for {asked}: {names}."]
    return [f"You might like {names}.", f"I suggest {names}.", f"My picks for you: {names}."]


def request_phrase(parsed: ParsedRequest) -> str:
    """The request in a few words of the catalogue, e.g. "blue jackets under 120"; empty when it was vague."""
    kind = " or ".join(parsed.categories) or " ".join(parsed.head)
    if not kind:
        return ""
    attributes = [key if value == "yes" else value for key, value in parsed.attributes[:2]]
    return " ".join([*(" or ".join(parsed.colours).split()), *attributes, kind]).strip()


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _highlights(chosen: Sequence[Why], parsed: ParsedRequest) -> list[str]:
    out: list[str] = []
    priced = [why.facts for why in chosen if why.facts.price is not None]
    if len(priced) > 1:
        low = min(priced, key=lambda facts: facts.price or 0.0)
        high = max(priced, key=lambda facts: facts.price or 0.0)
        if low.price != high.price and low.price is not None:
            out.append(f"The {low.name} is the cheapest of them at {money(low.price, low.currency)}.")
    elif priced and priced[0].price is not None:
        out.append(f"It costs {money(priced[0].price, priced[0].currency)}.")
    rated = [w.facts for w in chosen if w.facts.rating_mean is not None and w.facts.rating_count >= MIN_RATINGS]
    if rated:
        best = max(rated, key=lambda facts: facts.rating_mean or 0.0)
        text = f"{best.rating_mean:.1f} from {best.rating_count} customers"
        out.append(
            f"The {best.name} is rated {text}." if len(chosen) == 1 else f"The {best.name} is the best rated, {text}."
        )
    partnered = next((why for why in chosen if why.partner), None)
    if partnered is not None:
        out.append(f"The {partnered.facts.name} is often bought with {partnered.partner}.")
    if parsed.order == "rating":
        out.sort(key=lambda text: "rated" not in text)
    return out
