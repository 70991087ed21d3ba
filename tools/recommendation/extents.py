"""How big and for how many: "a big rucksack", "a tent for one person", "so for two"."""

import re
from dataclasses import replace

import numpy as np

from shopfloor.tools.recommendation.attributes import COUNTED
from shopfloor.tools.recommendation.degrees import degree_scores, quality_of
from shopfloor.tools.recommendation.kind_rows import kind_rows
from shopfloor.tools.recommendation.language import NUMBER_WORDS
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot

_COUNT = r"\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_PERSONS = re.compile(
    rf"\b({_COUNT})[\s-]*(?:people|persons?|man|men|adults|guests|sleepers?|campers?|friends|of us|of them)\b|"
    rf"\b(?:family|party|group|team|crew) of ({_COUNT})\b|"
    rf"\b(?:for|room for|space for) ({_COUNT})(?=\s*(?:$|[,.;!?](?!\d)|and\b|with\b|under\b))|"
    rf"\b(?:sleep|seat|serve|hold|fit)(?:s|ing)?\s+(?:up to |at least |about )?({_COUNT})\b(?!\s*(?:-|to)?\s*\w*\d)"
)


def tells_room(text: str) -> bool:
    """Whether a plain text says for how many people: "so for two"."""
    return _PERSONS.search(text) is not None


def room_for(text: str, parsed: ParsedRequest, snapshot: Snapshot) -> tuple[str, str] | None:
    """The least attribute value that holds so many people ("a tent for 4 people" → ("sleep", "4")).

    None where no thing is named or the shop does not say of such things for how many they are.
    """
    match = _PERSONS.search(text)
    if match is None or not (parsed.categories or parsed.head):
        return None
    count = count_of(next(part for part in match.groups() if part))
    kind = kind_rows(parsed, snapshot)
    roomy = [
        (int(value), key, value)
        for (key, value), rows in snapshot.attributes.items()
        if key in COUNTED and value.isdigit() and kind[rows].any()
    ]
    fitting = sorted(entry for entry in roomy if entry[0] >= count)
    if fitting:
        return fitting[0][1], fitting[0][2]
    return (roomy[0][1], str(count)) if roomy else None  # none is so big: the answer says so


def with_degree(parsed: ParsedRequest, snapshot: Snapshot) -> ParsedRequest:
    """ "A big rucksack": the order is by how big they are, where the shop says so and no name has the word."""
    if parsed.order is not None or parsed.quality is not None or not (parsed.categories or parsed.head):
        return parsed
    rows = np.flatnonzero(kind_rows(parsed, snapshot))
    for word in parsed.modifiers:
        quality = quality_of(word)
        named = word in snapshot.stems and np.isin(snapshot.stems[word], rows).any()
        if quality is None or named or any(word in value.split() for _, value in parsed.attributes):
            continue
        if len(rows) and degree_scores(quality, snapshot, rows) is not None:
            return replace(parsed, quality=quality)
    return parsed


def count_of(word: str) -> int:
    """A number in figures or words; a pair is two."""
    if word.isdigit():
        return max(1, int(word))
    return 2 if word.startswith("a pair") else NUMBER_WORDS[word]
