"""A vocabulary to look misspelt words up in, fast whatever its size: words in buckets by first letter and length."""

from collections.abc import Iterable
from threading import Lock

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

SHORTEST = 4  # letters; shorter words have too many neighbours
_ONE_SLIP = 6  # letters; up to here one slip is forgiven, beyond it two
_REMEMBERED = 20_000  # words


def slips_of(word: str) -> int:
    """How many slips of a word's length are forgiven."""
    return 1 if len(word) <= _ONE_SLIP else 2


class Spellings:
    """The words of a vocabulary by what misspelling them looks like. Read-only once made; safe for threads."""

    def __init__(self, words: Iterable[str]) -> None:
        self._buckets: dict[tuple[str, int], list[str]] = {}
        self._found: dict[str, str | None] = {}
        self._lock = Lock()
        for word in words:
            if len(word) >= SHORTEST:
                self._buckets.setdefault((word[0], len(word)), []).append(word)

    def nearest(self, word: str) -> str | None:
        """The word that ``word`` is most likely a misspelling of, or None.

        Up to six letters one slip is forgiven, beyond that two; the first letter must be right, or swapped with the second.
        """
        if len(word) < SHORTEST or not word.isalpha():
            return None
        if word in self._found:
            return self._found[word]
        found = self._search(word)
        with self._lock:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[word] = found
        return found

    def forget(self) -> None:
        """Remember no word that was looked up."""
        with self._lock:
            self._found.clear()

    def _search(self, word: str) -> str | None:
        slips = slips_of(word)
        near: list[tuple[float, float, str]] = []
        for first in dict.fromkeys(word[:2]):
            for length in range(max(SHORTEST, len(word) - slips), len(word) + slips + 1):
                bucket = self._buckets.get((first, length))
                if bucket is None:
                    continue
                hits = process.extract(word, bucket, scorer=OSA.distance, score_cutoff=slips, limit=None)
                near += [
                    (distance, -fuzz.ratio(word, other), other)
                    for other, distance, _ in hits
                    if other[0] == word[0] or word[:2] == other[1::-1]
                ]
        return min(near)[2] if near else None
