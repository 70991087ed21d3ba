"""From a cell, whatever file it came from, to a value the catalogue can hold.

Every function returns ``None`` for an empty cell and raises :class:`ValueError` with a reason a shopkeeper
understands. Text is kept as it is written, markup and formulas included: it is data, and shown as data.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

ID_LIMIT = 128
COUNT_LIMIT = 1_000_000_000

CURRENCY_SIGNS = {
    "£": "GBP",
    "€": "EUR",
    "$": "USD",
    "US$": "USD",
    "¥": "JPY",
    "₹": "INR",
    "RS": "INR",
    "RS.": "INR",
    "₩": "KRW",
    "₽": "RUB",
    "₺": "TRY",
    "₪": "ILS",
    "R$": "BRL",
    "ZŁ": "PLN",
    "KČ": "CZK",
    "A$": "AUD",
    "C$": "CAD",
    "CHF": "CHF",
}
CROWNS = frozenset({"KR", "KR."})  # Danish, Norwegian or Swedish: an amount, but no one currency

_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_MONEY = re.compile(
    r"(?P<before>[^0-9(+\-\u2212.,]*)(?P<sign>[(+\-\u2212]?)(?P<inner>[^0-9.,]*)"
    r"(?P<number>[0-9.,'\u2019 \u00a0\u202f]*[0-9])(?P<dash>[.,]?[-\u2013\u2014])?\)?(?P<after>[^0-9]*)",
    re.ASCII,
)
_SPACES = re.compile(r"['\u2019 \u00a0\u202f]")
_MISSING = frozenset({"", "nan", "null", "none", "n/a", "na", "-", "nil"})
_TRUE = frozenset({"true", "1", "yes", "y", "t", "1.0", "on"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "0.0", "off"})
_DATE_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y")
_CONTROL = {code: None for code in range(32) if code not in (9, 10, 13)} | {127: None}


def text(cell: object) -> str | None:
    """A text without surrounding blanks, control characters or broken surrogates."""
    if isinstance(cell, str):
        value = cell.strip()
    elif cell is None:
        return None
    elif isinstance(cell, bool):
        value = "true" if cell else "false"
    elif isinstance(cell, float):
        if math.isnan(cell):
            return None
        value = str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else str(cell)
    elif isinstance(cell, datetime | date):
        value = cell.isoformat()
    elif isinstance(cell, bytes):
        raise ValueError("is binary data, not text")
    elif isinstance(cell, Mapping | Sequence):
        value = json.dumps(cell, ensure_ascii=False, default=str)
    else:
        value = str(cell).strip()
    if not value.isprintable():
        value = value.translate(_CONTROL).encode("utf-8", "replace").decode("utf-8").strip()
    return value or None


def identifier(cell: object) -> str | None:
    """An id: a text of at most 128 characters on one line."""
    value = cell if isinstance(cell, str) and cell.isalnum() else text(cell)
    if value is None:
        return None
    if len(value) > ID_LIMIT:
        raise ValueError(f"is {len(value)} characters long; an id has at most {ID_LIMIT}")
    if "\n" in value or "\r" in value:
        raise ValueError("holds a line break")
    return value


def joined(cell: object) -> str | None:
    """Several texts as one, joined by ``|``; a list (JSONL, Parquet) or a text that is joined already."""
    parts: list[Any]
    if isinstance(cell, list | tuple):
        parts = list(cast("Sequence[Any]", cell))
    else:
        whole = text(cell)
        if whole is None:
            return None
        parts = list(whole.split("|"))
    cleaned = [part for part in (text(part) for part in parts) if part]
    return "|".join(dict.fromkeys(cleaned)) or None


def number(cell: object) -> float | None:
    """A number, its decimal sign and thousands as people write them."""
    if isinstance(cell, bool):
        raise ValueError("is true or false, not a number")  # noqa: TRY004  a reason for the report
    if isinstance(cell, int | float):
        value = float(cell)
    else:
        written = text(cell)
        if written is None or written.casefold() in _MISSING:
            return None
        if not _PLAIN.fullmatch(written):
            return _written_number(written)
        value = float(written)
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError("is infinite")
    return value


def measure(cell: object) -> float | None:
    """A coordinate or a rating: one comma is always the decimal sign (``45,764``), there are no thousands."""
    if isinstance(cell, str) and cell.count(",") == 1 and "." not in cell:
        return number(cell.replace(",", "."))
    return number(cell)


def price(cell: object) -> float | None:
    """An amount of money: ``8.50``, ``8,50``, ``£8.50``, ``1.299,00 €``, ``1,299.00 USD``.

    A single comma before exactly three digits groups thousands (``1,299``); otherwise it is the decimal sign.
    """
    value = number(cell)
    if value is not None and value < 0:
        raise ValueError(f"{_quoted(cell)} is negative")
    if value is not None and value > COUNT_LIMIT:
        raise ValueError(f"{_quoted(cell)} is too large")
    return value


def signed_price(cell: object) -> float | None:
    """A price in a line of history; lines of returns may carry it negative, it counts without its sign."""
    value = number(cell)
    return None if value is None else abs(value)


def currency_of(cell: object) -> str | None:
    """The ISO code that a written amount names, if it names one."""
    if not isinstance(cell, str) or _PLAIN.fullmatch(cell):
        return None
    match = _MONEY.fullmatch(cell.strip())
    if match is None:
        return None
    for part in (match["before"] + match["inner"], match["after"]):
        code = currency_code(part)
        if code is not None:
            return code
    return None


def currency_code(cell: object) -> str | None:
    """``EUR`` from ``EUR``, ``eur`` or ``€``; None when it names no one currency.

    Three letters are taken for an ISO 4217 code without a list to check them against.
    """
    written = (text(cell) or "").upper()
    if written in CURRENCY_SIGNS:
        return CURRENCY_SIGNS[written]
    if len(written) == 3 and written.isascii() and written.isalpha():
        return written
    return None


def whole(cell: object) -> int | None:
    """A whole number, negative ones included."""
    if isinstance(cell, int) and not isinstance(cell, bool):
        value = cell
    else:
        found = number(cell)
        if found is None:
            return None
        if not found.is_integer():
            raise ValueError(f"{_quoted(cell)} is not a whole number")
        value = int(found)
    if abs(value) > COUNT_LIMIT:
        raise ValueError(f"{_quoted(cell)} is too large")
    return value


def count(cell: object) -> int | None:
    """A whole number from zero up."""
    value = whole(cell)
    if value is not None and value < 0:
        raise ValueError(f"{_quoted(cell)} is negative")
    return value


def flag(cell: object) -> int | None:
    """1 or 0 from a boolean or its usual spellings."""
    if isinstance(cell, bool):
        return int(cell)
    written = text(cell)
    if written is None:
        return None
    if written.casefold() in _TRUE:
        return 1
    if written.casefold() in _FALSE:
        return 0
    raise ValueError(f"{_quoted(cell)} is neither true nor false")


def timestamp(cell: object) -> str | None:
    """ISO 8601 to the second; times with a zone are turned into UTC, others are kept as the shop's own."""
    moment: datetime
    if isinstance(cell, datetime):
        moment = cell
    elif isinstance(cell, date):
        moment = datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001  the shop's own time, zone unknown
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        moment = _from_epoch(float(cell))
    else:
        written = text(cell)
        if written is None:
            return None
        moment = _from_text(written)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=0).isoformat()


def options(cell: object) -> str | None:
    """A JSON object of a variant's options, as compact JSON text."""
    if isinstance(cell, Mapping):
        found = cast("Mapping[Any, Any]", cell)
    else:
        written = text(cell)
        if written is None:
            return None
        try:
            loaded: object = json.loads(written)
        except ValueError as error:
            raise ValueError(f"{_quoted(cell)} is not a JSON object") from error
        if not isinstance(loaded, Mapping):
            raise ValueError(f"{_quoted(cell)} is not a JSON object")  # noqa: TRY004  a reason for the report
        found = cast("Mapping[Any, Any]", loaded)
    return dump({str(key): attribute(value) for key, value in found.items() if attribute(value) is not None})


def attribute(cell: object) -> Any:
    """A further column's value: numbers and booleans stay, texts are cleaned, NaN and empty become None."""
    if isinstance(cell, bool) or cell is None:
        return cell
    if isinstance(cell, int):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, Mapping):
        inner = cast("Mapping[Any, Any]", cell)
        return {text(str(key)) or "": attribute(value) for key, value in inner.items()} or None
    if isinstance(cell, list | tuple):
        return [attribute(value) for value in cast("Sequence[Any]", cell)] or None
    return text(cell)


def dump(value: Mapping[str, Any]) -> str:
    """JSON as the catalogue keeps it: UTF-8, no blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _written_number(written: str) -> float:
    match = _MONEY.fullmatch(written)
    if match is None or not _is_currency(match["before"] + match["inner"]) or not _is_currency(match["after"]):
        raise ValueError(f"{_quoted(written)} is not a number")
    digits = _SPACES.sub("", match["number"])
    value = float(_decimal_point(digits, written))
    return -value if match["sign"] in ("-", "\u2212", "(") else value


def _decimal_point(digits: str, written: str) -> str:
    """``digits`` with a point for the decimal sign and nothing between thousands (or lakhs)."""
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        separator, decimal = (",", ".") if point > comma else (".", ",")
    elif digits.count(",") + digits.count(".") > 1:
        separator, decimal = digits[max(comma, point)], ""
    elif comma >= 0 and re.fullmatch(r"[1-9][0-9]{0,2},[0-9]{3}", digits):
        separator, decimal = ",", ""
    else:
        separator, decimal = "", "," if comma >= 0 else "."
    front, _, back = digits.rpartition(decimal) if decimal and decimal in digits else (digits, "", "")
    if separator and not re.fullmatch(rf"[0-9]{{1,3}}({re.escape(separator)}[0-9]{{2,3}})*", front):
        raise ValueError(f"{_quoted(written)} is not a number")
    plain = f"{front.replace(separator, '') if separator else front}.{back}"
    if not re.fullmatch(r"[0-9]*\.[0-9]*", plain):
        raise ValueError(f"{_quoted(written)} is not a number")
    return plain


def _is_currency(part: str) -> bool:
    written = part.strip().upper()
    return not written or written in CROWNS or currency_code(written) is not None


def _from_text(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        pass
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(written, form)  # noqa: DTZ007  the shop's own time, zone unknown
        except ValueError:
            continue
    raise ValueError(f"{_quoted(written)} is not a date; write it as 2025-03-14 or 2025-03-14T09:26:00")


def _from_epoch(value: float) -> datetime:
    seconds = value / 1000 if abs(value) > 1e11 else value
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{value} is not a date") from error


def _quoted(cell: object) -> str:
    shown = str(cell)
    return f"'{shown[:40]}…'" if len(shown) > 40 else f"'{shown}'"
