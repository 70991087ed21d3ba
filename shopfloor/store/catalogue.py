"""The catalogue in use: made on first start, found again on the next, and a few small readers that many parts need."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rapidfuzz import fuzz, process

from shopfloor.errors import ConfigError, ImportRejectedError, NotFoundError, ShopfloorError, StoreError
from shopfloor.settings import Settings
from shopfloor.store.database import connect
from shopfloor.store.importer.report import Progress
from shopfloor.store.importer.shop import DATABASE_SUFFIXES, fingerprint, is_catalogue
from shopfloor.store.meta import read_meta
from shopfloor.store.migrations import open_catalogue

DEMO = "demo"
LOCK_WAIT_S = 300.0
NEAREST = 5
NEAREST_SCORE = 50.0


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the catalogue has it. ``sizes`` and ``colours`` in the shop's order."""

    sku: str
    name: str
    category: str | None
    price: float | None
    currency: str
    description: str
    colours: tuple[str, ...]
    gender: str | None
    brand: str | None
    sizes: tuple[str, ...]
    active: bool
    rating_mean: float | None
    rating_count: int
    units_sold: int


@dataclass(frozen=True, slots=True)
class ShopInfo:
    """The shop's facts from ``meta``. ``rating_scale``: the top rating, None without ratings."""

    name: str
    currency: str
    revision: int
    rating_scale: float | None


def ensure_catalogue(settings: Settings, *, progress: Progress | None = None) -> Path:
    """The catalogue database to use, made or brought up to date when it has to be.

    Without ``settings.shop`` it is the demo shop, or whatever was imported into the data folder. A shop folder is
    imported when its files have changed since the last time; a finished catalogue is used where it lies. Two
    processes that start together import once. When nothing has changed this takes milliseconds.

    Raises:
        ConfigError: ``settings.shop`` names nothing usable.
        StoreError: the database is damaged or of a newer version.
    """
    shop = settings.shop
    own = settings.data / "shop.db"
    if shop is None:
        source, origin = demo_folder(), DEMO
    elif not shop.exists():
        raise ConfigError(f"SHOPFLOOR_SHOP: there is nothing at {shop}; name a shop's folder or database.")
    elif shop.is_file() and shop.suffix.lower() in DATABASE_SUFFIXES:
        return _finished(shop)
    else:
        source, origin = shop, str(shop.resolve())
    if _is_current(own, source, origin):
        open_catalogue(own)
        return own
    with _one_at_a_time(own):
        if not _is_current(own, source, origin):
            _import(source, own, origin, progress)
    return own


def demo_folder() -> Path:
    """The demo shop's files, part of the package."""
    return Path(str(files("shopfloor.demo")))


def product_by_sku(connection: sqlite3.Connection, sku: str) -> Product | None:
    """The product with this SKU (or the one that the variant with this item id belongs to), if there is one."""
    row = connection.execute("SELECT * FROM products WHERE sku = ?", (sku,)).fetchone()
    if row is None:
        row = connection.execute(
            "SELECT products.* FROM products JOIN variants USING (sku) WHERE variants.item_id = ?", (sku,)
        ).fetchone()
    return None if row is None else product_from_row(row)


def require_product(connection: sqlite3.Connection, sku: str) -> Product:
    """:func:`product_by_sku`, or an error that offers the nearest.

    Raises:
        NotFoundError: there is no such product.
    """
    product = product_by_sku(connection, sku)
    if product is None:
        near = nearest_skus(connection, sku)
        hint = f" The nearest: {', '.join(near)}." if near else ""
        raise NotFoundError(f"There is no product '{sku}'.{hint}", code="unknown_sku", matches=near)
    return product


def product_exists(connection: sqlite3.Connection, sku: str) -> bool:
    """Whether a product has this SKU."""
    return connection.execute("SELECT 1 FROM products WHERE sku = ?", (sku,)).fetchone() is not None


def nearest_skus(connection: sqlite3.Connection, text: str, limit: int = NEAREST) -> list[str]:
    """SKUs whose own letters, or whose product's name, look most like ``text``; best first."""
    names = {str(row[0]): str(row[1]) for row in connection.execute("SELECT sku, name FROM products WHERE active = 1")}
    by_sku = process.extract(
        text, list(names), scorer=fuzz.ratio, processor=str.casefold, limit=limit, score_cutoff=NEAREST_SCORE
    )
    by_name = process.extract(
        text, names, scorer=fuzz.WRatio, processor=str.casefold, limit=limit, score_cutoff=NEAREST_SCORE
    )
    scores: dict[str, float] = {}
    for sku, score, _ in by_sku:
        scores[str(sku)] = float(score)
    for _, score, sku in by_name:
        scores[str(sku)] = max(scores.get(str(sku), 0.0), float(score))
    return sorted(scores, key=lambda sku: (-scores[sku], sku))[:limit]


def shop_info(connection: sqlite3.Connection) -> ShopInfo:
    """Name, currency, revision and rating scale of the shop."""
    meta = read_meta(connection)
    scale = meta.get("rating_scale", "")
    return ShopInfo(
        name=meta.get("shop_name", ""),
        currency=meta.get("currency", ""),
        revision=int(meta.get("revision", "0")),
        rating_scale=float(scale) if scale else None,
    )


def revision(connection: sqlite3.Connection) -> int:
    """Grows by one with every import: what is derived from the catalogue is stale when it has changed."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
    return 0 if row is None else int(row[0])


def product_from_row(row: sqlite3.Row) -> Product:
    """A row of ``products`` as a :class:`Product`."""
    return Product(
        sku=row["sku"],
        name=row["name"],
        category=row["category"],
        price=row["price"],
        currency=row["currency"],
        description=row["description"],
        colours=split_list(row["colour"]),
        gender=row["gender"],
        brand=row["brand"],
        sizes=split_list(row["sizes"]),
        active=bool(row["active"]),
        rating_mean=row["rating_mean"],
        rating_count=row["rating_count"],
        units_sold=row["units_sold"],
    )


def split_list(value: str | None) -> tuple[str, ...]:
    """The parts of a ``|``-separated column."""
    return tuple(part for part in (value or "").split("|") if part)


def _finished(path: Path) -> Path:
    """Use a catalogue database where it lies. Somebody's own tables are never changed: they are imported by hand."""
    try:
        finished = is_catalogue(path)
    except ImportRejectedError as error:
        raise StoreError(error.detail) from error
    if not finished:
        raise ConfigError(
            f"SHOPFLOOR_SHOP: {path.name} is not a finished catalogue; run 'shopfloor import {path}' once "
            "and start without it."
        )
    open_catalogue(path)
    return path


def _is_current(path: Path, source: Path, origin: str) -> bool:
    """Whether the catalogue at ``path`` holds ``source`` as it is now, or a shop that somebody imported by hand."""
    if not path.exists():
        return False
    try:
        with closing(connect(path, read_only=True)) as connection:
            meta = read_meta(connection)
    except (sqlite3.Error, StoreError):
        # Not a catalogue yet, or a damaged one: opening it for import says which, in a sentence.
        return False
    if not meta.get("revision"):
        return False
    if origin == DEMO and meta.get("source") != DEMO:
        return True
    return meta.get("source") == origin and meta.get("content_hash") == fingerprint(source)


def _import(source: Path, target: Path, origin: str, progress: Progress | None) -> None:
    from shopfloor.store.importer.run import ImportOptions, import_shop

    try:
        import_shop(source, target, progress=progress, options=ImportOptions(replace=True, origin=origin))
    except StoreError:
        raise
    except ShopfloorError as error:
        raise ConfigError(f"The shop at {source} can't be used: {error.detail}") from error


@contextmanager
def _one_at_a_time(path: Path) -> Generator[None]:
    """Hold the lock that belongs to ``path``; the system frees it when a process dies.

    The lock is SQLite's own on an empty database, which works alike on every system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    try:
        with closing(sqlite3.connect(lock, timeout=LOCK_WAIT_S, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        raise StoreError(f"Another process is importing into {path.name} and does not finish ({error}).") from error
