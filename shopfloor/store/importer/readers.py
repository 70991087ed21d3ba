"""Reads CSV, JSONL and SQLite tables as one thing: column names and rows with their line numbers.

A row that can't be read at all comes as a :class:`BadRow`, in its place among the good ones.
"""

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from shopfloor.errors import ImportRejectedError

BATCH_ROWS = 10_000
CELL_LIMIT = 1_000_000
JSONL_SAMPLE = 1_000
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not even a row of the file's columns."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """Cells in the order of the file's columns."""

    line: int
    cells: Sequence[object]


class Source(Protocol):
    """One table of a shop, wherever it lies."""

    @property
    def label(self) -> str:
        """What messages call it, e.g. ``products.csv``."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """Column names as the shop writes them."""
        ...

    @property
    def total(self) -> int | None:
        """Rows in all, where that is known without reading."""
        ...

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row, in order."""
        ...


class CsvSource:
    """A CSV file with a header line; comma, semicolon or tab between cells."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.label = path.name
        self.total: int | None = None
        self._encoding = _encoding_of(path)
        columns = [name.strip() for name in self._header()]
        while columns and not columns[-1]:
            columns.pop()
        if not columns:
            raise ImportRejectedError(f"{path.name} has no header line; name the columns in its first line.")
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice is not None:
            raise ImportRejectedError(f"{path.name} has two columns called '{twice}'; rename one.")
        self.columns: Sequence[str] = columns

    def rows(self) -> Iterator[Row | BadRow]:
        """Data rows; blank lines are passed over."""
        width = len(self.columns)
        with _decoding(self._path), self._path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter)
            next(reader, None)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRow(line, f"can't be read ({error})")
                    continue
                if len(cells) == width:
                    yield Row(line, cells)
                elif any(cell.strip() for cell in cells):
                    trimmed = cells[:width] if not any(cell.strip() for cell in cells[width:]) else cells
                    if len(trimmed) == width:
                        yield Row(line, trimmed)
                    else:
                        yield BadRow(line, f"has {len(cells)} cells where the header has {width}")

    def _header(self) -> list[str]:
        with _decoding(self._path), self._path.open(encoding=self._encoding, newline="") as file:
            first = file.readline(CELL_LIMIT)
        self._delimiter = max(_DELIMITERS, key=first.count)
        return next(csv.reader([first], delimiter=self._delimiter), list[str]())


class JsonlSource:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.label = path.name
        self.total: int | None = None
        self._encoding = _encoding_of(path)
        names: dict[str, None] = {}
        for number, (_, found) in enumerate(self._objects()):
            if number >= JSONL_SAMPLE:
                break
            if isinstance(found, Mapping):
                names.update(dict.fromkeys(found))
        if not names:
            raise ImportRejectedError(f"{path.name} holds no JSON object; write one object a line.")
        self.columns: Sequence[str] = list(names)

    def rows(self) -> Iterator[Row | BadRow]:
        """Objects as rows. A key seen only after the first 1,000 lines is not read."""
        columns = self.columns
        for line, found in self._objects():
            if isinstance(found, str):
                yield BadRow(line, found)
            else:
                yield Row(line, [found.get(name) for name in columns])

    def _objects(self) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
        with _decoding(self._path), self._path.open(encoding=self._encoding) as file:
            for line, written in enumerate(file, start=1):
                if not written.strip():
                    continue
                try:
                    found: object = json.loads(written)
                except (ValueError, RecursionError) as error:
                    yield line, f"is not JSON ({error})"
                    continue
                if isinstance(found, dict):
                    yield line, cast("Mapping[str, Any]", found)
                else:
                    yield line, "is not a JSON object"


class SqliteSource:
    """A table or view of an SQLite database; the line of a row is its number."""

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        self._table = table
        self.label = f"{path.name}:{table}"
        with closing(open_database(path)) as connection:
            quoted = _quote(table)
            rows = connection.execute(f"SELECT * FROM {quoted} LIMIT 0")
            self.columns: Sequence[str] = [str(column[0]) for column in rows.description]
            self.total: int | None = int(connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0])

    def rows(self) -> Iterator[Row | BadRow]:
        """Rows in the table's own order."""
        with closing(open_database(self._path)) as connection:
            connection.text_factory = _lenient_text
            for line, cells in enumerate(connection.execute(f"SELECT * FROM {_quote(self._table)}"), start=1):
                yield Row(line, tuple(cells))


def open_database(path: Path) -> sqlite3.Connection:
    """Open somebody's SQLite database for reading only.

    Raises:
        ImportRejectedError: it is not one.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        raise ImportRejectedError(f"{path.name} is not a readable SQLite database ({error}).") from error
    return connection


def _lenient_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-8-sig"


class _decoding:
    """Turns a decoding error anywhere in the block into a sentence that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnicodeError):
            raise ImportRejectedError(
                f"{self._path.name} is not written in UTF-8{_where(self._path)}; save it as UTF-8 and import again."
            ) from error


def _where(path: Path) -> str:
    """The line of the first byte that is not UTF-8, in words."""
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                return f" (line {line})"
    return ""
