"""The same shop as CSV, JSONL, Parquet and SQLite; encodings; files that can't be read."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from shopfloor.errors import ImportRejectedError
from shopfloor.store.database import connect
from shopfloor.store.importer import import_shop

WriteShop = Callable[..., Path]
PRODUCTS = [
    {"sku": 10123, "name": "Crème brûlée set", "price": 8.5, "sizes": ["S", "M"], "vegan": True},
    {"sku": 10124, "name": "Whisk", "price": None, "sizes": [], "vegan": None},
]


def products(path: Path) -> list[tuple[object, ...]]:
    with closing(connect(path, read_only=True)) as connection:
        rows = connection.execute("SELECT sku, name, price, sizes, attributes FROM products ORDER BY sku")
        return [tuple(row) for row in rows]


EXPECTED = [("10123", "Crème brûlée set", 8.5, "S|M", '{"vegan":true}'), ("10124", "Whisk", None, "", "{}")]


def test_jsonl(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in PRODUCTS]
    lines[1:1] = ["", "{broken", "[1, 2]"]
    (tmp_path / "products.jsonl").write_text("\n".join(lines), encoding="utf-8")
    report = import_shop(tmp_path, tmp_path / "x.db")
    assert products(tmp_path / "x.db") == EXPECTED
    assert [issue.line for issue in report.issues] == [3, 4]


def test_parquet(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(PRODUCTS), tmp_path / "products.parquet")
    import_shop(tmp_path, tmp_path / "x.db")
    assert products(tmp_path / "x.db") == EXPECTED


def test_sqlite_tables(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.sqlite")) as connection, connection:
        connection.execute('CREATE TABLE "Products" (sku INTEGER, name TEXT, price REAL, sizes TEXT, vegan TEXT)')
        connection.execute("CREATE TABLE invoices_archive (id INTEGER)")
        connection.execute(
            "INSERT INTO Products VALUES (10123, 'Crème brûlée set', 8.5, 'S|M', NULL), (10124, 'Whisk', NULL, '', NULL)"
        )
    report = import_shop(tmp_path / "erp.sqlite", tmp_path / "x.db")
    assert [row[:4] for row in products(tmp_path / "x.db")] == [row[:4] for row in EXPECTED]
    assert any("invoices_archive" in notice for notice in report.notices)


def test_a_finished_catalogue_is_not_imported_but_named(catalogue_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="--shop"):
        import_shop(catalogue_path, tmp_path / "x.db")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "products.csv").write_text("sku;name;price\n1;Müsli;2,50\n", encoding=encoding)
    import_shop(tmp_path, tmp_path / "x.db")
    assert products(tmp_path / "x.db")[0][:3] == ("1", "Müsli", 2.5)


def test_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_bytes("sku,name\n1,Plain\n2,Müsli\n".encode("latin-1"))
    with pytest.raises(ImportRejectedError, match=r"products\.csv is not written in UTF-8 \(line 3\)"):
        import_shop(tmp_path, tmp_path / "x.db")
    assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "no header"),
        ("sku,sku,name\n1,2,3\n", "two columns called 'sku'"),
        ("code,label\n1,2\n", "no column for 'sku'"),
        ("sku,name\n", "No row"),
        ("sku,name\n,x\n,y\n", "line 2: sku is missing"),
    ],
)
def test_csv_that_can_not_be_a_table(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "products.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ImportRejectedError, match=sentence):
        import_shop(tmp_path, tmp_path / "x.db")


def test_an_enormous_cell_is_one_bad_row(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(f"sku,name\n1,A\n2,{'x' * 200_000}\n3,C\n", encoding="utf-8")
    report = import_shop(tmp_path, tmp_path / "x.db")
    assert [row[0] for row in products(tmp_path / "x.db")] == ["1", "3"]
    assert [issue.line for issue in report.issues] == [3]


@pytest.mark.parametrize("name", ["products.parquet", "shop.db"])
def test_damaged_binary_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1 this is not what it says" * 100)
    source = tmp_path if name.endswith("parquet") else tmp_path / name
    with pytest.raises(ImportRejectedError, match="readable"):
        import_shop(source, tmp_path / "x.db")


def test_nothing_there_and_nothing_of_a_shop(tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError, match="nothing at"):
        import_shop(tmp_path / "absent", tmp_path / "x.db")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImportRejectedError, match="holds no shop"):
        import_shop(tmp_path / "empty", tmp_path / "x.db")
    (tmp_path / "letter.docx").write_bytes(b"x")
    with pytest.raises(ImportRejectedError, match="CSV, JSONL, Parquet or SQLite"):
        import_shop(tmp_path / "letter.docx", tmp_path / "x.db")
    (tmp_path / "things.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ImportRejectedError, match="does not say which table"):
        import_shop(tmp_path / "things.csv", tmp_path / "x.db")


def test_history_without_any_product_is_no_shop(write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(orders=[{"order_id": "1", "ordered_at": "2025-01-01"}])
    with pytest.raises(ImportRejectedError, match="neither products nor stores"):
        import_shop(folder, tmp_path / "x.db")
