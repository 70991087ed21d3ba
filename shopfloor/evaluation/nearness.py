"""How alike two texts are: the Jaccard similarity of their character 5-grams."""

from collections.abc import Sequence

NGRAM = 5
SAME_WORDING = 0.5


def ngrams(text: str) -> frozenset[str]:
    """Character 5-grams of a text in lower case with single blanks; a shorter text is one gram."""
    plain = " ".join(text.casefold().split())
    return frozenset(plain[start : start + NGRAM] for start in range(max(1, len(plain) - NGRAM + 1)))


def nearest(texts: Sequence[str], others: Sequence[str]) -> list[float]:
    """For each text the largest similarity with any of ``others``."""
    grams = [ngrams(other) for other in others]
    having = _places(grams)
    best: list[float] = []
    for text in texts:
        own = ngrams(text)
        best.append(max((_jaccard(own, grams[k], n) for k, n in _shared(own, having).items()), default=0.0))
    return best


def near_groups(texts: Sequence[str], limit: float = SAME_WORDING) -> list[int]:
    """A group number for each text; texts at least ``limit`` alike, directly or through others, share one."""
    grams = [ngrams(text) for text in texts]
    having = _places(grams)
    parent = list(range(len(texts)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, own in enumerate(grams):
        for other, count in _shared(own, having).items():
            if other < place and _jaccard(own, grams[other], count) >= limit:
                parent[root(place)] = root(other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(place), len(numbers)) for place in range(len(texts))]


def _places(grams: Sequence[frozenset[str]]) -> dict[str, list[int]]:
    having: dict[str, list[int]] = {}
    for number, own in enumerate(grams):
        for gram in own:
            having.setdefault(gram, []).append(number)
    return having


def _shared(own: frozenset[str], having: dict[str, list[int]]) -> dict[int, int]:
    shared: dict[int, int] = {}
    for gram in own:
        for number in having.get(gram, ()):
            shared[number] = shared.get(number, 0) + 1
    return shared


def _jaccard(own: frozenset[str], other: frozenset[str], shared: int) -> float:
    return shared / (len(own) + len(other) - shared)
