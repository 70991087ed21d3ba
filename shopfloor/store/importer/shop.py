"""Finds a shop's tables in a folder, a single file or an SQLite database, and says what it passed over."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from shopfloor.errors import ImportRejectedError
from shopfloor.store.importer.parquet import ParquetSource
from shopfloor.store.importer.readers import CsvSource, JsonlSource, Source, SqliteSource, open_database
from shopfloor.store.importer.tables import TABLES, Table

FILE_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
DATABASE_SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3"})
ABOUT_FILE = "shop.json"


@dataclass(frozen=True, slots=True)
class About:
    """``shop.json`` beside a shop's files: what no table says."""

    name: str | None = None
    currency: str | None = None
    mapping: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Shop:
    """The tables found, in import order."""

    path: Path
    about: About
    sources: list[tuple[Table, Source]] = field(default_factory=list[tuple[Table, Source]])
    notices: list[str] = field(default_factory=list[str])


def find_shop(path: Path, mapping: Mapping[str, str]) -> Shop:
    """Look at ``path`` and open what can be imported.

    Raises:
        ImportRejectedError: nothing there, nothing of a shop in it, or a file that can't be read.
    """
    if path.is_dir():
        shop = _find_in_folder(path)
    elif path.is_file() and path.suffix.lower() in DATABASE_SUFFIXES:
        shop = _find_in_database(path)
    elif path.is_file():
        shop = Shop(path, About(), [(_table_of_file(path, mapping), _open_file(path))])
    else:
        raise ImportRejectedError(f"There is nothing at {path}; name a shop's folder, file or SQLite database.")
    if not shop.sources:
        raise ImportRejectedError(
            f"{path} holds no shop: at least one of products, variants or stores is needed "
            "(.csv, .jsonl or .parquet files, or tables of an SQLite database, by those names)."
        )
    return shop


def fingerprint(path: Path, mapping: Mapping[str, str] | None = None) -> str:
    """A hash of the shop files' names, sizes and times of change; cheap, and another one when a file changed."""
    files = [path]
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if _table_by_stem(file) or file.name == ABOUT_FILE]
    facts: list[object] = [sorted((mapping or {}).items())]
    for file in files:
        stat = file.stat()
        facts.append((file.name, stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def is_catalogue(path: Path) -> bool:
    """Whether an SQLite database is a catalogue of this program (and not just somebody's tables)."""
    connection = open_database(path)
    try:
        names = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master")}
    finally:
        connection.close()
    return {"meta", "products", "product_fts", "_sqlite_migrations"} <= names


def _open_file(path: Path) -> Source:
    """The reader for ``path`` by its suffix.

    Raises:
        ImportRejectedError: no header, a damaged file, or a text that is not UTF-8.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            return CsvSource(path)
        if suffix in {".jsonl", ".ndjson"}:
            return JsonlSource(path)
        if suffix == ".parquet":
            return ParquetSource(path)
    except OSError as error:
        raise ImportRejectedError(f"{path.name} can't be read ({error.strerror or error}).") from error
    raise ImportRejectedError(f"{path.name}: a shop's files are CSV, JSONL or Parquet.")


def _find_in_folder(folder: Path) -> Shop:
    shop = Shop(folder, _read_about(folder / ABOUT_FILE))
    chosen: dict[str, tuple[tuple[int, int], Table, Path]] = {}
    ignored_names: list[str] = []
    for file in sorted(folder.iterdir()):
        if file.name == ABOUT_FILE or file.name.startswith(".") or not file.is_file():
            continue
        table = _table_by_stem(file)
        if table is None:
            ignored_names.append(file.name)
            continue
        rank = (table.stems.index(file.stem.lower()), FILE_SUFFIXES.index(file.suffix.lower()))
        other = chosen.get(table.name)
        if other is None or rank < other[0]:
            chosen[table.name] = (rank, table, file)
        if other is not None:
            used = chosen[table.name][2]
            ignored = other[2] if used == file else file
            shop.notices.append(f"{ignored.name} was ignored: {used.name} is used.")
    if ignored_names:
        shop.notices.append(f"Ignored, as they are not files of a shop: {', '.join(ignored_names)}.")
    shop.sources = [(table, _open_file(chosen[table.name][2])) for table in TABLES if table.name in chosen]
    return shop


def _find_in_database(path: Path) -> Shop:
    if is_catalogue(path):
        raise ImportRejectedError(f"{path.name} is a finished catalogue already; use it as it is with --shop {path}.")
    shop = Shop(path, About())
    connection = open_database(path)
    try:
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        names = {str(row[0]).lower(): str(row[0]) for row in rows}
    finally:
        connection.close()
    for table in TABLES:
        there = [names.pop(stem) for stem in table.stems if stem in names]
        if there:
            shop.sources.append((table, SqliteSource(path, there[0])))
        shop.notices.extend(f"Table {name} was ignored: {there[0]} is used." for name in there[1:])
    if names:
        shop.notices.append(f"Ignored, as they are not tables of a shop: {', '.join(names.values())}.")
    return shop


def _table_by_stem(file: Path) -> Table | None:
    if file.suffix.lower() not in FILE_SUFFIXES:
        return None
    stem = file.stem.lower()
    return next((table for table in TABLES if stem in table.stems), None)


def _table_of_file(path: Path, mapping: Mapping[str, str]) -> Table:
    table = _table_by_stem(path)
    if table is not None:
        return table
    if path.suffix.lower() not in FILE_SUFFIXES:
        raise ImportRejectedError(f"{path.name}: a shop's files are CSV, JSONL, Parquet or SQLite (.db).")
    named = {key.partition(".")[0] for key in mapping}
    table = next((table for table in TABLES if named == {table.name}), None)
    if table is None:
        known = ", ".join(table.name for table in TABLES)
        raise ImportRejectedError(
            f"{path.name} does not say which table it is: name it after one of {known}, "
            "or map its columns (--map products.sku=COLUMN)."
        )
    return table


def _read_about(path: Path) -> About:
    if not path.is_file():
        return About()
    try:
        found: object = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ImportRejectedError(f"{path.name} is not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise ImportRejectedError(f"{path.name} must be one JSON object (name, currency, mapping).")
    about = cast("dict[str, Any]", found)
    mapping: object = about.get("mapping") or {}
    if not isinstance(mapping, dict):
        raise ImportRejectedError(f"{path.name}: mapping must be an object such as {{'products.sku': 'ProductCode'}}.")
    columns = {str(key): str(value) for key, value in cast("dict[Any, Any]", mapping).items()}
    name, currency = about.get("name"), about.get("currency")
    return About(str(name) if name else None, str(currency) if currency else None, columns)
