"""Training the router: vectors are kept and reused, a shop's rows are learned on top of the shipped head."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.errors import InputError
from shopfloor.finetune.routing.rows import shipped_rows
from shopfloor.finetune.routing.training import labelled, rows_hash, train_router
from shopfloor.finetune.routing.vectors import VectorCache
from shopfloor.graph.local_router import LocalRouter, shipped_head
from shopfloor.local_models import open_encoder
from shopfloor.settings import Settings


class CountingEncoder:
    """Gives the text's length, and counts what it was asked."""

    hash = "e" * 64

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.extend(texts)
        return np.array([[len(text), 1] for text in texts], np.float32)


async def test_vectors_are_kept_between_runs(tmp_path: Path) -> None:
    first, second = CountingEncoder(), CountingEncoder()
    seen: list[tuple[int, int]] = []
    made = await VectorCache(tmp_path, first).embed(["a", "bb", "a"], lambda done, total: seen.append((done, total)))
    again = await VectorCache(tmp_path, second).embed(["bb", "ccc"])
    assert made.tolist() == [[1, 1], [2, 1], [1, 1]]
    assert again.tolist() == [[2, 1], [3, 1]]
    assert (first.asked, second.asked) == (["a", "bb"], ["ccc"])
    assert seen == [(3, 3)]


async def test_damaged_vectors_are_made_anew(tmp_path: Path) -> None:
    encoder = CountingEncoder()
    await VectorCache(tmp_path, encoder).embed(["a"])
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:40])
    assert (await VectorCache(tmp_path, encoder).embed(["a"])).tolist() == [[1, 1]]
    assert encoder.asked == ["a", "a"]


def test_the_shipped_head_belongs_to_the_shipped_rows() -> None:
    card = shipped_head().card
    assert card.data_hash == rows_hash(shipped_rows())
    assert card.rows == len(shipped_rows())
    assert card.metrics["cv_accuracy"] > card.metrics["text_only_cv_accuracy"] > 0.8


def test_only_lines_are_held_out_and_weigh_more() -> None:
    rows = shipped_rows()[:400]
    made = labelled(rows, np.zeros((len(rows), 0), np.float32))
    written = np.array([row.source == "line" for row in rows])
    assert np.array_equal(made.judged, written)
    assert set(made.weights[written]) == {3.0}
    assert set(made.weights[~written]) == {1.0}


@pytest.mark.parametrize("text_only", [False, True])
async def test_a_shops_rows_go_on_from_the_shipped_head(
    tmp_path: Path, model_settings: Settings, *, text_only: bool
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": f"{start} blimfrob {end}", "label": "inventory"} for start in "abcde" for end in ("", "now", "ok")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = model_settings.model_copy(update={"data": tmp_path})
    head = await train_router(settings, path, text_only=text_only)
    assert head.card.parent == shipped_head().hash
    assert (head.card.encoder_width == 0) is text_only
    head.save(settings.data / "heads" / "router")
    encoder = await open_encoder(settings)
    try:
        own, shipped = LocalRouter.open(settings, encoder), LocalRouter(shipped_head(), encoder)
        assert own.problem == shipped.problem == ""
        before, after = await shipped.weigh("blimfrob"), await own.weigh("blimfrob")
        assert after.probabilities["inventory"] > before.probabilities["inventory"] + 0.1
        assert (await own.decide("where is my parcel")).route == "supervisor"
    finally:
        await encoder.close()


async def test_a_bad_file_names_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match="line 1, field label"):
        await train_router(Settings(data=tmp_path), path)
