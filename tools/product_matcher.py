"""Which product of a shop a description means, in a catalogue of any size.

A description is resolved by the products that carry all of its words in their name, category, colour, gender, brand,
sizes or attributes; misspelt words are first mapped to the nearest word that the shop uses.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import combinations, islice, pairwise
from math import log
from typing import Literal

from rapidfuzz import fuzz, process

from shopfloor.tools.matching import SYNONYMS, code_shape, plain, stems
from shopfloor.tools.spellings import Spellings

_RANKED = 50  # candidates looked at where no product carries every word
_MOST_SUBSETS = 8  # words; of more the names are compared one by one
_CODES_ENOUGH = 20
_NAMES_COMPARED = 1_500


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
        self._by_name: dict[frozenset[str], list[int]] = {}
        self._postings: dict[str, set[int]] = {}  # name, category, colour, gender, brand, attributes
        self._loose: dict[str, set[int]] = {}  # description
        self._by_phrase: dict[tuple[str, ...], list[int]] = {}
        self._joined: dict[str, tuple[str, str]] = {}  # two neighbours of a name written as one word
        self._first: dict[str, int] = {}  # first word of a name -> most words in such a name
        self._ids: dict[str, str] = {}  # SKU or item id in lower case -> SKU
        for number, product in enumerate(self.products):
            self._add(number, product)
        self.shapes = frozenset(code_shape(sku) for sku in self.by_sku)
        self._common = max(1, len(self.products))
        self._spellings = Spellings(self._postings)
        self._join_names()
        self._codes = sorted(self._ids)
        self.categories = Counter(product.category for product in self.products if product.category)

    def _add(self, number: int, product: ProductEntry) -> None:
        name = stems(product.name)
        self.by_sku[product.sku] = product
        words = frozenset(name)
        self._name_stems.append(words)
        self._by_name.setdefault(words, []).append(number)
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

    def _join_names(self) -> None:
        """Know two words of a name that stand side by side as one too: "tshirt", "raincoat"."""
        for number, product in enumerate(self.products):
            name = stems(product.name)
            for first, second in pairwise(name):
                joined = first + second
                if joined.isalpha() and (joined in self._joined or joined not in self._postings):
                    self._joined[joined] = (first, second)
                    self._postings.setdefault(joined, set()).add(number)

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
        return self._spellings.nearest(word)

    def forget(self) -> None:
        """Remember no word that was looked up."""
        self._spellings.forget()

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
            resolved.extend(self._joined.get(known, (known,)))
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
        pool = candidates
        for kept in self._preferred(asked, frozenset(numbers)):
            narrowed = kept(pool)
            if len(narrowed) == 1:
                return ProductMatch("one", (self.products[narrowed.pop()].sku,), (), corrected, 1.0)
            pool = narrowed or pool
        skus = tuple(self.products[number].sku for number in sorted(pool))
        return ProductMatch("one" if len(skus) == 1 else "many", skus, (), corrected, 1.0)

    def _preferred(self, asked: frozenset[str], numbers: frozenset[str]) -> Iterable[Callable[[set[int]], set[int]]]:
        """What makes a candidate the better one, most telling first: each takes candidates and gives those it keeps."""
        names = self._name_stems
        yield lambda pool: pool.intersection(self._by_name.get(asked, ()))
        if numbers:
            held = set[int].intersection(*(self._postings.get(number, set()) for number in numbers))
            yield lambda pool: {number for number in pool & held if numbers <= names[number]}
        yield lambda pool: self._named_within(asked, pool)
        yield lambda pool: {number for number in pool if asked <= names[number]}

    def _named_within(self, asked: frozenset[str], pool: set[int]) -> set[int]:
        """Candidates whose whole name is among the words asked for."""
        if len(asked) > _MOST_SUBSETS or len(pool) < 2 ** len(asked):
            return {number for number in pool if self._name_stems[number] <= asked}
        some = (frozenset(part) for size in range(1, len(asked) + 1) for part in combinations(asked, size))
        return pool.intersection(number for part in some for number in self._by_name.get(part, ()))

    def weight(self, word: str) -> float:
        """How much a word tells: rare words more, words the shop does not use most."""
        return log(1 + (self._common + 1) / (1 + len(self._postings.get(word, ()))))

    def _partial(
        self, words: Sequence[str], unknown: Sequence[str], numbers: Sequence[str], corrected: dict[str, str]
    ) -> ProductMatch:
        """No product carries every word: accept one whose name is all there, else report the nearest."""
        scores = self._scores(words)
        asked = frozenset(words)
        total = sum(self.weight(word) for word in (*words, *unknown)) or 1.0
        ranked = nsmallest(_RANKED, scores, key=lambda number: (-scores[number], len(self._name_stems[number]), number))
        named = [
            number
            for number in ranked
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

    def _scores(self, words: Sequence[str]) -> dict[int, float]:
        """The weight of the words that each product carries.

        Words that a great part of a large catalogue carries only add to products that a rarer word names, unless a
        product could be the best by such words alone.
        """
        by_rarity = sorted(((self._posting(word), self.weight(word)) for word in words), key=lambda one: len(one[0]))
        scores: dict[int, float] = {}
        left = sum(weight for _, weight in by_rarity)
        for posting, weight in by_rarity:
            if len(scores) + len(posting) > LARGE and scores and max(scores.values()) >= left:
                for number in scores:
                    if number in posting:
                        scores[number] += weight
            else:
                for number in posting:
                    scores[number] = scores.get(number, 0.0) + weight
            left -= weight
        return scores

    def _close_long_name(self, ranked: Sequence[int], scores: Mapping[int, float], total: float) -> int | None:
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
        code, codes = text.casefold(), self._codes
        numbers: Iterable[int] = range(len(self.products))
        if len(self.products) > LARGE:
            codes = self._codes_like(code) if any(char.isdigit() for char in code) else []
            numbers = self._sharing_words(text)
        by_code = process.extract(code, codes, scorer=fuzz.ratio, limit=limit, score_cutoff=60)
        names = {number: plain(self.products[number].name) for number in numbers}
        by_name = process.extract(key, names, scorer=fuzz.token_set_ratio, limit=limit, score_cutoff=55)
        found = [(score, self._ids[near]) for near, score, _ in by_code]
        found += [(score, self.products[number].sku) for _, score, number in by_name]
        found.sort(key=lambda hit: -hit[0])
        return list(dict.fromkeys(sku for _, sku in found))[:limit]

    def _codes_like(self, code: str) -> list[str]:
        """Codes that begin as ``code`` does, with as many letters alike as leave enough of them."""
        for length in range(len(code), 1, -1):
            low = bisect_left(self._codes, code[:length])
            high = bisect_left(self._codes, code[:length] + chr(0x10FFFF))
            if high - low >= _CODES_ENOUGH or length == 2:
                return self._codes[low:high][:LARGE]
        return []

    def _sharing_words(self, text: str) -> list[int]:
        """Products that carry the rarest words of a text; those with two of them first."""
        words = dict.fromkeys(word for word in map(self.resolve_word, stems(text)) if word is not None)
        postings = sorted((self._posting(word) for word in words), key=len)[:2]
        if not postings:
            return []
        both = sorted(set[int].intersection(*postings))[:_NAMES_COMPARED]
        rest = [number for posting in postings for number in islice(posting, _NAMES_COMPARED - len(both))]
        return list(dict.fromkeys((*both, *rest)))[:_NAMES_COMPARED]
