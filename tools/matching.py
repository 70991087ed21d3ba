"""Matching what a person wrote against a shop's own words: any trade, any spelling.

Words are compared in a plain form (lower case, no accents, no possessive, singular). A description is resolved by
the products that carry all of its words in their name, category, colour, gender, brand, sizes or attributes; misspelt
words are first mapped to the nearest word that the shop uses. Nothing here knows a particular catalogue.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import log
from typing import Literal

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

_WORD = re.compile(r"[^\W_]+(?:['’`][^\W_]+)*", re.UNICODE)
_PLAIN = re.compile(r"[^\W_]+")
_PLAIN_ASCII = re.compile(r"[a-z0-9]+")
_POSSESSIVE = re.compile(r"['’`]s?$")


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists them."""
    return frozenset(text.split())


IRREGULAR = {
    "woman": "women",
    "man": "men",
    "child": "children",
    "scarves": "scarf",
    "knives": "knife",
    "shelves": "shelf",
    "loaves": "loaf",
    "leaves": "leaf",
    "halves": "half",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
    "gray": "grey",
    "colored": "coloured",
    "color": "colour",
    "jewelry": "jewellery",
    "pajama": "pyjama",
    "pajamas": "pyjama",
    "pyjamas": "pyjama",
}

COLOURS = word_set(
    "black white red blue green yellow orange purple pink brown grey beige navy turquoise gold silver cream khaki violet"
    " teal burgundy maroon charcoal olive lilac indigo ivory tan coral mint lavender"
)

# Used only where the shop itself does not use the word.
SYNONYMS: tuple[frozenset[str], ...] = tuple(
    word_set(group)
    for group in (
        "women ladie lady female womenswear",
        "men gent gentlemen male menswear",
        "girl daughter",
        "boy son",
        "children kid",
        "trouser pant",
        "sweater jumper pullover",
        "trainer sneaker",
        "tee tshirt",
        "hoody sweatshirt",
        "pyjama pj nightwear",
        "sofa couch settee",
        "torch flashlight",
        "rucksack backpack",
        "cup mug",
        "beany bobble",
        "phone smartphone mobile",
        "tv television",
        "laptop notebook",
        "fridge refrigerator",
    )
)


def strip_accents(text: str) -> str:
    """Letters without their accents: ``São`` to ``Sao``."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).replace("ß", "ss").replace("ø", "o")


def plain(text: str) -> str:
    """Lower case, no accents, words separated by one space, no punctuation."""
    if text.isascii():
        return " ".join(_PLAIN_ASCII.findall(text.lower()))
    return " ".join(_PLAIN.findall(strip_accents(text).casefold()))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The plain singular form of one word: ``Women's`` to ``women``, ``dresses`` to ``dress``."""
    text = _POSSESSIVE.sub("", strip_accents(word).casefold())
    text = re.sub(r"['’`]", "", text)
    if text in IRREGULAR:
        return IRREGULAR[text]
    if not text.isalpha() or len(text) < 4:
        return text
    if text.endswith("ies") and len(text) > 4:
        singular = text[:-3] + "y"
    elif text.endswith(("sses", "ches", "shes", "xes", "zzes")):
        singular = text[:-2]
    elif text.endswith("s") and not text.endswith(("ss", "us", "is")):
        singular = text[:-1]
    else:
        singular = text
    if singular.endswith("ie") and len(singular) > 4:
        singular = singular[:-2] + "y"
    return IRREGULAR.get(singular, singular)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a text: where it stands and its plain singular form."""

    surface: str
    start: int
    end: int
    stem: str


def tokenise(text: str) -> list[Token]:
    """The words of a text, in order."""
    return [Token(found.group(), found.start(), found.end(), stem(found.group())) for found in _WORD.finditer(text)]


def stems(text: str) -> list[str]:
    """The plain singular words of a text."""
    return [stem(word) for word in _WORD.findall(text)]


def nearest_word(word: str, words: Iterable[str]) -> str | None:
    """The one of ``words`` that ``word`` is most likely a misspelling of, or None.

    Up to five letters one slip is forgiven and the first letter must be right; longer words may have two.
    """
    if len(word) < 4 or not word.isalpha():
        return None
    slips = 1 if len(word) <= 6 else 2
    hits = process.extract(word, words, scorer=fuzz.ratio, score_cutoff=66, limit=12)
    fitting = [
        (OSA.distance(word, other), -ratio, other)
        for other, ratio, _ in hits
        if len(other) >= 4 and (word[0] == other[0] or word[:2] == other[1::-1])
    ]
    fitting = [candidate for candidate in fitting if candidate[0] <= slips]
    return min(fitting)[2] if fitting else None


def code_shape(code: str) -> str:
    """Letters to A, digits to 9: ``CO-015`` to ``AA-999``."""
    return "".join("9" if char.isdigit() else "A" if char.isalpha() else char for char in code)


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """What matching needs of a product."""

    sku: str
    name: str
    category: str = ""
    colour: str = ""
    gender: str = ""
    brand: str = ""
    extra: str = ""  # attribute and option values, variant ids left out
    sizes: tuple[str, ...] = ()
    description: str = ""
    item_ids: tuple[str, ...] = ()


LARGE = 5_000  # products; beyond it spelling is compared with a part of the catalogue only


@dataclass(frozen=True, slots=True)
class ProductMatch:
    """What a description means.

    ``one``: ``skus`` holds the product. ``many``: several fit equally. ``none``: ``skus`` holds the nearest.
    ``unmatched`` are the words no candidate carries; ``corrected`` maps misspelt words to the shop's.
    """

    kind: Literal["one", "many", "none"]
    skus: tuple[str, ...]
    unmatched: tuple[str, ...] = ()
    corrected: dict[str, str] = field(default_factory=dict[str, str])
    score: float = 0.0


class ProductMatcher:
    """An index of a shop's products for matching descriptions. Built once a catalogue revision; read-only."""

    def __init__(self, products: Sequence[ProductEntry]) -> None:
        self.products = list(products)
        self.by_sku: dict[str, ProductEntry] = {}
        self._name_stems: list[frozenset[str]] = []
        self._postings: dict[str, set[int]] = {}  # name, category, colour, gender, brand, attributes
        self._loose: dict[str, set[int]] = {}  # description
        self._by_phrase: dict[tuple[str, ...], list[int]] = {}
        self._first: dict[str, int] = {}  # first word of a name -> most words in such a name
        self._ids: dict[str, str] = {}  # SKU or item id in lower case -> SKU
        for number, product in enumerate(self.products):
            self._add(number, product)
        self.shapes = frozenset(code_shape(sku) for sku in self.by_sku)
        self._common = max(1, len(self.products))
        self.categories = Counter(product.category for product in self.products if product.category)

    def _add(self, number: int, product: ProductEntry) -> None:
        name = stems(product.name)
        self.by_sku[product.sku] = product
        self._name_stems.append(frozenset(name))
        self._ids[product.sku.casefold()] = product.sku
        for item_id in product.item_ids:
            self._ids.setdefault(item_id.casefold(), product.sku)
        if name:
            self._by_phrase.setdefault(tuple(name), []).append(number)
            self._first[name[0]] = max(self._first.get(name[0], 0), len(name))
        facets = f"{product.category} {product.colour} {product.gender} {product.brand} {product.extra}"
        for word in {*name, *stems(facets)}:
            self._postings.setdefault(word, set()).add(number)
        for word in set(stems(product.description)):
            self._loose.setdefault(word, set()).add(number)

    def knows(self, word: str) -> bool:
        """Whether the catalogue uses this (plain singular) word outside descriptions."""
        return word in self._postings

    def sku_of(self, text: str) -> str | None:
        """The SKU spelled by ``text`` in any case, or that of the variant with this item id."""
        return self._ids.get(text.strip().casefold())

    def vocabulary(self) -> Iterable[str]:
        """Every plain word of names and facets."""
        return self._postings.keys()

    def resolve_word(self, word: str) -> str | None:
        """The shop's own word for ``word``: itself, a synonym, or what it misspells."""
        if word in self._postings:
            return word
        for group in SYNONYMS:
            if word in group:
                known = sorted(other for other in group if other in self._postings)
                if known:
                    return max(known, key=lambda other: len(self._postings[other]))
        return nearest_word(word, self._postings.keys())

    def phrase_at(self, words: Sequence[str], start: int) -> tuple[int, list[str]]:
        """The longest product name that stands word for word at ``start``: its length and its SKUs, or (0, [])."""
        longest = min(self._first.get(words[start], 0), len(words) - start)
        for length in range(longest, 0, -1):
            numbers = self._by_phrase.get(tuple(words[start : start + length]))
            if numbers:
                return length, [self.products[number].sku for number in numbers]
        return 0, []

    def match(self, words: Sequence[str], numbers: Sequence[str] = ()) -> ProductMatch:
        """Resolve the content words of a description.

        Args:
            words: plain singular words, function words left out.
            numbers: numbers that stand among them; they only choose between products that fit equally.
        """
        resolved: list[str] = []
        unknown: list[str] = []
        corrected: dict[str, str] = {}
        for word in dict.fromkeys(words):
            known = self.resolve_word(word)
            if known is None and word in self._loose:
                known = word
            if known is None:
                unknown.append(word)
                continue
            if known != word:
                corrected[word] = known
            resolved.append(known)
        if not resolved:
            return ProductMatch("none", (), tuple(unknown))
        full = self._with_all(resolved)
        if full and not unknown:
            return self._choose(full, resolved, numbers, corrected)
        return self._partial(resolved, unknown, numbers, corrected)

    def _posting(self, word: str) -> set[int]:
        return self._postings.get(word) or self._loose.get(word, set())

    def _with_all(self, words: Sequence[str]) -> set[int]:
        sets = sorted((self._posting(word) for word in words), key=len)
        found = set(sets[0])
        for other in sets[1:]:
            found &= other
        return found

    def _choose(
        self, candidates: set[int], words: Sequence[str], numbers: Sequence[str], corrected: dict[str, str]
    ) -> ProductMatch:
        """One of the products that carry every word, or all of them when nothing tells them apart."""
        asked = frozenset(words)
        pool = sorted(candidates)
        names = self._name_stems
        preferences: list[Callable[[int], bool]] = [
            lambda number: names[number] == asked,
            lambda number: bool(numbers) and set(numbers) <= names[number],
            lambda number: names[number] <= asked,
            lambda number: asked <= names[number],
        ]
        for keep in preferences:
            kept = [number for number in pool if keep(number)]
            if len(kept) == 1:
                return ProductMatch("one", (self.products[kept[0]].sku,), (), corrected, 1.0)
            pool = kept or pool
        skus = tuple(self.products[number].sku for number in pool)
        if len(skus) == 1:
            return ProductMatch("one", skus, (), corrected, 1.0)
        return ProductMatch("many", skus, (), corrected, 1.0)

    def weight(self, word: str) -> float:
        """How much a word tells: rare words more, words the shop does not use most."""
        return log(1 + (self._common + 1) / (1 + len(self._postings.get(word, ()))))

    def _partial(
        self, words: Sequence[str], unknown: Sequence[str], numbers: Sequence[str], corrected: dict[str, str]
    ) -> ProductMatch:
        """No product carries every word: accept one whose name is all there, else report the nearest."""
        scores: Counter[int] = Counter()
        for word in words:
            for number in self._posting(word):
                scores[number] += self.weight(word)  # type: ignore[assignment]
        asked = frozenset(words)
        total = sum(self.weight(word) for word in (*words, *unknown)) or 1.0
        ranked = sorted(scores, key=lambda number: (-scores[number], len(self._name_stems[number]), number))
        named = [
            number
            for number in ranked[:50]
            if len(self._name_stems[number]) >= 2 and self._name_stems[number] - set(numbers) <= asked
        ]
        if named:
            longest = max(len(self._name_stems[number]) for number in named)
            named = [number for number in named if len(self._name_stems[number]) == longest]
        if len(named) == 1:
            score = scores[named[0]] / total
            return ProductMatch("one", (self.products[named[0]].sku,), tuple(unknown), corrected, score)
        close = self._close_long_name(ranked, scores, total)
        if close is not None:
            sku = self.products[close].sku
            return ProductMatch("one", (sku,), tuple(unknown), corrected, scores[close] / total)
        missing = tuple(unknown) or tuple(word for word in words if not ranked or ranked[0] not in self._posting(word))
        nearest = tuple(self.products[number].sku for number in ranked[:5])
        return ProductMatch("none", nearest, missing, corrected, (scores[ranked[0]] / total) if ranked else 0.0)

    def _close_long_name(self, ranked: Sequence[int], scores: Counter[int], total: float) -> int | None:
        """A product whose long name was given with a word or two wrong, clearly ahead of the next."""
        if not ranked:
            return None
        best = ranked[0]
        name_weight = sum(self.weight(word) for word in self._name_stems[best]) or 1.0
        ahead = len(ranked) == 1 or scores[best] > 1.2 * scores[ranked[1]]
        long_enough = len(self._name_stems[best]) >= 4
        if long_enough and ahead and scores[best] / total >= 0.75 and scores[best] / name_weight >= 0.6:
            return best
        return None

    def nearest(self, text: str, limit: int = 5) -> list[str]:
        """SKUs whose code or name is spelled most like ``text``, best first.

        In a large catalogue only codes that begin alike and names that share a word are looked at.
        """
        key = plain(text)
        if not key:
            return []
        code, codes = text.casefold(), self._ids.keys()
        numbers: Iterable[int] = range(len(self.products))
        if len(self.products) > LARGE:
            codes = [other for other in codes if other[:2] == code[:2]] if any(char.isdigit() for char in code) else []
            words = sorted(filter(None, map(self.resolve_word, stems(text))), key=lambda word: len(self._posting(word)))
            numbers = sorted({number for word in words[:2] for number in self._posting(word)})[:LARGE]
        by_code = process.extract(code, codes, scorer=fuzz.ratio, limit=limit, score_cutoff=60)
        names = {number: plain(self.products[number].name) for number in numbers}
        by_name = process.extract(key, names, scorer=fuzz.token_set_ratio, limit=limit, score_cutoff=55)
        found = [(score, self._ids[near]) for near, score, _ in by_code]
        found += [(score, self.products[number].sku) for _, score, number in by_name]
        found.sort(key=lambda hit: -hit[0])
        return list(dict.fromkeys(sku for _, sku in found))[:limit]
