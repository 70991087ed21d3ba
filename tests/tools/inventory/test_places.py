"""Place names: made once, opened fast, found under any of their names."""

from pathlib import Path

from shopfloor.tools.places import Gazetteer, load_gazetteer, open_gazetteer, places_path


def test_the_file_is_made_once_and_reads_as_the_data_do(tmp_path: Path, gazetteer: Gazetteer) -> None:
    made = load_gazetteer(tmp_path)
    path = places_path(tmp_path)
    written = path.stat().st_mtime_ns
    again = load_gazetteer(tmp_path)
    assert path.stat().st_mtime_ns == written
    for name in ("München", "Sao Paulo", "nyc", "Delhi", "Germany"):
        assert made.find(name) == again.find(name) == gazetteer.find(name) != []
    assert made.states["texas"] == "TX"
    made.close()
    again.close()
    assert not again.knows("Berlin")


def test_a_broken_file_is_made_again(tmp_path: Path) -> None:
    path = places_path(tmp_path)
    path.write_bytes(b"not a database")
    assert open_gazetteer(path) is None
    assert load_gazetteer(tmp_path).knows("Berlin")
    assert open_gazetteer(path) is not None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert load_gazetteer(tmp_path / "file").knows("Berlin")


def test_misspelt_names(gazetteer: Gazetteer) -> None:
    assert "Toronto" in gazetteer.nearest_names("Torontoo")
    assert "Amsterdam" in gazetteer.nearest_names("Emsterdam")
    assert gazetteer.nearest_names("x") == []


def test_an_empty_gazetteer_knows_nothing() -> None:
    empty = Gazetteer()
    assert not empty
    assert empty.find("Berlin") == []
    assert empty.nearest_names("Berlin") == []
