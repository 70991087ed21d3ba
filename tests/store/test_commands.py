"""``shopfloor import`` and ``shopfloor feedback`` as a person runs them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WriteShop = Callable[..., Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command in a process of its own, with its data in a temporary folder."""

    def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
        program = "from shopfloor.cli import main; main()"
        environment = {"SHOPFLOOR_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin", "COLUMNS": "120"}
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=tmp_path,
        )  # fmt: skip

    return command


def test_import_prints_a_table_and_the_bad_rows(run: Run, write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(products="sku,name,price\nA,Lamp,£5\nB,Desk,dear\n")
    done = run("import", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert "products.csv line 3, left out: price 'dear' is not a number" in done.stdout
    assert (tmp_path / "data" / "shop.db").exists()


def test_import_json_is_one_object_and_nothing_else(run: Run, write_shop: WriteShop, tmp_path: Path) -> None:
    folder = write_shop(products="Code,name\nA,Lamp\n")
    done = run("import", str(folder), "--map", "products.sku=Code", "--into", str(tmp_path / "x.db"),
               "--name", "Lamps", "--currency", "GBP", "--json")  # fmt: skip
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert (report["shop_name"], report["currency"], report["counts"]["products"]) == ("Lamps", "GBP", 1)


@pytest.mark.parametrize(
    "arguments",
    [("absent",), (".", "--map", "products.sku"), (".", "--map", "nowhere.sku=A"), (), (".",)],
)
def test_import_says_what_is_wrong_and_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    done = run("import", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_import_into_a_damaged_database_ends_with_1(run: Run, write_shop: WriteShop, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"dear grandmother" * 200)
    done = run("import", str(write_shop(products="sku,name\nA,Lamp\n")), "--into", str(tmp_path / "x.db"))
    assert done.returncode == 1
    assert "x.db" in done.stderr


def test_feedback_there_and_back(run: Run, tmp_path: Path) -> None:
    assert "no feedback yet" in run("feedback", "export").stdout
    line = {"feedback_id": "f1", "agent": "inventory", "rating": 4}
    (tmp_path / "in.jsonl").write_text(f"{json.dumps(line)}\nnonsense\n", encoding="utf-8")
    done = run("feedback", "import", "in.jsonl", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["added"], report["rejected"]) == (0, 1, 1)
    done = run("feedback", "export", "--json")
    assert json.loads(done.stdout)["files"][0]["rows"] == 1
    assert (tmp_path / "data" / "feedback" / "inventory.jsonl").exists()
    assert run("feedback", "import", "absent.jsonl").returncode == 2
