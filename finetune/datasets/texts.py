"""A shopper's words as a row may hold them."""

from shopfloor.evaluation.scrub import MAX_CHARS, MIN_CHARS, scrub
from shopfloor.finetune.datasets.rows import Unusable


def clean(text: str) -> str:
    """Scrubbed, with single blanks.

    Raises:
        Unusable: it is too short or too long, or nothing but personal data.
    """
    if len(text) > MAX_CHARS:
        raise Unusable("too_long", f"{len(text)} characters")
    plain = scrub("".join(one if one.isprintable() else " " for one in text))
    if len(plain) < MIN_CHARS:
        raise Unusable("too_short")
    if not any(one.isalpha() for one in _without_marks(plain)):
        raise Unusable("no_words")
    return plain


def _without_marks(text: str) -> str:
    for mark in ("[email]", "[link]", "[account]", "[card]", "[phone]", "[number]", "[address]", "[name]"):
        text = text.replace(mark, "")
    return text
