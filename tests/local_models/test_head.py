"""The linear head: learns, keeps its numbers through a save, and refuses what does not belong to it."""

from pathlib import Path

import numpy as np
import pytest

from shopfloor.errors import ModelError
from shopfloor.local_models.head import CARD_FILE, WEIGHTS_FILE, LinearHead
from shopfloor.local_models.head_training import HeadOrigin, HeadRecipe, LabelledTexts, train_head
from shopfloor.local_models.text_features import BUCKETS, WORD_BUCKETS, featurise, inverse_frequencies, normalise

WIDTH = 6
ORIGIN = HeadOrigin("router", "enc-1", "made", "0" * 64, "Apache-2.0")
LABELS = ("fruit", "tool", "weather")
WORDS = (("apple", "pear", "plum"), ("hammer", "saw", "drill"), ("rain", "snow", "wind"))


def made_rows(count: int = 90, *, only: int = 3) -> LabelledTexts:
    rng = np.random.default_rng(4)
    labels = np.arange(count) % only
    texts = [f"{rng.choice(WORDS[label])} number {place}" for place, label in enumerate(labels)]
    hidden = rng.normal(0, 1, (count, WIDTH)).astype(np.float32)
    hidden[np.arange(count), labels] += 3
    return LabelledTexts(texts, labels, hidden, np.ones(count, np.float32), np.arange(count), np.ones(count, np.bool_))


@pytest.fixture(scope="module")
def head() -> LinearHead:
    return train_head(made_rows(), LABELS, ORIGIN, HeadRecipe(folds=2))


def test_it_learns_from_words_and_from_hidden_states(head: LinearHead) -> None:
    hidden = np.zeros(WIDTH, np.float32)
    assert head.probabilities("a saw", None).argmax() == 1
    assert head.probabilities("snow", hidden).argmax() == 2
    hidden[0] = 6
    assert head.probabilities("", hidden).argmax() == 0
    assert head.probabilities("drill", None).sum() == pytest.approx(1.0)
    assert head.card.metrics["cv_accuracy"] > 0.9
    assert head.card.metrics["text_only_cv_accuracy"] > 0.9


def test_save_and_load(head: LinearHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    loaded = LinearHead.load(tmp_path, encoder_hash="enc-1")
    hidden = np.ones(WIDTH, np.float32)
    assert loaded.card == head.card
    assert loaded.hash == head.hash != ""
    for given in (hidden, None):
        before, after = head.probabilities("pear and rain", given), loaded.probabilities("pear and rain", given)
        assert after == pytest.approx(before, abs=2e-3)


def test_training_is_repeatable(tmp_path: Path) -> None:
    first = train_head(made_rows(), LABELS, ORIGIN, seed=3).save(tmp_path / "a")
    second = train_head(made_rows(), LABELS, ORIGIN, seed=3).save(tmp_path / "b")
    assert (first / WEIGHTS_FILE).read_bytes() == (second / WEIGHTS_FILE).read_bytes()


def test_another_encoder_is_refused(head: LinearHead, tmp_path: Path) -> None:
    head.save(tmp_path)
    with pytest.raises(ModelError, match="another encoder"):
        LinearHead.load(tmp_path, encoder_hash="enc-2")


@pytest.mark.parametrize("name", [WEIGHTS_FILE, CARD_FILE])
def test_damage_is_noticed(head: LinearHead, tmp_path: Path, name: str) -> None:
    head.save(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-10] ^= 1
    (tmp_path / name).write_bytes(bytes(content))
    with pytest.raises(ModelError):
        LinearHead.load(tmp_path)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be read"):
        LinearHead.load(tmp_path / "nowhere")


@pytest.mark.parametrize("only", [1, 2])
def test_labels_without_rows_stay_unlikely(only: int) -> None:
    head = train_head(made_rows(40, only=only), LABELS, ORIGIN, HeadRecipe(folds=2))
    assert head.probabilities("apple", None).argmax() == 0
    assert head.probabilities("rain", None)[2] < 0.05


def test_features_are_stable_and_scaled() -> None:
    idf = inverse_frequencies(["red cup", "blue cup"])
    features = featurise("Red CUP 25", idf)
    assert np.array_equal(features.buckets, featurise("red cup 99", idf).buckets)
    words = features.buckets < WORD_BUCKETS
    assert np.linalg.norm(features.weights[words]) == pytest.approx(1.0)
    assert np.linalg.norm(features.weights[~words]) == pytest.approx(1.0)
    assert features.buckets.max() < BUCKETS
    assert normalise("Größe 42?") == ["grösse", "02", "?"]
    assert featurise("", idf).weights.size > 0
