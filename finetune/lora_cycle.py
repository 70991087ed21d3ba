"""The router's adapter: trained in its own environment, converted, proved equal, judged with the head, promoted.

It learns the label's word after a short prompt, from a dataset's rows with hand-written messages rehearsed beside them. At
the gate it stands where it would serve: the head that serves now decides, and the adapter is asked where that is unsure.
"""

import asyncio
import shutil
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from shopfloor.errors import ArtefactRejectedError, ModelError
from shopfloor.finetune.cycle import Made, Said, Work
from shopfloor.finetune.datasets.build import ROWS_FILE
from shopfloor.finetune.gate.members import opened_members
from shopfloor.finetune.gate.routing import RoutingGate
from shopfloor.finetune.gate.verdict import Judgement
from shopfloor.finetune.head_lessons import read_lessons
from shopfloor.finetune.lora.convert import CONFIG, WEIGHTS, convert
from shopfloor.finetune.lora.environment import trainer_python
from shopfloor.finetune.lora.job import LoraRecipe, Progress, TrainJob
from shopfloor.finetune.lora.memory import Ceiling, ceiling
from shopfloor.finetune.lora.parity import check_parity
from shopfloor.finetune.lora.training import plain_base, train_lora
from shopfloor.finetune.lora_lessons import examples, parity_prompts, write_examples
from shopfloor.finetune.router_cycle import RoutingCycle, name_of
from shopfloor.finetune.trainers.running import for_labels
from shopfloor.graph.local_router import TextEncoder
from shopfloor.graph.route_member import MAX_CHARS, UNSURE_BELOW, WORDS, prompt_version
from shopfloor.local_models import mlx_files
from shopfloor.local_models.adapter_file import AdapterFile, open_adapter
from shopfloor.local_models.artefact_check import ADAPTER_FILE
from shopfloor.local_models.files import ModelFile, find_model, open_model_file
from shopfloor.local_models.head import LinearHead
from shopfloor.local_models.opening import served_form
from shopfloor.settings import Settings
from shopfloor.store.loop import StartedBy, read_step

REHEARSED = 800
PARITY_PROMPTS = 8
SAY_EVERY_S = 10.0
LONGEST_TOKENS = MAX_CHARS // 4 + 24  # about four characters a token, and the words around the message


class LoraCycle(RoutingCycle):
    """The adapter's cycle.

    Args:
        settings: where everything lies.
        started_by: for the record.
        base: the head that serves where the registry has none; empty: the shipped one.
        encoder: one that is open already; empty: the service's, opened for this.
        seed: of the training.
        shares: as for the head.
        say: hears what is being done.
        lora: how to train; its seed is the cycle's.
        rehearsed: hand-written messages learned beside the dataset's.
        python: the trainer's; empty: found.
    """

    kind = "lora"
    method = "lora"
    fewest_rows = 50

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
        lora: LoraRecipe | None = None,
        rehearsed: int = REHEARSED,
        python: Path | None = None,
    ) -> None:
        super().__init__(settings, started_by=started_by, base=base, encoder=encoder, seed=seed, shares=shares, say=say)
        self._by = for_labels(settings.trainer)
        self._lora = self._by.fitted((lora or LoraRecipe()).model_copy(update={"seed": seed}))
        self._rehearsed = rehearsed
        self._python = python
        self._source: ModelFile | None = None

    async def ready(self) -> None:
        """Check that the trainer's environment, the model's file and enough memory are here.

        Raises:
            ConfigError: an environment is missing, or memory is short.
            ModelMissingError: the model's file is not here.
        """
        self._python = self._python or trainer_python()
        self._source = await asyncio.to_thread(
            lambda: open_model_file(find_model(self.settings), self.settings.models_path)
        )
        self._ceiling()

    def recipe(self) -> dict[str, Any]:
        """How the adapter learns, and how it will be asked."""
        shown = self._lora.model_dump(exclude={"seed", "together"})
        return {
            **shown,
            "rehearsed": self._rehearsed,
            "prompt": prompt_version(),
            "unsure_below": UNSURE_BELOW,
            **({} if self._by.labels else {"trainer": self._by.name}),
        }

    def won(self, work: Work) -> str | None:
        """The champion's name once this run's adapter serves."""
        registered = read_step(work.state, work.run.run_id, "register")
        head = work.run.champion.partition("+")[0]
        return None if registered is None else name_of(head, str(registered["artefact"]))

    async def open(self, stack: AsyncExitStack) -> None:
        """Nothing yet: the encoder is opened for the gate alone, training has the memory to itself."""

    async def learn(self, work: Work) -> None:
        """Train, convert, prove parity.

        Raises:
            ArtefactRejectedError: what was converted says something else than what was trained; the layer is named.
            TrainingFailedError: training failed, or passed its memory limit.
        """
        await work.once("train", lambda: self._train(work))
        await work.once("convert", lambda: self._convert(work))
        await work.once("parity", lambda: self._parity(work))

    async def judge(self, work: Work) -> Judgement:
        """The head that serves with this adapter, against what serves now."""
        async with AsyncExitStack() as stack:
            await super().open(stack)
            return await self._judge(await self.gate(work), work)

    async def _judge(self, gate: RoutingGate, work: Work) -> Judgement:
        now = self.now
        adapters = {"challenger": replace(open_adapter(self._made(work)), folder=self._made(work).parent)}
        if now.adapter is not None:
            adapters["champion"] = now.adapter
        async with opened_members(self.settings, adapters) as members:
            name = now.artefact.hash[:12] if now.artefact is not None else ""
            champion = await gate.ask(now.head, members.get("champion"), name)
            challenger = await gate.ask(now.head, members["challenger"], adapters["challenger"].sha256[:12])
        judgement = await asyncio.to_thread(gate.judge, champion, challenger)
        about = {**judgement.about, "asked of the adapter": f"{len(challenger.opinions)}, below {UNSURE_BELOW}"}
        return replace(judgement, about=about)

    async def made(self, work: Work) -> Made:
        """The adapter as GGUF, and as it was trained."""
        folder = self._made(work).parent
        gate = read_step(work.state, work.run.run_id, "gate") or {"suites": []}
        metrics = {suite["name"]: float(suite["challenger"]) for suite in gate["suites"] if suite["name"] == "routing"}
        parity = read_step(work.state, work.run.run_id, "parity") or {}
        return Made(
            files={name: folder / name for name in (ADAPTER_FILE, CONFIG, WEIGHTS)},
            source_hash=self._model.sha256,
            parent=None,
            recipe={"labels": dict(WORDS)},
            metrics=metrics
            | {f"divergence_{name}": float(value) for name, value in parity.items() if name != "prompts"},
        )

    # Steps ------------------------------------------------------------------------------------------------------------

    async def _train(self, work: Work) -> dict[str, Any]:
        lessons = read_lessons(work.dataset / ROWS_FILE)
        rows = examples(lessons, self._rehearsed)
        write_examples(rows, work.folder / "examples.jsonl")
        self.say(f"training an adapter on {len(lessons)} rows, and {self._rehearsed} that must not be forgotten")
        limits = self._ceiling()
        job = TrainJob(
            base=await self._base(work.folder),
            examples=(work.folder / "examples.jsonl").absolute(),
            folder=work.folder.absolute(),
            labels=tuple(WORDS.values()) if self._by.labels else (),
            recipe=self._lora.model_copy(update={"seed": work.run.seed}),
            memory_limit_mb=limits.limit_mb,
        )
        python = self._trainer if self._by.labels else self._by.python()
        done = await train_lora(python, job, _Teller(self.say), self._by.module, self._by.variables())
        return {"rows": len(lessons), "needed_mb": round(limits.needed_mb), **done.model_dump(exclude={"kind"})}

    async def _base(self, folder: Path) -> Path:
        """The model in the trainer's format."""
        if self._by.base == "mlx":
            found = await asyncio.to_thread(mlx_files.find_source, self._model.path, "", self.settings.models_path)
            return Path(found.location).absolute()
        return await plain_base(self._trainer, self._model.path, self.settings.models_path, folder)

    async def _convert(self, work: Work) -> dict[str, Any]:
        self.say("converting the adapter")
        target = self._made(work)

        def make() -> AdapterFile:
            target.parent.mkdir(parents=True, exist_ok=True)
            trained = work.folder / "adapter"
            for name in (CONFIG, WEIGHTS):
                shutil.copyfile(trained / name, target.parent / name)
            try:
                return convert(trained, self._model.path, self._model.sha256, target)
            except ModelError as error:
                raise ArtefactRejectedError(error.detail) from error

        adapter = await asyncio.to_thread(make)
        return {"sha256": adapter.sha256, "rank": adapter.rank, "targets": list(adapter.targets)}

    async def _parity(self, work: Work) -> dict[str, Any]:
        self.say("comparing the converted adapter with the trained one")
        folder = work.folder / "parity"
        folder.mkdir(parents=True, exist_ok=True)
        plain = await plain_base(self._trainer, self._model.path, self.settings.models_path, folder)
        found = await check_parity(
            self._trainer,
            plain.absolute(),
            (work.folder / "adapter").absolute(),
            await asyncio.to_thread(served_form, self._model, self.settings) or self._model.path,
            self._made(work),
            parity_prompts(PARITY_PROMPTS),
            folder.absolute(),
        )
        return {"base": found.base, "adapter": found.adapter, "worst": found.worst, "prompts": found.prompts}

    def _ceiling(self) -> Ceiling:
        return ceiling(self._model.header, self._lora, LONGEST_TOKENS, self.settings.train_memory_mb)

    @staticmethod
    def _made(work: Work) -> Path:
        return work.folder / "made" / ADAPTER_FILE

    @property
    def _model(self) -> ModelFile:
        if self._source is None:
            raise RuntimeError("the cycle was not made ready")
        return self._source

    @property
    def _trainer(self) -> Path:
        if self._python is None:
            raise RuntimeError("the cycle was not made ready")
        return self._python


class _Teller:
    """Says now and then how far a training is."""

    def __init__(self, say: Said) -> None:
        self._say = say
        self._said = 0.0

    def __call__(self, progress: Progress, left_s: float) -> None:
        if time.monotonic() - self._said < SAY_EVERY_S and progress.step < progress.steps:
            return
        self._said = time.monotonic()
        minutes, seconds = divmod(round(left_s), 60)
        waiting = ", waiting for the service" if progress.paused else ""
        self._say(
            f"step {progress.step} of {progress.steps}, loss {progress.loss:.2f}, {progress.memory_mb:,.0f} MB, "
            f"{minutes}:{seconds:02d} min left{waiting}"
        )
