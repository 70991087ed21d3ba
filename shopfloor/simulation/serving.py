"""The service under simulation: ``shopfloor serve`` as a process of its own, over a data folder of its own.

What it writes to its log tells when a training began and ended; nothing else of it is looked into while it runs.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from shopfloor.errors import ShopfloorError
from shopfloor.settings import Settings
from shopfloor.simulation.record import SimulationPlan

READY_S = 240.0
STOP_S = 30.0
PID_FILE = "service.pid"
LOG_FILE = "service.log"


@dataclass(frozen=True, slots=True)
class Trainings:
    """What the log says so far: trainings begun and ended, and how many new reactions the last one began with."""

    begun: int
    ended: int
    failed: int
    last_at: int

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self.begun > self.ended


class RunningService:
    """A service that answers. ``base``: its address."""

    def __init__(self, base: str, log: Path, offset: int, process: "subprocess.Popen[bytes]") -> None:
        self.base = base
        self._log = log
        self._offset = offset
        self._process = process

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def trainings(self) -> Trainings:
        """Read the log since the start of this process."""
        begun = ended = failed = last_at = 0
        with self._log.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if b'"training_' not in line:
                    continue
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    begun += entry["event"] == "training_started"
                    ended += entry["event"] in ("training_ended", "training_failed")
                    failed += entry["event"] == "training_failed"
                    last_at = int(entry.get("reactions", last_at))
        return Trainings(begun, ended, failed, last_at)


@asynccontextmanager
async def serving(
    settings: Settings, folder: Path, shop: Path | None, plan: SimulationPlan
) -> AsyncGenerator[RunningService]:
    """Serve ``folder/data`` on a free port until the block ends.

    Raises:
        ShopfloorError: it stopped while starting, or took too long.
    """
    _end_left_over(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    log = folder / LOG_FILE
    offset = log.stat().st_size if log.is_file() else 0
    with log.open("ab") as output:
        process = await asyncio.to_thread(
            subprocess.Popen[bytes],
            [sys.executable, "-m", "shopfloor", "serve", "--port", str(port)],
            env=_environment(settings, folder, shop, plan),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
    (folder / PID_FILE).write_text(str(process.pid), encoding="utf-8")
    try:
        base = f"http://127.0.0.1:{port}"
        await _until_ready(base, process, log)
        yield RunningService(base, log, offset, process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        (folder / PID_FILE).unlink(missing_ok=True)


def _environment(settings: Settings, folder: Path, shop: Path | None, plan: SimulationPlan) -> dict[str, str]:
    """The caller's own, with what makes it a simulation: own data, no Gemini, no limits on one client, any hour."""
    own = {
        "SHOPFLOOR_DATA": str((folder / "data").absolute()),
        "SHOPFLOOR_MODELS": str(settings.models_path.absolute()),
        "SHOPFLOOR_HOST": "127.0.0.1",
        "SHOPFLOOR_API_KEYS": "",
        "SHOPFLOOR_GEMINI_DAILY_TOKENS": "0",
        "SHOPFLOOR_RATE_LIMIT_PER_MINUTE": "0",
        "SHOPFLOOR_TRAIN_AUTOMATICALLY": "true",
        "SHOPFLOOR_TRAIN_EVERY": str(plan.train_every),
        "SHOPFLOOR_TRAIN_LEARN": plan.learn,
        "SHOPFLOOR_ROLLOUT": plan.rollout,
        "SHOPFLOOR_TRAIN_QUIET_HOURS": "",
        "SHOPFLOOR_LOG_LEVEL": "info",
    }
    environment = {name: value for name, value in os.environ.items() if name != "SHOPFLOOR_SHOP"}
    if settings.model is not None:
        own["SHOPFLOOR_MODEL"] = str(settings.model.absolute())
    if shop is not None:
        own["SHOPFLOOR_SHOP"] = str(shop.absolute())
    return environment | own


async def _until_ready(base: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    began = time.monotonic()
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        while time.monotonic() - began < READY_S:
            if process.poll() is not None:
                raise ShopfloorError(f"The service stopped while starting; {log} says why.")
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"{base}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise ShopfloorError(f"The service was not ready within {READY_S:.0f} s; {log} says why.")


def _end_left_over(folder: Path) -> None:
    """End the service of a simulation that was killed: two must not serve one folder."""
    path = folder / PID_FILE
    if not path.is_file():
        return
    with contextlib.suppress(ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        left = psutil.Process(int(path.read_text(encoding="utf-8")))
        own = str((folder / "data").absolute())
        if left.environ().get("SHOPFLOOR_DATA") == own and "serve" in left.cmdline():
            left.terminate()
            left.wait(STOP_S)
    path.unlink(missing_ok=True)
