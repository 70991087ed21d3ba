"""Words written together or apart: "tea pot" where a shop writes teapot, "daypack" where it writes day pack."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from shopfloor.tools.recommendation.language import EMPTY_WORDS, KINDS, SAME
from shopfloor.tools.recommendation.snapshot import THING_SHARE, Snapshot
from shopfloor.tools.recommendation.text import Token, stem

MIN_PART = 3  # letters of each part of a word that is taken apart
LOOKED_AT = 200  # names that are read to see whether two words stand side by side


def as_the_shop_writes(tokens: Sequence[Token], text: str, snapshot: Snapshot) -> list[Token]:
    """Join neighbours that the catalogue writes as one word, and part words that it writes as two."""
    out: list[Token] = []
    for token in tokens:
        if out and (whole := _whole(out[-1], token, text, snapshot)) is not None:
            out[-1] = whole
        else:
            out.extend(_parted(token, snapshot))
    return out


def _whole(first: Token, second: Token, text: str, snapshot: Snapshot) -> Token | None:
    if text[first.end : second.start] not in {" ", "-"} or {first.word, second.word} & EMPTY_WORDS:
        return None
    word = first.word + second.word
    form = stem(word)
    if form in SAME and form not in KINDS:
        return Token(word, form, first.start, second.end)
    if len(form) < 2 * MIN_PART or not form.isalpha() or not (form in snapshot.stems or form in KINDS):
        return None
    if form not in snapshot.stems:
        if side_by_side(first.stem, second.stem, snapshot) or not _sold(form, snapshot):
            return None
    elif len(apart_rows(form, snapshot)) >= len(snapshot.stems[form]):
        return None
    return Token(word, form, first.start, second.end)


def _sold(word: str, snapshot: Snapshot) -> bool:
    """Whether the shop has what the word is also called."""
    for name in KINDS[word]:
        parts = name.split()
        if len(parts) == 2 and side_by_side(parts[0], parts[1], snapshot):
            return True
        thing = snapshot.head_share.get(name, 0.0) >= THING_SHARE
        if name in snapshot.stems and (thing or any(name in stems for stems in snapshot.category_stems.values())):
            return True
    return False


def _parted(token: Token, snapshot: Snapshot) -> list[Token]:
    word = token.stem
    if word in snapshot.stems or word in EMPTY_WORDS or word in SAME or len(word) < 2 * MIN_PART or not word.isalpha():
        return [token]
    for cut in range(MIN_PART, len(word) - MIN_PART + 1):
        one, two = word[:cut], word[cut:]
        if side_by_side(one, two, snapshot):
            middle = token.start + cut
            return [Token(one, one, token.start, middle), Token(two, two, middle, token.end)]
    return [token]


def apart_rows(word: str, snapshot: Snapshot) -> list[int]:
    """Rows whose name has a word written as two: "candle stick" for candlestick."""
    if len(word) < 2 * MIN_PART or not word.isalpha():
        return []
    out: list[int] = []
    for cut in range(MIN_PART, len(word) - MIN_PART + 1):
        one, two = word[:cut], word[cut:]
        first, second = snapshot.stems.get(one), snapshot.stems.get(two)
        if first is not None and second is not None:
            both: list[int] = np.intersect1d(first, second)[:LOOKED_AT].tolist()
            out += [row for row in both if (one, two) in pairwise(snapshot.name_stems[row])]
    return out


def side_by_side(one: str, two: str, snapshot: Snapshot) -> bool:
    """Whether some name has the two words next to each other, in this order."""
    return bool(phrase_beside(one, two, snapshot))


def phrase_beside(one: str, two: str, snapshot: Snapshot) -> list[int]:
    """Rows (of the first some) whose name has the two words next to each other, in this order."""
    first, second = snapshot.stems.get(one), snapshot.stems.get(two)
    if first is None or second is None:
        return []
    both: list[int] = np.intersect1d(first, second)[:LOOKED_AT].tolist()
    return [row for row in both if (one, two) in pairwise(snapshot.name_stems[row])]
