"""Case files: JSONL (one object a line) or YAML (a list), checked by a pydantic model.

Every fault is an :class:`~shopfloor.errors.InputError` that names the file, the line and the field.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError

from shopfloor.errors import InputError

CaseT = TypeVar("CaseT", bound=BaseModel)


def load_cases(path: Path, model: type[CaseT], *, limit: int | None = None) -> list[CaseT]:
    """Read and check the cases of a file, at most the first ``limit``.

    Raises:
        InputError: the file is absent, empty, not JSONL or YAML, or a case does not fit ``model``.
    """
    cases: list[CaseT] = []
    for line, value in _entries(path):
        if limit is not None and len(cases) >= limit:
            break
        cases.append(_checked(path, line, value, model))
    if not cases:
        raise InputError(f"{path}: there are no cases in it; give a file with at least one.", code="no_cases")
    return cases


def _checked(path: Path, line: int, value: object, model: type[CaseT]) -> CaseT:
    if not isinstance(value, Mapping):
        raise InputError(f"{path}, line {line}: a case is an object with fields, not {type(value).__name__}.")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "case"
        what = "it is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise InputError(f"{path}, line {line}, field {field}: {what}.") from error


def _entries(path: Path) -> Iterator[tuple[int, object]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read as UTF-8 text ({error}); check --cases.") from error
    return _yaml_entries(path, text) if path.suffix in {".yaml", ".yml"} else _jsonl_entries(path, text)


def _jsonl_entries(path: Path, text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: not valid JSON ({error.msg}, column {error.colno}).") from error


def _yaml_entries(path: Path, text: str) -> Iterator[tuple[int, object]]:
    try:
        node: yaml.Node | None = yaml.SafeLoader(text).get_single_node()
        values: object = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())}).") from error
    if node is None:
        return
    if not isinstance(node, yaml.SequenceNode) or not isinstance(values, list):
        raise InputError(f"{path}, line 1: the file must be a list of cases.")
    items = cast("list[yaml.Node]", node.value)
    for item, value in zip(items, cast("list[object]", values), strict=True):
        yield item.start_mark.line + 1, value
