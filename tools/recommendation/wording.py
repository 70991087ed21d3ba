"""Grounded words: why a card is there, and what was relaxed; :mod:`shopfloor.tools.recommendation.sentences` speaks of the whole list.

Everything said here is put together from the request and from facts of the database; free text of a product's
description is never copied into a sentence.
"""

import re
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
MAX_REASON_WORDS = 14
MAX_FACT_CHARS = 40  # a longer attribute is no phrase
# How an attribute is said, by a word of its name; attributes of other names are only said when they were asked for.
_SAID = {
    "material": "made of {}", "fabric": "made of {}", "weather": "{}", "feature": "{}", "features": "{}", "style": "{}",
    "occasion": "good for {}", "activity": "good for {}", "use": "good for {}", "room": "for the {}", "season": "for {}",
}  # fmt: skip
_NUMBER = re.compile(r"\d+(?:[.,]\d{1,2})?")
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
    lowest = min((why.facts.price for why in chosen if why.facts.price is not None), default=None)
    for why in chosen:
        parts = [part for part in _parts(why, parsed, place) if part.text not in used]
        if why.facts.price != lowest:
            parts = [part for part in parts if part.kind != "price:only"]
        fresh = [part for part in parts if part.kind not in used]
        picked = _one_a_group(fresh)[:MAX_PARTS]
        for part in _one_a_group(parts):
            if len(picked) < MIN_PARTS and part not in picked and part.kind.partition(":")[0] not in _groups(picked):
                picked.append(part)
        picked = picked or [Part("fact", _plain_fact(why.facts))]
        while len(picked) > 1 and sum(len(part.text.split()) for part in picked) > MAX_REASON_WORDS:
            picked.pop()
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


def _met_wishes(facts: Facts, parsed: ParsedRequest) -> Iterator[str]:
    colours = [c for c in facts.colours if any(is_colour(c, wanted) for wanted in parsed.colours)]
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


def is_colour(colour: str, wanted: str) -> bool:
    """Whether a product's colour is the one asked for, or a shade named after it."""
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
    if limit is not None and facts.price <= limit and not parsed.price_implied:
        if parsed.price_firm:
            yield Part("price:cheaper", f"cheaper at {price}")
            return
        around = around_price(parsed)
        if around is not None:
            yield Part("price:around", "near the price you named")
            return
        saved = money(round(limit - facts.price, 2), facts.currency)
        if limit - facts.price >= 0.25 * limit:
            yield Part("price:below", "well within your budget")
        if limit - facts.price >= 0.1 * limit:
            yield Part("price:leaves", f"leaves you {saved}")
        yield Part("price:within", "within your budget")
    elif parsed.order == "price_low":
        yield Part("price:only", f"only {price}")


def around_price(parsed: ParsedRequest) -> float | None:
    """The price that bounds were drawn around ("something for around 50"), None where they were named themselves."""
    if parsed.price_min is None or parsed.price_max is None:
        return None
    numbers = {float(number.replace(",", ".")) for number in _NUMBER.findall(parsed.text)}
    middle = (parsed.price_min + parsed.price_max) / 2
    return next((number for number in numbers if abs(number - middle) < 0.01 * middle), None)


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
    name = set(stems(facts.name))
    said = sorted(attributes_said(facts), key=lambda told: not any(wanted & set(stems(value)) for value in told.values))
    for told in said:
        parts = [value for value in told.values if value not in said_already]
        parts = [value for value in parts if not name.issuperset(stems(value))]
        parts.sort(key=lambda value: not wanted & set(stems(value)))
        if parts:
            yield Part(told.form, told.phrase(parts[:2]))


@dataclass(frozen=True, slots=True)
class Told:
    """An attribute that can be said: its name, the form it is said in, and its values."""

    key: str
    form: str
    values: tuple[str, ...]

    def phrase(self, values: Sequence[str]) -> str:
        """ "made of wool and silk"."""
        listed = [one.strip() for value in values for one in _PURPOSES.get(value, value).split(",") if one.strip()]
        return self.form.format(joined(listed))


def attributes_said(facts: Facts) -> list[Told]:
    """The attributes of a product that make a phrase, in the shop's order."""
    out: list[Told] = []
    for key, text in facts.attributes.items():
        form = next((_SAID[word] for word in key.replace("_", " ").lower().split() if word in _SAID), None)
        if form is not None and 0 < len(text) <= MAX_FACT_CHARS:
            values = (part.strip().lower() for part in text.split("|"))
            out.append(Told(key, form, tuple(value for value in values if value and value not in _VAGUE)))
    return out


def joined(names: Sequence[str], last: str = " and ") -> str:
    """ "a, b and c"."""
    return ", ".join(names[:-1]) + last + names[-1] if len(names) > 1 else "".join(names)


# Notes ---------------------------------------------------------------------------------------------------------------

_SILENT = frozenset({"near_use", "occasion"})  # a coat for a winter jacket needs no excuse
_ALONE = {
    "shade": "Nothing here is exactly {colours}, but {these} {come} close in colour.",
    "near_kind": "No {kind} fits, so {these} {are} of a near kind.",
    "for_children": "For grown-ups nothing fits; {these} {are} made for children.",
    "measure": "Nothing that fits the rest is of that measure; {these} {are} the closest.",
    "attribute": "Nothing that fits the rest is “{attributes}”; {these} {are} the closest.",
    "said": "For “{attributes}” I went by the product descriptions.",
    "brand": "Nothing by {brands} fits, so {these} {are} from elsewhere.",
    "colour_word": "Nothing that fits the rest comes in that colour; {these} {are} the closest.",
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
    "near_kind": "of a kind that is near",
    "for_children": "made for children",
    "measure": "of another measure",
    "attribute": "not “{attributes}”",
    "said": "only described as “{attributes}”",
    "brand": "from other brands",
    "colour_word": "in other colours",
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
        "kind": " ".join(parsed.head) or " or ".join(parsed.categories),
        "these": "these" if found > 1 else "this",
        "are": "are" if found > 1 else "is",
        "come": "come" if found > 1 else "comes",
    }
    named = [name for name in relaxed if name in _TOGETHER]
    if len(named) == 1:
        return _ALONE[named[0]].format(**words)
    parts = [_TOGETHER[name].format(**words) for name in named]
    return f"Nothing fits every wish; {'these are' if found > 1 else 'this is'} the closest, {joined(parts)}."


def unsaid_note(words: Sequence[str]) -> str:
    """Say which qualities were asked for and stand nowhere; empty without any."""
    if not words:
        return ""
    return f"Nothing here is described as {joined([f'“{word}”' for word in words], ' or ')}, so I went by the rest."


def edge_note(facts: Facts, parsed: ParsedRequest) -> str:
    """Nothing is cheaper (dearer, warmer) than this."""
    if parsed.degree_above is not None and parsed.quality is not None:
        return f"Nothing I have of that kind is {comparative(parsed.quality)} than {facts.name}."
    price = f", at {money(facts.price, facts.currency)}" if facts.price is not None else ""
    end = "cheapest" if parsed.price_max is not None else "most expensive"
    return f"I have nothing {'cheaper' if end == 'cheapest' else 'finer'} of that kind: {facts.name}{price}, {_is(facts.name)} the {end}."
