"""``shopfloor doctor``: what is here, what is missing, and the command that mends it."""

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from shopfloor.cli import EXIT_FAILED, print_json
from shopfloor.errors import ShopfloorError
from shopfloor.settings import Settings, load_settings

PYTHON = (3, 11)
DISK_MB = 600
MEMORY_MB = 700
OLLAMA = "http://127.0.0.1:11434/api/version"
OLLAMA_TIMEOUT_S = 1.0

HELP = """Check this machine, and say what mends what is missing.

\b
Examples:
  shopfloor doctor
  shopfloor doctor --json
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. ``fix`` is a command or a step; it may be there for a check that is fine but optional."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", help=HELP)(doctor)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of databases and models [./data]")] = None,
) -> None:
    """Run every check; ends with 1 if one that matters failed."""
    settings = load_settings(data=data)
    checks = [check for look in CHECKS for check in look(settings)]
    ok = all(check.ok for check in checks)
    if json:
        print_json({"ok": ok, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks, ok=ok)
    if not ok:
        raise typer.Exit(EXIT_FAILED)


def _print(checks: Sequence[Check], *, ok: bool) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{'ok ' if check.ok else 'NO '} {check.name:<{width}}  {check.detail}")
        if check.fix:
            print(f"    {'':<{width}}  {'mend' if not check.ok else 'if wanted'}: {check.fix}")
    print("Everything needed is here." if ok else "Something needed is missing; see the lines that begin with NO.")


def check_python(_settings: Settings) -> list[Check]:
    """The interpreter's version."""
    ok = sys.version_info[:2] >= PYTHON
    wanted = ".".join(str(part) for part in PYTHON)
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [Check("python", ok, detail, "" if ok else f"install Python {wanted} or newer, then: make run")]


def check_packages(_settings: Settings) -> list[Check]:
    """Every package that the base installation needs, in a version it accepts."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in importlib.metadata.requires("shopfloor") or []]
    except importlib.metadata.PackageNotFoundError:
        return [Check("packages", False, "shopfloor is not installed in this Python", "make run")]
    wrong: list[str] = []
    count = 0
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return [Check("packages", False, "; ".join(wrong), "make run   (or: pip install --upgrade shopfloor)")]
    return [Check("packages", True, f"{count} packages in place")]


def check_runtime(_settings: Settings) -> list[Check]:
    """The embedded model's runtime: a wheel on common machines, compiled on others."""
    if importlib.util.find_spec("xllamacpp") is not None:
        version = importlib.metadata.version("xllamacpp")
        try:
            importlib.import_module("xllamacpp")
        except ImportError as error:  # a system library that slim images leave out
            fix = "apt install libgomp1" if "libgomp" in str(error) else "pip install --force-reinstall xllamacpp"
            return [Check("model runtime", False, f"xllamacpp {version} can't be loaded: {error}", fix)]
        return [Check("model runtime", True, f"xllamacpp {version}")]
    detail = f"xllamacpp is missing; there is no wheel for every machine, and this is {platform.machine()}"
    fix = "pip install xllamacpp   (without a wheel it compiles: install cmake and a C++ compiler first)"
    return [Check("model runtime", False, detail, fix)]


def check_model(settings: Settings) -> list[Check]:
    """The embedded model's file: there, whole, and of a kind that can be loaded."""
    from shopfloor.local_models.files import GET_COMMAND, find_model, open_model_file

    try:
        model = open_model_file(find_model(settings), settings.models_path)
    except ShopfloorError as error:
        return [Check("model file", False, error.detail, GET_COMMAND)]
    size = model.path.stat().st_size / 1e6
    return [Check("model file", True, f"{model.name}, {size:.0f} MB, licence {model.licence}")]


def check_database(settings: Settings) -> list[Check]:
    """The databases open and are whole; the data folder can be written."""
    folder = nearest_folder(settings.data)
    if not os.access(folder, os.W_OK):
        fix = f"choose another folder: SHOPFLOOR_DATA=… , or: chmod u+w {folder}"
        return [Check("data folder", False, f"{folder} can't be written", fix)]
    checks = [Check("data folder", True, str(settings.data.absolute()))]
    for name, path in (
        ("catalogue", settings.catalogue_path),
        ("state", settings.state_path),
        ("conversations", settings.checkpoint_path),
    ):
        checks.append(_check_file(name, path))
    return checks


def _check_file(name: str, path: Path) -> Check:
    if not path.exists():
        return Check(name, True, f"{path.name} is made on the first start")
    fix = f"move {path} away and restore a copy"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return Check(name, False, f"{path.name} can't be read: {error}", fix)
    size = path.stat().st_size / 1e6
    if verdict != "ok":
        return Check(name, False, f"{path.name} is damaged: {verdict}", fix)
    return Check(name, True, f"{path.name}, {size:.1f} MB, whole")


def check_behaviour(settings: Settings) -> list[Check]:
    """Which ways of ranking the shop's own past chose, for this revision of its catalogue."""
    from shopfloor.store.database import connect
    from shopfloor.tools.recommendation.ways import kept_ways

    if not settings.catalogue_path.exists():
        return []
    try:
        with closing(connect(settings.catalogue_path, read_only=True)) as connection:
            ways = kept_ways(connection)
    except (ShopfloorError, sqlite3.Error):
        return []  # the catalogue's own check says what is wrong with it
    if ways is None:
        return [
            Check("behaviour", True, "no way was chosen on this shop's past; plain ones count", "shopfloor import DIR")
        ]
    return [Check("behaviour", True, f"revision {ways.revision}: {ways.words}")]


def check_disk(settings: Settings) -> list[Check]:
    """Room for the databases and the model's derived forms."""
    free = shutil.disk_usage(nearest_folder(settings.data)).free / 1e6
    ok = free >= DISK_MB
    return [Check("disk", ok, f"{free / 1000:.1f} GB free", "" if ok else f"free {DISK_MB} MB, or set SHOPFLOOR_DATA")]


def check_memory(_settings: Settings) -> list[Check]:
    """Room for the service with the embedded model."""
    import psutil

    memory = psutil.virtual_memory()
    free, total = memory.available / 1e6, memory.total / 1e6
    ok = free >= MEMORY_MB
    detail = f"{free / 1000:.1f} of {total / 1000:.1f} GB available; the embedded model needs about {MEMORY_MB} MB"
    fix = "" if ok else "close other programs, or: SHOPFLOOR_MODEL_SLOTS=1 SHOPFLOOR_MODEL_CTX=1024 shopfloor serve"
    return [Check("memory", ok, detail, fix)]


def check_port(settings: Settings) -> list[Check]:
    """The port that ``serve`` will take."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        taken = probe.connect_ex((settings.host, settings.port)) == 0
    if not taken:
        return [Check("port", True, f"{settings.port} is free")]
    answer = _get(f"http://{settings.host}:{settings.port}/healthz")
    if answer is not None and '"alive"' in answer:
        return [Check("port", True, f"{settings.port} is served by shopfloor already")]
    fix = f"shopfloor serve --port {settings.port + 1}"
    return [Check("port", False, f"{settings.port} is taken by another program", fix)]


def check_owner(settings: Settings) -> list[Check]:
    """Who may open the dashboard; the key itself is never shown."""
    if settings.owner_key is not None:
        return [Check("owner key", True, "set; nothing else opens the dashboard")]
    if not settings.api_keys:
        return [Check("owner key", True, "not set; the dashboard is open on this machine, and only here")]
    detail = "not set: every API key opens the dashboard, and what can be done there"
    return [Check("owner key", True, detail, "export SHOPFLOOR_OWNER_KEY=…")]


def check_gemini(settings: Settings) -> list[Check]:
    """Whether a key is set; the key itself is never shown."""
    if settings.google_api_key is not None and settings.google_api_key.get_secret_value():
        return [Check("gemini key", True, f"set; the supervisor is {settings.gemini_model}")]
    detail = "not set; the local router decides, nothing leaves this machine"
    return [Check("gemini key", True, detail, "export GOOGLE_API_KEY=…")]


def check_ollama(_settings: Settings) -> list[Check]:
    """Whether Ollama runs here; it is one of the runtimes, not needed."""
    if _get(OLLAMA) is not None:
        return [Check("ollama", True, "reachable")]
    return [Check("ollama", True, "not reachable; not needed", "ollama serve")]


CHECKS: Sequence[Callable[[Settings], list[Check]]] = (
    check_python,
    check_packages,
    check_runtime,
    check_model,
    check_database,
    check_behaviour,
    check_disk,
    check_memory,
    check_port,
    check_owner,
    check_gemini,
    check_ollama,
)


def nearest_folder(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    absolute = path.absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.is_dir())


def _get(address: str) -> str | None:
    # No proxy: these addresses are on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=OLLAMA_TIMEOUT_S) as response:
            return str(response.read(1_000), "utf-8", "replace")
    except (urllib.error.URLError, OSError, ValueError):
        return None
