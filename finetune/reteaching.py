"""Makes again, without a user who is forgotten, what had learned from them: by the same cycles as any training."""

import asyncio
from dataclasses import dataclass, field

from shopfloor.errors import ShopfloorError
from shopfloor.finetune.cycle import Said, TrainResult
from shopfloor.finetune.head_lessons import AGENT
from shopfloor.finetune.lora.job import LoraRecipe
from shopfloor.finetune.lora_cycle import REHEARSED
from shopfloor.finetune.router_learning import Learn, learn_router
from shopfloor.local_models.head import LinearHead
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Kind

WORDS: dict[Kind, str] = {"head": "head", "lora": "adapter", "fusion": "ranking weights"}
LEARNED_BY: dict[Kind, Learn] = {"head": "head", "lora": "lora"}


@dataclass(frozen=True, slots=True)
class Reteaching:
    """What ``forget`` calls for each champion that went (blocking).

    What goes wrong is a note, never an error: the user is erased by then, and that must be said.

    Attributes:
        notes: gets a sentence for whatever does not serve again.
        say: hears what is being done.
        base: the head that learning starts from; empty: the shipped one.
        lora: how an adapter is trained.
        rehearsed: hand-written messages that an adapter learns beside the shop's.
    """

    notes: list[str] = field(default_factory=list[str])
    say: Said | None = None
    base: LinearHead | None = None
    lora: LoraRecipe | None = None
    rehearsed: int = REHEARSED

    def __call__(self, settings: Settings, agent: str, kind: Kind) -> str | None:
        """Train anew; returns what came of it, None where nothing did."""
        what = f"The {agent}'s {WORDS[kind]}"
        learn = LEARNED_BY.get(kind)
        if agent != AGENT or learn is None:
            self.notes.append(f"{what} can't be made anew here: what came with the package serves.")
            return None
        try:
            result = asyncio.run(self._learn(settings, learn))
        except ShopfloorError as error:
            self.notes.append(f"{what} could not be made anew: {error.detail}")
            return None
        if result.status != "promoted":
            self.notes.append(
                f"{what} was made anew and does not serve: {_reason(result)}"
                if result.artefact
                else f"{what} was not made anew: {_reason(result)}"
            )
        return result.artefact

    async def _learn(self, settings: Settings, learn: Learn) -> TrainResult:
        return await learn_router(
            settings,
            learn,
            started_by="forget",
            base=self.base,
            say=self.say,
            lora=self.lora,
            rehearsed=self.rehearsed,
        )


def _reason(result: TrainResult) -> str:
    if result.gate is not None:
        return str(result.gate["reason"])
    return result.note or f"there is too little to learn from ({result.rows} rows)."
