"""The command's frame: help, exit codes, one sentence for an error."""

import subprocess
import sys

import pytest

from shopfloor.cli import COMMANDS


def shopfloor(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shopfloor", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_lists_every_command() -> None:
    answer = shopfloor("--help")
    assert answer.returncode == 0
    for name in ("serve", "chat", "doctor", "import", "feedback"):
        assert f"  {name} " in answer.stdout


def test_help_imports_no_server() -> None:
    code = "import sys; from shopfloor.cli import build_app; build_app(()); print('fastapi' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["serve", "chat", "doctor"])
def test_every_command_has_an_example(name: str) -> None:
    answer = shopfloor(name, "--help")
    assert answer.returncode == 0
    assert "Examples:" in answer.stdout
    assert f"shopfloor {name}" in answer.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("nope",), 2),
        (("serve", "kitchen"), 2),
        (("serve", "--port", "70000"), 2),
        (("serve", "--host", "0.0.0.0"), 2),
        (("serve", "--profile", "abacus"), 2),
        (("chat", "--json"), 2),
        (("chat", "--message", "  "), 2),
        (("--version",), 0),
    ],
)
def test_exit_codes(words: tuple[str, ...], code: int) -> None:
    answer = shopfloor(*words)
    assert answer.returncode == code
    assert "Traceback" not in answer.stderr
    if code:
        assert answer.stderr


def test_every_listed_command_is_of_a_kind() -> None:
    for name, info in COMMANDS.items():
        assert info.help.endswith("."), name
