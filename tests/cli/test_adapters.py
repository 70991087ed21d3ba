"""``shopfloor adapters`` as a person runs it: what it prints, what it refuses, and its exit codes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shopfloor.local_models.files import ModelFile, find_model, open_model_file
from shopfloor.settings import Settings
from shopfloor.store.database import connect
from shopfloor.store.rollouts import begin
from tests.local_models.loras import write_lora

ROOT = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, models_path: Path) -> Run:
    """Runs the command in a process of its own, with its data in a temporary folder."""

    def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
        environment = {
            "SHOPFLOOR_DATA": str(tmp_path / "data"), "SHOPFLOOR_MODELS": str(models_path), "PATH": "/usr/bin:/bin",
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "shopfloor", "adapters", *map(str, arguments)],
            capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=tmp_path,
        )  # fmt: skip

    return command


@pytest.fixture
def source(model_settings: Settings) -> ModelFile:
    return open_model_file(find_model(model_settings), model_settings.models_path)


@pytest.fixture
def lora(source: ModelFile, tmp_path: Path) -> Path:
    return write_lora(tmp_path / "one.gguf", source.header, seed=1, targets=("attn_q",), source_hash=source.sha256)


def test_from_import_to_rollback(run: Run, lora: Path, source: ModelFile) -> None:
    brought = run("import", lora, "--agent", "recommendation", "--json")
    assert brought.returncode == 0, brought.stderr
    artefact = json.loads(brought.stdout)
    wanted = {"hash", "agent", "kind", "state", "pinned", "source_hash", "parent", "metrics", "created"}
    assert set(artefact) == wanted
    assert (artefact["state"], artefact["kind"], artefact["source_hash"]) == ("candidate", "lora", source.sha256)
    name = artefact["hash"]
    assert run("activate", name[:6], "--reason", "looks good").stdout == f"{name[:12]} serves recommendation now.\n"
    listed = json.loads(run("list", "--json").stdout)
    assert listed["adapters"] == [{**artefact, "state": "champion", "share": 100}]
    assert name[:12] in run("list").stdout
    assert json.loads(run("pin", name, "--json").stdout)["pinned"] is True
    refused = run("rollback", "recommendation")
    assert (refused.returncode, refused.stdout) == (2, "") and "unpin" in refused.stderr
    assert "not pinned" in run("unpin", name).stdout
    shown = json.loads(run("show", name, "--json").stdout)
    assert shown["whole"] and shown["manifest"]["recipe"]["rank"] == 4
    assert [change["action"] for change in shown["changes"]] == ["unpin", "pin", "activate", "add"]
    assert shown["changes"][2]["reason"] == "looks good"
    back = run("rollback", "recommendation", "--json")
    assert json.loads(back.stdout) == {"hash": None, "agent": "recommendation", "kind": "lora"}
    again = run("rollback", "recommendation")
    assert again.returncode == 2 and "nothing to roll back" in again.stderr


def test_heads_come_in_too(run: Run) -> None:
    brought = run("import", ROOT / "local_models/artefacts/router", "--agent", "router", "--json")
    artefact = json.loads(brought.stdout)
    assert (artefact["kind"], artefact["agent"]) == ("head", "router") and artefact["metrics"]


def test_what_is_refused_says_why_in_one_sentence(run: Run, lora: Path, source: ModelFile, tmp_path: Path) -> None:
    other = write_lora(tmp_path / "other.gguf", source.header, seed=1, targets=("attn_q",), source_hash="0" * 64)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(lora.read_bytes()[:-100])
    pickle = tmp_path / "adapter.bin"
    pickle.write_bytes(b"\x80\x04")
    fusion = tmp_path / "weights.json"
    fusion.write_text('{"text": "much"}')
    agent = ("--agent", "recommendation")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("import", other, *agent), "trained on other weights"),
        (("import", cut, *agent), "truncated"),
        (("import", pickle, *agent), "nothing that can be imported"),
        (("import", fusion, *agent), "finite numbers"),
        (("import", tmp_path / "absent.gguf", *agent), "not there"),
        (("import", lora), "--agent"),
        (("import", lora, "--agent", "../x"), "agent's name"),
        (("import", lora, *agent, "--kind", "soup"), "no kind"),
        (("import", lora, *agent, "--kind", "head"), "is a lora, not a head"),
        (("activate", "0000"), "no artefact"),
        (("show",), "HASH"),
    ]
    for arguments, reason in cases:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert reason in done.stderr and "Traceback" not in done.stderr
    assert json.loads(run("list", "--json").stdout) == {"adapters": []}


def test_a_damaged_artefact_is_not_activated(run: Run, lora: Path, tmp_path: Path) -> None:
    name = json.loads(run("import", lora, "--agent", "inventory", "--json").stdout)["hash"]
    folder = tmp_path / "data" / "artefacts" / name
    shutil.copytree(folder, tmp_path / "copy")
    (folder / "adapter.gguf").write_bytes(b"GGUF")
    refused = run("activate", name)
    assert refused.returncode == 2 and "damaged" in refused.stderr
    assert json.loads(run("show", name, "--json").stdout)["whole"] is False
    mended = run("import", tmp_path / "copy")  # an artefact's folder brings its manifest
    assert mended.returncode == 0 and name[:12] in mended.stdout
    assert run("activate", name).returncode == 0


def test_what_is_tried_has_a_share_its_figures_and_a_way_back(run: Run, tmp_path: Path) -> None:
    name = json.loads(run("import", ROOT / "local_models/artefacts/router", "--agent", "router", "--json").stdout)[
        "hash"
    ]
    with closing(connect(tmp_path / "data" / "state.db")) as state:
        begin(state, name, (10, 50), "it won")
    listed = json.loads(run("list", "--json").stdout)["adapters"]
    assert [(one["state"], one["share"]) for one in listed] == [("challenger", 10)]
    assert "10 %" in run("list").stdout
    shown = json.loads(run("show", name, "--json").stdout)
    assert shown["trials"][0]["stages"] == [10, 50, 100] and shown["trials"][0]["outcomes"]["quality"]["low"] == -1
    assert "10 % of the users, running: it has been on for 0 min" in run("show", name).stdout
    assert "no longer tried" in run("rollback", "router", "--kind", "head").stdout
    assert json.loads(run("show", name, "--json").stdout)["changes"][0]["action"] == "rollback"
