"""What the router's adapter learns: a dataset's rows, and hand-written messages rehearsed beside them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from shopfloor.finetune.head_lessons import Lesson, rehearsal_rows
from shopfloor.finetune.lora.job import Example
from shopfloor.graph.route_member import WORDS, prompt_of
from shopfloor.tools.schemas import Route

SEEN = ((100, 4), (300, 2))
"""Up to so many lessons each stands in an epoch so often: few must be seen more often to be learned."""


def examples(lessons: Sequence[Lesson], rehearsed: int) -> list[Example]:
    """Prompts with the one word that answers each; always in the same order."""
    times = next((count for most, count in SEEN if len(lessons) <= most), 1)
    told = [_example(lesson.text, lesson.label, lesson.weight) for lesson in lessons] * times
    return told + [_example(row.text, row.label, 1.0) for row in rehearsal_rows()[:rehearsed]]


def write_examples(rows: Sequence[Example], path: Path) -> None:
    """Write what the worker reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row.model_dump(), ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def parity_prompts(count: int) -> list[str]:
    """Prompts of the kind it was trained on, for comparing trained and served weights."""
    return [prompt_of(row.text) for row in rehearsal_rows()[:count]]


def _example(text: str, label: str, weight: float) -> Example:
    return Example(prompt=prompt_of(text), completion=WORDS[cast(Route, label)], weight=weight)
