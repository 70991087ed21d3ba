"""Sizes in a request, matched with the labels the catalogue has ("M", "42", "5-6 Yr", "EU 38")."""

from collections.abc import Iterator, Mapping, Sequence

from shopfloor.tools.recommendation.ages import age_range
from shopfloor.tools.recommendation.language import SIZE_WORDS
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import Token

_LETTERS = frozenset({"xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl", "2xl", "3xl", "4xl"})
_BEFORE = frozenset({"size", "in", "sized", "uk", "us", "eu", "wear", "wears", "a", "an", "is", "sizes", "take"})
_SYSTEMS = frozenset({"uk", "us", "eu"})


def labels_for_age(snapshot: Snapshot, age: float) -> tuple[str, ...]:
    """The catalogue's size labels that fit an age, the nearest label where none holds it exactly."""
    ranges = {label: found for label in snapshot.sizes if (found := age_range(label)) is not None}
    inside = tuple(label for label, (low, high) in ranges.items() if low <= age < high + 1 or (low <= age <= high))
    if inside or not ranges:
        exact = tuple(label for label in inside if ranges[label][0] <= age <= ranges[label][1])
        return exact or inside
    distance = {label: min(abs(low - age), abs(high - age)) for label, (low, high) in ranges.items()}
    best = min(distance.values())
    return tuple(label for label, gap in distance.items() if gap == best) if best <= 1 else ()


def read_sizes(
    tokens: Sequence[Token], free: Sequence[int], snapshot: Snapshot
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield (label of the catalogue, indices of the tokens it was read from)."""
    labels = snapshot.sizes
    if not labels:
        return
    usable = set(free)
    taken: set[int] = set()
    for index in free:
        if index in taken:
            continue
        for length in (3, 2, 1):
            span = tuple(range(index, index + length))
            if not usable.issuperset(span):
                continue
            words = " ".join(tokens[i].word for i in span)
            found = labels_of(words, labels)
            if found and _is_meant(tokens, span, words):
                taken.update(span)
                for label in found:
                    yield label, (*_introduction(tokens, index), *span)
                break


def labels_of(words: str, known: Mapping[str, object]) -> tuple[str, ...]:
    """The catalogue's labels for a size as it was written; a number is also any span that holds it ("43-46")."""
    forms = (words, *SIZE_WORDS.get(words, ()), words.replace(" ", "-"), words.replace(" ", "/"))
    if words.replace(".", "").isdigit():
        forms += tuple(f"{system} {words}" for system in ("eu", "uk", "us"))
        forms += tuple(f"{words}{unit}" for unit in (" cm", "cm", " mm", " in", " inch", '"'))
    exact = [form for form in forms if form in known]
    spans = [label for label in known if _spans(label, words)] if words.isdigit() else []
    return tuple(dict.fromkeys((*exact, *spans)))


def _spans(label: str, number: str) -> bool:
    """Whether a label such as "39-42" holds a number."""
    low, dash, high = label.partition("-")
    return bool(dash) and low.isdigit() and high.isdigit() and int(low) <= int(number) <= int(high)


def _is_meant(tokens: Sequence[Token], span: tuple[int, ...], words: str) -> bool:
    before = tokens[span[0] - 1].word if span[0] else ""
    after = tokens[span[-1] + 1].word if span[-1] + 1 < len(tokens) else ""
    if before in {"size", "sizes", "sized"} or after in {"size", "sized", "sizes"} or before in _SYSTEMS:
        return True
    if words in _LETTERS:
        return len(words) > 1 or before in _BEFORE or after == "" or tokens[span[0]].word in {"m", "l"}
    if words in SIZE_WORDS or words.replace(".", "").isdigit():
        return before in {"in", "a", "wear", "wears", "is"} and (
            after in {"", "please", "and", "or", "for", "under", "cm", "inch"} or before == "in"
        )
    return any(char.isdigit() for char in words) or " " in words


def _introduction(tokens: Sequence[Token], index: int) -> tuple[int, ...]:
    out: list[int] = []
    while index > 0 and tokens[index - 1].word in {"size", "sizes", *_SYSTEMS}:
        index -= 1
        out.append(index)
    return tuple(out)
