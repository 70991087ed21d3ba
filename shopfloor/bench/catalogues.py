"""Large catalogues for the benchmarks, made by perturbing real products: other words in the name, other colours and
prices, now and then a name of a series that no other product has. Seeded: the same number gives the same products."""

import csv
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shopfloor.errors import InputError

SWAPPED = 0.6  # chance that a word of the name becomes another product's
SERIES = 0.25  # chance of a series' name, so that the vocabulary grows with the catalogue as real ones do
_SYLLABLES = ("ka", "lo", "mi", "ran", "ter", "vel", "so", "bri", "no", "da", "fen", "ul", "ti", "gra", "pel", "or")


@dataclass(frozen=True, slots=True)
class Source:
    """Products of one real shop, as its file has them."""

    rows: tuple[dict[str, str], ...]


def read_source(path: Path) -> Source:
    """Read a shop's products.csv or catalog.csv.

    Raises:
        InputError: there is no such file, or it has no products.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = tuple(dict(row) for row in csv.DictReader(lines) if row.get("name"))
    except OSError as error:
        raise InputError(f"The products to make catalogues from can't be read: {path} ({error}).") from error
    if not rows:
        raise InputError(f"{path} has no products with a name.")
    return Source(rows)


def write_catalogue(folder: Path, sources: Sequence[Source], size: int, seed: int = 0) -> Path:
    """Write ``size`` products as a shop's folder; each source gives as many as any other."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for source in sources for row in source.rows[:1] for key in row))
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as lines:
        out = csv.DictWriter(lines, columns, restval="")
        out.writeheader()
        out.writerows(perturbed(sources, size, seed))
    return folder


def perturbed(sources: Sequence[Source], size: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """The real products first, then perturbed ones, up to ``size``."""
    random_ = random.Random(seed)
    makers = [_Maker(source, random_) for source in sources]
    for number in range(size):
        maker = makers[number % len(makers)]
        row = maker.make(number // len(makers))
        row["sku"] = f"B{number:07d}"
        yield row


class _Maker:
    def __init__(self, source: Source, random_: random.Random) -> None:
        self._rows = source.rows
        self._random = random_
        self._words = [word for row in source.rows for word in row["name"].split()]
        self._colours = [row["colour"] for row in source.rows if row.get("colour")]
        self._sentences: dict[str, list[str]] = defaultdict(list)
        for row in source.rows:
            self._sentences[row.get("category", "")].extend(_sentences(row.get("description", "")))

    def make(self, turn: int) -> dict[str, str]:
        if turn < len(self._rows):
            return dict(self._rows[turn])
        row = dict(self._random.choice(self._rows))
        row["name"] = self._name(row["name"].split())
        if row.get("colour") and self._random.random() < 0.5:
            row["colour"] = self._random.choice(self._colours)
        if row.get("price"):
            row["price"] = f"{max(0.1, float(row['price']) * self._random.lognormvariate(0, 0.3)):.2f}"
        said = _sentences(row.get("description", ""))
        if said:
            said[self._random.randrange(len(said))] = self._random.choice(self._sentences[row.get("category", "")])
            row["description"] = " ".join(said)
        return row

    def _name(self, words: list[str]) -> str:
        for place in range(len(words) - 1):  # the last word mostly says what kind of thing it is
            if self._random.random() < SWAPPED / max(1, len(words) - 1):
                words[place] = self._random.choice(self._words)
        if self._random.random() < SERIES:
            made = "".join(self._random.choice(_SYLLABLES) for _ in range(self._random.randint(2, 4)))
            words.insert(0, made.capitalize())
        return " ".join(words)


def _sentences(text: str) -> list[str]:
    return [part.strip() + "." for part in text.split(".") if part.strip()]
