"""The process that trains with unsloth: ``python -m shopfloor.finetune.trainers.unsloth JOB.json`` in ``.venvs/unsloth``.

unsloth loads the model and puts the adapter on it, with kernels of its own; the trainers are trl's, as ``trl.py`` sets
them. It needs a CUDA or ROCm GPU: without one it can't even be imported.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

from shopfloor.errors import ModelError
from shopfloor.finetune.lora.job import Finished, TrainJob
from shopfloor.finetune.lora.process import run
from shopfloor.finetune.trainers.rows import read_rows
from shopfloor.finetune.trainers.telling import Teller, needed
from shopfloor.finetune.trainers.trl import build_trainer, train, training_data

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def work(job: TrainJob) -> Finished:
    """Train one job.

    Raises:
        ConfigError: there is no GPU, or a library is missing.
        InputError: the rows can't be used.
        ModelError: the base can't be loaded.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # all it needs is in the job
    unsloth = needed("unsloth", "unsloth")  # before transformers and trl, which it changes
    if job.objective == "dpo":
        unsloth.PatchDPOTrainer()
    teller = Teller(job)
    model, tokenizer = _base(job, unsloth.FastLanguageModel)
    rows = read_rows(job, tokenizer)
    data, kept, tokens = training_data(job, rows, tokenizer)
    trainer = build_trainer(job, model, tokenizer, data, None, teller)
    steps = train(job, trainer, teller)
    return teller.finished(steps, kept, len(rows) - kept, round(tokens * steps * job.recipe.batch / kept))


def _base(job: TrainJob, fast: Any) -> tuple[Any, Any]:
    recipe, torch = job.recipe, needed("torch", "unsloth")
    checkpointing = "unsloth" if recipe.checkpointing else False
    try:
        model, tokenizer = fast.from_pretrained(
            model_name=str(job.base),
            max_seq_length=recipe.max_tokens,
            dtype=torch.float32 if recipe.precision == "float32" else None,
            load_in_4bit=recipe.precision == "nf4",
            use_gradient_checkpointing=checkpointing,
            random_state=recipe.seed,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"the base model {job.base} can't be loaded for training ({error})") from error
    model = fast.get_peft_model(
        model,
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(MODULES),
        use_gradient_checkpointing=checkpointing,
        random_state=recipe.seed,
    )
    return model, tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job."""
    return run(work, arguments)


if __name__ == "__main__":
    sys.exit(main())
