"""Opening hours as shops write them: ``Mon: 10-9; Tue: 10-9``, ``Mon-Fri 9:00-18:00, Sat 10-16``, ``Daily 9-5``."""

import re

from shopfloor.tools.inventory.lexicon import DAYS

_PART = re.compile(
    r"^\s*(daily|every day|weekdays|weekends?|[A-Za-zÀ-ÿ]{2,9}\.?)(?:\s*(?:-|–|to)\s*([A-Za-z]{2,9}\.?)(?=\W))?\s*:?\s*(.*)$",
    re.IGNORECASE,
)

# Days as shops abroad write them (German, French, Spanish, Italian, Dutch), Monday first.
_ABROAD = (
    "mo montag lun lundi lunes lunedi",
    "di die dienstag mardi martes martedi dinsdag",
    "mi mittwoch mer mercredi miercoles mercoledi woensdag wo",
    "do donnerstag jeu jeudi jueves giovedi gio donderdag",
    "fr freitag ven vendredi viernes venerdi vrijdag vr",
    "sa samstag samedi sabado sabato zaterdag za sonnabend",
    "so sonntag dim dimanche domingo dom domenica zondag zo",
)


def hours_by_day(text: str | None) -> dict[str, str]:
    """Hours of each named day, as the shop wrote them; days it does not name are missing."""
    found: dict[str, str] = {}
    if text and re.search(r"\balways\b|24\s*/\s*7|24 hours", text, re.IGNORECASE):
        return dict.fromkeys(DAYS, text.strip())
    for part in re.split(r"[;\n|]|,(?=\s*[A-Za-z])", text or ""):
        read = _PART.match(part)
        if read is None or not read.group(3).strip():
            continue
        for day in _days(read.group(1), read.group(2)):
            found[day] = read.group(3).strip()
    return found


def _days(first: str, last: str | None) -> list[str]:
    word = first.casefold().rstrip(".")
    if word in ("daily", "every day"):
        return list(DAYS)
    if word == "weekdays":
        return list(DAYS[:5])
    if word in ("weekend", "weekends"):
        return list(DAYS[5:])
    start = _day(word)
    if start is None:
        return []
    end = _day(last.casefold().rstrip(".")) if last else start
    if end is None:
        return [DAYS[start]]
    span = range(start, end + 1) if end >= start else [*range(start, 7), *range(end + 1)]
    return [DAYS[number] for number in span]


def _day(word: str) -> int | None:
    known = next((number for number, names in enumerate(_ABROAD) if word in names.split()), None)
    if known is not None:
        return known
    for number, day in enumerate(DAYS):
        if len(word) >= 2 and day.casefold().startswith(word[:3] if len(word) > 3 else word):
            return number
    return None
