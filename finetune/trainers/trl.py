"""The process that trains with trl: ``python -m shopfloor.finetune.trainers.trl JOB.json`` in ``.venvs/hf``.

Supervised on completions only, KTO and DPO; the reference of the last two is the base with the adapter switched off, so
it costs no memory. It goes on from its last whole checkpoint.
"""

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from shopfloor.errors import ConfigError, InputError, ModelError
from shopfloor.finetune.lora.batches import tokenise
from shopfloor.finetune.lora.job import Finished, TrainJob
from shopfloor.finetune.lora.process import fingerprint, put_in_place, run
from shopfloor.finetune.trainers.rows import Row, examples_of, read_rows
from shopfloor.finetune.trainers.telling import Teller, needed
from shopfloor.local_models.hf_files import four_bits

STATE = "trainer_state.json"  # transformers writes it last but for its own settings
MARK = "of.txt"


def library(name: str) -> Any:
    """Import a library of the environment."""
    return needed(name, "trl")


def work(job: TrainJob) -> Finished:
    """Train one job.

    Raises:
        ConfigError: this machine can't train in the wanted precision, or a library is missing.
        InputError: the rows can't be used.
        ModelError: the base can't be loaded.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # all it needs is in the job
    torch, transformers = library("torch"), library("transformers")
    teller = Teller(job)
    if job.threads:
        torch.set_num_threads(job.threads)
    transformers.set_seed(job.recipe.seed)
    tokenizer = load_tokenizer(job)
    rows = read_rows(job, tokenizer)
    data, kept, tokens = training_data(job, rows, tokenizer)
    model = _base(job)
    trainer = build_trainer(job, model, tokenizer, data, lora_config(job), teller)
    steps = train(job, trainer, teller)
    return teller.finished(steps, kept, len(rows) - kept, round(tokens * steps * job.recipe.batch / kept))


def train(job: TrainJob, trainer: Any, teller: Teller) -> int:
    """Go on to the end, and leave the adapter; returns the steps."""
    teller.begin()
    trainer.train(resume_from_checkpoint=last_checkpoint(job))
    put_in_place(job, lambda folder: trainer.model.save_pretrained(str(folder), safe_serialization=True))
    shutil.rmtree(_states(job), ignore_errors=True)
    return int(trainer.state.global_step)


def load_tokenizer(job: TrainJob) -> Any:
    """The base's tokenizer; one without a padding token pads with its end."""
    transformers = library("transformers")
    try:
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(job.base))
    except (OSError, ValueError) as error:
        raise ModelError(f"the base model {job.base} can't be loaded for training ({error})") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def training_data(job: TrainJob, rows: Sequence[Row], tokenizer: Any) -> tuple[Any, int, int]:
    """The rows as trl takes them, how many were short enough, and their tokens.

    For supervised training they come in tokens already, cut between prompt and answer where serving cuts them too.
    """
    datasets = library("datasets")
    datasets.disable_progress_bars()

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    if job.objective == "sft":
        kept = tokenise(examples_of(rows), encode, job.recipe.max_tokens).rows
        masks = ([0] * (len(row.tokens) - row.answer) + [1] * row.answer for row in kept)
        table = [
            {"input_ids": list(row.tokens), "completion_mask": mask} for row, mask in zip(kept, masks, strict=True)
        ]
        return datasets.Dataset.from_list(table), len(kept), sum(len(row.tokens) for row in kept)
    lengths = [
        max(len(encode(row.prompt + row.completion)), len(encode(row.prompt + row.rejected))) + 1 for row in rows
    ]
    short = [number for number, length in enumerate(lengths) if length <= job.recipe.max_tokens]
    if not short:
        raise InputError(f"no example fits into {job.recipe.max_tokens} tokens: raise the recipe's max_tokens")
    if job.objective == "kto":
        keys = [{"prompt": rows[at].prompt, "completion": rows[at].completion, "label": rows[at].label} for at in short]
        if len(short) < 2 or job.recipe.batch < 2:
            raise InputError("KTO compares the answers of a batch: it needs at least two rows, and a batch of two")
    else:
        keys = [
            {"prompt": rows[at].prompt, "chosen": rows[at].completion, "rejected": rows[at].rejected} for at in short
        ]
    return datasets.Dataset.from_list(keys), len(short), sum(lengths[at] for at in short)


def lora_config(job: TrainJob) -> Any:
    """The adapter as our own trainer makes it."""
    return library("peft").LoraConfig(
        r=job.recipe.rank,
        lora_alpha=job.recipe.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def build_trainer(job: TrainJob, model: Any, tokenizer: Any, data: Any, adapter: Any, teller: Teller) -> Any:
    """trl's trainer of the objective, with our lines for its steps. ``adapter`` is None where the model has one."""
    trl, transformers = library("trl"), library("transformers")
    kinds = {
        "sft": (trl.SFTTrainer, trl.SFTConfig),
        "kto": (trl.KTOTrainer, trl.KTOConfig),
        "dpo": (trl.DPOTrainer, trl.DPOConfig),
    }
    trainer_class, config_class = kinds[job.objective]
    trainer = trainer_class(
        model=model,
        args=config_class(**settings_of(job, len(data))),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=[_telling(transformers, teller)],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def settings_of(job: TrainJob, rows: int) -> dict[str, Any]:
    """The recipe in trl's words."""
    recipe = job.recipe
    steps = max(1, round(rows * recipe.epochs / recipe.batch))
    cuda = bool(library("torch").cuda.is_available())
    found: dict[str, Any] = {
        "output_dir": str(_states(job)),
        "per_device_train_batch_size": recipe.batch,
        "max_steps": steps,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": max(1, round(steps * recipe.warmup)),
        "max_grad_norm": recipe.max_grad_norm,
        "weight_decay": 0.0,
        "gradient_checkpointing": recipe.checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "bf16": recipe.precision != "float32",
        "use_cpu": not cuda and not _mps(),
        "max_length": recipe.max_tokens,
        "logging_steps": 1,
        "save_steps": job.checkpoint_every,
        "save_total_limit": 1,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
        "report_to": "none",
    }
    if job.objective == "sft":
        return found | {"completion_only_loss": True, "train_sampling_strategy": "group_by_length"}
    return found | {"beta": job.beta}


def last_checkpoint(job: TrainJob) -> str | None:
    """The newest whole checkpoint of this very run; those of another are dropped."""
    folder, mine = _states(job), fingerprint(job)
    mark = folder / MARK
    if not mark.is_file() or mark.read_text(encoding="utf-8") != mine:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(mine, encoding="utf-8")
        return None
    whole = [path for path in folder.glob("checkpoint-*") if _is_whole(path)]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def _is_whole(folder: Path) -> bool:
    try:
        state = cast("dict[str, Any]", json.loads((folder / STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False
    return isinstance(state.get("global_step"), int)


def _states(job: TrainJob) -> Path:
    return job.folder / "trl"


def _mps() -> bool:
    return bool(library("torch").backends.mps.is_available())


def _base(job: TrainJob) -> Any:
    torch, transformers = library("torch"), library("transformers")
    loading: dict[str, Any] = {"dtype": torch.float32 if job.recipe.precision == "float32" else torch.bfloat16}
    if job.recipe.precision == "nf4":
        if not torch.cuda.is_available():
            raise ConfigError("QLoRA in NF4 needs CUDA, which this machine lacks: set the precision to bfloat16")
        loading["quantization_config"] = four_bits(torch.bfloat16)
        loading["device_map"] = {"": 0}
    try:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            str(job.base), attn_implementation="sdpa", **loading
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"the base model {job.base} can't be loaded for training ({error})") from error
    if job.recipe.precision == "nf4":
        checkpointing = job.recipe.checkpointing
        return library("peft").prepare_model_for_kbit_training(model, use_gradient_checkpointing=checkpointing)
    return model


def _telling(transformers: Any, teller: Teller) -> Any:
    """A callback of transformers. Its class is made here, because its base is known in this environment alone."""

    def on_step_begin(_self: Any, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        teller.between_steps()

    def on_log(_self: Any, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            teller.step(int(state.global_step), int(state.max_steps), float(logs["loss"]))
            teller.between_steps()

    kind = type("Telling", (transformers.TrainerCallback,), {"on_step_begin": on_step_begin, "on_log": on_log})
    return kind()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job."""
    return run(work, arguments)


if __name__ == "__main__":
    sys.exit(main())
