"""The rows that a message's act is learned from: the same every time, of every act, none near a dialogue of the evals."""

from collections import Counter
from importlib.resources import files

import pytest

from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.nearness import nearest
from shopfloor.evaluation.suites.chat import ChatCase
from shopfloor.finetune.acts.rows import ActRow, all_trades, make_rows
from shopfloor.finetune.acts.training import LEAST_WORDS, rows_hash
from shopfloor.finetune.routing.rows import TOO_NEAR
from shopfloor.graph.acts import ACTS, shipped_head
from shopfloor.graph.skeleton import skeleton


@pytest.fixture(scope="module")
def rows() -> list[ActRow]:
    return make_rows()


def test_the_shipped_head_learned_from_these_rows(rows: list[ActRow]) -> None:
    card = shipped_head().card
    again = "the rows have changed: shopfloor router acts --out local_models/artefacts/acts"
    assert (card.rows, card.data_hash) == (len(rows), rows_hash(rows)), again
    assert tuple(card.labels) == ACTS and card.encoder_width == 0


def test_there_are_enough_rows_of_every_act(rows: list[ActRow]) -> None:
    counts = Counter(row.act for row in rows)
    assert set(counts) == set(ACTS)
    assert min(counts.values()) >= 80
    assert not any(mark in row.text for row in rows for mark in "{}|()[]")


def test_no_row_is_near_a_dialogue(rows: list[ActRow]) -> None:
    cases = files("shopfloor.evaluation") / "cases"
    names = ("chat_open", "chat_open2", "chat_sealed", "chat_sealed2", "chat_sealed3", "chat_held2")
    said = [turn.user for name in names for case in load_cases(cases / f"{name}.yaml", ChatCase) for turn in case.turns]  # pyright: ignore[reportArgumentType]
    long = [text for text in said if len(text.split()) >= LEAST_WORDS]
    texts = [row.text for row in rows if len(row.text.split()) >= LEAST_WORDS]
    assert max(nearest(texts, long)) < TOO_NEAR


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("is the kettle in Lyon?", "is the zkind in Lyon ? zstock zasks zmark"),
        ("the red drill, under 30 euros", "the zcolour zkind under zmoney"),
    ],
)
def test_the_build_of_a_message_has_no_word_of_the_shop(text: str, build: str) -> None:
    made = skeleton(text, all_trades()).split()
    assert [word for word in build.split() if word.startswith("z") and word not in {"zplace"}] == [
        word for word in made if word.startswith("z") and word != "zplace"
    ]
    assert not {"kettle", "red", "drill"} & set(made)
