"""A failed or killed import changes nothing, and nobody who reads the catalogue meanwhile sees half of it."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopfloor.errors import ImportRejectedError
from shopfloor.store.database import connect
from shopfloor.store.importer import import_shop

WriteShop = Callable[..., Path]
Dump = Callable[[Path], str]


def revision(path: Path) -> str:
    with closing(connect(path, read_only=True)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()[0])


def test_a_failed_import_changes_nothing(catalogue_path: Path, small_shop: Path, dump: Dump) -> None:
    before = dump(catalogue_path)
    with (small_shop / "review_ratings.csv").open("ab") as file:  # the last file to be read
        file.write(b"A1,3,\xff\n")
    (small_shop / "products.csv").write_text("sku,name\nNEW,New\n", encoding="utf-8")
    with pytest.raises(ImportRejectedError, match="UTF-8"):
        import_shop(small_shop, catalogue_path)
    assert dump(catalogue_path) == before


def test_an_import_without_a_good_row_changes_nothing(catalogue_path: Path, write_shop: WriteShop, dump: Dump) -> None:
    before = dump(catalogue_path)
    with pytest.raises(ImportRejectedError, match="No row"):
        import_shop(write_shop("bad", products="sku,name\n,nothing\n"), catalogue_path)
    assert dump(catalogue_path) == before


def test_a_failing_callback_changes_nothing(catalogue_path: Path, small_shop: Path, dump: Dump) -> None:
    before = dump(catalogue_path)

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "order_items.csv":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_shop(small_shop, catalogue_path, progress=stop)
    assert dump(catalogue_path) == before


def test_a_failed_first_import_leaves_no_file(write_shop: WriteShop, tmp_path: Path) -> None:
    with pytest.raises(ImportRejectedError):
        import_shop(write_shop("bad", products="sku,name\n,nothing\n"), tmp_path / "first.db")
    assert not list(tmp_path.glob("first.db*"))


def test_a_reader_keeps_the_old_catalogue_until_the_new_one_is_whole(catalogue_path: Path, small_shop: Path) -> None:
    seen: list[str] = []

    def look(stage: str, done: int, total: int | None) -> None:
        seen.append(revision(catalogue_path))

    import_shop(small_shop, catalogue_path, progress=look)
    assert set(seen) == {"1"}
    assert revision(catalogue_path) == "2"


@pytest.mark.parametrize("stage", ["products.csv", "order_items.csv", "sales, co-purchase and search index"])
def test_kill_9_in_the_middle_leaves_the_old_catalogue(
    catalogue_path: Path, small_shop: Path, dump: Dump, stage: str
) -> None:
    before = dump(catalogue_path)
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from shopfloor.store.importer import import_shop

        def die(stage, done, total):
            if stage == sys.argv[3]:
                os.kill(os.getpid(), signal.SIGKILL)

        import_shop(Path(sys.argv[1]), Path(sys.argv[2]), progress=die)
        """
    )
    arguments = [sys.executable, "-c", program, str(small_shop), str(catalogue_path), stage]
    ended = subprocess.run(arguments, check=False, timeout=60, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert ended.returncode == -signal.SIGKILL
    assert dump(catalogue_path) == before
    with closing(sqlite3.connect(catalogue_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    import_shop(small_shop, catalogue_path)
    assert revision(catalogue_path) == "2"


LINES = st.lists(
    st.text(st.one_of(st.sampled_from(",;\"'\n\r\t|=-.0123456789\x00\ufeff"), st.characters()), max_size=40), max_size=8
)
CONTENTS = st.one_of(
    st.binary(max_size=200),
    LINES.map(lambda lines: ("sku,name,price,sizes\n" + "\n".join(lines)).encode("utf-8", "surrogatepass")),
)
HISTORY = LINES.map(
    lambda lines: ("ts,invoice,event,sku,quantity,price\n" + "\n".join(lines)).encode("utf-8", "replace")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(products=CONTENTS, interactions=HISTORY)
def test_whatever_the_files_hold_it_is_imported_or_refused(
    small_shop: Path, catalogue_path: Path, products: bytes, interactions: bytes
) -> None:
    (small_shop / "products.csv").write_bytes(products)
    (small_shop / "interactions.csv").write_bytes(interactions)
    before = revision(catalogue_path)
    try:
        report = import_shop(small_shop, catalogue_path)
    except ImportRejectedError as error:
        assert error.detail
        assert revision(catalogue_path) == before
        return
    assert revision(catalogue_path) != before
    for file in report.files:
        assert file.read == file.imported + file.rejected
