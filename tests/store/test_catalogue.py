"""The catalogue in use: the demo shop, a shop folder, a finished database; and the small readers."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest

from shopfloor.errors import ConfigError, NotFoundError, StoreError
from shopfloor.settings import Settings
from shopfloor.store.catalogue import (
    ensure_catalogue,
    nearest_skus,
    product_by_sku,
    product_exists,
    require_product,
    revision,
    shop_info,
)
from shopfloor.store.database import connect
from shopfloor.store.importer import import_shop

WriteShop = Callable[..., Path]


def settings_of(data: Path, shop: Path | None = None) -> Settings:
    return Settings(_env_file=None, data=data, shop=shop)  # type: ignore[call-arg]


def revision_of(path: Path) -> int:
    with closing(connect(path, read_only=True)) as connection:
        return revision(connection)


def ensure_in_process(folders: tuple[Path, Path]) -> int:
    return revision_of(ensure_catalogue(settings_of(*folders)))


def test_without_a_shop_it_is_the_demo_shop(tmp_path: Path) -> None:
    path = ensure_catalogue(settings_of(tmp_path))
    with closing(connect(path, read_only=True)) as connection:
        assert product_exists(connection, "SKU_JCK_01")
        info = shop_info(connection)
    assert path == tmp_path / "shop.db"
    assert (info.name, info.currency, info.revision, info.rating_scale) == ("Larkstone", "EUR", 1, 5.0)


def test_the_second_start_imports_nothing_and_is_quick(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    ensure_catalogue(settings)
    started = time.process_time()
    path = ensure_catalogue(settings)
    assert time.process_time() - started < 0.1
    assert revision_of(path) == 1


def test_a_shop_folder_is_imported_again_when_it_changed(small_shop: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data", small_shop)
    path = ensure_catalogue(settings)
    assert revision_of(path) == revision_of(ensure_catalogue(settings)) == 1
    (small_shop / "products.csv").write_text("sku,name\nA1,Oak table\n", encoding="utf-8")
    ensure_catalogue(settings)
    with closing(connect(path, read_only=True)) as connection:
        assert revision(connection) == 2
        assert not product_exists(connection, "A2")


def test_another_shop_takes_the_place_of_the_demo(small_shop: Path, tmp_path: Path) -> None:
    ensure_catalogue(settings_of(tmp_path / "data"))
    path = ensure_catalogue(settings_of(tmp_path / "data", small_shop))
    with closing(connect(path, read_only=True)) as connection:
        assert shop_info(connection).name == "shop"
        assert not product_exists(connection, "SKU_JCK_01")


def test_a_shop_imported_by_hand_replaces_the_demo_and_stays(small_shop: Path, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data")
    path = ensure_catalogue(settings)
    import_shop(small_shop, path)
    assert ensure_catalogue(settings) == path
    with closing(connect(path, read_only=True)) as connection:
        assert connection.execute("SELECT count(*) FROM products").fetchone()[0] == 3


def test_a_finished_catalogue_is_used_where_it_lies(catalogue_path: Path, tmp_path: Path) -> None:
    assert ensure_catalogue(settings_of(tmp_path / "data", catalogue_path)) == catalogue_path
    assert not (tmp_path / "data").exists()


def test_somebodys_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection, connection:
        connection.execute("CREATE TABLE products (sku TEXT, name TEXT)")
    before = (tmp_path / "erp.db").read_bytes()
    with pytest.raises(ConfigError, match="shopfloor import"):
        ensure_catalogue(settings_of(tmp_path / "data", tmp_path / "erp.db"))
    assert (tmp_path / "erp.db").read_bytes() == before
    (tmp_path / "letter.db").write_bytes(b"dear grandmother" * 200)
    with pytest.raises(StoreError, match="letter"):
        ensure_catalogue(settings_of(tmp_path / "data", tmp_path / "letter.db"))


def test_a_shop_that_can_not_be_used_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SHOPFLOOR_SHOP"):
        ensure_catalogue(settings_of(tmp_path, tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no shop"):
        ensure_catalogue(settings_of(tmp_path, tmp_path / "empty"))


def test_a_damaged_catalogue_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"not a database at all, only words" * 100)
    with pytest.raises(StoreError, match=r"shop\.db"):
        ensure_catalogue(settings_of(tmp_path))


def test_processes_that_start_together_import_once(small_shop: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        revisions = list(pool.map(ensure_in_process, [(tmp_path / "data", small_shop)] * 3))
    assert revisions == [1, 1, 1]


def test_products_by_sku_or_item(catalogue_rows: sqlite3.Connection) -> None:
    table = product_by_sku(catalogue_rows, "A1")
    assert table is not None
    assert (table.name, table.price, table.sizes, table.colours, table.active) == ("Oak table", 120.0, (), (), True)
    rug = require_product(catalogue_rows, "A3-L")
    assert (rug.sku, rug.sizes) == ("A3", ("S", "L"))


def test_an_unknown_product_offers_the_nearest(catalogue_rows: sqlite3.Connection) -> None:
    with pytest.raises(NotFoundError) as caught:
        require_product(catalogue_rows, "A11")
    assert caught.value.matches[0] == "A1"
    assert nearest_skus(catalogue_rows, "pine chairs")[0] == "A2"
    assert nearest_skus(catalogue_rows, "zzzzzzzz") == []
