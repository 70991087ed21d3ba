"""Categories of a catalogue as a noun phrase names them: "rain jackets", "food" of "dog food", never "cat" alone."""

from collections.abc import Collection, Sequence

import numpy as np

from shopfloor.tools.recommendation.compounds import phrase_beside, side_by_side
from shopfloor.tools.recommendation.kind_rows import attribute_postings
from shopfloor.tools.recommendation.language import EMPTY_WORDS, GENDERS, OCCASIONS
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import Token
from shopfloor.tools.recommendation.vocabulary import Entry

_WRITTEN = frozenset({"author", "isbn"})  # columns of books
HEAD_SHARE = 0.3  # a word that ends this share of the names it is in is the thing, not its description


def categories_of(words: tuple[str, ...], snapshot: Snapshot) -> tuple[str, ...]:
    """Categories that a noun phrase names: wholly, else by its last word that any category has."""
    have = set(words)
    whole = [name for name, stems in snapshot.category_stems.items() if stems and have.issuperset(stems)]
    whole = _last_named(words, whole, snapshot)
    if whole and not _only_before(words, whole, snapshot):
        most = max(len(snapshot.category_stems[name]) for name in whole)
        return tuple(name for name in whole if len(snapshot.category_stems[name]) == most)
    for word in reversed(words):
        if word in EMPTY_WORDS or word in OCCASIONS or word in GENDERS:
            continue  # a person names a category only together with a thing: "kids shoes"
        part = tuple(name for name, stems in snapshot.category_stems.items() if word in stems[-1:])
        part = part or (() if word in snapshot.qualifiers else _with(word, snapshot))
        if part:
            closer = tuple(n for n in part if len(have & set(snapshot.category_stems[n])) > 1)
            return closer or part
        if word in snapshot.stems and snapshot.head_share.get(word, 0.0) >= HEAD_SHARE:
            return ()
    return ()


def _with(word: str, snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(name for name, stems in snapshot.category_stems.items() if word in stems)


def _last_named(words: Sequence[str], whole: list[str], snapshot: Snapshot) -> list[str]:
    """Of categories whose words stand side by side, those of the last: dress shoes are shoes."""
    if len(whole) < 2:
        return whole
    ends = {name: max(words.index(stem) for stem in snapshot.category_stems[name]) for name in whole}
    last = max(ends.values())
    before = {name for name in whole if ends[name] == last - 1 and len(snapshot.category_stems[name]) == 1}
    return [name for name in whole if name not in before]


def _only_before(words: Sequence[str], whole: Sequence[str], snapshot: Snapshot) -> bool:
    """Whether the category's word only stands before another thing that the shop has: a desk lamp is no desk."""
    if len(words) < 2 or any(words[-1] in snapshot.category_stems[name] for name in whole):
        return False
    before = any(words[-2] in snapshot.category_stems[name] for name in whole)
    thing = snapshot.head_share.get(words[-1], 0.0) >= HEAD_SHARE
    return before and thing and side_by_side(words[-2], words[-1], snapshot)


def told_apart(categories: tuple[str, ...], said: Collection[str], snapshot: Snapshot) -> tuple[str, ...]:
    """Of several categories of one last word, those whose other words are said anywhere: wet food *for cats*."""
    ends = {snapshot.category_stems[name][-1:] for name in categories}
    if len(categories) < 2 or len(ends) > 1:
        return categories
    closer = tuple(name for name in categories if set(snapshot.category_stems[name][:-1]) & set(said))
    return closer or categories


def implied_qualifiers(attributes: Sequence[tuple[str, str]], snapshot: Snapshot) -> set[str]:
    """Words before categories that hold of every row of an attribute: all that is for kittens is for a cat."""
    out: set[str] = set()
    for pair in attributes:
        rows = snapshot.attributes.get(pair)
        if rows is None or not snapshot.qualifiers:
            continue
        for (_, value), own in snapshot.attributes.items():
            if value in snapshot.qualifiers and np.isin(rows, own).all():
                out.add(value)
    return out


def unlike_categories(words: Sequence[str], categories: Sequence[str], snapshot: Snapshot) -> tuple[str, ...]:
    """The last two words where they make a thing that none of the categories has: lawn seed stands under "Lawn"."""
    if len(words) < 2 or not categories or words[-1] in EMPTY_WORDS or words[-2] in (EMPTY_WORDS | OCCASIONS):
        return ()
    rows = phrase_beside(words[-2], words[-1], snapshot)
    own = snapshot.mask(snapshot.categories[name] for name in categories)
    return (words[-2], words[-1]) if rows and not own[np.asarray(rows, dtype=np.int64)].any() else ()


def suits(categories: Sequence[str], head: Sequence[str], parsed: ParsedRequest, snapshot: Snapshot) -> bool:
    """Whether categories are meant: not where "food" is only known of dogs and cats, and what is wanted is for fish."""
    stems = [snapshot.category_stems[name] for name in categories]
    people = {word for words in stems for word in words[:-1]} & set(GENDERS)
    if (
        tuple(head) == ("book",)
        and people
        and parsed.gender is None
        and _WRITTEN & {key for key, _ in snapshot.attributes}
    ):
        return False  # all that such a shop sells are books, not those for children alone
    telling = {key for key, value in snapshot.attributes if value in snapshot.qualifiers}
    wanted = [pair for pair in parsed.attributes if pair[0] in telling]
    if len(stems) < 2 or not wanted or min(map(len, stems)) < 2:
        return True
    rows = snapshot.mask(snapshot.categories[name] for name in categories)
    for key, value in wanted:
        rows &= snapshot.mask(attribute_postings(snapshot, key, value))
    return bool(rows.any())


def begins_a_thing(entry: Entry, tokens: Sequence[Token], after: int, snapshot: Snapshot) -> bool:
    """Whether the word of an attribute stands in names before the thing, and not as that: wood screws are of steel."""
    if entry.kind != "attribute" or len(entry.phrase) != 1 or after >= len(tokens):
        return False
    rows = phrase_beside(entry.phrase[-1], tokens[after].stem, snapshot)
    own = snapshot.mask(attribute_postings(snapshot, entry.key, entry.value))
    return bool(rows) and not own[np.asarray(rows, dtype=np.int64)].any()
