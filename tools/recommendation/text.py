"""Words of requests and of catalogues, made comparable: lower case, no accents, singular."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_JOINED = (
    (re.compile(r"\b(?:t|tee)[\s-]?shirts?\b"), "tshirt"),
    (re.compile(r"\bx[\s-]+(?=large|small)"), "x"),
)
_APOSTROPHES = (
    (re.compile(r"(?<=\w)['\u2019]s\b"), ""),
    (re.compile(r"(?<=\w)['\u2019](?:m|re|ve|ll|d)\b"), ""),
    (re.compile(r"(?<=s)['\u2019](?=\s|$)"), ""),
    (re.compile(r"(?<=\w)n['\u2019]t\b"), " not"),
)
_IRREGULAR = {
    "scarves": "scarf", "knives": "knife", "shelves": "shelf", "leaves": "leaf", "loaves": "loaf",
    "men": "man", "women": "woman", "children": "child", "people": "person", "childrens": "child", "mens": "man", "womens": "woman", "womans": "woman", "feet": "foot", "mice": "mouse",
    "christmas": "christmas", "thermos": "thermos", "lens": "lens", "canvas": "canvas", "series": "series", "atlas": "atlas", "tees": "tshirt", "tee": "tshirt",
}  # fmt: skip
_KEPT = frozenset({"is", "this", "was", "has", "his", "hers", "us", "plus", "gas", "bus", "always", "yes", "xs", "as"})
# Their singular ends with "ie", not with "y".
_IE = frozenset(
    [
        "beanie",
        "hoodie",
        "wellie",
        "cookie",
        "brownie",
        "smoothie",
        "movie",
        "genie",
        "zombie",
        "pixie",
        "onesie",
        "nightie",
        "bootie",
        "budgie",
        "veggie",
        "sweetie",
        "selfie",
        "tie",
        "pie",
        "lie",
        "auntie",
        "caddie",
        "bookie",
        "birdie",
        "eyrie",
        "calorie",
        "prairie",
        "sortie",
        "rookie",
        "cutie",
        "goodie",
        "freebie",
        "walkie",
        "bowtie",
        "necktie",
    ]
)
_DROP_ES = ("sses", "xes", "ches", "shes", "zzes", "tzes")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text: its singular ``stem``, its plain form ``word``, and where it stands in the plain text."""

    word: str
    stem: str
    start: int
    end: int


def plain(text: str) -> str:
    """Lower case without accents, joined words unified ("T-Shirts" → "tshirt", "men's" → "men")."""
    out = text.casefold()
    if not out.isascii():
        out = "".join(char for char in unicodedata.normalize("NFKD", out) if not unicodedata.combining(char))
    for pattern, replacement in _JOINED if "shirt" in out or "x" in out else ():
        out = pattern.sub(replacement, out)
    for pattern, replacement in _APOSTROPHES if "'" in out or "\u2019" in out else ():
        out = pattern.sub(replacement, out)
    return out


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The singular of a plain word, roughly."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 3 or word in _KEPT or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word[:-1] in _IE:
        return word[:-1]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(_DROP_ES):
        return word[:-2]
    return word[:-1]


def tokens(text: str) -> list[Token]:
    """The words of ``plain(text)``."""
    return tokens_of_plain(plain(text))


def tokens_of_plain(text: str) -> list[Token]:
    """The words of a text that went through ``plain`` already; positions refer to it."""
    return [Token(m.group(), stem(m.group()), m.start(), m.end()) for m in _WORD.finditer(text)]


def stems(text: str) -> tuple[str, ...]:
    """The stems of a text, in order."""
    return tuple(stem(word) for word in _WORD.findall(plain(text)))


@lru_cache(maxsize=65_536)
def label_stems(text: str) -> tuple[str, ...]:
    """``stems`` of what many products share: categories, colours, names and values of attributes."""
    return stems(text)
