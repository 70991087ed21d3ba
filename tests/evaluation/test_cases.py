"""Case files: every fault names file, line and field."""

from pathlib import Path

import pytest

from shopfloor.errors import InputError
from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.runner import Case


class TextCase(Case):
    text: str
    label: str


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a", "label": "b"}\n\n{"text": "a"}\n', "line 3, field label: it is missing"),
        ('{"text": 5, "label": "b"}\n', "line 1, field text: Input should be a valid string"),
        ('{"text": "a", "label": "b"}\n{"text": \n', "line 2: not valid JSON"),
        ("[1, 2]\n", "line 1: a case is an object with fields, not list"),
        ("\n", "there are no cases in it"),
    ],
)
def test_jsonl_faults(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        load_cases(path, TextCase)
    assert "bad.jsonl" in caught.value.detail
    assert message in caught.value.detail


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- text: a\n  label: b\n- text: a\n", "line 3, field label: it is missing"),
        ("text: a\n", "line 1: the file must be a list of cases"),
        ("- [", "not valid YAML"),
        ("", "there are no cases in it"),
    ],
)
def test_yaml_faults(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        load_cases(path, TextCase)
    assert message in caught.value.detail


def test_good_files(tmp_path: Path) -> None:
    jsonl = tmp_path / "good.jsonl"
    jsonl.write_text('{"text": "a\u2028b", "label": "b", "other": 1}\n{"text": "c", "label": "d"}\n')
    assert [case.text for case in load_cases(jsonl, TextCase)] == ["a\u2028b", "c"]
    assert len(load_cases(jsonl, TextCase, limit=1)) == 1
    listed = tmp_path / "good.yaml"
    listed.write_text("- {text: a, label: b}\n")
    assert load_cases(listed, TextCase)[0].label == "b"


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="check --cases"):
        load_cases(tmp_path / "absent.jsonl", TextCase)
