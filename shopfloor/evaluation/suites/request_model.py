"""What the local model could add to requests, to be measured: ``eval requests --model kind,meaning,score``.

``kind``: where the rules find no kind of thing in a request, the model names the shop's category that suits it best.
``meaning``: what is shown is put in the order of likeness between the request's and the products' hidden states.
``score``: the model's yes or no to each product counts in the ranking, as with the setting ``model_ranking=on``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shopfloor.local_models import open_encoder
from shopfloor.local_models.encoder import Encoder
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings
from shopfloor.tools.recommendation.query import ParsedRequest

MODEL_PARTS = frozenset({"kind", "meaning", "score"})


@dataclass(slots=True)
class ModelParts:
    """The parts that are on. ``categories`` in the shop's spelling; ``names`` by SKU."""

    parts: frozenset[str]
    runtime: Runtime | None
    encoder: Encoder | None
    categories: tuple[str, ...]
    names: Mapping[str, str]

    @classmethod
    async def open(
        cls, parts: frozenset[str], settings: Settings, runtime: Runtime | None, names: Mapping[str, str],
        categories: Sequence[str],
    ) -> "ModelParts":  # fmt: skip
        """Open the encoder where it is needed."""
        encoder = await open_encoder(settings) if "meaning" in parts else None
        return cls(parts, runtime, encoder, tuple(categories), names)

    async def with_kind(self, text: str, parsed: ParsedRequest) -> str:
        """The request, with the category that the model names where the rules found no kind."""
        named = parsed.categories or parsed.head or parsed.like_sku or parsed.refines
        if "kind" not in self.parts or self.runtime is None or named or len(self.categories) < 2:
            return text
        prefix = f"A customer in a shop asks: {' '.join(text.split())[:300]}\nIs it found in this department?\n"
        table = await self.runtime.score([f"{name}:" for name in self.categories], (" yes", " no"), prefix=prefix)
        return f"{self.categories[int(np.argmax(table[:, 0] - table[:, 1]))]}, {text}"

    async def in_order(self, text: str, skus: tuple[str, ...]) -> tuple[str, ...]:
        """What is shown, most alike first."""
        if self.encoder is None or len(skus) < 2:
            return skus
        states = await self.encoder.embed([text, *(self.names.get(sku, "") for sku in skus)])
        states = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-9)
        order: list[int] = np.argsort(-(states[1:] @ states[0]), kind="stable").tolist()
        return tuple(skus[index] for index in order)

    async def close(self) -> None:
        """Close the encoder."""
        if self.encoder is not None:
            await self.encoder.close()
