"""Resolving descriptions against a catalogue of any size, and how long that takes in a large one."""

import random
import time
from collections.abc import Sequence

import pytest
from rapidfuzz.distance import OSA

from shopfloor.tools.matching import stems
from shopfloor.tools.product_matcher import ProductEntry, ProductMatcher
from shopfloor.tools.spellings import Spellings

KINDS = ("Watering Can", "Hand Trowel", "Pruning Saw", "Seed Tray", "Garden Hose", "Plant Stand", "Bird Feeder")
SYLLABLES = ("ka", "lo", "mi", "ren", "dor", "vi", "sta", "bel", "nor", "fen", "tu", "gra", "pel", "zan", "har", "lem")
COLOURS = ("black", "green", "red", "blue", "grey")


def catalogue(count: int, seed: int = 5) -> list[ProductEntry]:
    chance = random.Random(seed)
    brands = ["".join(chance.choice(SYLLABLES) for _ in range(3)).title() for _ in range(max(3, count // 40))]
    products: list[ProductEntry] = []
    for number in range(count):
        kind, brand = chance.choice(KINDS), chance.choice(brands)
        name = f"{brand} {kind}" + (f" {chance.randint(2, 90)} L" if chance.random() < 0.3 else "")
        products.append(
            ProductEntry(
                sku=f"GD-{number:06}", name=name, category=f"{kind}s", colour=chance.choice(COLOURS), brand=brand,
                description="For beds, borders and pots.",
            )
        )  # fmt: skip
    return products


def slipped(word: str, chance: random.Random) -> str:
    place = chance.randrange(1, len(word) - 1) if len(word) > 4 else 0
    return f"{word[:place]}{word[place + 1 :]}" if place else word


@pytest.fixture(scope="module")
def small() -> ProductMatcher:
    return ProductMatcher(catalogue(400))


def test_a_whole_name_is_one_product(small: ProductMatcher) -> None:
    unique = [one for one in small.products if sum(other.name == one.name for other in small.products) == 1]
    assert len(unique) > 50
    for product in unique:
        words = stems(product.name)
        match = small.match(words, [word for word in words if word.isdigit()])
        assert match.skus[:1] == (product.sku,) or product.sku in match.skus, product.name


def test_a_description_is_all_that_carry_its_words(small: ProductMatcher) -> None:
    for kind in KINDS:
        for colour in COLOURS:
            match = small.match([colour, *stems(kind)])
            fitting = {one.sku for one in small.products if one.colour == colour and one.category == f"{kind}s"}
            assert set(match.skus) == fitting
            assert match.kind == ("one" if len(fitting) == 1 else "many")


def test_the_nearest_carry_most_of_the_words(small: ProductMatcher) -> None:
    match = small.match(["zzzzz", "watering", "can"])
    assert match.kind == "none"
    assert match.unmatched == ("zzzzz",)
    assert all("Watering Can" in small.by_sku[sku].name for sku in match.skus)


def test_common_words_alone_rank_as_all_words_do() -> None:
    large = ProductMatcher(catalogue(6_000))
    match = large.match(["zzzzz", "green", "pruning", "saw"])
    assert match.kind == "none" and match.skus
    for sku in match.skus:
        assert large.by_sku[sku].colour == "green" and "Pruning Saw" in large.by_sku[sku].name


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("trwoel", "trowel"),
        ("trowl", "trowel"),
        ("rtowel", "trowel"),
        ("towel", "trowel"),
        ("tro", None),
        ("tr0wel", None),
        ("watring", "watering"),
    ],
)
def test_misspelt_words(word: str, found: str | None) -> None:
    assert Spellings(["trowel", "watering", "saw", "tray"]).nearest(word) == found


def test_spellings_agree_with_looking_at_every_word() -> None:
    chance = random.Random(3)
    words = sorted({"".join(chance.choice(SYLLABLES) for _ in range(chance.randint(2, 3))) for _ in range(800)})
    spellings = Spellings(words)
    for _ in range(300):
        word = slipped(chance.choice(words), chance)
        slips = 1 if len(word) <= 6 else 2
        near = [
            (OSA.distance(word, other), other)
            for other in words
            if len(other) >= 4 and (other[0] == word[0] or word[:2] == other[1::-1])
        ]
        best = min((one for one in near if one[0] <= slips), default=None) if len(word) >= 4 else None
        found = spellings.nearest(word)
        assert (found is None) == (best is None), word
        if best is not None and found is not None:
            assert OSA.distance(word, found) == best[0]


def questions(matcher: ProductMatcher, count: int) -> list[Sequence[str]]:
    chance = random.Random(11)
    asked: list[Sequence[str]] = []
    for number in range(count):
        product = chance.choice(matcher.products)
        name = stems(product.name)
        asked.append(
            (
                name,
                [slipped(word, chance) for word in name],
                [product.colour, *stems(product.category)],
                [product.colour, slipped(name[0], chance), name[-1]],
                ["purple", "hoverboard", name[-1]],
            )[number % 5]
        )
    return asked


@pytest.mark.slow
def test_a_large_catalogue_is_searched_in_time() -> None:
    matcher = ProductMatcher(catalogue(100_000))
    taken: list[float] = []
    for words in questions(matcher, 200):
        started = time.thread_time()
        if matcher.match(words, [word for word in words if word.isdigit()]).kind == "none":
            matcher.nearest(" ".join(words))
        taken.append(time.thread_time() - started)
    assert sorted(taken)[int(len(taken) * 0.95)] < 0.05
