"""Matching what a person wrote against a shop's own words: any trade, any spelling.

Words are compared in a plain form (lower case, no accents, no possessive, singular). A description is resolved by
the products that carry all of its words in their name, category, colour, gender, brand, sizes or attributes; misspelt
words are first mapped to the nearest word that the shop uses (:mod:`shopfloor.tools.product_matcher`). Nothing here knows a
particular catalogue.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

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
