"""Takes personal data out of a text, by plain rules.

Rules, not a named-entity model: Presidio brings spaCy and a language model of half a gigabyte for each language, more
than everything else here together. What the rules know: e-mail addresses, links, bank accounts (IBAN, by their check
digits), card numbers (by Luhn's sum), phone numbers, long numbers, street addresses, and names after words such as
"my name is". A name that nobody announced stays: the rows are the shop's own and leave it only by the owner's hand.
"""

import re
from collections.abc import Callable

MAX_CHARS = 1_000
MIN_CHARS = 2

_EMAIL = re.compile(r"[\w.+'-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\s?(?:\.|\(dot\)|\[dot\])\s?[\w-]+)+", re.IGNORECASE)
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w-])(?:\+|00)\d(?:[ ()./-]{0,2}\d){6,13}(?![\w-])|(?<![\w-])\(?0?\d{2,4}\)?(?:[ ./-]\d{2,4}){2,4}(?![\w-])"
)
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}")
_LONG = re.compile(r"(?<![\w-])\d{7,}(?![\w-])")
_STREET = (
    r"street|st\.?|road|rd\.?|avenue|ave\.?|lane|ln\.?|drive|dr\.?|boulevard|blvd\.?|square|court|crescent|terrace|close"
    r"|nagar|marg|colony|sector"
)
_ADDRESS = re.compile(
    rf"\b\d{{1,5}}[a-z]?,?\s+(?:[\w'’-]+\s+){{1,3}}?(?:{_STREET})(?!\w)"
    r"|\b[\w'’-]{3,}(?:stra(?:ss|ß)e|str\.|gasse|allee|platz|weg|straat|laan|gatan|vej)\s+\d{1,4}[a-z]?\b"
    r"|\b(?:rue|avenue|calle|via|viale|rua|avenida|plaza|piazza)\s+(?:[\w'’-]+\s+){1,3}?\d{1,4}\b"
    r"|\b\d{1,4},?\s+(?:rue|avenue|boulevard)\s+(?:de la\s+|d[eu]s?\s+|la\s+)?[\w'’-]+",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?P<cue>\b(?:my (?:full |first |last )?name(?: is|'s|:)|name:|i am called|i'm called|sincerely,?|kind regards,?|best regards,?"
    r"|je m'appelle|mon nom est|ich hei(?:ss|ß)e|mein name ist|me llamo|mi nombre es|mi chiamo|meu nome é|mera naam)\s+)"
    r"(?P<name>[^\W\d_][\w'’.-]*(?:\s+(?-i:[A-ZÀ-Þ])[\w'’.-]*){0,3})",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """The text with single blanks, and marks such as ``[email]`` where personal data stood."""
    plain = " ".join(text.split())
    plain = _EMAIL.sub("[email]", plain)
    plain = _LINK.sub("[link]", plain)
    plain = _IBAN.sub(_where(is_iban, "[account]"), plain)
    plain = _CARD.sub(_where(is_card, "[card]"), plain)
    plain = _PHONE.sub(_where(_is_phone, "[phone]"), plain)
    plain = _LONG.sub("[number]", plain)
    plain = _ADDRESS.sub("[address]", plain)
    return _NAMED.sub(lambda found: f"{found['cue']}[name]", plain)


def is_card(text: str) -> bool:
    """Whether the digits add up as a payment card's do (Luhn)."""
    digits = [int(one) for one in text if one.isdecimal()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether the check digits of an international bank account are right (modulo 97)."""
    plain = "".join(text.split()).upper()
    if not 15 <= len(plain) <= 34 or not plain.isalnum() or not plain.isascii():
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_phone(text: str) -> bool:
    """No date, and no row of sizes: some group of a phone number has three digits or more."""
    long_group = re.search(r"\d{3}", text) is not None
    return long_group and _DATE.fullmatch(text) is None and 7 <= sum(one.isdecimal() for one in text) <= 15


def _where(test: Callable[[str], bool], mark: str) -> Callable[[re.Match[str]], str]:
    def replace(found: re.Match[str]) -> str:
        return mark if test(found[0]) else found[0]

    return replace
