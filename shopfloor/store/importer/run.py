"""One import from beginning to end."""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shopfloor.errors import ImportRejectedError, StoreError
from shopfloor.store.database import connect
from shopfloor.store.importer import derived, history, loading, values
from shopfloor.store.importer.mapping import check_mapping, make_plan
from shopfloor.store.importer.report import FileReport, ImportReport, IssueLog, Progress
from shopfloor.store.importer.shop import Shop, find_shop, fingerprint
from shopfloor.store.meta import read_meta, write_meta
from shopfloor.store.migrations import open_catalogue

DEMO = "demo"
WAIT_MS = 120_000
TIDY_WAIT_MS = 1_000
COUNTED = ("products", "variants", "stores", "stock", "events", "ratings", "co_purchase")
_EMPTIED = ("stock", "variants", "ratings", "events", "co_purchase", "products", "stores")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the shop's files don't say.

    Attributes:
        shop_name: otherwise from ``shop.json``, or the name of the folder or file.
        currency: ISO code, where neither the files nor their prices name one.
        replace: empty the catalogue first, in the same transaction: it then mirrors the files.
        origin: what ``meta.source`` records; the path otherwise.
    """

    shop_name: str | None = None
    currency: str | None = None
    replace: bool = False
    origin: str | None = None


def import_shop(
    source: Path,
    target: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    options: ImportOptions | None = None,
) -> ImportReport:
    """Import the shop at ``source`` (folder, file or SQLite database) into the catalogue at ``target``.

    The demo shop makes way for the first real one; any other catalogue is updated.

    Args:
        mapping: ``{"products.sku": "ProductCode", ...}``, over what ``shop.json`` says.

    Raises:
        ImportRejectedError: nothing could be imported; the catalogue is as it was.
        StoreError: the catalogue can't be opened or written.
    """
    started = time.perf_counter()
    chosen = options or ImportOptions()
    check_mapping(mapping or {})
    shop = find_shop(source, mapping or {})
    columns = {**shop.about.mapping, **(mapping or {})}
    check_mapping(columns)
    was_there = target.exists()
    try:
        return _import_into(target, shop, columns, chosen, progress, started)
    except BaseException:
        if not was_there:
            _remove_empty(target)
        raise


def _import_into(
    target: Path,
    shop: Shop,
    mapping: Mapping[str, str],
    options: ImportOptions,
    progress: Progress | None,
    started: float,
) -> ImportReport:
    open_catalogue(target)
    try:
        with closing(connect(target)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
            connection.execute("PRAGMA cache_size = -65536")
            run = _Run(shop, target, mapping, options, connection, progress)
            return run.in_transaction(started)
    except sqlite3.Error as error:
        raise StoreError(f"The import into {target.name} failed ({error}); nothing was changed.") from error


def _remove_empty(target: Path) -> None:
    """Take away the catalogue that a failed first import has made, unless another process has filled it."""
    try:
        with closing(connect(target, read_only=True)) as connection:
            if read_meta(connection):
                return
    except (StoreError, sqlite3.Error):
        return
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


@dataclass(slots=True)
class _Run:
    """The parts of one import, in the order they happen."""

    shop: Shop
    target: Path
    mapping: Mapping[str, str]
    options: ImportOptions
    connection: sqlite3.Connection
    progress: Progress | None

    def in_transaction(self, started: float) -> ImportReport:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            report = self._import(started)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        self.connection.execute(f"PRAGMA busy_timeout = {TIDY_WAIT_MS}")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return report

    def _import(self, started: float) -> ImportReport:
        # The files are looked at before they are read: one that changes meanwhile is imported again next time.
        content = fingerprint(self.shop.path, self.mapping)
        before = read_meta(self.connection)
        if self.options.replace or before.get("source") == DEMO:
            for table in _EMPTIED:
                self.connection.execute(f"DELETE FROM {table}")
        log = IssueLog(notices=list(self.shop.notices))
        load = loading.Load(self.connection, log, self.progress)
        load.read_keys()
        self._tables(load)
        if not any(file.imported for file in load.files):
            first = (
                f" First: {log.issues[0].file} line {log.issues[0].line}: {log.issues[0].reason}." if log.issues else ""
            )
            raise ImportRejectedError(f"No row of {self.shop.path} could be used; nothing was changed.{first}")
        counts = self._counts()
        if not counts["products"] and not counts["stores"]:
            raise ImportRejectedError(f"{self.shop.path} brings neither products nor stores; nothing was changed.")
        if self.progress is not None:
            self.progress("sales, co-purchase and search index", 0, None)
        currency = self._currency(load, before)
        derived.derive(self.connection, currency)
        if counts["products"] and not currency:
            log.notice("The files name no currency: prices are shown without one. Give it with --currency.")
        meta = self._write_meta(before, currency, content)
        return ImportReport(
            source=self.shop.path,
            target=self.target,
            shop_name=meta["shop_name"],
            currency=currency,
            revision=int(meta["revision"]),
            files=load.files,
            counts=self._counts(),
            issues=log.issues,
            notices=log.notices,
            rejected=log.rejected,
            changed=log.changed,
            seconds=time.perf_counter() - started,
        )

    def _tables(self, load: loading.Load) -> None:
        orders: dict[str, history.Order] = {}
        names = {table.name for table, _ in self.shop.sources}
        if "orders" in names and "order_items" not in names:
            load.log.notice("There are orders without order_items: they tell nothing of what was bought.")
        simple = {
            "stores": loading.load_stores,
            "products": loading.load_products,
            "variants": loading.load_variants,
            "inventory": loading.load_inventory,
            "interactions": history.load_interactions,
            "review_ratings": loading.load_ratings,
        }
        for table, source in self.shop.sources:
            plan = make_plan(table, source, self.mapping)
            if plan.unused:
                load.log.notice(f"{source.label}: not used, as there is no place for them: {', '.join(plan.unused)}.")
            file = FileReport(table.name, source.label)
            if table.name == "orders":
                orders = history.load_orders(load, plan, source, file)
            elif table.name == "order_items":
                history.load_order_items(load, plan, source, file, orders)
            else:
                simple[table.name](load, plan, source, file)

    def _counts(self) -> dict[str, int]:
        return {table: int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in COUNTED}

    def _currency(self, load: loading.Load, before: Mapping[str, str]) -> str:
        given = self.options.currency or self.shop.about.currency
        if given:
            return values.currency_code(given) or given
        if load.currencies:
            return load.currencies.most_common(1)[0][0]
        return before.get("currency", "") if not self.options.replace and before.get("source") != DEMO else ""

    def _write_meta(self, before: Mapping[str, str], currency: str, content: str) -> dict[str, str]:
        fresh = self.options.replace or before.get("source") in (None, DEMO)
        kept_name = None if fresh else before.get("shop_name")
        path = self.shop.path
        own_name = (path.resolve().name if path.is_dir() else path.stem).replace("_", " ").strip()
        scale = derived.rating_scale(self.connection)
        meta = {
            "shop_name": self.options.shop_name or self.shop.about.name or kept_name or own_name,
            "currency": currency,
            "revision": str(int(before.get("revision", "0")) + 1),
            "imported_at": datetime.now(UTC).replace(microsecond=0).isoformat(),
            "content_hash": content,
            "source": self.options.origin or str(path.resolve()),
            "rating_scale": "" if scale is None else f"{scale:g}",
        }
        write_meta(self.connection, meta)
        return meta
