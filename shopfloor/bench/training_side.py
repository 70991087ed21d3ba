"""One side of the training benchmark: ``python -m shopfloor.bench.training_side REQUEST.json`` in the trainers' environment.

``plain`` is our own trainer as the loop runs it; ``trl`` is the script a user of trl writes after its documentation, with
its own tokenising, batches and checkpointing; ``loss`` is the judge of both. So that the losses can be compared, both begin
with the same weights, read the same rows at each step, and follow the same learning rate: transformers would spend the first
step of a short warm-up at a rate of nothing. Forward, backward and optimiser are told apart by PyTorch's own hooks, the same
on both sides.
"""

import contextlib
import io
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel

from shopfloor.finetune.lora import worker
from shopfloor.finetune.lora.batches import order, tokenise
from shopfloor.finetune.lora.environment import TrainingFailedError
from shopfloor.finetune.lora.job import SAID, Finished, TrainJob, read_examples
from shopfloor.local_models.hf_files import library


class SideRequest(BaseModel):
    """What to do; the answer is written to ``target``. ``adapter`` and ``withheld`` are for the judge."""

    side: Literal["plain", "trl", "loss"]
    job: TrainJob
    target: Path
    adapter: Path | None = None
    withheld: Path | None = None


class Side(BaseModel):
    """Seconds of a side's parts and of processor time, and the most memory it had, in MB."""

    total: float = 0.0
    importing: float = 0.0
    loading: float = 0.0
    tokenising: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    optimiser: float = 0.0
    saving: float = 0.0
    processor: float = 0.0
    peak_mb: float = 0.0
    steps: int = 0
    loss: float = 0.0


class _InOrder:
    """A sampler: the rows of one epoch after the other as our trainer reads them."""

    def __init__(self, batches: Sequence[Sequence[int]], rows: int) -> None:
        self._numbers = [number for batch in batches for number in batch]
        self._rows, self._begun = rows, 0

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        start = self._begun * self._rows % len(self._numbers)
        self._begun += 1
        return iter(self._numbers[start : start + self._rows])


class _Watch:
    """Adds up what hooked calls take."""

    def __init__(self) -> None:
        self.seconds = {"backward": 0.0, "optimiser": 0.0, "tokenising": 0.0}

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[name] += time.perf_counter() - began

        return measured

    def hook(self, torch: Any) -> None:
        """From now on backward and optimiser are counted."""
        torch.autograd.backward = self.timed("backward", torch.autograd.backward)
        began = [0.0]

        def before(*_: Any) -> None:
            began[0] = time.perf_counter()

        def after(*_: Any) -> None:
            self.seconds["optimiser"] += time.perf_counter() - began[0]

        hooks = library("torch.optim.optimizer")
        hooks.register_optimizer_step_pre_hook(before)
        hooks.register_optimizer_step_post_hook(after)


def main() -> int:
    """Answer one request."""
    request = SideRequest.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.environ["HF_HUB_OFFLINE"] = "1"
    if request.side == "loss":
        found = Side(loss=_withheld(request))
    else:
        found = (_plain if request.side == "plain" else _trl)(request)
        found.total = time.time() - psutil.Process().create_time()
        spent = psutil.Process().cpu_times()
        found.processor = spent.user + spent.system
        found.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    request.target.write_text(found.model_dump_json(), encoding="utf-8")
    return 0


def _imported(*names: str) -> tuple[float, Any]:
    """The seconds since the process began, with these imported."""
    for name in names:
        library(name)
    return time.time() - psutil.Process().create_time(), library("torch")


def _plain(request: SideRequest) -> Side:
    importing, torch = _imported("torch", "transformers", "peft", "peft.tuners.lora")
    watch = _Watch()
    watch.hook(torch)
    worker.tokenise = watch.timed("tokenising", worker.tokenise)
    path = request.target.with_suffix(".job.json")
    path.write_text(request.job.model_dump_json(), encoding="utf-8")
    began = time.perf_counter()
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        worker.main([str(path)])
    end = SAID.validate_json(told.getvalue().splitlines()[-1])
    if not isinstance(end, Finished):
        raise TrainingFailedError(f"our own trainer ended with: {told.getvalue()[-500:]}")
    whole = time.perf_counter() - began
    backward, optimiser, tokenising = (watch.seconds[name] for name in ("backward", "optimiser", "tokenising"))
    return Side(
        importing=importing,
        loading=end.load_seconds - tokenising,
        tokenising=tokenising,
        forward=end.seconds - backward - optimiser,
        backward=backward,
        optimiser=optimiser,
        saving=max(0.0, whole - end.load_seconds - end.seconds),
        steps=end.steps,
    )


def _trl(request: SideRequest) -> Side:
    importing, torch = _imported("torch", "transformers", "peft", "datasets", "trl.trainer.sft_trainer")
    trl, transformers, datasets, peft = (library(name) for name in ("trl", "transformers", "datasets", "peft"))
    watch, job, recipe = _Watch(), request.job, request.job.recipe
    watch.hook(torch)
    began = time.perf_counter()
    dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(str(job.base), dtype=dtype)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(job.base))
    loaded = time.perf_counter()
    rows = [{"prompt": row.prompt, "completion": row.completion} for row in read_examples(job.examples)]
    config = trl.SFTConfig(
        output_dir=str(job.folder),
        per_device_train_batch_size=recipe.batch,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        max_length=recipe.max_tokens,
        bf16=recipe.precision == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        save_strategy="no",
        report_to="none",
    )
    adapter = peft.LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    trainer = trl.SFTTrainer(
        model=model,
        args=config,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=adapter,
    )
    _alike(trainer, job, tokenizer)
    ready = time.perf_counter()
    trainer.train()
    trained = time.perf_counter()
    trainer.save_model(str(job.adapter))
    backward, optimiser = watch.seconds["backward"], watch.seconds["optimiser"]
    return Side(
        importing=importing,
        loading=loaded - began,
        tokenising=ready - loaded,
        forward=trained - ready - backward - optimiser,
        backward=backward,
        optimiser=optimiser,
        saving=time.perf_counter() - trained,
        steps=int(trainer.state.global_step),
    )


def _alike(trainer: Any, job: TrainJob, tokenizer: Any) -> None:
    """Let trl read the rows in our order, at our learning rate."""
    recipe = job.recipe
    rows = tokenise(
        read_examples(job.examples),
        lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"]),
        recipe.max_tokens,
    ).rows
    batches = order(rows, recipe.batch, recipe.epochs, recipe.seed)
    sampler = _InOrder(batches, len(rows))

    def sampled(dataset: object = None) -> _InOrder:
        return sampler

    def scheduled(num_training_steps: int, optimizer: Any = None) -> Any:
        def rate(step: int) -> float:
            return worker.schedule(min(step, num_training_steps - 1), num_training_steps, recipe.warmup)

        trainer.lr_scheduler = library("torch.optim.lr_scheduler").LambdaLR(optimizer or trainer.optimizer, rate)
        return trainer.lr_scheduler

    trainer._get_train_sampler, trainer.create_scheduler = sampled, scheduled


def _withheld(request: SideRequest) -> float:
    """Mean cross-entropy of the answers' tokens, in float32, row by row."""
    torch, transformers, peft = library("torch"), library("transformers"), library("peft")
    if request.withheld is None:
        raise ValueError("no withheld rows")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(request.job.base))
    model = transformers.AutoModelForCausalLM.from_pretrained(str(request.job.base), dtype=torch.float32)
    if request.adapter is not None:
        model = peft.PeftModel.from_pretrained(model, str(request.adapter))
    model.eval()
    rows = tokenise(
        read_examples(request.withheld),
        lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"]),
        request.job.recipe.max_tokens,
    ).rows
    total, count = 0.0, 0
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row.tokens])
            logits = model(input_ids=ids, use_cache=False, logits_to_keep=row.answer + 1).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, ids[0, -row.answer :], reduction="sum"))
            count += row.answer
    return total / count


if __name__ == "__main__":
    sys.exit(main())
