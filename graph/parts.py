"""What a message consists of: a place, sizes, colours, numbers, kinds of products, traits, and what is left of it. Pure.

The conversation's rules decide by these parts where a message has nothing else in it ("umbrella london", "M, Berlin?").
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shopfloor.graph import cues
from shopfloor.graph.lexicon import Lexicon, singular
from shopfloor.graph.prompts import load_words
from shopfloor.graph.skeleton import kind_words
from shopfloor.graph.state import Memory, ShownItem

_LETTERED = re.compile(r"(?:xxs|xs|xl|xxl|xxxl|[2-5]xl|[sml])", re.IGNORECASE)
_TOWARDS = re.compile(r"\b(?:to|from|for|of|near) ([A-Z][\w'-]{2,}(?: [A-Z][\w'-]+)?)")
_SO = frozenset(
    {"hmm", "hm", "well", "right", "oh", "great", "good", "fine", "cool", "nice", "perfect", "maybe", "instead"}
)


@dataclass(frozen=True, slots=True)
class Parts:
    """A message taken apart; words are lower-cased, kinds in singular.

    ``place`` as written; ``rest``: words that are none of the others and no fillers.
    """

    place: str | None
    sizes: tuple[str, ...]
    colours: tuple[str, ...]
    numbers: tuple[str, ...]
    kinds: tuple[str, ...]
    rest: tuple[str, ...]

    @property
    def bare(self) -> bool:
        """Whether nothing is left."""
        return not self.rest


def parts_of(text: str, lexicon: Lexicon) -> Parts:
    """Take a message apart by the shop's words."""
    place = place_of(text, lexicon)
    left = re.sub(rf"(?<!\w){re.escape(place)}(?!\w)", " ", text) if place else text
    kinds = kind_words(left, lexicon)
    sizes: list[str] = []
    colours: list[str] = []
    numbers: list[str] = []
    rest: list[str] = []
    fillers = load_words("stock_fillers") | load_words("number_words") | _SO
    for word in re.findall(r"[^\W_]+(?:[.'-][^\W_]+)*", left.casefold()):
        if word in lexicon.colours:
            colours.append(word)
        elif _LETTERED.fullmatch(word) or (word in lexicon.sizes and any(char.isdigit() for char in word)):
            sizes.append(word)
        elif word.replace(".", "").isdigit():
            numbers.append(word)
        elif word not in fillers and singular(word) not in kinds:
            rest.append(word)
    return Parts(place, tuple(sizes), tuple(colours), tuple(numbers), kinds, tuple(rest))


def place_of(text: str, lexicon: Lexicon) -> str | None:
    """The place a message names; also a city of the world that stands by itself: "Bombay?"."""
    place = lexicon.place_in(text)
    if place is not None:
        return place
    for clause in re.split(r"[,.;?!]+", text):
        said = [word for word in re.findall(r"[^\W_]+(?:['.-][^\W_]+)*", clause) if word.casefold() not in _around()]
        phrase = " ".join(said)
        if 0 < len(said) <= 3 and len(phrase) > 3 and phrase.casefold() not in _common() and lexicon.is_place(phrase):
            return phrase
    for match in _TOWARDS.finditer(text):
        if match[1].casefold() not in _common() and lexicon.is_place(match[1]):
            return match[1]
    return None


def kinds_of(items: Iterable[ShownItem]) -> frozenset[str]:
    """The words, in singular, of products' names and categories."""
    return frozenset(
        singular(word) for item in items for word in cues.words(f"{item['name']} {item['category'] or ''}")
    )


def names_other_kind(text: str, memory: Memory, lexicon: Lexicon) -> bool:
    """Whether a message names a kind of product that is neither on the screen nor what we speak of."""
    said = set(kind_words(text, lexicon))
    known = kinds_of(memory.shown) | {singular(word) for word in cues.words((memory.focus or {}).get("name", ""))}
    return bool(said) and not said & known


def _around() -> frozenset[str]:
    return load_words("stock_fillers") | _SO


def _common() -> frozenset[str]:
    return load_words("cues") | load_words("english") | load_words("question_fillers")
