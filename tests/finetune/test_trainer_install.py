"""Environments of the trainers: made, left alone, refused where the machine lacks what they need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopfloor.errors import ConfigError, InputError, ShopfloorError
from shopfloor.finetune.trainers import install as installing
from shopfloor.finetune.trainers.install import ENVIRONMENTS, TRAINERS, find_python, install, missing

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools/bin/uv"


def test_every_environment_has_its_lock() -> None:
    for name in ENVIRONMENTS:
        lock = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "==" in lock and "://" not in lock, name
    assert set(TRAINERS.values()) <= set(ENVIRONMENTS)


@pytest.mark.skipif(missing("unsloth") is None, reason="this machine has a GPU: unsloth is not refused")
def test_unsloth_is_refused_before_anything_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs a CUDA or ROCm GPU.*nothing was installed"):
        install("unsloth", root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nope"):
        install("nope", root=tmp_path)


def test_what_can_not_be_had_ends_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "hf.txt"
    lock.write_text(f"{tmp_path}/absent-1.0-py3-none-any.whl\n")
    monkeypatch.setattr(installing, "_requirements", lambda name: lock)
    said: list[str] = []
    with pytest.raises(ShopfloorError, match=r"^the libraries could not be installed \(.*absent-1.0.*run it again$"):
        install("hf", root=tmp_path, say=said.append)
    assert said[0].startswith("Making ")
    assert find_python("hf", tmp_path) is None, "what was begun is not taken for whole"


@pytest.mark.skipif(find_python("hf", ROOT) is None, reason="needs the environment made by `scripts/env.sh hf`")
def test_what_is_whole_is_left_alone() -> None:
    said: list[str] = []
    assert install("hf", root=ROOT, say=said.append) == find_python("hf", ROOT)
    assert len(said) == 1 and "is ready" in said[0]


def test_the_command_makes_nothing_of_a_wrong_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shopfloor", "train", "--install", "nope"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and "choose hf, trl, unsloth, mlx" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(missing("mlx") is not None, reason="MLX needs Apple silicon or Linux")
def test_an_installed_wheel_makes_an_environment_too(tmp_path: Path) -> None:
    run([str(UV), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(ROOT)], tmp_path)
    (wheel,) = tmp_path.glob("shopfloor-*.whl")
    run([str(UV), "venv", "--quiet", "--python", sys.executable, "host"], tmp_path)
    run([str(UV), "pip", "install", "--quiet", "--no-deps", "--python", "host/bin/python", str(wheel)], tmp_path)
    path = f"{UV.parent}{os.pathsep}{os.environ['PATH']}"
    run(["host/bin/python", "-m", "shopfloor.finetune.trainers.install", "mlx"], tmp_path, PATH=path)
    words = "import shopfloor, mlx_lm; from shopfloor.finetune.lora.job import TrainJob; print(shopfloor.__file__)"
    assert ".venvs/mlx" in run([".venvs/mlx/bin/python", "-c", words], tmp_path)
    again = run(["host/bin/python", "-m", "shopfloor.finetune.trainers.install", "mlx"], tmp_path, PATH=path)
    assert "is ready" in again


def run(command: list[str], cwd: Path, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=400, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
