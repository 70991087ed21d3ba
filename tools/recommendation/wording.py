"""Grounded words: why a card is there, what was relaxed, and one or two sentences over the list.

Everything said here is put together from the request and from facts of the database; free text of a product's
description is never copied into a sentence.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.cards import Facts, Place
from shopfloor.tools.recommendation.degrees import comparative
from shopfloor.tools.recommendation.language import GENDERS
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import colour_words, size_labels
from shopfloor.tools.recommendation.text import plain, stem, stems

MIN_RATINGS = 3
MIN_UNITS = 10
MAX_PARTS = 3
MIN_PARTS = 2
MAX_FACT_CHARS = 40  # a longer attribute is no phrase
# How an attribute is said, by a word of its name; attributes of other names are only said when they were asked for.
_SAID = {
    "material": "made of {}", "fabric": "made of {}", "weather": "{}", "feature": "{}", "features": "{}", "style": "{}",
    "occasion": "good for {}", "activity": "good for {}", "use": "good for {}", "room": "for the {}", "season": "for {}",
}  # fmt: skip
_PURPOSES = {"office": "the office", "ski": "skiing", "party": "parties", "beach": "the beach", "gym": "the gym"}
_VAGUE = frozenset(
    {"everyday", "casual", "formal", "all year", "any", "other", "all", "none", "n/a", "various", "gift"}
)


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of one chosen product beside its facts."""

    facts: Facts
    signals: Mapping[str, float]
    partner: str | None = None
    bought_before: bool = False
    best_seller: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A phrase and what kind of phrase it is; a kind is used for one card of a list where others are at hand."""

    kind: str
    text: str


def money(value: float, currency: str) -> str:
    """ "39.90 EUR"; whole amounts as "120 EUR"."""
    text = f"{value:.0f}" if value == int(value) else f"{value:.2f}"
    return f"{text} {currency}".strip()


def reasons(chosen: Sequence[Why], parsed: ParsedRequest, place: Place) -> list[str]:
    """One short reason a card. No phrase is used twice in a list, nor a kind of phrase while there are others."""
    used: set[str] = set()
    out: list[str] = []
    for why in chosen:
        parts = [part for part in _parts(why, parsed, place) if part.text not in used]
        fresh = [part for part in parts if part.kind not in used]
        picked = _one_a_group(fresh)[:MAX_PARTS]
        for part in _one_a_group(parts):
            if len(picked) < MIN_PARTS and part not in picked and part.kind.partition(":")[0] not in _groups(picked):
                picked.append(part)
        picked = picked or [Part("fact", _plain_fact(why.facts))]
        used.update(part.kind for part in picked)
        used.update(part.text for part in picked)
        out.append(_sentence(", ".join(part.text for part in picked)))
    return out


def _groups(parts: Sequence[Part]) -> set[str]:
    return {part.kind.partition(":")[0] for part in parts}


def is_plural(name: str) -> bool:
    """Whether a product goes by a plural: "Croft Wool Gloves", "Tempo Road Running Shoes Women", not "Cook Set for Two"."""
    words = [
        word
        for word in plain(name.split(",")[0].partition(" for ")[0].casefold().partition(" with ")[0]).split()
        if word.isalpha()
    ]
    while len(words) > 1 and (words[-1] in GENDERS or stem(words[-1]) in GENDERS):
        words.pop()
    if len(words) > 1 and "of" in words:
        words = words[: words.index("of")] or words
    return bool(words) and stem(words[-1]) != words[-1] and not words[-1].endswith("ss")


def _is(name: str) -> str:
    return "are" if is_plural(name) else "is"


def _one_a_group(parts: Sequence[Part]) -> list[Part]:
    """At most one phrase of a group ("price:…") on a card."""
    groups: dict[str, Part] = {}
    for part in parts:
        groups.setdefault(part.kind.partition(":")[0], part)
    return list(groups.values())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else ""


def _plain_fact(facts: Facts) -> str:
    return f"{facts.name}, {money(facts.price, facts.currency)}" if facts.price is not None else facts.name


def _parts(why: Why, parsed: ParsedRequest, place: Place) -> Iterator[Part]:
    """Phrases for one card, the most telling first."""
    facts = why.facts
    wishes = ", ".join(_met_wishes(facts, parsed))
    if wishes:
        yield Part(wishes, wishes)
    if not facts.in_stock:
        yield Part("sold out", "sold out at the moment")
    yield from _price_parts(facts, parsed)
    yield from _behaviour_parts(why)
    if place.name and facts.stock:
        yield Part("place", f"{facts.stock} in stock in {place.name}")
    yield from _own_parts(facts, parsed, wishes)
    if facts.units_sold >= MIN_UNITS:
        yield Part("units", f"{facts.units_sold} sold so far")
    if facts.price is not None:
        yield Part("price:plain", f"at {money(facts.price, facts.currency)}")


def _met_wishes(facts: Facts, parsed: ParsedRequest) -> Iterator[str]:
    colours = [c for c in facts.colours if any(_is_colour(c, wanted) for wanted in parsed.colours)]
    if colours:
        yield colours[0].lower()
    for key, value in parsed.attributes:
        found = fact_attribute(facts, key, value)
        if found:
            yield found
    sizes = [size for size in facts.sizes if set(size_labels(size)) & set(parsed.sizes)]
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
        if value == "yes" or value.isdigit():
            return name.replace("_", " ").lower() + ("" if value == "yes" or text != value else f" {text}")
        parts = [part.strip() for part in text.split("|")]
        return next((part.lower() for part in parts if set(value.split()) <= set(stems(part))), None)
    return None


def _price_parts(facts: Facts, parsed: ParsedRequest) -> Iterator[Part]:
    if facts.price is None:
        return
    price = money(facts.price, facts.currency)
    limit = parsed.price_max
    if limit is not None and facts.price <= limit:
        if parsed.price_firm:
            yield Part("price:cheaper", f"cheaper at {price}")
            return
        if limit - facts.price >= 0.1 * limit:
            yield Part("price:below", f"well within your {money(limit, facts.currency)} at {price}")
        yield Part("price:within", f"within your {money(limit, facts.currency)} at {price}")
        yield Part(
            "price:leaves", f"leaves {money(round(limit - facts.price, 2), facts.currency)} of your budget at {price}"
        )
    elif parsed.order == "price_low":
        yield Part("price:only", f"only {price}")


def _behaviour_parts(why: Why) -> Iterator[Part]:
    facts = why.facts
    if why.bought_before:
        yield Part("before", "you bought it before")
    if why.partner:
        yield Part("partner", f"often bought with {why.partner}")
    if facts.rating_mean is not None and facts.rating_count >= MIN_RATINGS and why.signals.get("rating", 0) > 0.05:
        yield Part("rated", f"rated {facts.rating_mean:.1f} by {facts.rating_count} customers")
    if why.best_seller:
        yield Part("seller", "one of the best sellers here")
    if why.signals.get("taste", 0.0) > 0.08:
        yield Part("taste", "close to what you usually buy")
    if why.signals.get("season", 0.0) > 0.03:
        yield Part("season", "often bought at this time of year")


def _own_parts(facts: Facts, parsed: ParsedRequest, said_already: str) -> Iterator[Part]:
    """The product's own attributes, those that the request speaks of first."""
    wanted = {*parsed.terms, *([parsed.occasion] if parsed.occasion else [])}
    said = [(key, text) for key, text in facts.attributes.items() if 0 < len(text) <= MAX_FACT_CHARS]
    said.sort(key=lambda pair: not wanted & set(stems(pair[1])))
    for key, text in said:
        words = key.replace("_", " ").lower().split()
        form = next((_SAID[word] for word in words if word in _SAID), None)
        if form is not None:
            parts = [part.strip().lower() for part in text.split("|") if part.strip()]
            parts = [part for part in parts if part not in _VAGUE and part not in said_already]
            parts.sort(key=lambda part: not wanted & set(stems(part)))
            if parts:
                listed = [one.strip() for p in parts[:2] for one in _PURPOSES.get(p, p).split(",") if one.strip()]
                yield Part(form, form.format(_joined(listed)))


# Notes ---------------------------------------------------------------------------------------------------------------

_SILENT = frozenset({"near_kind", "occasion"})  # a coat for a winter jacket needs no excuse
_ALONE = {
    "shade": "Nothing here is exactly {colours}, but {these} {come} close in colour.",
    "attribute": "Nothing that fits the rest is “{attributes}”; {these} {are} the closest.",
    "said": "Nothing is listed as “{attributes}”, but {these} {are} described so.",
    "brand": "Nothing by {brands} fits, so {these} {are} from elsewhere.",
    "colour": "Nothing that fits the rest comes in {colours}, so {these} {come} in other colours.",
    "price_near": "Nothing is quite within your price; {these} {are} a little outside it.",
    "implied_price": "Nothing in that price range fits, so {these} {are} outside it.",
    "size": "Nothing that fits the rest comes in {sizes}; {these} {come} in other sizes.",
    "price": "Nothing that fits is within your price; {these} {are} the closest in kind.",
    "place": "Nothing that fits is in stock in {place}; {these} can be had elsewhere.",
    "age": "Nothing that fits is made for that age; {these} {are} for others.",
    "gender": "Nothing that fits is made for them in particular; {these} {are} made for others.",
}
_TOGETHER = {
    "shade": "in a near shade",
    "attribute": "not “{attributes}”",
    "said": "only described as “{attributes}”",
    "brand": "from other brands",
    "colour": "in other colours",
    "price_near": "a little outside your price",
    "size": "in other sizes",
    "price": "outside your price",
    "implied_price": "outside that price range",
    "place": "in stock elsewhere",
    "age": "for other ages",
    "gender": "made for others",
}


def relaxed_note(relaxed: Sequence[str], parsed: ParsedRequest, place: Place, found: int) -> str:
    """Say what was given up because nothing fitted; empty when nothing was."""
    if not found:
        return "I found nothing here that fits, even with fewer wishes."
    relaxed = [name for name in relaxed if name not in _SILENT]
    if not relaxed:
        return ""
    if "kind" in relaxed:
        named = " ".join(parsed.head) or " or ".join(parsed.categories)
        return f"I found no {named} here that fits, so here is something else you might like."
    if tuple(relaxed) == ("not_colour",):
        return f"All of these come in other colours than {' or '.join(parsed.not_colours)} too."
    words = {
        "colours": " or ".join(parsed.colours),
        "sizes": " or ".join(size.upper() for size in parsed.sizes),
        "attributes": ", ".join(key if value == "yes" else value for key, value in parsed.attributes),
        "brands": " or ".join(brand.title() for brand in parsed.brands),
        "place": place.name,
        "these": "these" if found > 1 else "this",
        "are": "are" if found > 1 else "is",
        "come": "come" if found > 1 else "comes",
    }
    named = [name for name in relaxed if name in _TOGETHER]
    if len(named) == 1:
        return _ALONE[named[0]].format(**words)
    parts = [_TOGETHER[name].format(**words) for name in named]
    return f"Nothing fits every wish; {'these are' if found > 1 else 'this is'} the closest, {_joined(parts)}."


def edge_note(facts: Facts, parsed: ParsedRequest) -> str:
    """Nothing is cheaper (dearer, warmer) than this."""
    if parsed.degree_above is not None and parsed.quality is not None:
        return f"Nothing I have of that kind is {comparative(parsed.quality)} than {facts.name}."
    price = f", at {money(facts.price, facts.currency)}" if facts.price is not None else ""
    end = "cheapest" if parsed.price_max is not None else "most expensive"
    return f"I have nothing {'cheaper' if end == 'cheapest' else 'finer'} of that kind: {facts.name}{price}, {_is(facts.name)} the {end}."


# Over the whole list -------------------------------------------------------------------------------------------------


def explanations(chosen: Sequence[Why], parsed: ParsedRequest, relaxed: Sequence[str]) -> list[list[str]]:
    """Grounded phrasings: for each sentence the ways to say it, the plainest first. Any choice is true."""
    if not chosen:
        return []
    sentences = [_openings(chosen, parsed, relaxed)]
    highlight = _highlights(chosen, parsed)
    if highlight:
        sentences.append(highlight)
    return sentences


def _openings(chosen: Sequence[Why], parsed: ParsedRequest, relaxed: Sequence[str]) -> list[str]:
    names = _joined([why.facts.name for why in chosen[:3]])
    wishes = "" if set(relaxed) - _SILENT else _joined(list(_kept_wishes(chosen, parsed)))
    first = chosen[0].facts
    if parsed.quality is not None and first.in_stock and len(chosen) > 1 and "wish" in chosen[0].signals:
        rest = _joined([why.facts.name for why in chosen[1:3]])
        return [f"For that I would take {first.name} first; then {rest}."]
    if len(chosen) == 1:
        what = f", {wishes}" if wishes else ""
        return [f"I suggest {names}{what}.", f"{names}{what} would be my pick."]
    every = "both" if len(chosen) == 2 else "all"
    if wishes:
        return [f"I suggest {names}, {every} {wishes}.", f"{names} are {every} {wishes}."]
    return [f"You might like {names}.", f"I suggest {names}.", f"Have a look at {names}."]


def _kept_wishes(chosen: Sequence[Why], parsed: ParsedRequest) -> Iterator[str]:
    """What every one of the chosen has of what was asked for."""
    if parsed.colours:
        yield f"in {' or '.join(parsed.colours)}"
    elif parsed.not_colours:
        yield f"in colours other than {' or '.join(parsed.not_colours)}"
    for key, value in parsed.attributes[:2]:
        found = {fact_attribute(why.facts, key, value) for why in chosen}
        if len(found) == 1 and None not in found:
            said = next(iter(found))
            yield f"in {said}" if {"material", "fabric"} & set(key.split()) else f"{said}"
    if parsed.sizes:
        yield f"in size {' or '.join(size.upper() for size in parsed.sizes)}"
    currency = chosen[0].facts.currency
    if parsed.price_max is not None and parsed.price_min is not None:
        yield f"between {money(parsed.price_min, currency)} and {money(parsed.price_max, currency)}"
    elif parsed.price_max is not None:
        yield f"within {money(parsed.price_max, currency)}"
    elif parsed.price_min is not None:
        yield f"from {money(parsed.price_min, currency)} up"


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _highlights(chosen: Sequence[Why], parsed: ParsedRequest) -> list[str]:
    out = [*_price_highlight(chosen), *_rating_highlight(chosen)]
    partnered = next((why for why in chosen if why.partner), None)
    if partnered is not None:
        out.append(f"Customers often buy {partnered.facts.name} with {partnered.partner}.")
    if parsed.order == "rating":
        out.sort(key=lambda text: "rated" not in text)
    return out


def _price_highlight(chosen: Sequence[Why]) -> Iterator[str]:
    prices = {why.facts.price: why.facts for why in reversed(chosen) if why.facts.price is not None}
    if not prices:
        return
    low = min(prices)
    if len(chosen) == 1:
        yield f"{'They cost' if is_plural(prices[low].name) else 'It costs'} {money(low, prices[low].currency)}."
    elif len(prices) > 1 and [why.facts.price for why in chosen].count(low) == 1:
        name = prices[low].name
        yield f"{name} {_is(name)} the least expensive, at {money(low, prices[low].currency)}."


def _rating_highlight(chosen: Sequence[Why]) -> Iterator[str]:
    rated = [w.facts for w in chosen if w.facts.rating_mean is not None and w.facts.rating_count >= MIN_RATINGS]
    if not rated:
        return
    best = max(rated, key=lambda facts: facts.rating_mean or 0.0)
    text = f"{best.rating_mean:.1f} from {best.rating_count} ratings"
    if len(rated) == 1:
        yield f"{best.name} {'have' if is_plural(best.name) else 'has'} {text}."
    else:
        yield f"Customers rate {best.name} highest: {text}."
