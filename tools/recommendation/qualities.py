"""Qualities and materials in other words: what a shop's own values of attributes are also called.

A group counts where the catalogue has one of its words as a value; the others then stand for it. Materials are known by
their plain name within a longer one ("steel" where a shop writes "stainless steel").
"""

import re
from collections.abc import Iterable, Iterator, Mapping

_SAME = (
    ("waterproof", "rainproof", "watertight", "water proof", "rain proof", "stormproof"),
    ("water resistant", "showerproof", "water repellent", "splashproof", "weather resistant", "shower proof", "splash proof"),
    ("elastane", "spandex", "lycra", "stretch"),
    ("polyamide", "nylon"),
    ("viscose", "rayon"),
    ("wool", "woollen", "woolen", "woolly"),
    ("wood", "wooden"),
    ("hardcover", "hardback"),
    ("paperback", "softcover"),
    ("merino wool", "merino"),
    ("cashmere", "kashmir"),
    ("stainless steel", "inox"),
    ("aluminium", "aluminum"),
    ("very warm", "extra warm", "really warm", "super warm", "toasty"),
    ("vegan", "plant based"),
    ("rechargeable", "usb charged"),
    ("wireless", "cordless"),
    ("fibreglass", "fiberglass"),
    ("titanium", "ti"),
    ("goose down", "down"),
)  # fmt: skip
_ALIASES: Mapping[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    tuple(word.split()): tuple(tuple(other.split()) for other in group if other != word)
    for group in _SAME
    for word in group
}
MATERIALS = frozenset([
    "cotton", "wool", "merino", "lambswool", "cashmere", "mohair", "alpaca", "silk", "linen", "hemp", "leather",
    "suede", "nubuck", "felt", "velvet", "satin", "polyester", "polyamide", "nylon", "viscose", "elastane",
    "acrylic", "rubber", "latex", "steel", "iron", "aluminium", "titanium", "brass", "copper", "bronze", "zinc",
    "wood", "oak", "beech", "pine", "walnut", "bamboo", "teak", "birch", "cork", "rattan", "wicker", "willow",
    "glass", "crystal", "porcelain", "ceramic", "stoneware", "earthenware", "enamel", "marble", "granite", "slate",
    "concrete", "stone", "paper", "cardboard", "plastic", "silicone", "melamine", "resin", "wax", "canvas", "jute",
])  # fmt: skip
_MATERIAL_KEYS = frozenset({"material", "fabric", "made", "composition", "upper", "sole", "shell", "body", "case"})
_DRY = re.compile(
    r"\b(?:keep|keeps|keeping|holds?|holding)(?: (?:the|my|our|off|all|any|out))* (?:wet|rain|water|damp)(?: (?:out|off|away|at bay))?\b|"
    r"\b(?:keep|keeps|keeping|stay|stays|staying)(?: (?:me|us|him|her|them|you|it|my \w+))? dry\b"
)


def aliases_of(phrase: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """What else a value of an attribute is called, as stems."""
    return _ALIASES.get(phrase, ())


def materials_in(key: str, value: str) -> Iterator[str]:
    """The plain materials in a longer value: "stainless steel" is steel."""
    words = value.split()
    if len(words) > 1 and _MATERIAL_KEYS & set(key.split()):
        yield from (word for word in words if word in MATERIALS)


def in_plain_words(text: str) -> str:
    """A plain text in which what something does is said by its name: "keeps the wet out" → "waterproof"."""
    return _DRY.sub("waterproof", text)
