"""The router's head: learned, judged and promoted by one cycle (:mod:`shopfloor.finetune.cycle`).

The head always starts from the same base, the shipped head, and learns from all usable reactions at once: the order in
which feedback came makes no difference, and forgetting a user is training again without them. Messages that the shipped
head learned from are rehearsed beside them, so that a shop's own ways of asking push out nothing else.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from shopfloor.errors import ModelError
from shopfloor.evaluation.suites.routing import ADAPTING
from shopfloor.finetune.cycle import Cycle, Made, Said, TrainResult, Work
from shopfloor.finetune.datasets.build import ROWS_FILE
from shopfloor.finetune.gate.feedback_cases import routing_cases
from shopfloor.finetune.gate.members import opened_members, serving_adapter
from shopfloor.finetune.gate.routing import RoutingGate
from shopfloor.finetune.gate.verdict import Judgement
from shopfloor.finetune.head_lessons import AGENT, REHEARSED_ROWS, Rehearsed, fit, read_lessons, rehearsal_rows
from shopfloor.finetune.routing.vectors import VectorCache
from shopfloor.graph.local_router import LocalRouter, TextEncoder, shipped_head, shorten
from shopfloor.local_models import open_encoder
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.files import find_embedded, open_model_file
from shopfloor.local_models.head import CARD_FILE, WEIGHTS_FILE, LinearHead
from shopfloor.settings import Settings
from shopfloor.store.artefacts import Artefact, Registry
from shopfloor.store.loop import StartedBy, read_step

__all__ = ["AGENT", "RouterCycle", "RoutingCycle", "ServingRouter", "TrainResult", "name_of"]


@dataclass(frozen=True, slots=True)
class ServingRouter:
    """What decides routes now: a head, and an adapter that is asked where it is unsure, if one serves."""

    head: LinearHead
    artefact: Artefact | None = None
    adapter: AdapterFile | None = None

    @property
    def name(self) -> str:
        """Names both."""
        return name_of(self.head.hash, self.artefact.hash if self.artefact is not None else "")


def name_of(head: str, adapter: str) -> str:
    """A head's hash, and an adapter's if there is one."""
    return f"{head}+{adapter}" if adapter else head


class RoutingCycle(Cycle):
    """What the cycles that learn routing share: what serves, the encoder, and the rows that are rehearsed.

    Args:
        settings: where everything lies.
        started_by: for the record.
        base: the head that learning starts from; empty: the shipped one.
        encoder: one that is open already; empty: the service's, opened for this.
        seed: of the training.
        shares: what wins is tried on a share of the users first, where ``SHOPFLOOR_ROLLOUT`` does not say otherwise.
        say: hears what is being done.
    """

    agent = "router"

    def __init__(
        self,
        settings: Settings,
        *,
        started_by: StartedBy = "command",
        base: LinearHead | None = None,
        encoder: TextEncoder | None = None,
        seed: int = 0,
        shares: bool = False,
        say: Said | None = None,
    ) -> None:
        super().__init__(settings, started_by=started_by, seed=seed, shares=shares, say=say)
        self.base = base
        self.encoder = encoder
        self.serving: ServingRouter | None = None

    async def champion(self, registry: Registry) -> str:
        """Name of the head and the adapter that serve now."""
        adapter = await serving_adapter(self.settings, registry)
        found = (None, None) if adapter is None else adapter
        self.serving = ServingRouter(await self._head(registry), *found)
        return self.serving.name

    async def open(self, stack: AsyncExitStack) -> None:
        """Open the encoder; without its model the service routes by words alone: then that is trained and judged."""
        if self.encoder is not None:
            return
        try:
            encoder = await open_encoder(self.settings)
        except ModelError:
            return
        stack.push_async_callback(encoder.close)
        self.encoder = encoder

    @property
    def now(self) -> ServingRouter:
        """What serves, as it was when this cycle began."""
        if self.serving is None:
            raise RuntimeError("the champion was not looked up")
        return self.serving

    async def gate(self, work: Work) -> RoutingGate:
        """The gate's cases with their vectors."""
        return await RoutingGate.open(self.encoder, self.settings.models_path, routing_cases(work.state))

    async def _head(self, registry: Registry) -> LinearHead:
        found = await registry.champion(AGENT, "head")
        if found is not None:
            return await asyncio.to_thread(LinearHead.load, found.folder)
        if self.base is not None:
            return self.base
        return (await asyncio.to_thread(LocalRouter.open, self.settings, None)).head


class RouterCycle(RoutingCycle):
    """The head's cycle."""

    kind = "head"
    method = "head"
    fewest_rows = 20

    async def ready(self) -> None:
        """Nothing is needed beside what the service has, but SciPy, and training says so."""

    def recipe(self) -> dict[str, Any]:
        """How the head learns."""
        rehearsed = 0 if self.base is not None else REHEARSED_ROWS
        return cast("dict[str, Any]", {"rehearsed": rehearsed, **asdict(ADAPTING)})

    def won(self, work: Work) -> str | None:
        """The champion's name once this run's head serves."""
        trained = read_step(work.state, work.run.run_id, "train")
        return None if trained is None else name_of(str(trained["weights"]), work.run.champion.partition("+")[2])

    async def learn(self, work: Work) -> None:
        """One step: train."""
        await work.once("train", lambda: self._train(work))

    async def judge(self, work: Work) -> Judgement:
        """Both heads, each with the adapter that serves, if one does."""
        gate, now = await self.gate(work), self.now
        head = await asyncio.to_thread(LinearHead.load, work.folder / "head")
        given = {} if now.adapter is None else {"champion": now.adapter}
        async with opened_members(self.settings, given) as members:
            name = now.artefact.hash[:12] if now.artefact is not None else ""
            champion = await gate.ask(now.head, members.get("champion"), name)
            challenger = await gate.ask(head, members.get("champion"), name)
        return await asyncio.to_thread(gate.judge, champion, challenger)

    async def made(self, work: Work) -> Made:
        """The head's two files."""
        folder = work.folder / "head"
        head = await asyncio.to_thread(LinearHead.load, folder)
        return Made(
            files={WEIGHTS_FILE: folder / WEIGHTS_FILE, CARD_FILE: folder / CARD_FILE},
            source_hash=await asyncio.to_thread(self._source_hash),
            metrics=head.card.metrics,
        )

    async def _train(self, work: Work) -> dict[str, Any]:
        lessons = read_lessons(work.dataset / ROWS_FILE)
        self.say(f"training on {len(lessons)} rows")
        base = await self._base_head()
        rehearsed = await self._rehearsed(base)
        head = await fit(lessons, base, self.encoder, work.run.dataset_hash, seed=work.run.seed, rehearsed=rehearsed)
        await asyncio.to_thread(head.save, work.folder / "head")
        return {"weights": head.hash, "rows": len(lessons), "metrics": head.card.metrics}

    async def _base_head(self) -> LinearHead:
        """What learning starts from: with its hidden part only where its encoder is here."""
        base = self.base or await asyncio.to_thread(shipped_head)
        if self.encoder is None or base.card.encoder_hash != self.encoder.hash:
            return base.text_twin()
        return base

    async def _rehearsed(self, base: LinearHead) -> "Rehearsed | None":
        """What the shipped head learned from; another base has other teachers."""
        if self.base is not None:
            return None
        rows = rehearsal_rows()
        hidden = np.zeros((len(rows), 0), np.float32)
        if self.encoder is not None and base.card.encoder_width:
            cache = VectorCache(self.settings.models_path, self.encoder)
            hidden = await cache.embed([shorten(row.text) for row in rows])
        return Rehearsed(rows, hidden)

    def _source_hash(self) -> str:
        if self.encoder is None:
            return ""
        try:
            return open_model_file(find_embedded(self.settings), self.settings.models_path).sha256
        except ModelError:  # the encoder was given, or is of another model than the one that answers
            return ""
