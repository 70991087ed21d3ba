"""The local router: decides with the shipped head, without a model too, and says when it was degraded."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.graph.local_router import MAX_CHARS, LocalRouter, shorten
from shopfloor.local_models.head import HeadCard, HeadWeights, LinearHead
from shopfloor.local_models.text_features import BUCKETS
from shopfloor.settings import Settings


class FixedEncoder:
    """An encoder that gives one vector, or fails."""

    hash = "enc"

    def __init__(self, vector: list[float] | None) -> None:
        self._vector = vector

    async def embed(self, texts: list[str]) -> NDArray[np.float32]:
        if self._vector is None:
            raise ModelError("the encoder is closed")
        return np.array([self._vector] * len(texts), np.float32)


def two_label_head() -> LinearHead:
    """Hidden state 0 means inventory; without it the text-only bias says supervisor."""
    card = HeadCard(
        task="router",
        labels=["inventory", "supervisor"],
        encoder_hash="enc",
        encoder_width=2,
        temperature=1,
        text_temperature=1,
        rows=0,
        data="made",
        data_hash="",
        licence="",
        recipe={},
        seed=0,
        metrics={},
    )
    none = np.zeros((2, BUCKETS), np.float32)
    return LinearHead(
        card,
        HeadWeights(
            hidden=np.array([[4, 0], [0, 0]], np.float32),
            text=none,
            bias=np.zeros(2, np.float32),
            text_only=none,
            text_only_bias=np.array([0, 2], np.float32),
            idf=np.ones(BUCKETS, np.float32),
            centre=np.zeros(2, np.float32),
            factor=np.ones(2, np.float32),
        ),
    )


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("a light waterproof jacket for cycling in blue", "recommendation"),
        ("which of your shops in Delhi still has the yoga mat", "inventory"),
        ("I'd like a wool hat under 30 euros. Is it in stock in Berlin?", "both"),
        ("my parcel has not arrived, I want my money back", "supervisor"),
        ("hello there", "supervisor"),
        ("who was the first man on the moon", "supervisor"),
    ],
)
async def test_the_shipped_head_decides_plain_cases(text: str, route: str) -> None:
    info = await LocalRouter.open(Settings(), None).decide(text)
    assert info.route == route
    assert info.decided_by == "local"
    assert 0.25 <= info.confidence <= 1


async def test_odd_texts_get_a_decision() -> None:
    router = LocalRouter.open(Settings(), None)
    for text in ("", "   ", "?", "\x00", "🧥", "x" * 50_000, "買い物"):
        choice = await router.weigh(text)
        assert sum(choice.probabilities.values()) == pytest.approx(1.0)
        assert set(choice.probabilities) == {"recommendation", "inventory", "both", "supervisor"}


async def test_hidden_states_decide_and_a_failing_encoder_is_said() -> None:
    head = two_label_head()
    sure = await LocalRouter(head, FixedEncoder([1, 0])).weigh("anything")
    assert sure.route == "inventory"
    assert not sure.degraded
    for encoder in (FixedEncoder(None), None):
        choice = await LocalRouter(head, encoder).weigh("anything")
        assert choice.route == "supervisor"
        assert choice.degraded
        assert "text alone" in choice.info().reason


async def test_a_shops_own_head_comes_first(tmp_path: Path) -> None:
    data = tmp_path
    two_label_head().save(data / "heads" / "router")
    settings = Settings(data=data)
    assert (await LocalRouter.open(settings, None).decide("a red hat")).route == "supervisor"
    other = FixedEncoder([1, 0])
    other.hash = "another"
    router = LocalRouter.open(settings, other)
    assert "another model" in router.problem
    assert (await router.weigh("a red hat")).degraded
    assert LocalRouter.open(settings, FixedEncoder([1, 0])).problem == ""


def test_long_texts_keep_both_ends() -> None:
    text = "a" * MAX_CHARS + "b" * MAX_CHARS
    short = shorten(text)
    assert len(short) <= MAX_CHARS + 1
    assert short.startswith("a") and short.endswith("b")
