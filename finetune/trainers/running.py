"""The trainers behind one interface: which there are, which one this machine gets, and running a job with one.

Each is a process in an environment of its own that reads a :class:`TrainJob`, prints the lines of ``finetune/lora/job.py``
and leaves an adapter in PEFT's format, which ``finetune/lora/convert.py`` turns into GGUF.
"""

import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from shopfloor.errors import InputError
from shopfloor.finetune.lora.environment import TrainingFailedError, run_module, trainer_python
from shopfloor.finetune.lora.job import SAID, Failed, Finished, LoraRecipe, Objective, Progress, TrainJob
from shopfloor.finetune.trainers.install import find_python, missing, python_of

TrainerName = Literal["plain", "trl", "mlx", "unsloth"]
NAMES: tuple[TrainerName, ...] = get_args(TrainerName)
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


@dataclass(frozen=True, slots=True)
class Trainer:
    """One way to train. ``labels``: it knows the loss among labels; ``base``: which form of the model it reads."""

    name: TrainerName
    environment: str
    module: str
    objectives: tuple[Objective, ...]
    labels: bool = False
    base: Literal["hf", "mlx"] = "hf"

    def python(self) -> Path:
        """The interpreter that has its libraries.

        Raises:
            ConfigError: its environment was not made; the sentence names the command.
        """
        return trainer_python() if self.name == "plain" else python_of(self.environment)

    def fitted(self, recipe: LoraRecipe) -> LoraRecipe:
        """The recipe as this trainer follows it: only ours reads a batch in parts."""
        return recipe if self.labels else recipe.model_copy(update={"together": recipe.batch})

    def variables(self) -> Mapping[str, str]:
        """What its process needs in the environment."""
        if self.name != "mlx" or sys.platform != "linux":
            return {}
        libraries = self.python().parent.parent / "lib"
        fast = libraries / "libopenblas.so.0"
        return {"LD_PRELOAD": str(fast), "LD_LIBRARY_PATH": str(libraries)} if fast.exists() else {}


TRAINERS: Mapping[TrainerName, Trainer] = {
    "plain": Trainer("plain", "hf", "shopfloor.finetune.lora.worker", ("sft",), labels=True),
    "trl": Trainer("trl", "hf", "shopfloor.finetune.trainers.trl", OBJECTIVES),
    "mlx": Trainer("mlx", "mlx", "shopfloor.finetune.trainers.mlx", ("sft",), base="mlx"),
    "unsloth": Trainer("unsloth", "unsloth", "shopfloor.finetune.trainers.unsloth", OBJECTIVES),
}
OF_PROFILE: Mapping[str, TrainerName] = {"cpu": "plain", "m1-8gb": "mlx", "rtx3060-6gb": "unsloth"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A trainer and why it is the one."""

    trainer: Trainer
    reason: str


def choose(name: str, profile: str, objective: Objective = "sft") -> Chosen:
    """The trainer by its name, or the hardware profile's where it can be used, else ours (trl where ours can't).

    Args:
        name: of a trainer, or ``auto``.
        profile: the hardware profile's name.
        objective: what is to be learned from.

    Raises:
        InputError: there is no such trainer, or it does not know the objective.
    """
    if name != "auto":
        found = next((trainer for trainer in TRAINERS.values() if trainer.name == name), None)
        if found is None:
            raise InputError(f"--trainer {name}: choose {', '.join(NAMES)}.", matches=NAMES)
        if objective not in found.objectives:
            able = [one for one, trainer in TRAINERS.items() if objective in trainer.objectives]
            raise InputError(f"The trainer {name} does not do {objective}: choose {', '.join(able)}.", matches=able)
        return Chosen(found, "asked for")
    wanted = TRAINERS[OF_PROFILE.get(profile, "plain")]
    lack = missing(wanted.environment)
    if objective in wanted.objectives and lack is None:
        if wanted.name == "plain" or find_python(wanted.environment) is not None:
            return Chosen(wanted, f"the profile {profile}'s")
        lack = f"its environment is not made (`shopfloor train --install {wanted.environment}`)"
    instead = TRAINERS["plain" if objective == "sft" else "trl"]
    why = lack or f"{wanted.name} does not do {objective}"
    return Chosen(instead, f"instead of the profile {profile}'s: {why}")


def for_labels(name: str) -> Trainer:
    """The trainer of single-token answers: ours, which knows the loss among them, where no other is asked for.

    Raises:
        InputError: there is no such trainer.
    """
    return choose("plain" if name == "auto" else name, "").trainer


async def start(trainer: Trainer, job: TrainJob) -> AsyncIterator[Progress | Finished]:
    """Train, or go on where a killed run of the same job was; the last thing said is Finished. Cancelling ends it.

    Raises:
        InputError: the trainer can't do the job.
        ConfigError: its environment was not made.
        TrainingFailedError: it failed; the sentence says why.
    """
    _check(trainer, job)
    job.folder.mkdir(parents=True, exist_ok=True)
    path = job.folder / "job.json"
    path.write_text(job.model_dump_json(), encoding="utf-8")
    ended = False
    async for line in run_module(trainer.python(), trainer.module, path, trainer.variables()):
        said = SAID.validate_json(line)
        if isinstance(said, Failed):
            raise TrainingFailedError(f"The training ended: {said.reason}")
        ended = isinstance(said, Finished)
        yield said
    if not ended:
        raise TrainingFailedError("The training process ended without a word.")


def _check(trainer: Trainer, job: TrainJob) -> None:
    if job.objective not in trainer.objectives:
        raise InputError(f"The trainer {trainer.name} does not do {job.objective}.")
    if job.labels and not trainer.labels:
        raise InputError(f"The trainer {trainer.name} does not know the loss among labels: only plain does.")
    if job.chat and trainer.name == "plain":
        raise InputError("The plain trainer takes prompts as they are: put them into the chat template before.")
