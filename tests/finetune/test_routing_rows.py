"""The router's rows: made the same every time, of every label, and none near an evaluation row."""

import json
import os
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from shopfloor.errors import InputError
from shopfloor.evaluation.nearness import near_groups, nearest, ngrams
from shopfloor.finetune.routing.rows import LABELS, Row, Writer, make_rows, shipped_rows, too_near


def test_shipped_rows_are_what_the_generator_makes() -> None:
    assert make_rows() == shipped_rows()


def test_there_are_enough_rows_of_every_label() -> None:
    rows = shipped_rows()
    counts = Counter(row.label for row in rows)
    assert 4_000 <= len(rows) <= 10_000
    assert set(counts) == set(LABELS)
    assert min(counts.values()) >= 1_000
    assert sum(row.source == "line" for row in rows) >= 1_500
    assert len({row.text.casefold() for row in rows}) == len(rows)
    assert not any(mark in row.text for row in rows for mark in "{}|()")


def test_another_seed_makes_other_rows() -> None:
    assert make_rows(seed=1, scale=0.05) != make_rows(seed=2, scale=0.05)


def test_nearness() -> None:
    assert ngrams("Hello  You") == {"hello", "ello ", "llo y", "lo yo", "o you"}
    assert nearest(["hello you", "something else"], ["Hello you"]) == [1.0, 0.0]
    near = too_near([Row(text="hello you", label="supervisor", source="line")], ["hello you too"])
    assert len(list(near)) == 0
    assert len(list(too_near([Row(text="hello you", label="supervisor", source="line")], ["hello you!"]))) == 1


def test_near_wordings_share_a_group() -> None:
    texts = ["is the red cup in stock", "do you sell tents", "is the red cup in stock?", "Is the red cup in stock??"]
    assert near_groups(texts) == [0, 1, 0, 0]
    assert near_groups([]) == []


def test_a_template_with_an_unknown_slot_is_refused() -> None:
    import random

    writer = Writer(trades={"one": {"noun": ["cup"]}}, words={}, own={})
    assert writer.write("(a|a) {noun}", random.Random(0)) == "a cup"
    with pytest.raises(InputError, match="nosuch"):
        writer.write("{nosuch}", random.Random(0))


@pytest.mark.eval_data
def test_no_shipped_row_is_near_an_evaluation_row() -> None:
    folder = os.environ.get("SHOPFLOOR_EVAL_DATA")
    if not folder or not Path(folder, "dev/routing/routing.jsonl").is_file():
        pytest.skip("SHOPFLOOR_EVAL_DATA names no folder with dev/routing/routing.jsonl")
    lines = Path(folder, "dev/routing/routing.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert max(nearest([row.text for row in shipped_rows()], texts)) < 0.6


def test_no_shipped_row_is_near_a_held_out_message() -> None:
    texts: list[str] = []
    for part in ("open", "sealed", "sealed3"):
        cases = files("shopfloor.evaluation").joinpath("cases", f"routing_{part}.jsonl").read_text(encoding="utf-8")
        texts += [json.loads(line)["text"] for line in cases.splitlines()]
    assert len(texts) >= 500
    assert max(nearest([row.text for row in shipped_rows()], texts)) < 0.6


def test_the_third_held_out_messages_are_unlike_the_first_ones() -> None:
    texts: dict[str, list[str]] = {}
    for part in ("open", "sealed", "sealed3"):
        cases = files("shopfloor.evaluation").joinpath("cases", f"routing_{part}.jsonl").read_text(encoding="utf-8")
        texts[part] = [json.loads(line)["text"] for line in cases.splitlines()]
    assert len({text.casefold() for text in texts["sealed3"]}) == 200
    assert max(nearest(texts["sealed3"], [*texts["open"], *texts["sealed"]])) < 0.6
