"""A linear head over the encoder's hidden states and hashed text features: logits = H·hidden + T·text + bias.

Only numpy is needed to use one. A head is a folder: ``head.safetensors`` and ``card.json``. It carries two sets of
weights: one over both kinds of features and one over the text alone, for when no encoder is there. Each has its own
temperature, so that a confidence of .8 is right about eight times in ten.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from shopfloor.errors import ModelError
from shopfloor.local_models.locking import write_atomically
from shopfloor.local_models.text_features import BUCKETS, SparseText, featurise

WEIGHTS_FILE = "head.safetensors"
CARD_FILE = "card.json"
FORMAT = 2

Floats = NDArray[np.float32]


class HeadCard(BaseModel):
    """What a head is, what it was made from, and how well it did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    task: str
    labels: list[str]
    encoder_hash: str  # empty, and the width 0, for a head over the text alone
    encoder_width: int
    temperature: float = Field(gt=0)
    text_temperature: float = Field(gt=0)
    rows: int
    data: str
    data_hash: str
    licence: str
    recipe: dict[str, JsonValue]
    seed: int
    parent: str = ""  # hash of the head that training started from
    metrics: dict[str, float]
    weights_hash: str = ""


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """The arrays of a head, for L labels, hidden width W and B text buckets.

    ``hidden`` (L, W) and ``text`` (L, B) with ``bias`` (L,) go together; ``text_only`` (L, B) with
    ``text_only_bias`` (L,) stand alone. ``idf`` (B,) weighs the text's features. The scaling of the hidden states,
    ``(hidden - centre) * factor`` (both (W,)), is folded into ``hidden`` and ``bias``; it is kept for further training.
    """

    hidden: Floats
    text: Floats
    bias: Floats
    text_only: Floats
    text_only_bias: Floats
    idf: Floats
    centre: Floats
    factor: Floats


class LinearHead:
    """A trained head, ready to judge texts."""

    def __init__(self, card: HeadCard, weights: HeadWeights) -> None:
        self.card = card
        self.weights = weights

    @classmethod
    def load(cls, folder: Path, *, encoder_hash: str | None = None) -> "LinearHead":
        """Read a head.

        Args:
            folder: where ``head.safetensors`` and ``card.json`` lie.
            encoder_hash: hash of the encoder that will be used with it; None where there is none.

        Raises:
            ModelError: the files are absent or damaged, or the head belongs to another encoder.
        """
        try:
            content = (folder / WEIGHTS_FILE).read_bytes()
            card = HeadCard.model_validate_json((folder / CARD_FILE).read_bytes())
            arrays = load(content)
            weights = HeadWeights(**{name: arrays[name].astype(np.float32) for name in HeadWeights.__slots__})
        except (OSError, ValidationError, SafetensorError, KeyError) as error:
            raise ModelError(f"The head in {folder} can't be read ({error}); train it anew.") from error
        if card.format != FORMAT or card.weights_hash != hashlib.sha256(content).hexdigest():
            raise ModelError(f"The head in {folder} is damaged or of another version; train it anew.")
        shapes = (weights.hidden.shape, weights.text.shape, weights.text_only.shape)
        labels = len(card.labels)
        scaling = (weights.centre.shape, weights.factor.shape)
        wanted = ((labels, card.encoder_width), (labels, BUCKETS), (labels, BUCKETS))
        if shapes != wanted or scaling != ((card.encoder_width,), (card.encoder_width,)):
            raise ModelError(f"The head in {folder} has weights of the wrong shape; train it anew.")
        if encoder_hash is not None and card.encoder_width > 0 and encoder_hash != card.encoder_hash:
            raise ModelError(
                f"The head in {folder} was trained on another encoder ({card.encoder_hash[:12]}, not "
                f"{encoder_hash[:12]}): train it with `shopfloor router train`."
            )
        return cls(card, weights)

    def save(self, folder: Path) -> Path:
        """Write the head's two files; the text weights are kept in half precision."""
        folder.mkdir(parents=True, exist_ok=True)
        halved = {"text", "text_only", "idf"}
        arrays = {
            name: np.ascontiguousarray(getattr(self.weights, name).astype(np.float16 if name in halved else np.float32))
            for name in HeadWeights.__slots__
        }
        content = save(arrays)
        card = self.card.model_copy(update={"weights_hash": hashlib.sha256(content).hexdigest()})
        write_atomically(folder / WEIGHTS_FILE, content)
        write_atomically(
            folder / CARD_FILE, (json.dumps(card.model_dump(), indent=2, ensure_ascii=False) + "\n").encode()
        )
        self.card = card
        return folder

    @property
    def hash(self) -> str:
        """Hash of the weights file; empty before the head was saved."""
        return self.card.weights_hash

    @property
    def uses_hidden(self) -> bool:
        """Whether the encoder's vectors change anything; False for a head trained on text alone."""
        return bool(np.any(self.weights.hidden))

    def text_twin(self) -> "LinearHead":
        """The same head without its hidden part, width 0: what decides where no encoder is."""
        weights = self.weights
        labels, none = len(self.card.labels), np.zeros(0, np.float32)
        twin = HeadWeights(
            hidden=np.zeros((labels, 0), np.float32),
            text=weights.text_only,
            bias=weights.text_only_bias,
            text_only=weights.text_only,
            text_only_bias=weights.text_only_bias,
            idf=weights.idf,
            centre=none,
            factor=none,
        )
        update = {"encoder_hash": "", "encoder_width": 0, "temperature": self.card.text_temperature}
        return LinearHead(self.card.model_copy(update=update), twin)

    def logits(self, text: str, hidden: Floats | None) -> NDArray[np.float64]:
        """Unscaled scores of the labels, shape (L,); by the text alone where ``hidden`` (shape (W,)) is None."""
        features: SparseText = featurise(text, self.weights.idf)
        if hidden is None:
            scores = self.weights.text_only[:, features.buckets] @ features.weights + self.weights.text_only_bias
        else:
            scores = self.weights.text[:, features.buckets] @ features.weights + self.weights.hidden @ hidden
            scores = scores + self.weights.bias
        return scores.astype(np.float64)

    def probabilities(self, text: str, hidden: Floats | None) -> NDArray[np.float64]:
        """Calibrated probabilities of the labels in the card's order, shape (L,)."""
        temperature = self.card.text_temperature if hidden is None else self.card.temperature
        return softmax(self.logits(text, hidden) / temperature)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)
