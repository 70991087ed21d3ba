"""Answers about products themselves: what the shop's data say, and plainly when they do not say it."""

import re
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from shopfloor.tools.inventory.fact_cues import (
    BRAND,
    CATEGORY,
    COLOUR,
    GENDER,
    POPULAR,
    PRICE,
    RATING,
    SIZES,
    Aspect,
    asks_for_more,
    aspects_of,
    plain_question,
)
from shopfloor.tools.inventory.outcome import Outcome, Shop, joined, verb
from shopfloor.tools.inventory.parse import Parsed
from shopfloor.tools.inventory.sheet import Fact, Sheet, attributes_with, like, read_sheet, root
from shopfloor.tools.matching import COLOURS, stem, stems
from shopfloor.tools.phrases import money

ANY = frozenset({"all", "any", "every"})
LONG_DESCRIPTION = 320
CHILDREN = frozenset(root(word) for word in ("children", "kid", "child", "girl", "boy", "baby", "toddler"))
PEOPLE = CHILDREN | {root(word) for word in ("women", "men", "lady", "ladie", "adult", "unisex")}
# What bears on a wish without being the same; such a fact is stated, never turned into a yes.
RELATED = {
    "rain": "waterproof rainproof showerproof water",
    "rainy": "waterproof rainproof showerproof water",
    "wet": "waterproof rainproof showerproof water",
    "snow": "winter waterproof",
    "cold": "warm winter thermal insulated",
    "hot": "summer light",
    "weatherproof": "waterproof windproof",
    "waterproof": "showerproof rainproof water",
}


class FactAnswers:
    """Answers one question about one product. ``words`` are what the question asks of it beyond a named fact."""

    def __init__(self, shop: Shop, parsed: Parsed, sku: str) -> None:
        sheet = read_sheet(shop.connection, sku)
        assert sheet is not None, "callers resolve the SKU first"
        self._shop = shop
        self._parsed = parsed
        self.sheet = sheet
        self.said = plain_question(parsed.mentions.text)
        self.words = parsed.fact_words
        self.found: dict[str, JsonValue] = {}

    def outcome(self) -> Outcome:
        """The answer, with the facts it states."""
        text = self._text()
        known = text is not None
        if text is None:
            text = self._not_said()
        structured: dict[str, JsonValue] = {"known": known, "facts": self.found}
        slots: dict[str, JsonValue] = {"sku": self.sheet.sku}
        return Outcome("answered", "product_facts", slots, structured, text, sku=self.sheet.sku)

    def _text(self) -> str | None:
        aspects = aspects_of(self.said)
        colour = self._colour()
        if colour is not None:
            return colour
        texts = [text for aspect in aspects if (text := self._aspect(aspect)) is not None]
        if texts:
            return " ".join(dict.fromkeys(texts))
        if self.words and not aspects:
            checked = self._check()
            if checked is not None:
                return checked
        if asks_for_more(self.said) or (not aspects and not self.words):
            return self.describe()
        return self._by_key() if self.words else None

    # Named facts

    def _aspect(self, aspect: Aspect) -> str | None:
        columns: dict[str, Callable[[], str | None]] = {
            PRICE.name: self._price, RATING.name: self._rating, COLOUR.name: self._colours, SIZES.name: self._sizes,
            BRAND.name: self._brand, CATEGORY.name: self._category, POPULAR.name: self._popular, GENDER.name: self._gender,
        }  # fmt: skip
        if aspect.name in columns:
            return columns[aspect.name]()
        facts = facts_for(self.sheet, aspect)
        if not facts:
            return self._quote(aspect.keys)
        return " ".join(self._state(fact) for fact in facts)

    def _state(self, fact: Fact) -> str:
        self.found[fact.key] = list(fact.values)
        return f"The {fact.label} of the {self.sheet.name} is {fact.said}."

    def _price(self) -> str | None:
        sheet = self.sheet
        if sheet.low is None or sheet.high is None:
            return f"The shop's data give no price for the {sheet.name}."
        sized = dict(sheet.sized_prices).get(self._parsed.size or "")
        low, high = (sized, sized) if sized is not None else (sheet.low, sheet.high)
        self.found["price"] = low
        self.found["price_text"] = money(low, sheet.currency)
        size = f" in size {self._parsed.size}" if sized is not None else ""
        cost = verb(sheet.name, "costs", "cost")
        if high > low:
            self.found["highest_price"] = high
            self.found["highest_price_text"] = money(high, sheet.currency)
            text = f"The {sheet.name} {cost} {money(low, sheet.currency)} to {money(high, sheet.currency)}, depending on the version."
        else:
            text = f"The {sheet.name}{size} {cost} {money(low, sheet.currency)}."
        if (
            set(self.said.split()) & {"online", "store", "stores", "shop", "shops", "website", "everywhere"}
            or self._parsed.places
        ):
            online = any(store.online for store in self._shop.names.stores.values())
            text += f" The price is the same in every store{' and online' if online else ''}."
        if set(stems(self.said)) & {"discount", "discounted", "reduced", "offer", "sale"}:
            text += " The shop's data do not mention an offer."
        return text

    def _rating(self) -> str | None:
        sheet = self.sheet
        if sheet.rating is None or not sheet.rating_count:
            return f"Nobody has rated the {sheet.name} yet."
        self.found["rating"], self.found["rating_count"] = round(sheet.rating, 1), sheet.rating_count
        times = "1 rating" if sheet.rating_count == 1 else f"{sheet.rating_count} ratings"
        return f"The {sheet.name} {verb(sheet.name, 'has', 'have')} {sheet.rating:.1f} on average from {times}."

    def _popular(self) -> str | None:
        self.found["units_sold"] = self.sheet.units_sold
        return f"{self.sheet.units_sold} of the {self.sheet.name} have been sold so far."

    def _colours(self) -> str | None:
        if not self.sheet.colours:
            return self._quote(["colour"])
        self.found["colours"] = list(self.sheet.colours)
        return f"The {self.sheet.name} {verb(self.sheet.name, 'comes', 'come')} in {joined(self.sheet.colours, 12)}."

    def _sizes(self) -> str | None:
        if not self.sheet.sizes:
            return None
        self.found["sizes"] = list(self.sheet.sizes)
        what = "size" if len(self.sheet.sizes) == 1 else "sizes"
        return (
            f"The {self.sheet.name} {verb(self.sheet.name, 'comes', 'come')} in {what} {joined(self.sheet.sizes, 20)}."
        )

    def _brand(self) -> str | None:
        if not self.sheet.brand:
            return None
        self.found["brand"] = self.sheet.brand
        return f"The {self.sheet.name} {verb(self.sheet.name, 'is', 'are')} by {self.sheet.brand}."

    def _category(self) -> str | None:
        if not self.sheet.category:
            return None
        self.found["category"] = self.sheet.category
        return f"The {self.sheet.name} {verb(self.sheet.name, 'is', 'are')} in our category {self.sheet.category}."

    def _gender(self) -> str | None:
        if not self.sheet.gender:
            return None
        self.found["gender"] = self.sheet.gender
        return f"The shop lists the {self.sheet.name} for {self.sheet.gender.replace('|', ' and ')}."

    # Yes or no

    def _colour(self) -> str | None:
        """Whether it comes in a colour that is named."""
        asked = [word for word in self.words if word in COLOURS]
        if not asked or len(asked) != len(self.words):
            return None
        if not self.sheet.colours:
            return None
        fitting = [colour for colour in self.sheet.colours if set(asked) <= set(stems(colour))]
        self.found["colours"] = list(self.sheet.colours)
        name, come = self.sheet.name, verb(self.sheet.name, "comes", "come")
        if fitting:
            return f"Yes, the {name} {come} in {joined(fitting, 12)}."
        return f"No, the {name} {come} in {joined(self.sheet.colours, 12)} only."

    def _check(self) -> str | None:
        """Look the asked words up in attributes, then in the description, then in how the shop uses them elsewhere."""
        whole = self._check_phrase() if len(self.words) > 1 else None
        if whole is not None:
            return whole
        parts = [self._check_word(word) for word in self.words]
        if all(parts):
            said = " ".join(dict.fromkeys(part for part in parts if part))
            again = f". Yes. The shop's data for the {self.sheet.name} say: "
            return said.replace(again, "; ")
        quoted = self._quote(self.words)
        if quoted is not None:
            return quoted
        some = [part for part in parts if part]
        # Of several words only those that name a fact are missed when the data lack them.
        return " ".join(dict.fromkeys(some)) if some and len(some) * 2 >= len(parts) else None

    def _check_phrase(self) -> str | None:
        """All the words in one fact ("water-resistant"), or in one that has another value for this product."""
        said = " ".join(self.words)
        for fact in self.sheet.all_facts():
            if all(like(word) & fact.words() for word in self.words):
                return self._yes(fact, said)
        return self._other_value(said)

    def _check_word(self, word: str) -> str | None:
        name, meant = self.sheet.name, like(word)
        for fact in self.sheet.all_facts():
            if meant & fact.words():
                return self._yes(fact, word)
            if meant & fact.key_words() and set(fact.values) <= {"yes", "no", "true", "false"}:
                self.found[fact.key] = list(fact.values)
                return f"{'Yes' if fact.values[0] in ('yes', 'true') else 'No'}, the {name}: {fact.label} {fact.said}."
        own = self._for_whom(meant) or self._quote([word])
        if own is not None:
            return own
        near = {root(other) for other in RELATED.get(word, "").split()}
        for fact in self.sheet.facts:
            if near & fact.words():
                return self._state(fact)
        for fact in self.sheet.all_facts():
            if (
                any(part.startswith(root(word)) or root(word) == part for part in fact.key_words())
                and len(root(word)) >= 4
            ):
                return self._state(fact)
        return self._other_value(word)

    def _yes(self, fact: Fact, word: str) -> str:
        self.found[fact.key] = list(fact.values)
        name = self.sheet.name
        if fact.key == "gender":
            return f"Yes, the shop lists the {name} for {fact.said}."
        aside = re.search(rf"\b(for|in|on|at|with) (the )?{re.escape(word)}", self.said) is not None
        if (
            self.said.startswith(("is ", "are "))
            and not aside
            and len(fact.values) == 1
            and like(word) & {root(fact.values[0].casefold())}
        ):
            return f"Yes, the {name} {verb(name, 'is', 'are')} {fact.values[0]}."
        return f"Yes. The shop's data for the {name} say: {fact.label}: {fact.said}."

    def _for_whom(self, meant: set[str]) -> str | None:
        """For women, men or children, where the product is listed for others."""
        gender = self.sheet.gender
        if not gender or not meant & PEOPLE:
            return None
        self.found["gender"] = gender
        if root(stem(gender.casefold())) == "unisex" and not meant & CHILDREN:
            return f"Yes, the shop lists the {self.sheet.name} as {gender}."
        return f"The shop lists the {self.sheet.name} for {gender.replace('|', ' and ')}."

    def _other_value(self, word: str) -> str | None:
        """A word that the shop uses of other products, where this one has another value."""
        keys = set[str].intersection(*(attributes_with(self._shop.connection, part) for part in word.split()))
        for fact in self.sheet.facts:
            if fact.key not in keys:
                continue
            self.found[fact.key] = list(fact.values)
            if ANY & {part for value in fact.values for part in stems(value)}:
                return f"Yes. The shop's data for the {self.sheet.name} say: {fact.label}: {fact.said}."
            return f"The shop's data give {fact.said} as the {fact.label} of the {self.sheet.name}, not {word}."
        return None

    def _by_key(self) -> str | None:
        for word in self.words:
            for fact in self.sheet.all_facts():
                if root(word) in fact.key_words():
                    return self._state(fact)
        return self._quote(self.words)

    def _quote(self, words: Sequence[str]) -> str | None:
        """The sentences of the description that use all the words, or any of them when there are no such."""
        if not words or not self.sheet.description:
            return None
        found = self.sheet.sentences(root(word) for word in words)
        if not found:
            found = [sentence for word in words for sentence in self.sheet.sentences([root(word)])]
        if not found:
            return None
        self.found["description"] = found[0]
        return f"The description of the {self.sheet.name} says: “{found[0]}”"

    # In general

    def describe(self) -> str:
        """Name, price, description and what it comes in."""
        sheet = self.sheet
        parts: list[str] = []
        price = self._price()
        if price is not None:
            parts.append(price)
        if sheet.description:
            parts.append(shortened(sheet.description))
            self.found["description"] = sheet.description
        if len(sheet.colours) > 1:
            parts.append(f"It comes in {joined(sheet.colours, 12)}.")
            self.found["colours"] = list(sheet.colours)
        if sheet.sizes:
            parts.append(f"{'Size' if len(sheet.sizes) == 1 else 'Sizes'}: {joined(sheet.sizes, 20)}.")
            self.found["sizes"] = list(sheet.sizes)
        listed = [
            fact for fact in sheet.facts if len(fact.values) <= 4 and all(len(value) <= 40 for value in fact.values)
        ][:6]
        if listed:
            said = "; ".join(f"{fact.label}: {fact.said}" for fact in listed)
            self.found.update({fact.key: list(fact.values) for fact in listed})
            parts.append(f"{said[0].upper()}{said[1:]}.")
        if sheet.rating is not None and sheet.rating_count:
            rated = self._rating()
            parts.append(rated or "")
        return " ".join(part for part in parts if part)

    def _not_said(self) -> str:
        """Say that the data do not say it, and offer what they do say."""
        aspects = aspects_of(self.said)
        name = self.sheet.name
        if aspects:
            what = f"the {aspects[0].name} of the {name}"
        elif self.words:
            what = f"about “{' '.join(self.words)}” for the {name}"
        else:
            what = f"that about the {name}"
        text = f"The shop's data don't say {'anything ' if not aspects and self.words else ''}{what}."
        known = [fact for fact in self.sheet.facts if all(len(value) <= 40 for value in fact.values)][:3]
        if known:
            self.found.update({fact.key: list(fact.values) for fact in known})
            text += f" They do say: {joined(f'{fact.label}: {fact.said}' for fact in known)}."
        return text


def facts_for(sheet: Sheet, aspect: Aspect) -> list[Fact]:
    """The attributes that hold an aspect, those named by the first of its words first."""
    for key in aspect.keys:
        found = [fact for fact in sheet.facts if root(key) in fact.key_words()]
        if found:
            return found
    return []


def shortened(text: str) -> str:
    """A description, cut after a sentence where it is long."""
    text = text.strip()
    if len(text) <= LONG_DESCRIPTION:
        return text if text.endswith((".", "!", "?")) else f"{text}."
    cut = text[:LONG_DESCRIPTION]
    end = cut.rfind(". ")
    return cut[: end + 1] if end > 80 else f"{cut[: cut.rfind(' ')]}…"
