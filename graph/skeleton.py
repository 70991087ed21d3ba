"""A message's build without its shop: the shop's own words become marks of their kind ("is it in zplace in zsize").

What is learned from such texts holds for any catalogue. Pure.
"""

import re
from functools import cache
from itertools import pairwise

from shopfloor.graph import cues
from shopfloor.graph.aspects import aspects_in, comparison_in
from shopfloor.graph.lexicon import Lexicon, singular
from shopfloor.graph.prompts import load_words

PLACE, KIND, COLOUR, SIZE, VALUE, MONEY = "zplace", "zkind", "zcolour", "zsize", "zvalue", "zmoney"
_MONEY = re.compile(
    r"(?:[$£€₹]|\brs\.? )\s?\d+(?:[.,]\d+)?|\b\d+(?:[.,]\d+)?\s?(?:[$£€₹]|(?:euros?|eur|usd|dollars?|pounds?|quid|bucks|rupees)\b)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*|[?:]")
_BEFORE_VERBS = frozenset(
    {"it", "they", "you", "i", "we", "to", "would", "can", "could", "will", "does", "do", "don't"}
)
_LETTERED = re.compile(r"(?:xxs|xs|xl|xxl|xxxl|[2-5]xl|[sml])", re.IGNORECASE)


def skeleton(text: str, lexicon: Lexicon) -> str:
    """The text in lower case with the shop's words, cities and sums of money replaced by marks."""
    left = _MONEY.sub(f" {MONEY} ", text.replace("’", "'"))
    for _ in range(3):
        place = lexicon.place_in(left)
        if place is None:
            break
        left = re.sub(rf"(?<!\w){re.escape(place)}(?!\w)", f" {PLACE} ", left)
    marked = [_marked(match[0], lexicon) for match in _TOKEN.finditer(left)]
    return " ".join([*marked, *_signs(text)])


def _signs(text: str) -> list[str]:
    """What the conversation's cues see in a message, a word each."""
    lowered = cues.normal(text)
    seen = {
        "zaspect": bool(aspects_in(lowered)),
        "zcompared": comparison_in(lowered) is not None,
        "zstock": cues.asks_stock(lowered),
        "zpronoun": cues.has_pronoun(lowered),
        "zasks": cues.is_question(lowered),
        "zmark": text.rstrip().endswith("?"),
        "zchange": cues.refines(lowered),
        "zdetails": cues.asks_details(lowered),
    }
    return [sign for sign, here in seen.items() if here]


def kind_words(text: str, lexicon: Lexicon) -> tuple[str, ...]:
    """The words of a message that name kinds of products, in singular."""
    said = [match[0].casefold() for match in _TOKEN.finditer(text)]
    return tuple(
        singular(word)
        for before, word in pairwise(["", *said])
        if before not in _BEFORE_VERBS and _is_kind(word, lexicon)
    )


def _marked(token: str, lexicon: Lexicon) -> str:
    word = token.casefold()
    if word in {PLACE, MONEY, "?", ":"} or word in plain_words():
        return word
    if word in lexicon.colours:
        return COLOUR
    if _LETTERED.fullmatch(word) or (word in lexicon.sizes and any(char.isdigit() for char in word)):
        return SIZE
    if _is_kind(word, lexicon):
        return KIND
    if word in lexicon.values or singular(word) in lexicon.values:
        return VALUE
    return word


def _is_kind(word: str, lexicon: Lexicon) -> bool:
    return word not in plain_words() and not word.isdecimal() and singular(word) in lexicon.product_words


@cache
def plain_words() -> frozenset[str]:
    """Words of plain English that a shop's own words never stand for."""
    names = ("cues", "english", "stock_fillers", "question_fillers", "number_words")
    return frozenset(word for name in names for word in load_words(name))
