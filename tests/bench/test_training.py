"""What the training benchmark trains on, and how it compares two sides; the whole runs by ``shopfloor bench --only training``."""

import json
from pathlib import Path

from shopfloor.bench.training import WITHHELD, WORDS, _rows, write_rows  # pyright: ignore[reportPrivateUsage]
from shopfloor.bench.training_side import Side
from shopfloor.finetune.lora.job import read_examples


def test_both_sides_get_the_same_rows_and_neither_the_withheld_ones(tmp_path: Path) -> None:
    train, withheld = write_rows(tmp_path, 100)
    learned, asked = read_examples(train), read_examples(withheld)
    assert (len(learned), len(asked)) == (100, WITHHELD)
    assert not {row.prompt for row in learned} & {row.prompt for row in asked}
    assert {json.loads(line)["completion"] for line in train.read_text().splitlines()} == {
        f"{word}<|im_end|>" for word in WORDS.values()
    }


def test_the_figures_are_ratios_of_the_sides() -> None:
    ours = Side(total=50, processor=80, peak_mb=900, forward=10, steps=12)
    theirs = Side(total=125, processor=160, peak_mb=1800, forward=20, steps=12)
    rows = {row.id: row for row in _rows(ours, theirs, {"plain": 0.5, "trl": 0.5}, 100)}
    assert (rows["train_seconds"].ratio, rows["train_peak_mb"].ratio) == (0.4, 0.5)
    assert (rows["train_forward_s"].value, rows["train_forward_s"].baseline) == (10, 20)
    assert rows["train_withheld_loss"].ratio == 1.0
