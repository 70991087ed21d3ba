"""Answers to questions about products, from the catalogue alone: columns, sizes, and sentences of the description.

Nothing is inferred: what the catalogue does not say is said not to be there. What it does not cover: stock by store.
"""

import re
from collections.abc import Collection, Sequence

from shopfloor.graph.aspects import (
    Aspect,
    Comparison,
    akin,
    aspects_in,
    column_words,
    comparison_in,
    content_words,
    kind_of,
    load_aspects,
    rank,
    sentences,
)
from shopfloor.graph.cues import normal, words
from shopfloor.graph.facts import ProductFacts, compare, describe, sizes_of
from shopfloor.tools.matching import COLOURS
from shopfloor.tools.phrases import listed, money

_MOST_SENTENCES = 2
_MOST_COLUMNS = 6
_COMMON = frozenset({"price", "colour", "sizes", "rating", "who"})
_UNKNOWN = "I don't know: our catalogue doesn't say that of"
_SHORT_VALUE = 60  # characters
_UNITS = {
    "g": "g", "kg": "kg", "l": "l", "ml": "ml", "cl": "cl", "c": "°C", "f": "°F", "cm": "cm", "mm": "mm", "m": "m", "w": "W", "v": "V", "h": "h",
    "min": "min", "inch": "inches", "in": "inches", "lb": "lb", "oz": "oz", "years": "years", "mah": "mAh",
}  # fmt: skip
_ABOUT_ALL = re.compile(
    r"\b(tell me|difference|compare|more about|describe|details?|more info\w*|what('s| is) (it|that|this) like)\b"
)


def answer_about(facts: ProductFacts, asked: str, columns: Collection[str] = ()) -> str:
    """What was asked about a product, and no more; all of it where nothing in particular was.

    Args:
        facts: the product.
        asked: the shopper's words.
        columns: columns of the shop's catalogue that the question's words are values of.
    """
    lowered = normal(asked)
    own = frozenset(words(facts.name))
    sized = _size_answer(facts, lowered) or _colour_answer(facts, lowered)
    if sized is not None:
        return sized
    aspects = [] if _ABOUT_ALL.search(lowered) else aspects_in(_without(lowered, facts.name))
    said = [text for aspect in aspects if (text := _column_answer(facts, aspect, lowered)) is not None]
    content = content_words(lowered) - own
    if not said and not aspects:
        said = _by_column_name(facts, content, columns)
    quoted = _quotes(facts, aspects, content)
    if said or quoted:
        return " ".join([*said[:2], *quoted])
    if content and kind_of(lowered) == "yes_no" or aspects:
        return f"{_UNKNOWN} the {facts.name}. {_what_is_known(facts)}"
    return describe(facts)


def _what_is_known(facts: ProductFacts) -> str:
    columns = [
        f"{_label(column)} {_value(facts, column)}"
        for column in _columns(facts)
        if not _said_elsewhere(column) and len(_columns(facts)[column]) <= _SHORT_VALUE
    ]
    known = f"It does say: {'; '.join(columns[:_MOST_COLUMNS])}. " if columns else "This is what it says. "
    return f"{known}{facts.description.strip() or describe(facts)}"


def _said_elsewhere(column: str) -> bool:
    """Whether a column is one of those every product has anyway."""
    return any(aspect.owns(column) for aspect in load_aspects() if aspect.name in _COMMON) or "review" in column


def answer_about_several(
    products: Sequence[ProductFacts], asked: str, columns: Collection[str] = ()
) -> tuple[str, ProductFacts]:
    """An answer about several products, and the one the talk is about then."""
    lowered = normal(asked)
    if _ABOUT_ALL.search(lowered):
        return compare(products), products[0]
    comparison = comparison_in(lowered)
    if comparison is not None:
        best = _best(products, comparison)
        if best is not None:
            return best
        is_ = "" if re.match(r"\w+s\b", comparison.word) else "is "
        return f"Our catalogue doesn't tell which of these {is_}{comparison.word}.\n{compare(products)}", products[0]
    aspects = aspects_in(lowered)
    content = content_words(lowered)
    named = frozenset(word for product in products for word in words(product.name))
    if aspects or content - named:
        lines = [answer_about(product, asked, columns) for product in products]
        if all(line.startswith(_UNKNOWN) for line in lines):
            return f"{_UNKNOWN} any of these.", products[0]
        if any(aspect.name == "price" for aspect in aspects) and (total := _sum_of(products)) is not None:
            lines = [*lines, total]
            return "\n".join(lines), products[-1]
        if all(len(line) < 400 for line in lines):
            return "\n".join(_headed(product, line) for product, line in zip(products, lines, strict=True)), products[0]
    return compare(products), products[0]


def _sum_of(products: Sequence[ProductFacts]) -> str | None:
    """What the products cost together; None where a price is missing or the currencies differ."""
    prices = [product.price for product in products if product.price is not None]
    currencies = {product.currency for product in products}
    if len(prices) != len(products) or len(currencies) != 1:
        return None
    return f"Together that is {money(sum(prices), currencies.pop())}."


def _headed(facts: ProductFacts, line: str) -> str:
    return line if facts.name in line else f"{facts.name}: {line}"


def _best(products: Sequence[ProductFacts], comparison: Comparison) -> tuple[str, ProductFacts] | None:
    """The product with the most or least, by the first column that most of them have."""
    columns = dict.fromkeys(
        column for product in products for column in _columns(product) if comparison.aspect.owns(column)
    )
    judged: list[tuple[float, ProductFacts, str]] = []
    for column in sorted(columns, key=lambda one: -sum(_numeric(product, one) for product in products)):
        judged = [
            (place, product, column)
            for product in products
            if (value := _columns(product).get(column)) and (place := rank(comparison, column, value)) is not None
        ]
        if len(judged) == len(products) or len(judged) >= 2:
            break
    if not judged:
        return None
    judged.sort(key=lambda one: -one[0])
    best, column = judged[0][1], judged[0][2]
    word = comparison.word
    opening = f"The {word} of these" if word.endswith("est") or word.startswith(("most", "least")) else f"It {word}"
    if opening.startswith("It "):
        opening = "That"
    ties = [one[1] for one in judged if one[0] == judged[0][0]]
    if 1 < len(ties) < len(judged) or len(ties) > 1:
        names = listed([one.name for one in ties], "and")
        return f"{names} are the same in that: {_value(ties[0], column)}.", ties[0]
    others = listed([f"the {one[1].name} {_value(one[1], column)}" for one in judged[1:]], "and")
    text = f"{opening} is the {best.name}: {_value(best, column)}."
    return (f"{text} For comparison, {others}." if others else text), best


def _numeric(facts: ProductFacts, column: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", _columns(facts).get(column, "")) is not None


def _columns(facts: ProductFacts) -> dict[str, str]:
    """Everything the catalogue has as a column, as text."""
    columns = dict(facts.attributes)
    if facts.price is not None:
        columns["price"] = str(facts.price)
    if facts.brand:
        columns["brand"] = facts.brand
    if facts.gender:
        columns["gender"] = facts.gender
    if facts.rating_count and facts.rating is not None:
        columns["rating"] = f"{facts.rating:.1f}"
    return columns


def _value(facts: ProductFacts, column: str) -> str:
    """A column's value with its unit, as a person writes it."""
    value = _columns(facts)[column]
    if column == "price" and facts.price is not None:
        return money(facts.price, facts.currency)
    if column == "rating":
        return f"rated {value} by {facts.rating_count} customers"
    unit = _UNITS.get(column_words(column)[-1]) if len(column_words(column)) > 1 else None
    if unit is not None and _numeric(facts, column):
        number = float(value)
        return f"{number:,.0f} {unit}" if number.is_integer() else f"{number:,g} {unit}"
    return listed(value.split("|"), "and") if "|" in value else value


def _column_answer(facts: ProductFacts, aspect: Aspect, lowered: str) -> str | None:
    if aspect.name == "sizes":
        return f"The {facts.name} {_be(facts)} available {sizes_of(facts)}." if facts.sizes else None
    if aspect.name == "colour":
        return f"The {facts.name} {_be(facts)} available in {listed(facts.colours)}." if facts.colours else None
    owned = [column for column in _columns(facts) if aspect.owns(column)]
    if not owned:
        return _lacking(facts, aspect, lowered)
    if aspect.name == "price":
        return f"The price of the {facts.name} is {_value(facts, 'price')}."
    if aspect.name == "brand":
        return f"The {facts.name} {_be(facts)} made by {_value(facts, owned[0])}."
    if aspect.name == "rating":
        return f"The {facts.name} {_be(facts)} {_value(facts, 'rating')}."
    return _verdict(facts, aspect, owned, lowered)


def _verdict(facts: ProductFacts, aspect: Aspect, owned: Sequence[str], lowered: str) -> str:
    value = " | ".join(_columns(facts)[column].casefold() for column in owned)
    wanted = [word for word in aspect.scale if len(word) > 4 and re.search(rf"(?<![\w-]){re.escape(word)}\b", lowered)]
    if kind_of(lowered) == "yes_no" and wanted:
        word = wanted[-1]
        if word in value.split(" | "):
            return f"Yes, the {facts.name} {_be(facts)} {word}."
        return f"The {facts.name} {_be(facts)} {_value(facts, owned[0])}, not {word}."
    told = listed([f"{_label(column)} {_value(facts, column)}" for column in owned], "and")
    return f"{facts.name}: {told}."


def _lacking(facts: ProductFacts, aspect: Aspect, lowered: str) -> str | None:
    """A plain no-word where a yes or no was asked, and neither a column nor the description says yes."""
    if kind_of(lowered) != "yes_no" or not aspect.scale or aspect.say.search(facts.description.casefold()):
        return None
    wanted = next((word for word in reversed(aspect.scale) if word in lowered and len(word) > 3), None)
    return f"Our catalogue doesn't say that the {facts.name} {_be(facts)} {wanted}." if wanted else None


def _label(column: str) -> str:
    parts = column_words(column)
    return " ".join(parts[:-1] if len(parts) > 1 and parts[-1] in _UNITS else parts)


def _by_column_name(facts: ProductFacts, content: frozenset[str], columns: Collection[str]) -> list[str]:
    """What a column named like a word of the question says, or one that has that word as a value somewhere."""
    said: list[str] = []
    for column in _columns(facts):
        parts = column_words(column)
        value = _value(facts, column)
        own = set(words(value))
        if (
            any(akin(word, part) for word in content for part in parts if len(part) > 3)
            or content & own
            or column in columns
        ):
            said.append(f"{facts.name}: {_label(column)} {value}.")
    return said


def _quotes(facts: ProductFacts, aspects: Sequence[Aspect], content: frozenset[str]) -> list[str]:
    """The description's sentences that speak of what was asked, those with more of its words first."""
    scored: list[tuple[float, int, str]] = []
    for place, sentence in enumerate(sentences(facts.description)):
        lowered = sentence.casefold()
        own = set(words(lowered.replace("-", " ")))
        hits = sum(any(akin(word, other) for other in own) for word in content)
        score = hits + 0.8 * any(aspect.say.search(lowered) for aspect in aspects)
        if score > 0:
            scored.append((-score, place, sentence))
    scored_best = min((score for score, _, _ in scored), default=0.0)
    # A sentence that only touches on it is left out beside one that answers.
    best = [one for one in sorted(scored)[:_MOST_SENTENCES] if one[0] <= scored_best + 0.5]
    return [sentence for _, _, sentence in sorted(best, key=lambda one: one[1])]


def _size_answer(facts: ProductFacts, lowered: str) -> str | None:
    """Does it come in M; do you have a 33?"""
    match = re.search(r"\b(?:in size|in an?|in|an?|size) (?P<size>[\w./-]+(?: cm)?)$", lowered)
    if match is None or not facts.sizes:
        return None
    known = {size.casefold(): size for size in facts.sizes}
    said = match["size"]
    if said in known:
        return (
            f"Yes, the {facts.name} {_come(facts)} in size {known[said]}. {_they(facts)} available {sizes_of(facts)}."
        )
    if re.fullmatch(r"\d{1,3}", said) or said in {"xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"}:
        within = next((size for size in facts.sizes if _covers(size, said)), None)
        if within is not None:
            return f"Yes, the {facts.name} {_come(facts)} in {within}, which covers {said}."
        return f"The {facts.name} {_do(facts)} not come in {said.upper()}. {_they(facts)} available {sizes_of(facts)}."
    return None


def _covers(size: str, said: str) -> bool:
    match = re.fullmatch(r"(\d+)\s*[-–]\s*(\d+)\b.*", size)
    return match is not None and said.isdecimal() and int(match[1]) <= int(said) <= int(match[2])


def _colour_answer(facts: ProductFacts, lowered: str) -> str | None:
    """Does it come in black?"""
    match = re.search(
        r"\b(?:come|comes|have it|got it|available|is it|get it|are they|have them|have that)\b.* in (?P<what>[\w ]+)$",
        lowered,
    )
    if match is None:
        match = re.search(
            r"\b(?:is there|do you have|have you got|got) (?:a|an|any) (?P<what>(?:(?:light|dark) )?\w+) (?:one|ones)$",
            lowered,
        )
        if match is not None and match["what"] not in COLOURS | {colour.casefold() for colour in facts.colours}:
            return None
    if match is None or not facts.colours:
        return None
    said = match["what"].strip()
    if any(said == colour.casefold() for colour in facts.colours):
        return f"Yes, the {facts.name} {_come(facts)} in {said}. The colours are {listed(facts.colours, 'and')}."
    return f"The {facts.name} {_do(facts)} not come in {said}. The colours are {listed(facts.colours, 'and')}."


def _without(lowered: str, name: str) -> str:
    return lowered.replace(name.casefold(), " ")


def _plural(facts: ProductFacts) -> bool:
    """Whether a name reads as several: boots, trousers, gloves."""
    nouns = [word for word in words(facts.name) if word.isalpha() and word not in {"women", "men", "kids", "l"}]
    return bool(nouns) and nouns[-1].endswith("s") and not nouns[-1].endswith("ss")


def _be(facts: ProductFacts) -> str:
    return "are" if _plural(facts) else "is"


def _do(facts: ProductFacts) -> str:
    return "do" if _plural(facts) else "does"


def _come(facts: ProductFacts) -> str:
    return "come" if _plural(facts) else "comes"


def _they(facts: ProductFacts) -> str:
    return "They are" if _plural(facts) else "It is"
