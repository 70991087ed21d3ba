"""The trainer's environment: where its Python is, and running a module of this package in it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from shopfloor.errors import ConfigError, ShopfloorError

NAME = "hf"
STDERR_TAIL = 2000


class TrainingFailedError(ShopfloorError):
    """A training process ended badly; the sentence says how."""


def trainer_python(root: Path | None = None) -> Path:
    """The Python that has PyTorch: this one where it has it, else the one of ``.venvs/hf`` beside the checkout.

    Raises:
        ConfigError: there is none.
    """
    from importlib.util import find_spec

    if all(find_spec(name) is not None for name in ("torch", "transformers", "peft")):
        return Path(sys.executable)
    base = Path.cwd() if root is None else root
    for folder in ("bin", "Scripts"):
        for name in ("python", "python.exe"):
            path = base / ".venvs" / NAME / folder / name
            if path.exists():
                return path
    raise ConfigError(f"training needs PyTorch in an environment of its own: run `shopfloor train --install {NAME}`")


async def run_module(python: Path, module: str, argument: Path) -> AsyncIterator[str]:
    """Run ``python -m module argument`` and give its lines as they come; cancelling ends the process.

    Raises:
        TrainingFailedError: it ended with an error and without saying why.
    """
    process = await asyncio.create_subprocess_exec(
        str(python),
        "-m",
        module,
        str(argument),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false"},
        limit=1024 * 1024,
    )
    if process.stdout is None or process.stderr is None:
        raise TrainingFailedError("the training process has no output")
    errors = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            yield line.decode()
        code = await process.wait()
        tail = (await errors).decode(errors="replace")[-STDERR_TAIL:].strip()
        if code not in (0, 1, 75) or (code == 1 and "Traceback" in tail):
            reason = tail.splitlines()[-1] if tail else "it said nothing"
            raise TrainingFailedError(f"the training process ended with code {code}: {reason}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        errors.cancel()
