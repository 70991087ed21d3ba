"""Reads what this machine has: cores, memory, unified memory, an NVIDIA card, and how fast its memory is.

Every reading comes through :class:`Sensors`, so that another machine can be put in its place. What can't be read is
absent, with the reason; nothing here fails for want of a driver.
"""

import importlib.util
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import psutil

from shopfloor.local_models.llama_server import usable_cores

SMI = ("--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits")
SMI_TIMEOUT_S = 10
WORKING_SET_SHARE = 2 / 3  # of unified memory: what macOS lets the graphics part of a chip hold on machines up to 36 GB
READ_MB = 192  # read to measure bandwidth: far more than any cache holds
ROUNDS = 4

# Memory bandwidth in GB/s, as the makers state it; the longest name that a chip's own name begins with counts.
APPLE_GB_S: dict[str, float] = {
    "Apple M1": 68, "Apple M1 Pro": 200, "Apple M1 Max": 400, "Apple M1 Ultra": 800,
    "Apple M2": 100, "Apple M2 Pro": 200, "Apple M2 Max": 400, "Apple M2 Ultra": 800,
    "Apple M3": 100, "Apple M3 Pro": 150, "Apple M3 Max": 300, "Apple M3 Ultra": 800,
    "Apple M4": 120, "Apple M4 Pro": 273, "Apple M4 Max": 410,
}  # fmt: skip
NVIDIA_GB_S: dict[str, float] = {"RTX 3060 Laptop": 336, "RTX 3060": 360, "RTX 3050": 224, "RTX 4060": 272}


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card. Memory in bytes, ``bandwidth`` in bytes a second (0: not known)."""

    name: str
    memory: int
    free: int
    bandwidth: float = 0.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a model can use. Memory in bytes, ``bandwidth`` of the main memory in bytes a second.

    ``unified``: the graphics part shares the main memory. ``notes`` say what could not be read.
    """

    system: str
    machine: str
    cpu: str
    cores: int
    memory: int
    available: int
    bandwidth: float
    unified: bool = False
    gpu: Gpu | None = None
    notes: tuple[str, ...] = field(default=())


class Sensors(Protocol):
    """Where readings come from."""

    def system(self) -> tuple[str, str]:
        """The system's name (Linux, Darwin, Windows) and the machine's (x86_64, arm64)."""
        ...

    def cpu(self) -> tuple[str, int]:
        """The processor's name, and how many cores this process may use."""
        ...

    def memory(self) -> tuple[int, int]:
        """Bytes of main memory, and how many are available."""
        ...

    def bandwidth(self) -> float:
        """Bytes a second that are read from main memory, measured."""
        ...

    def gpu(self) -> Gpu | str:
        """The first NVIDIA card, or why there is none."""
        ...


class MachineSensors:
    """The readings of the machine this runs on."""

    def system(self) -> tuple[str, str]:
        """The system's name and the machine's."""
        return platform.system(), platform.machine()

    def cpu(self) -> tuple[str, int]:
        """The processor's name, and how many cores this process may use."""
        name = _sysctl("machdep.cpu.brand_string") or _proc_cpu() or platform.processor() or platform.machine()
        return name, usable_cores()

    def memory(self) -> tuple[int, int]:
        """Bytes of main memory, and how many are available; a container's limit counts."""
        memory = psutil.virtual_memory()
        total = int(_sysctl("hw.memsize") or memory.total)
        limit = _container_limit()
        if limit is not None and limit[0] < total:
            return limit[0], min(memory.available, limit[0] - limit[1])
        return total, memory.available

    def bandwidth(self) -> float:
        """Bytes a second that numpy reads from main memory (about 0.2 s); the best of some rounds."""
        block = np.ones(READ_MB * 2**20 // 8, dtype=np.float64)
        best = 0.0
        for _ in range(ROUNDS):
            started = time.perf_counter()
            block.sum()
            best = max(best, block.nbytes / (time.perf_counter() - started))
        return best

    def gpu(self) -> Gpu | str:
        """The first NVIDIA card by its management library, else by ``nvidia-smi``."""
        if importlib.util.find_spec("pynvml") is not None:
            return _by_library()
        return _by_command()


def read_hardware(sensors: Sensors | None = None) -> Hardware:
    """Read everything (blocking, about 0.3 s)."""
    sensors = sensors or MachineSensors()
    system, machine = sensors.system()
    cpu, cores = sensors.cpu()
    memory, available = sensors.memory()
    unified = system == "Darwin" and machine == "arm64"
    found: Gpu | str = "unified memory" if unified else sensors.gpu()
    measured = sensors.bandwidth()
    return Hardware(
        system=system,
        machine=machine,
        cpu=cpu,
        cores=cores,
        memory=memory,
        available=available,
        bandwidth=max(measured, _stated(APPLE_GB_S, cpu, starts=True)) if unified else measured,
        unified=unified,
        gpu=found if isinstance(found, Gpu) else None,
        notes=(f"no NVIDIA card in use: {found}",) if isinstance(found, str) and not unified else (),
    )


def _by_library() -> Gpu | str:
    import pynvml  # pyright: ignore[reportMissingImports]  # optional: nvidia-ml-py

    try:
        pynvml.nvmlInit()  # pyright: ignore[reportUnknownMemberType]
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)  # pyright: ignore
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)  # pyright: ignore
        name = str(pynvml.nvmlDeviceGetName(handle))  # pyright: ignore
        return Gpu(name, int(memory.total), int(memory.free), _stated(NVIDIA_GB_S, name))  # pyright: ignore
    except pynvml.NVMLError as error:  # pyright: ignore
        return f"its driver does not answer ({error}); install the NVIDIA driver, then `nvidia-smi` shows the card"


def _by_command() -> Gpu | str:
    command = shutil.which("nvidia-smi")
    if command is None:
        return "nvidia-smi is not installed; with a card, install the NVIDIA driver"
    try:
        done = subprocess.run(
            [command, *SMI], capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=True, stdin=subprocess.DEVNULL
        )
        name, total, free = (part.strip() for part in done.stdout.splitlines()[0].rsplit(",", 2))
        return Gpu(name, int(total) * 2**20, int(free) * 2**20, _stated(NVIDIA_GB_S, name))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return "nvidia-smi fails; reinstall the NVIDIA driver until `nvidia-smi` shows the card"


def _stated(table: dict[str, float], name: str, *, starts: bool = False) -> float:
    """Bytes a second by the longest entry that the name holds."""
    fitting = [key for key in table if (name.startswith(key) if starts else key in name)]
    return table[max(fitting, key=len)] * 1e9 if fitting else 0.0


def _sysctl(key: str) -> str:
    if platform.system() != "Darwin":
        return ""
    try:
        return subprocess.run(
            ["sysctl", "-n", key], capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _proc_cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return ""


def _container_limit() -> tuple[int, int] | None:
    """Bytes this container may use and those it uses, where a limit is set (cgroup 2)."""
    folder = "/sys/fs/cgroup"
    try:
        with open(os.path.join(folder, "memory.max"), encoding="ascii") as file:
            limit = file.read().strip()
        with open(os.path.join(folder, "memory.current"), encoding="ascii") as file:
            used = int(file.read())
        with open(os.path.join(folder, "memory.stat"), encoding="ascii") as file:
            cached = next((int(line.split()[1]) for line in file if line.startswith("inactive_file ")), 0)
    except (OSError, ValueError):
        return None
    return (int(limit), used - cached) if limit.isdigit() else None  # what was only read is given back when needed
