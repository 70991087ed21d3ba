"""A shop folder becomes a catalogue: every kind of file, bad rows, second imports, mappings."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shopfloor.errors import ImportRejectedError
from shopfloor.store.database import connect
from shopfloor.store.importer import ImportOptions, import_shop

WriteShop = Callable[..., Path]


def query(path: Path, sql: str, *values: object) -> list[dict[str, Any]]:
    with closing(connect(path, read_only=True)) as connection:
        return [dict(row) for row in connection.execute(sql, values)]


def one(connection: sqlite3.Connection, sql: str, *values: object) -> tuple[Any, ...]:
    return tuple(connection.execute(sql, values).fetchone())


def test_products_with_attributes_and_derived_columns(catalogue_rows: sqlite3.Connection) -> None:
    row = catalogue_rows.execute("SELECT * FROM products WHERE sku = 'A1'").fetchone()
    assert (row["name"], row["price"], row["currency"]) == ("Oak table", 120.0, "EUR")
    assert json.loads(row["attributes"]) == {"wood": "oak"}
    assert (row["units_sold"], row["baskets"]) == (1, 1)  # the cancelled order's two don't count
    assert (row["rating_mean"], row["rating_count"]) == (4.5, 2)


def test_price_and_sizes_come_from_variants_where_the_product_has_none(catalogue_rows: sqlite3.Connection) -> None:
    # 40 is cheaper but not available.
    assert one(catalogue_rows, "SELECT price, sizes FROM products WHERE sku = 'A3'") == (60.0, "S|L")


def test_stock_by_product_or_variant_and_the_zero_kept(catalogue_rows: sqlite3.Connection) -> None:
    rows = catalogue_rows.execute("SELECT store_id, sku, item_id, quantity FROM stock ORDER BY store_id, sku")
    assert [tuple(row) for row in rows] == [("1", "A1", "", 4), ("1", "A3", "A3-S", 7), ("2", "A1", "", 0)]


def test_an_online_store_has_no_city(catalogue_rows: sqlite3.Connection) -> None:
    assert one(catalogue_rows, "SELECT city, latitude FROM stores WHERE store_id = '2'") == (None, None)


def test_events_keep_the_orders_status_and_the_variant(catalogue_rows: sqlite3.Connection) -> None:
    row = one(catalogue_rows, "SELECT sku, item_id, status, user_id, basket, price FROM events WHERE item_id = 'A3-S'")
    assert row == ("A3", "A3-S", "CANCELLED", "u2", "11", 60.0)


def test_full_text_search_finds_names_and_attributes(catalogue_rows: sqlite3.Connection) -> None:
    sql = (
        "SELECT sku FROM product_fts JOIN products ON products.product_no = product_fts.rowid WHERE product_fts MATCH ?"
    )
    assert one(catalogue_rows, sql, "chairs") == ("A2",)
    assert one(catalogue_rows, sql, "oak") == ("A1",)


def test_meta_names_the_shop(catalogue_rows: sqlite3.Connection, small_shop: Path) -> None:
    meta = dict(catalogue_rows.execute("SELECT key, value FROM meta").fetchall())
    assert (meta["shop_name"], meta["currency"], meta["revision"]) == ("shop", "EUR", "1")
    assert meta["rating_scale"] == "5"
    assert meta["source"] == str(small_shop)


def test_a_second_import_updates_and_never_doubles(small_shop: Path, catalogue_path: Path) -> None:
    products = small_shop / "products.csv"
    products.write_text(products.read_text("utf-8").replace("Oak table", "Oak desk"), encoding="utf-8")
    report = import_shop(small_shop, catalogue_path)
    assert report.revision == 2
    assert report.counts == {
        "products": 3, "variants": 2, "stores": 2, "stock": 3, "events": 4, "ratings": 2, "co_purchase": 2,
    }  # fmt: skip
    assert query(catalogue_path, "SELECT name FROM products WHERE sku = 'A1'") == [{"name": "Oak desk"}]
    found = query(catalogue_path, "SELECT count(*) AS n FROM product_fts WHERE product_fts MATCH 'table'")
    assert found == [{"n": 1}]  # the category Tables; the old name is gone


def test_a_single_file_updates_only_its_columns(catalogue_path: Path, tmp_path: Path) -> None:
    prices = tmp_path / "products.csv"
    prices.write_text("sku,name,price\nA1,Oak table,99\n", encoding="utf-8")
    import_shop(prices, catalogue_path)
    row = query(catalogue_path, "SELECT price, category FROM products WHERE sku = 'A1'")[0]
    assert row == {"price": 99.0, "category": "Tables"}


def test_replace_mirrors_the_files(catalogue_path: Path, write_shop: WriteShop) -> None:
    other = write_shop("other", products=[{"sku": "B1", "name": "Lamp", "price": "£5"}])
    report = import_shop(other, catalogue_path, options=ImportOptions(replace=True))
    assert report.counts["products"] == 1
    assert report.counts["events"] == report.counts["stores"] == 0
    assert (report.currency, report.shop_name, report.revision) == ("GBP", "other", 2)


def test_bad_rows_are_reported_with_their_line_and_the_good_ones_stay(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(
        products=(
            "sku,name,price\n"
            "P1,Good,1.50\n"
            ",No sku,2\n"
            "P3,Negative,-2\n"
            'P4,"Two\nlines",3\n'
            "P5,Dear,lots\n"
            "P1,Twice,4\n"
            "P6,too,many,cells\n"
            "\n"
            f"P7,{'n' * 400},5\n"
            f"{'s' * 200},Long sku,6\n"
            "P8,Good too,NaN\n"
        )
    )
    report = import_shop(folder, tmp_path / "x.db")
    told = {issue.line: issue.reason for issue in report.issues if not issue.kept}
    assert told == {
        3: "sku is missing",
        4: "price '-2' is negative",
        7: "price 'lots' is not a number",
        8: "sku 'P1' is there already, on line 2; the first one is kept",
        9: "has 4 cells where the header has 3",
        12: "sku is 200 characters long; an id has at most 128",
    }
    assert [(issue.line, issue.kept) for issue in report.issues if issue.kept] == [(11, True)]
    assert report.files[0].read == report.files[0].imported + report.files[0].rejected == 10
    skus = [row["sku"] for row in query(tmp_path / "x.db", "SELECT sku FROM products ORDER BY sku")]
    assert skus == ["P1", "P4", "P7", "P8"]


def test_rows_that_refer_to_nothing_are_reported(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(
        products=[{"sku": "P1", "name": "One"}],
        stores=[{"store_id": "1", "name": "S", "latitude": "123", "longitude": "4"}],
        inventory="store_id,sku,quantity\n1,P1,3\n9,P1,3\n1,PX,3\n1,P1,4\n1,P1,-4\n",
        orders="order_id,ordered_at,customer_id\n1,2025-01-01,u\n2,sometime,u\n",
        order_items="order_id,line_no,sku,unit_price,quantity\n1,1,P1,2,1\n7,1,P1,2,1\n1,2,PX,2,1\n1,1,P1,2,1\n",
        review_ratings="sku,review_no,rating\nP1,1,5\nPX,1,5\nP1,2,\nP1,3,-1\n",
    )
    report = import_shop(folder, tmp_path / "x.db")
    told = {(issue.file, issue.line) for issue in report.issues}
    assert told == {
        ("stores.csv", 2),
        ("inventory.csv", 3), ("inventory.csv", 4), ("inventory.csv", 5), ("inventory.csv", 6),
        ("orders.csv", 3),
        ("order_items.csv", 3), ("order_items.csv", 4), ("order_items.csv", 5),
        ("review_ratings.csv", 3), ("review_ratings.csv", 4), ("review_ratings.csv", 5),
    }  # fmt: skip
    assert report.counts["stock"] == report.counts["events"] == report.counts["ratings"] == 1


def test_columns_by_mapping_and_by_their_usual_other_names(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(products="ProductCode,Title,Unit Price,Farbe\nX1,Kettle,19,red\n")
    report = import_shop(folder, tmp_path / "x.db", mapping={"products.colour": "Farbe"})
    assert report.rejected == 0
    row = query(tmp_path / "x.db", "SELECT sku, name, price, colour, attributes FROM products")[0]
    assert row == {"sku": "X1", "name": "Kettle", "price": 19.0, "colour": "red", "attributes": "{}"}


def test_a_file_of_any_name_by_its_mapping(tmp_path: Path) -> None:
    path = tmp_path / "export-2025.csv"
    path.write_text("Artikel;Bezeichnung;Preis\nX1;Kessel;19,90 €\n", encoding="utf-8")
    mapping = {"products.sku": "Artikel", "products.name": "Bezeichnung", "products.price": "Preis"}
    report = import_shop(path, tmp_path / "x.db", mapping=mapping)
    assert (report.counts["products"], report.currency) == (1, "EUR")
    assert query(tmp_path / "x.db", "SELECT price FROM products") == [{"price": 19.9}]


def test_shop_json_names_shop_currency_and_mapping(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(products="Nr,Name\n1,Kettle\n")
    about = {"name": "Kettles & Co", "currency": "sek", "mapping": {"products.sku": "Nr"}}
    (folder / "shop.json").write_text(json.dumps(about), encoding="utf-8")
    report = import_shop(folder, tmp_path / "x.db")
    assert (report.shop_name, report.currency) == ("Kettles & Co", "SEK")


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        ({"prodcts.sku": "A"}, "no table 'prodcts'"),
        ({"products.weight": "A"}, "no column 'weight'"),
        ({"products.sku": "Absent"}, "has no column 'Absent'"),
    ],
)
def test_a_wrong_mapping_is_refused(
    write_shop: WriteShop, tmp_path: Path, mapping: dict[str, str], sentence: str
) -> None:
    folder = write_shop(products=[{"sku": "P1", "name": "One"}])
    with pytest.raises(ImportRejectedError, match=sentence):
        import_shop(folder, tmp_path / "x.db", mapping=mapping)


def test_variants_alone_make_products(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(
        variants=[
            {"item_id": "1", "product_id": "7", "product": "Mug", "options": '{"color": "red", "volume": "1l"}',
             "available": "False", "price": "5"},
            {"item_id": "2", "product_id": "7", "product": "Mug", "options": '{"color": "blue", "volume": "2l"}',
             "available": "True", "price": "8"},
        ]
    )  # fmt: skip
    for _ in range(2):
        import_shop(folder, tmp_path / "x.db")
    assert query(tmp_path / "x.db", "SELECT sku, name, price, colour FROM products") == [
        {"sku": "7", "name": "Mug", "price": 8.0, "colour": "red|blue"}
    ]
    variants = query(tmp_path / "x.db", "SELECT item_id, colour, available, options FROM variants ORDER BY item_id")
    assert [(row["item_id"], row["colour"], row["available"]) for row in variants] == [
        ("1", "red", 0),
        ("2", "blue", 1),
    ]
    assert json.loads(variants[0]["options"]) == {"color": "red", "volume": "1l"}


def test_a_price_taken_from_variants_follows_them(write_shop: WriteShop, tmp_path: Path) -> None:
    row = {"item_id": "1", "product_id": "7", "product": "Mug", "options": "{}", "available": "true", "price": "5"}
    import_shop(write_shop(variants=[row]), tmp_path / "x.db")
    import_shop(write_shop(variants=[{**row, "price": "6"}]), tmp_path / "x.db")
    assert query(tmp_path / "x.db", "SELECT price FROM products") == [{"price": 6.0}]


def test_stores_alone_are_a_shop(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(stores=[{"store_id": "1", "name": "S", "services": "repair|tea", "floor": "2"}])
    report = import_shop(folder, tmp_path / "x.db")
    assert report.counts["stores"] == 1
    row = query(tmp_path / "x.db", "SELECT services, attributes FROM stores")[0]
    assert (row["services"], json.loads(row["attributes"])) == ("repair|tea", {"floor": "2"})


def test_interactions_with_and_without_invoices(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(
        products=[{"sku": "P1", "name": "One"}, {"sku": "P2", "name": "Two"}],
        interactions=(
            "ts,invoice,user_id,event,sku,quantity,price\n"
            "2025-01-01T10:00:00,I1,u1,purchase,P1,3,2.5\n"
            "2025-01-02T10:00:00,C1,u1,return,P1,1,-2.5\n"
            "2025-01-02T10:00:00,C2,u1,purchase,P1,-1,2.5\n"
            "2025-01-03T10:00:00,,u2,Clicked,P2,,\n"
            "2025-01-03T11:00:00,,u2,buy,P2,2,4\n"
            "2025-01-03T11:00:00,,u2,buy,P2,2,4\n"
        ),
    )
    for _ in range(2):
        report = import_shop(folder, tmp_path / "x.db")
        assert report.counts["events"] == 6
    events = query(tmp_path / "x.db", "SELECT event, quantity, price, basket FROM events ORDER BY ts, event_no")
    assert [(row["event"], row["quantity"]) for row in events] == [
        ("purchase", 3), ("return", -1), ("return", -1), ("click", 1), ("purchase", 2), ("purchase", 2),
    ]  # fmt: skip
    assert events[1]["price"] == 2.5
    assert events[3]["basket"] == events[4]["basket"] == "u2/2025-01-03"
    sold = query(tmp_path / "x.db", "SELECT units_sold, baskets FROM products ORDER BY sku")
    assert sold == [{"units_sold": 1, "baskets": 1}, {"units_sold": 4, "baskets": 1}]


def test_injection_stays_plain_text(write_shop: WriteShop, tmp_path: Path) -> None:
    name = "'); DROP TABLE products; --"
    folder = write_shop(
        products=[
            {"sku": "=1+1", "name": name, "description": "<img src=x onerror=alert(1)>", "@x": "=cmd|' /C calc'!A0"}
        ]
    )
    import_shop(folder, tmp_path / "x.db")
    row = query(tmp_path / "x.db", "SELECT sku, name, description, attributes FROM products")[0]
    assert (row["sku"], row["name"], row["description"]) == ("=1+1", name, "<img src=x onerror=alert(1)>")
    assert json.loads(row["attributes"]) == {"@x": "=cmd|' /C calc'!A0"}


def test_other_files_are_ignored_with_a_notice(small_shop: Path, tmp_path: Path) -> None:
    (small_shop / "notes.txt").write_text("buy milk", encoding="utf-8")
    (small_shop / "catalog.csv").write_text("sku,name\nZ,Other\n", encoding="utf-8")
    report = import_shop(small_shop, tmp_path / "x.db")
    assert any("notes.txt" in notice for notice in report.notices)
    assert any("catalog.csv was ignored: products.csv is used" in notice for notice in report.notices)
    assert report.counts["products"] == 3


def test_progress_reaches_each_files_end(small_shop: Path, tmp_path: Path) -> None:
    last: dict[str, int] = {}
    import_shop(small_shop, tmp_path / "x.db", progress=lambda stage, done, total: last.update({stage: done}))
    assert last["inventory.csv"] == 3
    assert last["order_items.csv"] == 4


def test_the_report_is_json(small_shop: Path, tmp_path: Path) -> None:
    report = import_shop(small_shop, tmp_path / "x.db").to_json()
    again = json.loads(json.dumps(report))
    assert again["counts"]["products"] == 3
    assert {file["table"] for file in again["files"]} >= {"products", "orders", "review_ratings"}


def test_variants_with_a_column_for_each_option(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(variants="item_id,product_id,product,Color,Size,Material\n1,7,Mug,red,L,clay\n2,7,Mug,blue,,\n")
    import_shop(folder, tmp_path / "x.db")
    found = query(tmp_path / "x.db", "SELECT size, colour, options FROM variants ORDER BY item_id")
    assert [(row["size"], row["colour"]) for row in found] == [("L", "red"), (None, "blue")]
    assert json.loads(found[0]["options"]) == {"size": "L", "colour": "red", "Material": "clay"}


def test_columns_without_a_place_are_named(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(products=[{"sku": "A", "name": "A"}], review_ratings="sku,review_no,rating,mood\nA,1,5,happy\n")
    report = import_shop(folder, tmp_path / "x.db")
    assert any("review_ratings.csv" in notice and "mood" in notice for notice in report.notices)


def test_ratings_that_the_shop_only_states(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(
        products="sku,name,Average Rating,review_count\nA,A,8.4,12\nB,B,,0\nC,C,3,9\nD,D,great,2\n",
        review_ratings="sku,review_no,rating\nC,1,7\n",
    )
    report = import_shop(folder, tmp_path / "x.db")
    assert report.rejected == 0
    found = query(tmp_path / "x.db", "SELECT sku, rating_mean, rating_count FROM products ORDER BY sku")
    assert [tuple(row.values()) for row in found] == [("A", 8.4, 12), ("B", None, 0), ("C", 7.0, 1), ("D", None, 0)]
    assert query(tmp_path / "x.db", "SELECT value FROM meta WHERE key = 'rating_scale'") == [{"value": "10"}]
