"""Retrieval over large catalogues: how long a request takes to find its candidates, and how good they are.

A catalogue of each size is made from real products and imported as a shop's own would be. Every request is parsed by
the assistant's own parser; timed is what it does next (facets to rows, words to BM25, the best kept), and the same
request's exhaustive BM25 by FTS5, under the same facets, says which twenty it should have found.
"""

import asyncio
import gc
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter

import shopfloor.demo
import shopfloor.evaluation
from shopfloor.bench.catalogues import Source, read_source, write_catalogue
from shopfloor.bench.report import Row, quantile_rows
from shopfloor.bench.requests import build_workload
from shopfloor.errors import InputError
from shopfloor.settings import Settings
from shopfloor.store.database import Database, connect
from shopfloor.store.importer import import_shop
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.constraints import fit
from shopfloor.tools.recommendation.parsing import parse
from shopfloor.tools.recommendation.query import ParsedRequest, RecommendQuery
from shopfloor.tools.recommendation.retrieval import retrieve, search_words
from shopfloor.tools.recommendation.search_index import FIELD_WEIGHTS, build_index
from shopfloor.tools.recommendation.snapshot import Snapshot

SIZES = (3_100, 100_000, 1_000_000)
TARGETS_MS = {3_100: 5, 100_000: 10, 1_000_000: 50}
BEST = 20
RECALL_TARGET = "≥ 0.95"
REQUESTS = 200
JUDGED = 100  # requests that exhaustive search judges
SAME = 1e-4  # scores nearer than this share are equal
MB = 2**20

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sought:
    """A request that retrieval is measured on."""

    text: str
    parsed: ParsedRequest


def sources(data: Path | None) -> list[Source]:
    """The demo shop's products, and those of the real wholesaler where the evaluation data is."""
    found = [read_source(Path(shopfloor.demo.__file__).with_name("products.csv"))]
    catalogue = data / "dev" / "recommendation" / "online_retail" / "catalog.csv" if data is not None else None
    if catalogue is not None and catalogue.exists():
        found.append(read_source(catalogue))
    return found


def case_texts() -> list[str]:
    """Texts of the open request cases that ship; a conversation gives its first line."""
    folder = Path(shopfloor.evaluation.__file__).with_name("cases")
    cases = [case for path in sorted(folder.glob("requests_*_open.yaml")) for case in _cases(path)]
    return [case.text for case in cases if case.text]


class _RequestCase(BaseModel):
    text: str = ""


def _cases(path: Path) -> list[_RequestCase]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return TypeAdapter(list[_RequestCase]).validate_python(yaml.load(path.read_text(encoding="utf-8"), loader))


async def retrieval_rows(
    folder: Path, settings: Settings, sizes: Sequence[int], data: Path | None, progress: Progress
) -> list[Row]:
    """Rows for each size of catalogue.

    Args:
        folder: where the catalogues are made; the caller's to delete.
        settings: of the assistant; its shop is not touched.
        sizes: products in a catalogue.
        data: folder of the evaluation data, for more real products to start from.
        progress: told what is being done.
    """
    made = sources(data)
    rows: list[Row] = []
    for size in sizes:
        progress(f"{size:,} products: importing ...")
        label = _label(size)
        shop = write_catalogue(folder / label, made, size)
        path = folder / f"{label}.db"
        began = time.perf_counter()
        report = import_shop(shop, path)
        rows.append(Row(id=f"import_{label}_s", value=round(time.perf_counter() - began, 1), unit="s"))
        if report.counts["products"] != size:
            raise InputError(f"Of {size} products made for the benchmark {report.counts['products']} were imported.")
        rows.append(Row(id=f"catalogue_{label}_mb", value=round(path.stat().st_size / MB, 1), unit="MB"))
        progress(f"{size:,} products: searching ...")
        rows.extend(await _measured(path, settings, size, label))
        gc.collect()
    return rows


def _label(size: int) -> str:
    return f"{size // 1_000_000}m" if size % 1_000_000 == 0 else f"{size / 1000:g}k".replace(".", "_")


async def _measured(path: Path, settings: Settings, size: int, label: str) -> list[Row]:
    """Load the facets as the assistant does, build the index once more alone, search, and recommend."""
    async with Database(path) as catalogue:
        agent = RecommendationAgent(catalogue, None, settings.model_copy(update={"model_ranking": "off"}))
        before, began = psutil.Process().memory_info().rss, time.perf_counter()
        snapshot, vocabulary = await agent.warm()
        loaded = time.perf_counter() - began
        memory = (psutil.Process().memory_info().rss - before) / MB
        rows = [
            Row(id=f"facets_{label}_load_s", value=round(loaded, 2), unit="s"),
            Row(id=f"facets_{label}_memory_mb", value=round(memory), unit="MB"),
        ]
        texts = await catalogue.read(_request_texts)
        sought = [Sought(text, parse(text, snapshot, vocabulary)) for text in texts]
        sought = [one for one in sought if search_words(one.parsed)]
        rows.extend(await asyncio.to_thread(_searched, path, snapshot, sought, size, label))
        rows.extend(await _recommended(agent, texts, label))
    return rows


def _searched(path: Path, snapshot: Snapshot, sought: Sequence[Sought], size: int, label: str) -> list[Row]:
    with closing(connect(path, read_only=True)) as connection:
        began = time.perf_counter()
        build_index(connection)
        return [
            Row(id=f"index_{label}_build_s", value=round(time.perf_counter() - began, 2), unit="s"),
            Row(id=f"index_{label}_mb", value=round(snapshot.search.nbytes / MB, 1), unit="MB"),
            *_timed(connection, snapshot, sought, size, label),
            _recall(connection, snapshot, sought, label),
        ]


def _request_texts(connection: sqlite3.Connection) -> list[str]:
    """The case files' texts and, so that there are enough, requests made from the catalogue."""
    texts = case_texts()
    workload = build_workload(connection, size=REQUESTS)
    random.Random(0).shuffle(texts)
    return [*texts[:REQUESTS], *workload.recommendation[: max(REQUESTS // 2, REQUESTS - len(texts))]]


def _candidates(snapshot: Snapshot, parsed: ParsedRequest) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that fit, and the best of them by BM25: what the assistant does after parsing."""
    fitting = np.flatnonzero(fit(parsed, snapshot).mask)
    found = retrieve(snapshot, parsed, fitting)
    best = np.argsort(-found.text, kind="stable")[:BEST]
    return fitting, found.rows[best[found.text[best] > 0]]


def _timed(
    connection: sqlite3.Connection, snapshot: Snapshot, sought: Sequence[Sought], size: int, label: str
) -> list[Row]:
    ours: list[float] = []
    theirs: list[float] = []
    for one in (sought[0], *sought):  # the first is repeated: it warms up
        began = time.perf_counter()
        _candidates(snapshot, one.parsed)
        between = time.perf_counter()
        connection.execute(f"{_fts_query()} ORDER BY score LIMIT {BEST}", (_expression(one.parsed),)).fetchall()
        ours.append((between - began) * 1000)
        theirs.append((time.perf_counter() - between) * 1000)
    fts = quantile_rows(f"fts5_{label}_ms", theirs[1:], "ms")
    target = f"< {TARGETS_MS[size]} ms" if size in TARGETS_MS else None
    rows = quantile_rows(f"retrieval_{label}_ms", ours[1:], "ms", target=None)
    rows = [
        row.model_copy(
            update={
                "baseline": slow.value,
                "ratio": round(row.value / max(0.01, slow.value), 3),
                "target": target if row.id.endswith("p95") else None,
            }
        )
        for row, slow in zip(rows, fts, strict=True)
    ]
    return [*rows, *fts]


def _recall(connection: sqlite3.Connection, snapshot: Snapshot, sought: Sequence[Sought], label: str) -> Row:
    """Share of the twenty best by exhaustive BM25 that retrieval gives; of equal scores any will do."""
    shares: list[float] = []
    for one in sought[:: max(1, len(sought) // JUDGED)]:
        fitting, found = _candidates(snapshot, one.parsed)
        matches = connection.execute(_fts_query(), (_expression(one.parsed),)).fetchall()
        numbers = np.asarray([row[0] for row in matches], dtype=np.int64)
        scores = np.zeros(len(snapshot), dtype=np.float64)
        scores[np.searchsorted(snapshot.product_no, numbers)] = [-row[1] for row in matches]
        best = np.sort(scores[fitting])[::-1][:BEST]
        best = best[best > 0]
        if len(best):
            shares.append(float((scores[found] >= best[-1] * (1 - SAME)).sum()) / len(best))
    low, high = _interval(shares)
    return Row(
        id=f"retrieval_{label}_recall{BEST}",
        value=round(float(np.mean(shares)), 4),
        unit="share",
        target=RECALL_TARGET,
        n=len(shares),
        ci=(round(low, 4), round(high, 4)),
    )


def _interval(values: Sequence[float]) -> tuple[float, float]:
    draws = np.random.default_rng(0).choice(np.asarray(values), size=(1000, len(values))).mean(axis=1)
    return float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def _fts_query() -> str:
    weights = ", ".join(str(weight) for weight in FIELD_WEIGHTS)
    return f"SELECT rowid, bm25(product_fts, {weights}) AS score FROM product_fts WHERE product_fts MATCH ?"


def _expression(parsed: ParsedRequest) -> str:
    return " OR ".join('"' + word.replace('"', " ") + '"' for word in search_words(parsed))


async def _recommended(agent: RecommendationAgent, texts: Sequence[str], label: str) -> list[Row]:
    """Whole recommendations without the model: parse, facets, search, every signal, cards."""
    times: list[float] = []
    for text in (texts[0], *texts):
        began = time.perf_counter()
        await agent.recommend(RecommendQuery(text=text, count=3))
        times.append((time.perf_counter() - began) * 1000)
    return quantile_rows(f"recommend_{label}_ms", times[1:], "ms")
