"""The index in memory gives what FTS5's own bm25 gives, and retrieval keeps the best of what fits."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from shopfloor.bench.catalogues import perturbed, read_source, write_catalogue
from shopfloor.bench.retrieval import sources
from shopfloor.store.database import connect
from shopfloor.store.importer import import_shop
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.retrieval import KEPT, coverage, retrieve, search_words
from shopfloor.tools.recommendation.search_index import FIELD_WEIGHTS, Stemmer
from shopfloor.tools.recommendation.snapshot import Snapshot, load_snapshot

WORDS = (
    ("red", "jacket"),
    ("walking", "shoe", "blue"),
    ("boxes",),
    ("hike", "hiking"),
    ("t-shirt", "cotton"),
    ("crème", "naïve"),
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    folder = tmp_path_factory.mktemp("search")
    path = folder / "shop.db"
    import_shop(write_catalogue(folder / "shop", sources(None), KEPT + 1_000), path)
    with closing(connect(path, read_only=True)) as opened:
        yield opened


@pytest.fixture(scope="module")
def snapshot(connection: sqlite3.Connection) -> Snapshot:
    return load_snapshot(connection)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_scores_are_those_of_fts5(connection: sqlite3.Connection, snapshot: Snapshot, words: tuple[str, ...]) -> None:
    weights = ", ".join(map(str, FIELD_WEIGHTS))
    expression = " OR ".join(f'"{word}"' for word in words)
    query = f"SELECT rowid, -bm25(product_fts, {weights}) FROM product_fts WHERE product_fts MATCH ?"
    theirs = dict(connection.execute(query, (expression,)).fetchall())
    everything = np.arange(len(snapshot))
    ours = snapshot.search.scores(words, everything)
    found = {int(snapshot.product_no[row]): float(ours[row]) for row in np.flatnonzero(ours)}
    if "t-shirt" in words:  # FTS5 wants the two words side by side, the index anywhere
        assert set(found) >= set(theirs)
        best = sorted(theirs, key=lambda row: -theirs[row])[:100]
        assert sum(found[row] == pytest.approx(theirs[row], rel=0.05) for row in best) >= 90
    else:
        assert found == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    few = everything[7::50]
    assert snapshot.search.scores(words, few) == pytest.approx(ours[few], rel=1e-5)


def test_words_of_requests_are_never_syntax(snapshot: Snapshot) -> None:
    rows = np.arange(len(snapshot))
    assert not snapshot.search.scores(('"', "*", "-", "^", ""), rows).any()
    assert not snapshot.search.scores((), rows).any()


def test_stems_are_fts5s() -> None:
    stemmer = Stemmer()
    assert stemmer.stems("Walking") == ("walk",)
    assert stemmer.stems("t-shirts") == ("t", "shirt")
    assert stemmer.stems("?") == ()


def test_tshirt_is_searched_as_shops_write_it() -> None:
    assert search_words(ParsedRequest(head=("tshirt",)))[0] == "t-shirt"


def test_of_many_rows_the_best_are_kept(snapshot: Snapshot) -> None:
    parsed = ParsedRequest(text="blue cotton", categories=("jackets",), head=("jacket",), colours=("blue",))
    rows = np.arange(len(snapshot))
    found = retrieve(snapshot, parsed, rows, personal=(snapshot.sku[3],))
    whole = snapshot.search.scores(search_words(parsed), rows)
    assert KEPT <= len(found.rows) < len(rows)
    assert 3 in found.rows
    assert found.text.max() == 1.0
    best = np.sort(whole)[-20]
    assert int((whole[found.rows] >= best).sum()) == int((whole >= best).sum())
    assert np.all(np.diff(found.rows) > 0)


def test_rows_without_any_word_go_where_a_thing_is_named(snapshot: Snapshot) -> None:
    found = retrieve(snapshot, ParsedRequest(text="tents", terms=("tent",)), np.arange(len(snapshot)))
    assert 0 < len(found.rows) < len(snapshot)
    assert np.all((found.text > 0) | (found.words > 0))


def test_coverage_counts_words_of_names_double(snapshot: Snapshot) -> None:
    rows = np.arange(len(snapshot))
    shares = coverage(snapshot, ("jacket",), rows)
    named = [row for row in range(200) if "jacket" in snapshot.name_stems[row]]
    assert named and shares[named] == pytest.approx(1.0)
    assert coverage(snapshot, (), rows).sum() == 0


def test_made_catalogues_are_the_same_each_time(tmp_path: Path) -> None:
    made = sources(None)
    first, again = list(perturbed(made, 400, seed=3)), list(perturbed(made, 400, seed=3))
    assert first == again
    assert len({row["sku"] for row in first}) == 400
    names = [row["name"] for row in first]
    assert names[: len(made[0].rows)] == [row["name"] for row in made[0].rows]
    assert len(set(names)) > 300
    with pytest.raises(Exception, match="can't be read"):
        read_source(tmp_path / "none.csv")
