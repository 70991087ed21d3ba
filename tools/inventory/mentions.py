"""Everything a stock question names: products, places, sizes, amounts, days, services, coordinates."""

import re
from dataclasses import dataclass, field

from shopfloor.tools.inventory.find_places import PlaceFinder
from shopfloor.tools.inventory.find_products import ProductFinder
from shopfloor.tools.inventory.idioms import find_idioms
from shopfloor.tools.inventory.lexicon import DAYS, FRAME, SIZE_WORDS
from shopfloor.tools.inventory.numbers import Amount, find_amounts
from shopfloor.tools.inventory.reading import PlaceMention, ProductMention, Reading
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import stem
from shopfloor.tools.places import Gazetteer

_DECIMAL = r"[-−+]?\d{1,3}\.\d+"
_NUMBER = r"[-−+]?\d{1,3}(?:\.\d+)?"
_POINTS = (
    re.compile(
        rf"lat(?:itude)?\b[^\d\-−+]{{0,12}}({_NUMBER})\s*°?\s*([NS](?![a-z]))?[^\d\-−+]{{0,25}}?"
        rf"(?:lon(?:gitude)?|lng|long)\b[^\d\-−+]{{0,12}}({_NUMBER})\s*°?\s*([EW](?![a-z]))?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"({_DECIMAL})\s*°?\s*([NS](?![a-z]))?\s*(?:[,;/]|\band\b|\s)\s*({_DECIMAL})\s*°?\s*([EW](?![a-z]))?(?!\d|\.\d)",
        re.IGNORECASE,
    ),
)
_ZIP_BEFORE = re.compile(
    r"\b(zip|zip code|zipcode|postcode|postal code|post code|live at|live in|am at|im at|area code)\W*(is\W*)?$",
    re.IGNORECASE,
)
_DAY_NAMES = {
    **{day.casefold(): day for day in DAYS},
    **{day.casefold() + "s": day for day in DAYS},
    **{day[:3].casefold(): day for day in DAYS},
    "tues": "Tuesday", "thur": "Thursday", "thurs": "Thursday", "weds": "Wednesday",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a question names, in the order of the text. ``masked`` is the question with those words replaced."""

    text: str
    masked: str
    products: tuple[ProductMention, ...] = ()
    places: tuple[PlaceMention, ...] = ()
    amounts: tuple[Amount, ...] = ()
    point: tuple[float, float] | None = None
    zips: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    size: str | None = None
    horizon_days: int | None = None  # of a span of time ahead ("within 30 days")
    skipped: tuple[str, ...] = field(default=())


def read_mentions(text: str, names: ShopNames, gazetteer: Gazetteer) -> Mentions:
    """Find every mention in ``text``. Pure and CPU-bound: a few milliseconds for a question."""
    reading = Reading.of(text)
    if not reading.tokens:
        return Mentions(text, "")
    products = ProductFinder(reading, names)
    point = _find_point(reading)
    found = products.codes()
    services = _find_services(reading, names)
    found += products.names()
    horizon = find_idioms(reading, names.sizes)
    zips = _find_zips(reading, names)
    days = _find_days(reading)
    finder = PlaceFinder(reading, names, gazetteer)
    states = _find_states(reading, names)
    places = finder.find()
    size = _find_size(reading, names)
    found += products.descriptions(named=bool(found), is_city=finder.is_great)
    found, more_places = _places_among(found, finder, reading)
    places = sorted([*places, *more_places], key=lambda mention: mention.start)
    amounts = find_amounts(
        reading.words, [label is not None or reading.hyphened(n) for n, label in enumerate(reading.labels)]
    )
    return Mentions(
        text=text,
        masked=reading.masked(),
        products=tuple(sorted(found, key=lambda mention: mention.start)),
        places=tuple(places),
        amounts=tuple(amounts),
        point=point,
        zips=zips,
        states=states,
        services=services,
        days=days,
        size=size,
        horizon_days=horizon,
    )


def _places_among(
    found: list[ProductMention], finder: PlaceFinder, reading: Reading
) -> tuple[list[ProductMention], list[PlaceMention]]:
    """Descriptions of nothing in the catalogue that turn out to be places ("stock of CO-1 Toronto")."""
    products: list[ProductMention] = []
    places: list[PlaceMention] = []
    for mention in found:
        place = None
        if mention.kind == "none" and not mention.exact and not mention.skus:
            others = any(other.kind != "none" for other in found)
            place = finder.leftover(mention.start, mention.end, others)
            if place is None and others:
                for position in range(mention.start, mention.end):
                    reading.labels[position] = None  # chatter beside the product that is really asked about
                continue
        if place is None:
            products.append(mention)
        else:
            reading.mark(place.start, place.end, "place")
            places.append(place)
    return products, places


def _find_point(reading: Reading) -> tuple[float, float] | None:
    for pattern in _POINTS:
        for hit in pattern.finditer(reading.text):
            latitude = float(hit.group(1).replace("−", "-")) * (-1 if (hit.group(2) or "").upper() == "S" else 1)
            longitude = float(hit.group(3).replace("−", "-")) * (-1 if (hit.group(4) or "").upper() == "W" else 1)
            if abs(latitude) <= 90 and abs(longitude) <= 180:
                reading.mark_span(hit.start(), hit.end(), "point")
                return latitude, longitude
    return None


def _find_services(reading: Reading, names: ShopNames) -> tuple[str, ...]:
    found: list[str] = []
    for key in sorted(names.services, key=len, reverse=True):
        for start in range(len(reading.words) - len(key) + 1):
            end = start + len(key)
            if reading.free(start, end) and _same_words(reading.words[start:end], key):
                reading.mark(start, end, "service")
                found.append(names.services[key])
    return tuple(found)


def _same_words(words: list[str], key: tuple[str, ...]) -> bool:
    return all(word.rstrip("s") == other.rstrip("s") for word, other in zip(words, key, strict=True))


def _find_zips(reading: Reading, names: ShopNames) -> tuple[str, ...]:
    found: list[str] = []
    for position, token in enumerate(reading.tokens):
        if not reading.free(position) or not any(char.isdigit() for char in token.surface):
            continue
        text = token.surface
        pair = f"{text} {reading.tokens[position + 1].surface}" if position + 1 < len(reading.tokens) else ""
        if pair.upper() in names.zips:
            reading.mark(position, position + 2, "zip")
            found.append(pair.upper())
        elif (text in names.zips and len(text) >= 4) or (
            len(text) >= 4 and _ZIP_BEFORE.search(reading.text[: token.start]) is not None
        ):
            reading.mark(position, position + 1, "zip")
            found.append(text)
    return tuple(dict.fromkeys(found))


def _find_days(reading: Reading) -> tuple[str, ...]:
    found: list[str] = []
    for position, word in enumerate(reading.words):
        day = _DAY_NAMES.get(word)
        if day is None or not reading.free(position):
            continue
        if word in ("sun", "sat", "mon", "wed") and not reading.capitalised(position):
            continue
        reading.mark(position, position + 1, "day")
        found.append(day)
    return tuple(dict.fromkeys(found))


def _find_states(reading: Reading, names: ShopNames) -> tuple[str, ...]:
    """State codes in capitals ("TX"), and state names that no store or city bears."""
    if not names.states:
        return ()
    found: list[str] = []
    shouting = reading.text.isupper()
    for length in (2, 1):
        for start in range(len(reading.words) - length + 1):
            key = " ".join(reading.words[start : start + length])
            if key not in names.states or not reading.free(start, start + length):
                continue
            surface = reading.surface(start, start + length)
            code = length == 1 and len(key) <= 3
            after_comma = "," in reading.gap(start)
            if code and not (surface.isupper() and (after_comma or not shouting)):
                continue
            after_city = after_comma and start > 0 and reading.words[start - 1] in _city_ends(names)
            if not code and (key in names.cities or key in names.store_names) and not after_city:
                continue
            reading.mark(start, start + length, "state")
            found.append(names.states[key])
    return tuple(dict.fromkeys(found))


def _city_ends(names: ShopNames) -> frozenset[str]:
    """The last words of the shop's cities."""
    return frozenset(city.split()[-1] for city in names.own_cities if city)


def _find_size(reading: Reading, names: ShopNames) -> str | None:
    """A size said as such ("size 10", "in medium", "an XL") that some product of the shop comes in."""
    if not names.sizes:
        return None
    for hit in re.finditer(
        r"\bsizes?\s+(?:is\s+|a\s+|an\s+|us\s+|uk\s+|eu\s+)?([\w./-]+(?:\s+(?:yrs?|years?|months?|cm|ml))?)",
        reading.text,
        re.IGNORECASE,
    ):
        size = _known_size(hit.group(1), names) or _known_size(hit.group(1).split()[0], names)
        if size is not None:
            start = hit.start(1)
            reading.mark_span(hit.start(), start + len(size), "size")
            return size
    for hit in re.finditer(r"(?<![\w.,-])(\d{2,3})\s*cm\b", reading.text, re.IGNORECASE):
        if hit.group(1) in names.sizes:  # children's sizes are their height
            reading.mark_span(hit.start(), hit.end(), "size")
            return names.sizes[hit.group(1)]
    spoken = _spoken_size(reading, names)
    if spoken is not None:
        return spoken
    return _bare_size(reading, names)


def _bare_size(reading: Reading, names: ShopNames) -> str | None:
    """A size that stands alone: "XL", "in M", "5-6 Yr"."""
    for hit in re.finditer(
        r"(?<![\w'’.-])([\w/-]+(?:\s?(?:yrs?|years?|months?|cm|ml))?)(?![\w'’-])", reading.text, re.IGNORECASE
    ):
        size = _known_size(hit.group(1), names)
        if size is None or size.isdigit():
            continue
        before = reading.text[: hit.start()].split()
        if len(hit.group(1)) == 1 and before and re.fullmatch(r"\d+(?:[.,]\d+)?", before[-1].lstrip("(")):
            continue  # "28 L" is a measure of the thing
        if stem(hit.group(1)) in FRAME and (not before or before[-1].casefold() not in ("in", "a", "an", "the")):
            continue
        if (
            len(size) <= 3
            and size.isalpha()
            and not hit.group(1).isupper()
            and hit.group(1).casefold() not in SIZE_WORDS
        ):
            continue
        span = [
            number
            for number, token in enumerate(reading.tokens)
            if token.start >= hit.start(1) and token.end <= hit.end(1)
        ]
        if span and all(reading.labels[number] in (None, "size") for number in span):
            reading.mark(span[0], span[-1] + 1, "size")
            return size
    return None


def _spoken_size(reading: Reading, names: ShopNames) -> str | None:
    """A size in several words: "extra large"."""
    for spoken in (word for word in SIZE_WORDS if " " in word):
        hit = re.search(rf"\b{spoken.replace(' ', '[ -]')}\b", reading.text, re.IGNORECASE)
        size = _known_size(spoken, names) if hit is not None else None
        if hit is not None and size is not None and reading.free(*_positions(reading, hit.start(), hit.end())):
            reading.mark_span(hit.start(), hit.end(), "size")
            return size
    return None


def _positions(reading: Reading, start: int, end: int) -> tuple[int, int]:
    """The words that lie within these characters."""
    inside = [number for number, token in enumerate(reading.tokens) if token.start < end and token.end > start]
    return inside[0], inside[-1] + 1


def _known_size(text: str, names: ShopNames) -> str | None:
    key = text.strip().casefold()
    if key in names.sizes:
        return names.sizes[key]
    spoken = SIZE_WORDS.get(key)
    if spoken is not None and spoken.casefold() in names.sizes:
        return names.sizes[spoken.casefold()]
    year = re.fullmatch(r"([\d-]+)\s*(yrs?|years?)(\s+olds?)?", key)
    if year:
        for wording in (f"{year.group(1)} yr", f"{year.group(1)} years", f"{year.group(1)}y"):
            if wording in names.sizes:
                return names.sizes[wording]
    return None
