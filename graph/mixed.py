"""A message that holds a wish and a stock question: its two halves, and how many products it wants. Pure functions."""

import re

from shopfloor.graph import cues
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.plan import DEFAULT_COUNT

_COUNT = re.compile(
    r"\b(?:show|give|recommend|suggest|find|list|send)(?: me)?(?: up to| the| your)? (?:(?:best|top) )?(?P<number>\d{1,2}|two|three|four|five|six|ten)\b"
    r"|\btop (?P<top>\d{1,2}|three|five|ten)\b"
)
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10}


def count_in(lowered: str) -> int:
    """How many products a message asks for; three unless it says."""
    match = _COUNT.search(lowered)
    if match is None:
        return DEFAULT_COUNT
    said = match["number"] or match["top"]
    return max(1, min(20, _NUMBERS[said] if said in _NUMBERS else int(said)))


def without_count(text: str) -> str:
    """A wish without the number of products it wants, which is read apart: show me three hats, as show me hats."""
    match = _COUNT.search(text.casefold())
    if match is None or len(text) != len(text.casefold()):
        return text
    start, end = match.span("number" if match["number"] else "top")
    return f"{text[:start].rstrip()}{text[end:]}" if text[end:].strip() else text


def split_mixed(text: str) -> tuple[str, str | None]:
    """Split a mixed message into the wish and the stock question; the question is None where it is no clause of its own."""
    clauses: list[str] = []
    start = 0
    for match in cues.SPLIT.finditer(text):
        mark = next((mark for mark in "?!." if mark in match.group()), "")
        clauses.append(text[start : match.start()] + mark)
        start = match.end()
    clauses.append(text[start:])
    clauses = [clause.strip() for clause in clauses if clause.strip(" ,.;!?")]
    stock = [clause for clause in clauses if _is_stock_clause(clause)]
    rest = [clause for clause in clauses if clause not in stock]
    if not stock or not rest:
        return text, None
    return " ".join(rest).strip(" ,;."), " ".join(stock).strip(" ,;")


def depends(question: str, lexicon: Lexicon) -> bool:
    """Whether a stock question is about what will be recommended: it names no product of its own."""
    if lexicon.sku_in(question) is not None:
        return False
    lowered = cues.normal(question)
    return cues.has_pronoun(lowered) or len(cues.words(question)) <= 6


def _is_stock_clause(clause: str) -> bool:
    lowered = cues.normal(clause)
    return cues.asks_stock(lowered) and (
        cues.has_pronoun(lowered)
        or re.match(r"(is|are|do|does|can|could|have|has|how|which|where|what|if|whether|tell|check|see)\b", lowered)
        is not None
    )
