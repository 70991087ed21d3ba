"""Turns of phrase whose words would mean something else alone: spans of time ("within 30 days"), "down to", "at this pace".

Their words name no product and no amount; a span of time that lies ahead is kept in days.
"""

import re
from collections.abc import Mapping

from shopfloor.tools.inventory.lexicon import NUMBER_WORDS
from shopfloor.tools.inventory.reading import Reading

_DAYS_OF = {"day": 1, "week": 7, "weekend": 7, "fortnight": 14, "month": 30, "quarter": 91}
_COUNTS = {
    "a": 1,
    "an": 1,
    "the": 1,
    "this": 1,
    "next": 1,
    "coming": 1,
    "couple": 2,
    "few": 3,
    "same": 1,
} | NUMBER_WORDS
_NUMBER = rf"(?:\d{{1,3}}|{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))}|couple|few)"
_SPAN = re.compile(
    rf"\b(?P<lead>(?:(?:within|in|over|for|during|throughout|by|until|the|this|these|next|coming|following|last|past|a|an|another|about|some) )*)"
    rf"(?P<count>{_NUMBER}(?: {_NUMBER})?)? ?(?:of )?(?P<unit>days?|weeks?|weekends?|fortnight|months?|quarters?)\b(?! (?:pack|packs|bag|bags|of (?:stock|cover|supply)))"
)
_BEHIND = re.compile(r"\b(last|past|for)\b")
_AHEAD = re.compile(r"\b(within|in|over|by|until|next|coming|following|this|during|before)\b")
# "Won't last the next 90 days": the span lies ahead.
_LASTS = re.compile(
    r"\b(not|wont|dont|doesnt|cant|cannot|will|would|to) (\w+ )?(last|survive|cover|see|make it)( \w+){0,4} ?$"
)
_PHRASES = re.compile(
    r"\b(down (to|at)|(this|that|the|present|current|same|a|such|normal|usual) (present |current |same |usual )?(rate|pace|speed|tempo)"
    r"|by any chance|at the moment|for the time being|on (the|your|our|its) (shelf|shelves|rack|racks|floor|shop floor|sales floor|rail|rails|hangers?|hooks?|books|wall|premises)"
    r"|(company|chain|network|nation|group|world|country|store|system)[ -]wide|(run|runs|ran|running|gone) dry|(front|back|help) desk|to hand|to be had|down the (road|street)"
    r"|(out of|in) stock|sold out|(run|runs|ran|running|are|is|whats|went|goes) out|(on|at|in) hand|round the corner|(all|the) (two|three|four) of them)\b"
)


def find_idioms(reading: Reading, sizes: Mapping[str, str]) -> int | None:
    """Label the turns of phrase in ``reading``; gives the days that the first span of time ahead has, or None.

    A span that is one of the shop's sizes ("6 months") is left alone.
    """
    text = " ".join(reading.words)
    for hit in _PHRASES.finditer(text):
        _mark(reading, text, hit.start(), hit.end())
    ahead: int | None = None
    for hit in _SPAN.finditer(text):
        if not (hit["lead"] or hit["count"]) or f"{hit['count']} {hit['unit']}" in sizes:
            continue
        if f"{hit['count']} {hit['unit'].removesuffix('s')}" in sizes:
            continue
        _mark(reading, text, hit.start(), hit.end())
        lasting = _LASTS.search(text[: hit.start("count")] if hit["count"] else text[: hit.end("lead")])
        behind = _BEHIND.search(hit["lead"]) and not lasting
        if ahead is None and (lasting or (_AHEAD.search(hit["lead"]) and not behind)):
            ahead = _count(hit["count"]) * _DAYS_OF[hit["unit"].removesuffix("s")]
    return ahead


def _count(words: str | None) -> int:
    if not words:
        return 1
    return sum(int(word) if word.isdigit() else _COUNTS[word] for word in words.split())


def _mark(reading: Reading, text: str, start: int, end: int) -> None:
    first, last = text.count(" ", 0, start), text.count(" ", 0, end)
    for position in range(first, last + 1):
        if reading.labels[position] is None:
            reading.mark(position, position + 1, "idiom")
