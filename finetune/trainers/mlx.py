"""The process that trains with mlx-lm: ``python -m shopfloor.finetune.trainers.mlx JOB.json`` in ``.venvs/mlx``.

Supervised, on completions only. The loop is mlx-lm's; the loss is taken at the answers' tokens alone, and the batches are
those of our own trainer. The adapter is written as PEFT would: MLX keeps its matrices transposed, and scales by
``alpha / rank``. A killed run goes on from its last weights and step, with fresh moments.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]

from shopfloor.errors import ConfigError, ModelError
from shopfloor.finetune.lora.batches import Tokenised, order, tokenise
from shopfloor.finetune.lora.convert import CONFIG, PREFIX, WEIGHTS
from shopfloor.finetune.lora.job import Finished, TrainJob
from shopfloor.finetune.lora.process import fingerprint, put_in_place, run
from shopfloor.finetune.trainers.rows import examples_of, read_rows
from shopfloor.finetune.trainers.telling import Teller, needed

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
STATE = "state.json"
PAD = 16  # few widths, because each is compiled once
KEPT = "adapters.safetensors"


def library(name: str) -> Any:
    """Import a library of the environment."""
    return needed(name, "mlx")


def work(job: TrainJob) -> Finished:
    """Train one job.

    Raises:
        ConfigError: the precision is none of MLX's, or a library is missing.
        InputError: the rows can't be used.
        ModelError: the base can't be loaded.
    """
    if job.recipe.precision == "nf4":
        raise ConfigError("NF4 is bitsandbytes' and needs CUDA: for MLX name a base of 4 bits, or set bfloat16")
    return _Run(job).go()


class _Run:
    def __init__(self, job: TrainJob) -> None:
        self._job = job
        self._teller = Teller(job)
        self._mx, self._nn = library("mlx.core"), library("mlx.nn")
        self._mx.random.seed(job.recipe.seed)
        self._model, tokenizer = self._load()
        rows = read_rows(job, tokenizer._tokenizer)
        data = tokenise(
            examples_of(rows),
            lambda text: list(tokenizer._tokenizer(text, add_special_tokens=False)["input_ids"]),
            job.recipe.max_tokens,
        )
        self._rows, self._left_out = data.rows, data.left_out
        self._batches = order(data.rows, job.recipe.batch, job.recipe.epochs, job.recipe.seed)
        self._done = self._resumed()
        self._read = 0

    def go(self) -> Finished:
        trainer = library("mlx_lm.tuner.trainer")
        rest = len(self._batches) - self._done
        self._teller.begin()
        if rest > 0:
            folder = self._states()
            folder.mkdir(parents=True, exist_ok=True)
            settings = trainer.TrainingArgs(
                batch_size=self._job.recipe.batch,
                iters=rest,
                steps_per_report=1,
                steps_per_save=rest + 1,  # kept here, whole or not at all
                adapter_file=str(folder / "last.safetensors"),
                grad_checkpoint=self._job.recipe.checkpointing,
            )
            trainer.train(
                self._model,
                self._optimiser(),
                self._rows,
                args=settings,
                loss=self._loss,
                iterate_batches=self._iterate,
                training_callback=self,
            )
        put_in_place(self._job, self._save)
        shutil.rmtree(self._states(), ignore_errors=True)
        return self._teller.finished(len(self._batches), len(self._rows), self._left_out, self._read)

    def on_train_loss_report(self, info: dict[str, Any]) -> None:
        """mlx-lm's callback, once a step."""
        self._done += 1
        self._teller.step(self._done, len(self._batches), float(info["train_loss"]))
        if self._done % self._job.checkpoint_every == 0:
            self._keep()

    def on_val_loss_report(self, info: dict[str, Any]) -> None:
        """mlx-lm's callback; nothing is validated here."""

    def _load(self) -> tuple[Any, Any]:
        loader, tuning = library("mlx_lm"), library("mlx_lm.tuner.utils")
        try:
            model, tokenizer = loader.load(str(self._job.base))[:2]
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"the base model {self._job.base} can't be loaded for training ({error})") from error
        if self._job.recipe.precision == "float32":
            model.set_dtype(self._mx.float32)
        elif not hasattr(model.layers[0].self_attn.q_proj, "bits"):
            model.set_dtype(self._mx.bfloat16)
        model.freeze()
        recipe = self._job.recipe
        keys = {f"self_attn.{name}" for name in MODULES[:4]} | {f"mlp.{name}" for name in MODULES[4:]}
        config = {"rank": recipe.rank, "scale": recipe.alpha / recipe.rank, "dropout": 0.0, "keys": keys}
        tuning.linear_to_lora_layers(model, len(model.layers), config)
        return model, tokenizer

    def _optimiser(self) -> Any:
        """AdamW with a warm-up and a cosine, from where the run stands."""
        optimisers, recipe = library("mlx.optimizers"), self._job.recipe
        steps = len(self._batches)
        rising = max(1, round(steps * recipe.warmup))
        schedule = optimisers.join_schedules(
            [
                optimisers.linear_schedule(recipe.learning_rate / rising, recipe.learning_rate, rising),
                optimisers.cosine_decay(recipe.learning_rate, max(1, steps - rising)),
            ],
            [rising],
        )
        begin = self._done

        def rate(step: Any) -> Any:
            return schedule(step + begin)

        return optimisers.AdamW(learning_rate=rate, weight_decay=0.0)

    def _iterate(self, dataset: Sequence[Tokenised], **_: Any) -> Iterator[tuple[Any, Any]]:
        """Batches as arrays: tokens of shape (B, T), and each row's first and last place to be learned, (B, 2)."""
        for numbers in self._batches[self._done :]:
            self._teller.between_steps()
            rows = [dataset[number] for number in numbers]
            width = -(-max(len(row.tokens) for row in rows) // PAD) * PAD
            tokens = np.zeros((len(rows), width), dtype=np.int32)
            for at, row in enumerate(rows):
                tokens[at, : len(row.tokens)] = row.tokens
            places = [(len(row.tokens) - row.answer, len(row.tokens)) for row in rows]
            self._read += sum(len(row.tokens) for row in rows)
            yield self._mx.array(tokens), self._mx.array(places)

    def _loss(self, model: Any, batch: Any, places: Any) -> tuple[Any, Any]:
        """Mean cross-entropy of the answers' tokens. (mlx-lm's own also learns one token of padding.)"""
        mx = self._mx
        logits, targets = model(batch[:, :-1]), batch[:, 1:]
        at = mx.arange(1, batch.shape[1])
        mask = mx.logical_and(at >= places[:, 0:1], at < places[:, 1:])
        count = mask.sum()
        losses = self._nn.losses.cross_entropy(logits.astype(mx.float32), targets) * mask
        return losses.sum() / count, count

    def _weights(self) -> dict[str, Any]:
        return dict(library("mlx.utils").tree_flatten(self._model.trainable_parameters()))

    def _save(self, folder: Path) -> None:
        recipe = self._job.recipe
        sides = {".lora_a": ".lora_A.weight", ".lora_b": ".lora_B.weight"}
        found: dict[str, NDArray[np.float32]] = {}
        for name, value in self._weights().items():
            module, _, side = name.rpartition(".")
            plain = np.array(value.astype(self._mx.float32))
            found[PREFIX + module + sides[f".{side}"]] = np.ascontiguousarray(plain.T)
        save_file(found, folder / WEIGHTS)
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": str(self._job.base),
            "r": recipe.rank,
            "lora_alpha": recipe.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": list(MODULES),
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")

    def _states(self) -> Path:
        return self._job.folder / "mlx"

    def _keep(self) -> None:
        folder = self._states()
        part = folder / f"{self._done}.part.safetensors"
        self._mx.save_safetensors(str(part), self._weights())
        os.replace(part, folder / f"{self._done}.{KEPT}")
        state = folder / f"{STATE}.part"
        state.write_text(json.dumps({"step": self._done, "of": fingerprint(self._job)}), encoding="utf-8")
        os.replace(state, folder / STATE)
        for old in folder.glob(f"*.{KEPT}"):
            if old.name != f"{self._done}.{KEPT}":
                old.unlink()

    def _resumed(self) -> int:
        """Take up the weights of a killed run; returns its step."""
        try:
            state = json.loads((self._states() / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0
        if state.get("of") != fingerprint(self._job):
            return 0
        step = int(state["step"])
        self._model.load_weights(str(self._states() / f"{step}.{KEPT}"), strict=False)
        return step


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job."""
    return run(work, arguments)


if __name__ == "__main__":
    sys.exit(main())
