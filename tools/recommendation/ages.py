"""Ages: in a request ("my daughter, 5 years"), and in what shops write on children's things ("5-6 Yr", "110")."""

import re

from shopfloor.tools.recommendation.language import NUMBER_WORDS

_AGE = re.compile(
    r"(?:(?:aged?|turning|turns)\s+(?P<a>\d{1,2})(?!\w)(?:\s*(?:years?|yrs?)(?:\s+old)?)?|"
    r"(?P<b>\d{1,2})\s*-?\s*(?P<unit>years?|yrs?|y/?o|months?)(?!\w)(?:[\s-]*olds?)?|"
    r"(?<!\bsize )(?<!\bwaist )(?:\bis|\bturned|\bjust)\s+(?P<c>\d{1,2})(?!\w)(?=\s*(?:$|[,.!?)]|and\b|now\b|he\b|she\b|who\b|so\b|but\b|soon\b))|"
    r"\b(?:son|daughter|boy|girl|kid|child|toddler|teenager|(?:grand)(?:son|daughter|child)|nephew|niece)"
    r"(?:\s*\(\s*|,\s*|\s+)(?P<d>\d{1,2})(?![\w.])(?!\s*(?:cm|eur|€|\$|£|pound|dollar|%)))"
)
# Not an age: how long something was had, lasts or is guaranteed.
_NOT_AGE = re.compile(
    r"(?:for|in|after|last(?:s|ed)?|past|every|within|warranty|guarantee|next)\s+(?:the\s+)?(?:about\s+)?$"
)
_LABEL = re.compile(
    r"(?:age[ds]?\s*)?(\d{1,2})(?:\s*(?:-|–|to|/)\s*(\d{1,2}))?\s*(y(?:ea)?rs?|y|m(?:onths?)?|mths?)?\b", re.IGNORECASE
)
# Children's sizes by body height in cm, and the age they are made for.
_HEIGHTS = {80: 1.0, 86: 1.5, 92: 2.0, 98: 3.0, 104: 4.0, 110: 5.0, 116: 6.0, 122: 7.0, 128: 8.0, 134: 9.0, 140: 10.0,
            146: 11.0, 152: 12.0, 158: 13.0, 164: 14.0}  # fmt: skip


_YEARS = re.compile(r"\s*-?\s*(?:years?|yrs?|y/?o)\b")
_CHILD = 18  # a number after "daughter," that is no younger is a size


_SPOKEN = re.compile(
    rf"\b(?P<verb>(?:he|she|son|daughter|nephew|niece|boy|girl|kid|child|who|[a-z]+son|[a-z]+daughter) is|turning|turns|turned|just turned|aged?) "
    rf"(?P<w>{'|'.join(word for word, n in NUMBER_WORDS.items() if 1 < n < _CHILD)})(?=\s*(?:$|[,.!?)]|and\b|now\b|so\b|but\b|soon\b|next\b|this\b|in\b))"
)


_YEARS_OLD = re.compile(
    rf"\b(?P<w>{'|'.join(word for word, n in NUMBER_WORDS.items() if 0 < n < _CHILD)})(?=[ -](?:years?|months?)[ -]olds?\b)"
)


def read_age(text: str) -> tuple[float | None, str]:
    """The age of whom it is for, in years, and the text without it ("my daughter, 5 years" → 5.0)."""
    text = _YEARS_OLD.sub(lambda m: str(NUMBER_WORDS[m["w"]]), text)
    text = _SPOKEN.sub(lambda m: f"{m['verb']} {NUMBER_WORDS[m['w']]}", text)
    for match in _AGE.finditer(text):
        bare = match["b"] is not None and "old" not in match.group() and "y/o" not in match.group()
        if bare and _NOT_AGE.search(text[: match.start()]) and "for my" not in text[: match.start()]:
            continue
        if match["d"] is not None and int(match["d"]) >= _CHILD and not _YEARS.match(text, match.end()):
            continue
        value = float(match["a"] or match["b"] or match["c"] or match["d"])
        if (match["unit"] or "").startswith("month"):
            value /= 12
        start = match.start("d") if match["d"] else match.start()
        return value, text[:start] + " " * (match.end() - start) + text[match.end() :]
    return None, text


def age_range(label: str) -> tuple[float, float] | None:
    """The ages a size label stands for, in years: "5-6 Yr" → (5, 6), body height "110" → (5, 5); None: no age."""
    text = label.strip()
    if text.isdigit():
        age = _HEIGHTS.get(int(text))
        return (age, age) if age is not None else None
    match = _LABEL.fullmatch(text)
    if match is None or (match[3] is None and not text.lower().startswith("age")):
        return None
    scale = 1 / 12 if (match[3] or "y").lower().startswith("m") else 1.0
    low = float(match[1]) * scale
    return low, float(match[2]) * scale if match[2] else low
