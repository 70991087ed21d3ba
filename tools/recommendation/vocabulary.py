"""The words of one catalogue: phrases that name its colours, brands and attribute values, and its spelling."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from shopfloor.tools.recommendation.language import (
    COMMON_WORDS,
    EMPTY_WORDS,
    GENDERS,
    KINDS,
    MAIN_KINDS,
    NUMBER_WORDS,
    OCCASIONS,
    ORDINALS,
    SAME,
    SHADES,
    SIZE_WORDS,
    SURE_COLOURS,
)
from shopfloor.tools.recommendation.qualities import aliases_of, materials_in
from shopfloor.tools.recommendation.snapshot import THING_SHARE, Snapshot

EntryKind = Literal["colour", "brand", "attribute"]
MIN_CORRECTED = 4  # letters: shorter words are never "corrected"
MIN_LIKENESS = 82.0
LONG = 8  # letters: from here on two slips are forgiven
NEAREST = 20  # words looked at


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase (stems) and what it names."""

    phrase: tuple[str, ...]
    kind: EntryKind
    value: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Phrases of a catalogue, and every word it or general language knows."""

    entries: Mapping[tuple[str, ...], Entry]
    words: frozenset[str]
    spelling: tuple[str, ...]
    longest_phrase: int
    common: Mapping[str, int]

    def longest(self, stems: tuple[str, ...]) -> Entry | None:
        """The entry of the longest phrase that ``stems`` begin with."""
        for length in range(min(len(stems), self.longest_phrase), 0, -1):
            entry = self.entries.get(stems[:length])
            if entry is not None:
                return entry
        return None

    def knows(self, stem: str) -> bool:
        """Whether the catalogue or general language has this word."""
        return stem in self.words

    def names(self, stem: str) -> bool:
        """Whether a name of the catalogue has this word."""
        return stem in self.common

    def nearest(self, stem: str) -> str | None:
        """The word of the catalogue that a misspelt one stands for, None when none is near."""
        if len(stem) < MIN_CORRECTED or not stem.isalpha():
            return None
        most = 1 if len(stem) < LONG else 2
        near = process.extract(stem, self.spelling, scorer=OSA.distance, score_cutoff=most, limit=NEAREST)
        likely = [(edits, -self.common.get(word, 0), word) for word, edits, _ in near if _is_slip(stem, word)]
        return min(likely)[2] if likely else None


def _is_slip(typed: str, word: str) -> bool:
    """Whether a word may have been mistyped so: letters swapped, or likeness enough; never another first letter."""
    same_letters = sorted(typed) == sorted(word)
    return typed[0] == word[0] and (same_letters or fuzz.ratio(typed, word) >= MIN_LIKENESS)


def build_vocabulary(snapshot: Snapshot) -> Vocabulary:
    """Collect a catalogue's phrases. Of two meanings of one phrase, colour wins over brand over attribute value."""
    entries: dict[tuple[str, ...], Entry] = {}
    kinds = {word for words in snapshot.category_stems.values() for word in words} - snapshot.qualifiers
    kinds |= {word for word in KINDS if word in MAIN_KINDS or snapshot.head_share.get(word, 0.0) >= THING_SHARE}
    told = {key for key, value in snapshot.attributes if value not in {"yes", "no"}}
    for (key, value), rows in snapshot.attributes.items():
        if value == "yes" and key in told:
            continue  # "sleeps: 1" among other numbers is no yes
        flag = value in {"yes", "no"}
        phrase = tuple(key.split()) if flag else tuple(value.split())
        if value == "no" or not _is_phrase(phrase, kinds) or len(rows) == 0:
            continue
        entries.setdefault(phrase, Entry(phrase, "attribute", value, key))
        if not flag and not set(key.split()) & set(value.split()):
            both = (*value.split(), *key.split())
            entries.setdefault(both, Entry(both, "attribute", value, key))
    entries = {**_in_other_words(snapshot, entries.values(), kinds), **entries}
    for brand in snapshot.brands:
        phrase = tuple(brand.split())
        if phrase and not (len(phrase) == 1 and phrase[0] in EMPTY_WORDS):
            entries[phrase] = Entry(phrase, "brand", brand)
    for colour in (*snapshot.colours, *SURE_COLOURS):
        phrase = tuple(colour.split())
        if phrase and len(phrase) <= 3:
            entries[phrase] = Entry(phrase, "colour", colour)
    own = set(snapshot.stems) | {word for phrase in entries for word in phrase}
    general = set(GENDERS) | set(OCCASIONS) | set(EMPTY_WORDS) | set(NUMBER_WORDS) | set(ORDINALS) | set(SHADES)
    spelling = own | set(SURE_COLOURS) | (set(KINDS) & (own | set(KINDS)))
    return Vocabulary(
        entries=entries,
        words=frozenset(own | general | COMMON_WORDS | set(KINDS) | set(SAME) | set(snapshot.text_stems)),
        spelling=tuple(sorted(word for word in spelling if len(word) >= MIN_CORRECTED and word.isalpha())),
        longest_phrase=max((len(phrase) for phrase in entries), default=1),
        common={word: len(rows) for word, rows in snapshot.stems.items()},
    )


def _in_other_words(snapshot: Snapshot, entries: Iterable[Entry], kinds: set[str]) -> dict[tuple[str, ...], Entry]:
    """What values are also called, and the plain materials in longer ones; no word that is a thing here."""
    out: dict[tuple[str, ...], Entry] = {}
    for key, value in snapshot.attributes:
        for word in materials_in(key, value):
            if word not in kinds and snapshot.head_share.get(word, 0.0) < THING_SHARE:
                out.setdefault((word,), Entry((word,), "attribute", word, key))
    for entry in entries:
        for other in aliases_of(entry.phrase) if entry.kind == "attribute" else ():
            out.setdefault(other, Entry(other, "attribute", entry.value, entry.key))
    return out


def _is_phrase(phrase: tuple[str, ...], kinds: set[str]) -> bool:
    """An attribute value is worth a hard constraint when it is a word of its own: no number, no kind, no filler."""
    if not phrase or all(word in EMPTY_WORDS or word[0].isdigit() or len(word) < 3 for word in phrase):
        return False
    if " ".join(phrase) in SIZE_WORDS:
        return False
    return not (len(phrase) == 1 and (phrase[0] in kinds or phrase[0] in GENDERS or phrase[0] in OCCASIONS))
