"""The trainer's environment: where its Python is, and running a module of this package in it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from shopfloor.errors import ConfigError, ShopfloorError

NAME = "hf"
STDERR_TAIL = 2000


class TrainingFailedError(ShopfloorError):
    """A training process ended badly; the sentence says how."""


def trainer_python(root: Path | None = None) -> Path:
    """The Python that has PyTorch: this one where it has it, else the one that ``shopfloor train --install hf`` made.

    Raises:
        ConfigError: there is none.
    """
    from importlib.util import find_spec

    from shopfloor.finetune.trainers.install import find_python

    if all(find_spec(name) is not None for name in ("torch", "transformers", "peft")):
        return Path(sys.executable)
    found = find_python(NAME, root)
    if found is None:
        raise ConfigError(
            f"training needs PyTorch in an environment of its own: run `shopfloor train --install {NAME}`"
        )
    return found.absolute()


async def run_module(
    python: Path, module: str, argument: Path, variables: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run ``python -m module argument`` and give its lines as they come; cancelling ends the process.

    ``variables`` are added to the environment.

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
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TOKENIZERS_PARALLELISM": "false", **(variables or {})},
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
