"""What the trainers read: one JSONL file a part, in the format a library expects.

``messages`` for trl and mlx-lm, ``completion`` (prompt and completion) for trl, ``text`` (by the base's chat template)
for unsloth, ``kto`` (prompt, completion, label) and ``dpo`` (prompt, chosen, rejected) for trl, ``ranking`` as the cases
of ``eval requests``: text, candidates, relevant.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Literal, get_args

from shopfloor.errors import InputError
from shopfloor.finetune.datasets.rows import Row

Format = Literal["messages", "completion", "text", "kto", "dpo", "ranking"]
FORMATS: tuple[Format, ...] = get_args(Format)
OF_PROFILE: Mapping[str, Format] = {"cpu": "messages", "m1-8gb": "messages", "rtx3060-6gb": "text"}
"""Each profile's trainer reads this: trl on the CPU, mlx-lm on Apple silicon, unsloth on CUDA."""

Line = dict[str, Any]
Template = Callable[[Sequence[Mapping[str, str]]], str]


def check_format(name: str) -> Format:
    """The format by its name.

    Raises:
        InputError: there is none of that name.
    """
    for known in FORMATS:
        if known == name:
            return known
    raise InputError(f"--format {name}: choose {', '.join(FORMATS)}.", matches=FORMATS)


def lines(rows: Sequence[Row], form: Format, template: Template | None = None) -> list[Line]:
    """The rows of one part in a format; rows that have no place in it are left out.

    Args:
        rows: of one part.
        form: the format.
        template: turns messages into the base's text; needed for ``text``.

    Raises:
        InputError: ``text`` without a template.
    """
    if form == "kto":
        return [{"prompt": prompt(row), "completion": completion(row), "label": row.positive} for row in rows]
    if form == "dpo":
        return list(_pairs(rows))
    if form == "ranking":
        return list(_ranked(rows))
    good = [row for row in rows if row.positive]
    if form == "completion":
        return [{"prompt": prompt(row), "completion": completion(row)} for row in good]
    if form == "messages":
        return [{"messages": messages(row)} for row in good]
    if template is None:
        raise InputError("--format text needs the base model's chat template.")
    return [{"text": template(messages(row))} for row in good]


def prompt(row: Row) -> str:
    """What the model is asked: the instruction of the row's kind, filled."""
    text = (files("shopfloor.finetune.datasets") / "prompts" / f"{row.kind}.md").read_text(encoding="utf-8")
    options = "\n".join(f"- {one['sku']}: {one['name']}" for one in row.candidates)
    # One pass, so that braces in a shopper's words stay what they are.
    parts = {"{text}": row.text, "{context}": row.context or "-", "{candidates}": options or "-"}
    out, rest = "", text.strip()
    while rest:
        at, mark = min(((rest.find(one), one) for one in parts if one in rest), default=(-1, ""))
        if at < 0:
            return out + rest
        out, rest = out + rest[:at] + parts[mark], rest[at + len(mark) :]
    return out


def completion(row: Row) -> str:
    """What the model should say (or, where the row is negative, should not)."""
    return row.target


def messages(row: Row) -> list[Mapping[str, str]]:
    """Question and answer as a conversation."""
    return [{"role": "user", "content": prompt(row)}, {"role": "assistant", "content": completion(row)}]


def _pairs(rows: Sequence[Row]) -> Iterator[Line]:
    """A better and a worse answer to one request: a correction and what it corrected, praise and blame."""
    bad: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if not row.positive:
            bad[(row.kind, row.text, row.context)].append(row.target)
    for row in rows:
        if not row.positive:
            continue
        worse = dict.fromkeys((*row.rejected, *bad[(row.kind, row.text, row.context)]))
        for rejected in worse:
            if rejected != row.target:
                yield {"prompt": prompt(row), "chosen": completion(row), "rejected": rejected}


def _ranked(rows: Sequence[Row]) -> Iterator[Line]:
    relevant: dict[str, dict[str, None]] = defaultdict(dict)
    first: dict[str, Row] = {}
    for row in rows:
        if row.kind == "choose" and row.positive:
            relevant[row.text][row.target] = None
            first.setdefault(row.text, row)
    for number, (text, row) in enumerate(first.items(), start=1):
        yield {
            "id": f"f{number}",
            "text": text,
            "candidates": [
                {"sku": one["sku"], "name": one["name"], "signals": one.get("signals", {})} for one in row.candidates
            ],
            "relevant": list(relevant[text]),
            "position": row.position,
        }
