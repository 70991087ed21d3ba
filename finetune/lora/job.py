"""What a training run is told, and what it says: the border between the service's environment and the trainer's."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shopfloor.errors import InputError

Precision = Literal["float32", "bfloat16", "nf4"]
Objective = Literal["sft", "kto", "dpo"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoraRecipe(_Shape):
    """How to train. The defaults learned routing best among those tried with the embedded 135M model."""

    rank: int = Field(default=16, ge=1, le=256)
    alpha: float = Field(default=32.0, gt=0)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    batch: int = Field(default=16, ge=1, le=512)
    together: int = Field(default=4, ge=1, le=512, description="of a batch, read at once: fewer take less memory")
    epochs: float = Field(default=2.0, gt=0, le=100)
    warmup: float = Field(default=0.05, ge=0, le=0.5, description="share of the steps")
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_tokens: int = Field(default=256, ge=8, le=8192, description="longer examples are left out, and counted")
    precision: Precision = "float32"
    checkpointing: bool = Field(default=False, description="recompute activations: less memory, more time")
    seed: int = 0


class TrainJob(_Shape):
    """One run. ``labels``, when given, are single-token answers: the loss is taken among them alone."""

    base: Path = Field(description="folder of the base model in transformers' format")
    examples: Path = Field(description="JSONL of prompt and completion")
    folder: Path = Field(description="the run's own: checkpoints, and the adapter at the end")
    labels: tuple[str, ...] = ()
    objective: Objective = Field(
        default="sft", description="sft: completions only; kto and dpo learn from bad answers too"
    )
    beta: float = Field(default=0.1, gt=0, description="kto, dpo: how close to the base the answers stay")
    chat: bool = Field(default=False, description="prompts are a user's turns: put them into the base's chat template")
    recipe: LoraRecipe = LoraRecipe()
    threads: int = Field(default=0, ge=0, description="0: PyTorch's choice")
    checkpoint_every: int = Field(default=25, ge=1, description="steps")
    memory_limit_mb: float = Field(default=0, ge=0, description="resident memory at which the run ends; 0: none")

    @property
    def adapter(self) -> Path:
        """Where the finished adapter lies, in PEFT's format."""
        return self.folder / "adapter"

    @property
    def pause_file(self) -> Path:
        """While this file exists, the run waits between steps."""
        return self.folder / "pause"


class Example(_Shape):
    """One row of the data: what the model reads, and what it should say next."""

    prompt: str = Field(min_length=1)
    completion: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0, le=1_000, description="how much it counts beside the others of its batch")


class Progress(_Shape):
    """A line that the trainer prints."""

    kind: Literal["progress"] = "progress"
    step: int
    steps: int
    loss: float
    seconds: float = Field(description="since this process began its first step")
    memory_mb: float = Field(description="the highest so far")
    paused: bool = False


class Finished(_Shape):
    """The trainer's last line."""

    kind: Literal["finished"] = "finished"
    steps: int
    examples: int
    left_out: int = Field(description="examples longer than the recipe allows")
    loss: float = Field(description="mean of the last tenth of the steps")
    seconds: float
    load_seconds: float
    memory_mb: float
    tokens: int = Field(description="tokens read, padding not counted")


class Failed(_Shape):
    """The trainer's last line when it could not go on."""

    kind: Literal["failed"] = "failed"
    reason: str


Said = Annotated[Progress | Finished | Failed, Field(discriminator="kind")]
SAID: TypeAdapter[Progress | Finished | Failed] = TypeAdapter(Said)


def read_examples(path: Path) -> list[Example]:
    """The rows of a JSONL file.

    Raises:
        InputError: it can't be read, or a row is wrong; the sentence names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read ({error}): build the dataset first") from error
    rows = [_example(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise InputError(f"{path} has no rows: there is nothing to learn from")
    return rows


def _example(path: Path, number: int, line: str) -> Example:
    try:
        return Example.model_validate_json(line)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "row"
        raise InputError(f"{path}: line {number}: {field}: {problem['msg']}") from error
