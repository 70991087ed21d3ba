"""Slots from the local model where the rules are unsure of the product: JSON under a grammar, then checked.

The grammar leaves the model only the matcher's nearest products, the sizes they come in and the shop's places. What
it picks still has to stand in the question by deterministic checks; else the rules' answer (ask, unknown) stands.

Measured with the embedded 135M model on the demo shop, 26 questions with products described or misspelt (18 that name
one of the shop's, 8 that should be refused or asked back): the rules alone answered 4 of the 18, none of the 26 with a
wrong product, and refused 8 of 8; with the model 7 of 18, 4 of the 26 with a wrong product, 6 of 8 refused. Taking
the first candidate that passes the same checks gave 8, 5 and 6: the model hardly chooses. A confident answer about the
wrong product costs more than asking, so ``model_reading=auto`` leaves it out; a larger model has to be measured first.
One of its 9 readings was cut off after 30 s. Of 14 further questions (10 and 4): rules 2 of 10, with the model 4, the
first candidate 6, no wrong product, with 3 of 6 readings cut off. The cores were busy with other work: a reading took
0.7 s at the fastest, mostly 5 to 30 s, so these figures say little of quiet cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import cast

from pydantic import JsonValue

from shopfloor.local_models.choosing import inventory_settings
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.settings import Settings
from shopfloor.tools.inventory.answering import NEEDS_PRODUCT
from shopfloor.tools.inventory.intents import AVAILABILITY, Scene, product_intent
from shopfloor.tools.inventory.lexicon import FRAME, NUMBER_WORDS
from shopfloor.tools.inventory.locate import locate
from shopfloor.tools.inventory.parse import Parsed, PlaceRef, ProductRef
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import nearest_word, plain, stem, stems, tokenise
from shopfloor.tools.places import Gazetteer
from shopfloor.tools.product_matcher import ProductEntry, ProductMatcher

MEASURED_TO_HELP = False  # not for the embedded 135M model; switch on only after measuring another one
MAX_CANDIDATES = 8
MAX_SIZES = 12
MAX_PLACES = 16
MAX_QUANTITY = 999
MAX_QUESTION = 400  # characters of the question that the model sees
MAX_TOKENS = 64  # a filled form takes 30 to 45


@dataclass(frozen=True, slots=True)
class Evidence:
    """A candidate, what the form calls it, and the question's words that speak for it; ``named``: one is of its name."""

    label: str
    product: ProductEntry
    words: frozenset[str]
    named: bool


@dataclass(frozen=True, slots=True)
class Form:
    """What the model may choose from for one question."""

    question: str
    candidates: tuple[Evidence, ...]
    sizes: tuple[str, ...]
    places: tuple[str, ...]

    def schema(self) -> dict[str, JsonValue]:
        """The JSON schema of the answer; every text in it is a value of the catalogue."""
        quantity: JsonValue = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY}, {"type": "null"}]}
        properties: dict[str, JsonValue] = {
            "product": {"enum": [*(found.label for found in self.candidates), None]},
            "size": {"enum": [*self.sizes, None]},
            "place": {"enum": [*self.places, None]},
            "quantity": quantity,
        }
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def messages(self) -> list[Message]:
        """The chat that asks for it."""
        rules = (resources.files("shopfloor.tools.inventory") / "prompts" / "slots.md").read_text(encoding="utf-8")
        listed = "\n".join(f"- {found.label}" for found in self.candidates)
        asked = f"Products:\n{listed}\n\nQuestion: {self.question[:MAX_QUESTION]}"
        return [Message("system", rules.strip()), Message("user", asked)]

    def supported(self) -> tuple[Evidence, ...]:
        """The candidates that may be accepted: the question has a word of the name, and one that not all of them have.

        One whose words another candidate has too, with more, may not.
        """
        if not self.candidates:
            return ()
        everywhere = [word for word in self.candidates[0].words if all(word in one.words for one in self.candidates)]
        common = frozenset(everywhere if len(self.candidates) > 1 else ())
        return tuple(
            found
            for found in self.candidates
            if found.named and found.words - common and not any(found.words < other.words for other in self.candidates)
        )


@dataclass(frozen=True, slots=True)
class Slots:
    """A checked reading. ``product`` is a candidate; the others are None unless the question says them."""

    product: ProductEntry
    size: str | None = None
    place: str | None = None
    quantity: int | None = None


def wanted(settings: Settings) -> bool:
    """Whether the model may be asked at all: by ``auto`` where it was measured to help, or is there for this alone."""
    if settings.model_reading == "auto":
        return MEASURED_TO_HELP or inventory_settings(settings) is not None
    return settings.model_reading == "on"


def make_form(parsed: Parsed, names: ShopNames) -> Form | None:
    """The form for a question whose product the rules did not settle; None where no answer could be accepted.

    Pure and CPU-bound: some milliseconds in a large catalogue.
    """
    if not _unsure(parsed):
        return None
    words = _content_words(parsed)
    candidates = _candidates(parsed, words, names.matcher)
    labels = [product.name for product in candidates]
    found = tuple(
        Evidence(
            product.name if labels.count(product.name) == 1 else f"{product.name} ({product.sku})",
            product,
            _shared(words, product, names.matcher),
            bool(_shared(words, ProductEntry(product.sku, product.name), names.matcher)),
        )
        for product in candidates
    )
    sizes = tuple(dict.fromkeys(size for product in candidates for size in product.sizes))[:MAX_SIZES]
    places = tuple(dict.fromkeys(store.label for store in names.stores.values()))[:MAX_PLACES]
    form = Form(parsed.mentions.text, found, sizes, places)
    return form if form.supported() else None


async def read_slots(form: Form, runtime: Runtime, timeout_s: float) -> Slots | None:
    """Ask the model, and check what it says.

    Raises:
        ModelError: the model failed, took too long, or was cut off.
    """
    options = GenerateOptions(max_tokens=MAX_TOKENS, timeout_s=timeout_s)
    return check_slots(form, await runtime.generate_json(form.messages(), form.schema(), options))


def check_slots(form: Form, value: JsonValue) -> Slots | None:
    """The reading, or None when its product is not backed by the question. Other slots it has no ground for are left out."""
    if not isinstance(value, dict):
        return None
    chosen = next((found for found in form.supported() if found.label == value.get("product")), None)
    if chosen is None:
        return None
    size, place, quantity = value.get("size"), value.get("place"), value.get("quantity")
    said = f" {plain(form.question)} "
    has_size = isinstance(size, str) and size in chosen.product.sizes and f" {plain(size)} " in said
    has_place = isinstance(place, str) and place in form.places and _names_place(form.question, place)
    has_quantity = isinstance(quantity, int) and quantity in _numbers(form.question)
    return Slots(
        chosen.product,
        cast(str, size) if has_size else None,
        cast(str, place) if has_place else None,
        cast(int, quantity) if has_quantity else None,
    )


def with_slots(
    parsed: Parsed, slots: Slots, names: ShopNames, gazetteer: Gazetteer, here: PlaceRef | None = None
) -> Parsed:
    """The question with the model's slots; what the rules had found stays."""
    places = parsed.places
    if not places and slots.place is not None:
        place = locate(slots.place, names, gazetteer)
        places = (place,) if place.kind == "here" else ()
    intent = parsed.intent or product_intent(parsed.mentions, Scene(1, False, len(places), False, here is not None))
    text = parsed.products[0].text if parsed.products else slots.product.name
    return replace(
        parsed,
        intent=intent,
        products=(ProductRef(text, slots.product.sku),),
        places=places,
        size=parsed.size or slots.size,
        amount=slots.quantity if parsed.amount is None else parsed.amount,
    )


def _unsure(parsed: Parsed) -> bool:
    """Whether it is a stock question about one product that the rules could not settle. A wrong code is not unsure."""
    if parsed.group or len(parsed.products) > 1 or any(mention.exact for mention in parsed.mentions.products):
        return False
    if parsed.products:
        return parsed.products[0].sku is None
    return parsed.intent in NEEDS_PRODUCT or (
        not parsed.intent and AVAILABILITY.search(parsed.mentions.masked) is not None
    )


def _content_words(parsed: Parsed) -> list[str]:
    """The question's words that may describe a product: no function words, no places."""
    inside = {position for place in parsed.mentions.places for position in range(place.start, place.end)}
    tokens = enumerate(tokenise(parsed.mentions.text))
    words = (token.stem for position, token in tokens if position not in inside)
    return list(dict.fromkeys(word for word in words if len(word) > 1 and word not in FRAME))


def _candidates(parsed: Parsed, words: Sequence[str], matcher: ProductMatcher) -> list[ProductEntry]:
    """The products nearest to the question, best first."""
    ref = parsed.products[0] if parsed.products else ProductRef("", None)
    skus = [*(ref.options or ref.nearest)]
    if not ref.options:
        match = matcher.match(words)
        skus += [*match.skus, *matcher.nearest(ref.text or " ".join(words))]
    known = [matcher.by_sku[sku] for sku in dict.fromkeys(skus) if sku in matcher.by_sku]
    known.sort(key=lambda product: -len(_shared(words, product, matcher)))
    return known[:MAX_CANDIDATES]


def _shared(words: Sequence[str], product: ProductEntry, matcher: ProductMatcher) -> frozenset[str]:
    """Those of ``words`` that the product has: as they stand, as a synonym, or misspelt."""
    text = (product.name, product.category, product.colour, product.gender, product.brand, product.extra)
    names = frozenset(stems(" ".join(text)))
    has = names | frozenset(stems(product.description))
    return frozenset(
        word for word in words if word in has or matcher.resolve_word(word) in names or nearest_word(word, names)
    )


def _names_place(question: str, place: str) -> bool:
    """Whether the question has a word of the place's name, perhaps misspelt."""
    words = stems(place)
    return any(token.stem in words or nearest_word(token.stem, words) for token in tokenise(question))


def _numbers(question: str) -> set[int]:
    """The numbers a question says, in digits or words."""
    found = {int(word) for word in plain(question).split() if word.isascii() and word.isdigit()}
    return found | {NUMBER_WORDS[stem(word)] for word in plain(question).split() if stem(word) in NUMBER_WORDS}
