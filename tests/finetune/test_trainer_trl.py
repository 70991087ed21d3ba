"""trl really trains: a tiny base, all three objectives, each to an adapter; and what the interface refuses."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from shopfloor.errors import ConfigError, InputError
from shopfloor.finetune.lora.convert import CONFIG, WEIGHTS
from shopfloor.finetune.lora.job import SAID, Failed, Finished, LoraRecipe, Objective, Progress, TrainJob
from shopfloor.finetune.trainers.install import find_python
from shopfloor.finetune.trainers.rows import read_rows
from shopfloor.finetune.trainers.running import TRAINERS, choose, start
from tests.finetune.tiny_base import write_tiny_base

ROOT = Path(__file__).parents[2]
HF = find_python("hf", ROOT)
WHERE = {
    "a warm jacket": "product",
    "where is my order": "other",
    "is it in stock": "stock",
    "red wool coat": "product",
}
RECIPE = LoraRecipe(rank=4, alpha=8, learning_rate=2e-2, batch=4, epochs=4, max_tokens=64)
DRIVER = "import sys; from shopfloor.finetune.trainers.trl import main; [main([path]) for path in sys.argv[1:]]"


def lines(objective: Objective) -> list[dict[str, object]]:
    """Rows as the dataset's export formats have them."""
    if objective == "dpo":
        return [{"prompt": text, "chosen": word, "rejected": "hello"} for text, word in WHERE.items()]
    if objective == "kto":
        good = [{"prompt": text, "completion": word, "label": True} for text, word in WHERE.items()]
        return good + [{"prompt": text, "completion": "hello", "label": False} for text in WHERE]
    roles = ("user", "assistant")
    return [
        {"messages": [{"role": role, "content": words} for role, words in zip(roles, pair, strict=True)]}
        for pair in WHERE.items()
    ]


def job_of(
    folder: Path, objective: Objective, rows: list[dict[str, object]] | None = None, **changes: object
) -> TrainJob:
    base = folder / "base"
    examples = folder / f"{objective}.jsonl"
    examples.write_text("\n".join(json.dumps(line) for line in rows or lines(objective)))
    job = TrainJob(
        base=base, examples=examples, folder=folder / objective, objective=objective, chat=objective != "sft",
        recipe=RECIPE, threads=1, checkpoint_every=2,
    )  # fmt: skip
    return job.model_copy(update=changes)


def run(jobs: list[TrainJob]) -> list[Progress | Finished | Failed]:
    """All in one process, because importing the libraries takes most of the time."""
    paths: list[str] = []
    for job in jobs:
        job.folder.mkdir(parents=True, exist_ok=True)
        paths.append(str(job.folder / "job.json"))
        Path(paths[-1]).write_text(job.model_dump_json())
    done = subprocess.run(
        [str(HF), "-c", DRIVER, *paths], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [SAID.validate_json(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(HF is None, reason="needs the environment made by `scripts/env.sh hf`")
def test_trl_trains_and_refuses_what_this_machine_can_not(tmp_path: Path) -> None:
    write_tiny_base(tmp_path / "base")
    job = job_of(tmp_path, "sft")
    four_bits = job.recipe.model_copy(update={"precision": "nf4"})
    said = run([job, job.model_copy(update={"folder": tmp_path / "nf4", "recipe": four_bits})])
    check(job, said)
    end = next(one for one in said if isinstance(one, Finished))
    assert isinstance(said[0], Progress) and end.loss < 0.7 * said[0].loss, "it learns"
    if isinstance(said[-1], Failed):  # without CUDA
        assert said[-1].reason == "QLoRA in NF4 needs CUDA, which this machine lacks: set the precision to bfloat16"


@pytest.mark.slow
@pytest.mark.skipif(HF is None, reason="needs the environment made by `scripts/env.sh hf`")
@pytest.mark.parametrize("objective", ["kto", "dpo"])
def test_trl_learns_from_bad_answers(tmp_path: Path, objective: Objective) -> None:
    write_tiny_base(tmp_path / "base")
    job = job_of(tmp_path, objective)
    said = run([job])
    check(job, said)
    assert isinstance(said[0], Progress) and isinstance(said[-1], Finished)
    assert said[-1].loss < said[0].loss


def check(job: TrainJob, said: list[Progress | Finished | Failed]) -> None:
    """It went to its end, said so, and left an adapter and nothing else."""
    end = next(one for one in said if isinstance(one, Finished))
    steps = [one for one in said if isinstance(one, Progress)]
    assert end.steps == len(lines(job.objective)) == len(steps) and end.left_out == 0 and end.tokens > 0
    assert [step.step for step in steps] == [number + 1 for number in range(end.steps)]
    assert all(step.memory_mb > 0 for step in steps)
    assert {path.name for path in job.adapter.iterdir()} >= {WEIGHTS, CONFIG}
    assert json.loads((job.adapter / CONFIG).read_text())["r"] == RECIPE.rank
    assert not (job.folder / "trl").exists(), "checkpoints go when the adapter is there"


class Template:
    """The tiny base's chat template without its libraries."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        text = "".join(f"[{turn['role']}]{turn['content']}[end]\n" for turn in conversation)
        return text + ("[assistant]" if add_generation_prompt else "")


def test_every_export_format_is_cut_before_the_answer(tmp_path: Path) -> None:
    text = "[user]a coat[end]\n[assistant]red[end]\n"
    for form, line in {
        "messages": {"messages": [{"role": "user", "content": "a coat"}, {"role": "assistant", "content": "red"}]},
        "text": {"text": text},
        "chat": {"prompt": "a coat", "completion": "red"},
    }.items():
        (row,) = read_rows(job_of(tmp_path, "sft", [line], chat=form == "chat"), Template())
        assert (row.prompt, row.completion) == ("[user]a coat[end]\n[assistant]", "red[end]"), form
    (row,) = read_rows(job_of(tmp_path, "sft", [{"prompt": "a coat", "completion": " red"}]), Template())
    assert (row.prompt, row.completion) == ("a coat", " red")


def test_rows_that_weigh_more_are_read_more_often(tmp_path: Path) -> None:
    weighed = [{"prompt": word, "completion": " red", "weight": weight} for word, weight in (("a", 0.5), ("b", 1.0))]
    assert [row.prompt for row in read_rows(job_of(tmp_path, "sft", weighed), Template())] == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("objective", "line", "word"),
    [
        ("sft", {"prompt": "a"}, "line 1: completion"),
        ("sft", {"text": "no answer"}, "no answer in the form"),
        ("sft", {"prompt": "a", "completion": "b", "weight": 0}, "weight"),
        ("dpo", {"prompt": "a", "completion": "b"}, "line 1: chosen"),
        ("kto", {"prompt": "a", "completion": "b", "label": True}, "all of one kind"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, objective: Objective, line: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        read_rows(job_of(tmp_path, objective, [line]), Template())


def test_the_profile_chooses_and_says_why() -> None:
    assert choose("auto", "cpu").trainer.name == "plain"
    assert choose("auto", "cpu", "dpo").trainer.name == "trl"
    assert choose("trl", "cpu").reason == "asked for"
    laptop = choose("auto", "rtx3060-6gb")
    assert laptop.trainer.name == "unsloth" or ("GPU" in laptop.reason or "--install" in laptop.reason)
    with pytest.raises(InputError, match="nope: choose plain, trl, mlx, unsloth"):
        choose("nope", "cpu")
    with pytest.raises(InputError, match="does not do dpo: choose trl, unsloth"):
        choose("mlx", "cpu", "dpo")


async def test_a_trainer_that_is_not_there_names_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".venvs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="shopfloor train --install unsloth"):
        await anext(start(TRAINERS["unsloth"], job_of(tmp_path, "dpo")))
    with pytest.raises(InputError, match="only plain does"):
        await anext(start(TRAINERS["trl"], job_of(tmp_path, "sft", labels=(" a", " b"))))
