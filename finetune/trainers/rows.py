"""Rows of any export format as prompt and completion (and label, or a rejected answer), whoever trains on them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shopfloor.errors import InputError
from shopfloor.finetune.lora.job import Example, Objective, TrainJob

MOST_COPIES = 4


class Templated(Protocol):
    """What a tokenizer must offer."""

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """The conversation as the base's text."""
        ...


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Message(_Line):
    role: str
    content: str


class _Messages(_Line):
    messages: list[_Message] = Field(min_length=2)


class _Text(_Line):
    text: str = Field(min_length=1)


class _Pair(_Line):
    prompt: str = Field(min_length=1)
    completion: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0, le=1_000)


class _Judged(_Pair):
    label: bool


class _Preferred(_Line):
    prompt: str = Field(min_length=1)
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Row:
    """One example; ``rejected`` for dpo, ``label`` for kto."""

    prompt: str
    completion: str
    rejected: str = ""
    label: bool = True
    weight: float = 1.0


def read_rows(job: TrainJob, tokenizer: Templated) -> list[Row]:
    """The rows of a job's file.

    Raises:
        InputError: it can't be read, or a row is wrong or of another format; the sentence names the line.
    """
    try:
        lines = job.examples.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{job.examples} can't be read ({error}): build the dataset first") from error
    rows = [_row(job, number, line, tokenizer) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise InputError(f"{job.examples} has no rows: there is nothing to learn from")
    if job.objective == "kto" and len({row.label for row in rows}) < 2:
        raise InputError(f"{job.examples}: KTO needs good and bad answers, and these are all of one kind")
    least = min(row.weight for row in rows)
    return [row for row in rows for _ in range(_copies(row, least))]


def _copies(row: Row, least: float) -> int:
    """These trainers know no weights, so a row that weighs more is read more often."""
    return min(MOST_COPIES, round(row.weight / least))


def examples_of(rows: Sequence[Row]) -> list[Example]:
    """The rows as the examples of supervised training."""
    return [Example(prompt=row.prompt, completion=row.completion) for row in rows]


def _row(job: TrainJob, number: int, line: str, tokenizer: Templated) -> Row:
    where = f"{job.examples}: line {number}"
    try:
        found = cast(object, json.loads(line))
        if not isinstance(found, dict):
            raise InputError(f"{where}: not an object")
        return _parsed(cast("dict[str, Any]", found), job, tokenizer)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "row"
        raise InputError(f"{where}: {field}: {problem['msg']} (objective {job.objective})") from error
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _parsed(found: Mapping[str, Any], job: TrainJob, tokenizer: Templated) -> Row:
    objective: Objective = job.objective
    if objective == "dpo":
        preferred = _Preferred.model_validate(found)
        row = Row(preferred.prompt, preferred.chosen, preferred.rejected)
    elif objective == "kto":
        judged = _Judged.model_validate(found)
        row = Row(judged.prompt, judged.completion, label=judged.label)
    elif "messages" in found:
        turns = [turn.model_dump() for turn in _Messages.model_validate(found).messages]
        return Row(*_split(turns, tokenizer))
    elif "text" in found:
        return Row(*_cut(_Text.model_validate(found).text, tokenizer))
    else:
        pair = _Pair.model_validate(found)
        row = Row(pair.prompt, pair.completion, weight=pair.weight)
    return _in_chat(row, tokenizer) if job.chat else row


def _split(turns: list[dict[str, str]], tokenizer: Templated) -> tuple[str, str]:
    """A conversation as everything before the last answer, and that answer with its end."""
    before = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=False)
    if not whole.startswith(before):
        raise ValueError("the base's chat template can't be cut before the last answer")
    return before, whole[len(before) :].rstrip("\n")


def _cut(text: str, tokenizer: Templated) -> tuple[str, str]:
    """A text made by the base's chat template, cut where its last answer begins."""
    turn = [{"role": "user", "content": "?"}]
    without = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=False)
    mark = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)[len(without) :]
    before, found, answer = text.rpartition(mark)
    if not mark or not found or not answer.strip():
        raise ValueError("text: no answer in the form of the base's chat template")
    return before + mark, answer.rstrip("\n")


def _in_chat(row: Row, tokenizer: Templated) -> Row:
    asked = {"role": "user", "content": row.prompt}
    prompt, completion = _split([asked, {"role": "assistant", "content": row.completion}], tokenizer)
    if not row.rejected:
        return replace(row, prompt=prompt, completion=completion)
    _, rejected = _split([asked, {"role": "assistant", "content": row.rejected}], tokenizer)
    return replace(row, prompt=prompt, completion=completion, rejected=rejected)
