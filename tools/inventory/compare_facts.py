"""Which of several products is the cheapest, the lightest, the best rated; which of them is waterproof."""

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from shopfloor.tools.inventory.answer_facts import FactAnswers, facts_for
from shopfloor.tools.inventory.fact_cues import (
    POPULAR,
    PRICE,
    RATING,
    Aspect,
    Direction,
    aspects_of,
    differ,
    plain_question,
)
from shopfloor.tools.inventory.outcome import Outcome, Shop, joined
from shopfloor.tools.inventory.parse import Parsed
from shopfloor.tools.inventory.sheet import Sheet, like, read_sheet
from shopfloor.tools.phrases import money

Value = tuple[float, str]


def compare_facts(shop: Shop, parsed: Parsed, skus: Sequence[str]) -> Outcome:
    """Answer a question that chooses among several products."""
    sheets = [sheet for sku in skus if (sheet := read_sheet(shop.connection, sku)) is not None]
    said = plain_question(parsed.mentions.text)
    if differ(said):
        return _side_by_side(shop, parsed, sheets)
    for aspect in aspects_of(said):
        way = aspect.direction(said)
        if way is not None:
            return _best(sheets, aspect, way)
    if parsed.fact_words:
        return _having(sheets, parsed.fact_words)
    return _side_by_side(shop, parsed, sheets)


def _best(sheets: Sequence[Sheet], aspect: Aspect, way: Direction) -> Outcome:
    read = _reader(aspect)
    values = {sheet.sku: value for sheet in sheets if (value := read(sheet)) is not None}
    facts: dict[str, JsonValue] = {
        "aspect": aspect.name,
        "values": {sku: value[1] for sku, value in values.items()},
        "skus": [],
    }
    names = {sheet.sku: sheet.name for sheet in sheets}
    if not values:
        text = f"The shop's data don't say the {aspect.name} of these products."
        return _outcome(facts, sheets, text, None)
    choose = max if way == "most" else min
    best = choose(value[0] for value in values.values())
    winners = [sku for sku, value in values.items() if value[0] == best]
    facts["skus"] = list(winners)
    others = joined(f"{names[sku]}: {value[1]}" for sku, value in values.items() if sku not in winners)
    missing = [sheet.name for sheet in sheets if sheet.sku not in values]
    word = _superlative(aspect, way, len(sheets))
    if len(winners) == len(values) and len(values) > 1:
        text = f"They are equal: the {aspect.name} of each is {values[winners[0]][1]}."
    else:
        is_ = "is" if len(winners) == 1 else "are equal and"
        text = f"The {joined(names[sku] for sku in winners)} {is_} {word}: {values[winners[0]][1]}."
        text += f" {others}." if others else ""
    if missing:
        text += f" The data don't say it for the {joined(missing)}."
    return _outcome(facts, sheets, text, winners[0] if len(winners) == 1 else None)


def _reader(aspect: Aspect) -> Callable[[Sheet], Value | None]:
    def price(sheet: Sheet) -> Value | None:
        return None if sheet.low is None else (sheet.low, money(sheet.low, sheet.currency))

    def rating(sheet: Sheet) -> Value | None:
        if sheet.rating is None or not sheet.rating_count:
            return None
        return sheet.rating, f"{sheet.rating:.1f} from {sheet.rating_count} ratings"

    def popular(sheet: Sheet) -> Value | None:
        return float(sheet.units_sold), f"{sheet.units_sold} sold"

    def attribute(sheet: Sheet) -> Value | None:
        for fact in facts_for(sheet, aspect):
            number = fact.number()
            if number is not None:
                return number, fact.said
        return None

    return {PRICE.name: price, RATING.name: rating, POPULAR.name: popular}.get(aspect.name, attribute)


_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
_WORDS = {
    PRICE.name: ("the most expensive", "the cheapest"),
    RATING.name: ("the best rated", "the worst rated"),
    POPULAR.name: ("the best seller", "the least sold"),
    "weight": ("the heaviest", "the lightest"),
    "warmth": ("the warmest", "the least warm"),
    "brightness": ("the brightest", "the dimmest"),
}


def _superlative(aspect: Aspect, way: Direction, count: int) -> str:
    pair = _WORDS.get(aspect.name, (f"the one with the most {aspect.name}", f"the one with the least {aspect.name}"))
    word = pair[0] if way == "most" else pair[1]
    return f"{word} of the {_COUNTS.get(count, str(count))}"


def _having(sheets: Sequence[Sheet], words: Sequence[str]) -> Outcome:
    """Which products the data say these words of."""
    proof: dict[str, str] = {}
    for sheet in sheets:
        said = [_proof(sheet, word) for word in words]
        if all(said):
            proof[sheet.sku] = "; ".join(dict.fromkeys(part for part in said if part))
    asked = " ".join(words)
    facts: dict[str, JsonValue] = {"skus": list(proof), "says": dict(proof)}
    if not proof:
        return _outcome(facts, sheets, f"The shop's data say “{asked}” of none of these.", None)
    names = {sheet.sku: sheet.name for sheet in sheets}
    text = " ".join(f"{names[sku]}: {said}" + ("" if said.endswith((".", "”")) else ".") for sku, said in proof.items())
    rest = [name for sku, name in names.items() if sku not in proof]
    if rest:
        text += f" Of the {joined(rest)} the data don't say “{asked}”."
    return _outcome(facts, sheets, text, next(iter(proof)) if len(proof) == 1 else None)


def _proof(sheet: Sheet, word: str) -> str | None:
    meant = like(word)
    if any(meant & like(part) for colour in sheet.colours for part in colour.casefold().split()):
        return f"colour {joined(sheet.colours, 12)}"
    for fact in sheet.all_facts():
        if meant & fact.words():
            return f"{fact.label} {fact.said}"
    found = [sentence for part in meant for sentence in sheet.sentences([part])]
    return f"“{found[0]}”" if found else None


def _side_by_side(shop: Shop, parsed: Parsed, sheets: Sequence[Sheet]) -> Outcome:
    answers = [FactAnswers(shop, parsed, sheet.sku) for sheet in sheets]
    text = "\n".join(answer.describe() for answer in answers)
    facts: dict[str, JsonValue] = {"products": {answer.sheet.sku: answer.found for answer in answers}}
    return _outcome(facts, sheets, text, None)


def _outcome(facts: dict[str, JsonValue], sheets: Sequence[Sheet], text: str, sku: str | None) -> Outcome:
    known: dict[str, JsonValue] = {"known": bool(facts.get("skus") or facts.get("products")), **facts}
    known["names"] = {sheet.sku: sheet.name for sheet in sheets}
    known["count"] = len(sheets)
    return Outcome("answered", "product_facts", {"skus": [sheet.sku for sheet in sheets]}, known, text, sku=sku)
