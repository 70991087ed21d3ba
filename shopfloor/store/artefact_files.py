"""Folders of learned artefacts: DATA/artefacts/HASH, each with a manifest that names its files and their hashes.

A folder's name is the SHA-256 of its ``manifest.json``, so a folder that checks out is exactly what was added. It is
put together under another name and renamed when it is on disk: a killed import leaves nothing that looks like one.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from shopfloor.errors import ArtefactRejectedError

Kind = Literal["lora", "head", "fusion"]
KINDS: tuple[Kind, ...] = ("lora", "head", "fusion")
MANIFEST = "manifest.json"
FORMAT = 1
SUFFIXES = frozenset({".gguf", ".safetensors", ".json", ".npz"})  # nothing that runs code when it is read
MAX_BYTES: Mapping[Kind, int] = {"lora": 2 * 1024**3, "head": 256 * 1024**2, "fusion": 16 * 1024**2}
MAX_FILES = 16
PIECE = 1024**2
ABANDONED_S = 3600
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
AGENT = re.compile(r"[a-z][a-z0-9_-]{0,39}")
HASH = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artefact is and was made from.

    Attributes:
        agent: whom it serves, e.g. ``recommendation``.
        source_hash: SHA-256 of the original weights it belongs to; empty where it needs none.
        parent: hash of the artefact that training started from.
        dataset_hash: of the data it was trained on.
        feedback: ids of the reactions in that data.
        recipe: how it was trained.
        metrics: what was measured when it was made.
    """

    agent: str
    kind: Kind
    source_hash: str = ""
    parent: str | None = None
    licence: str = "unknown"
    dataset_hash: str = ""
    feedback: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of an artefact."""

    sha256: str
    size: int


def write_artefact(
    folder: Path, manifest: Manifest, files: Mapping[str, Path], progress: Progress | None = None
) -> str:
    """Copy the files into ``folder/HASH`` and return the hash (blocking). What is there already stays.

    Raises:
        ArtefactRejectedError: a name, kind, size or number of files that is not taken.
        OSError: the disk is full or not writable.
    """
    _check(manifest, files)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    making = Path(tempfile.mkdtemp(dir=folder, prefix=".making-"))
    try:
        total = sum(path.stat().st_size for path in files.values()) or 1
        done = 0
        stored: dict[str, StoredFile] = {}
        for name, path in sorted(files.items()):

            def share(copied: int, before: int = done) -> None:
                if progress is not None:
                    progress((before + copied) / total)

            stored[name] = _copy(path, making / name, share)
            done += stored[name].size
        content = _encode(manifest, stored)
        with (making / MANIFEST).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(making)
        name = hashlib.sha256(content).hexdigest()
        _move(making, folder / name)
        _sync_folder(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return name


def read_artefact(folder: Path) -> tuple[Manifest, dict[str, StoredFile]]:
    """Read a folder's manifest and check it against the folder's name; the files are not read (blocking).

    Raises:
        ArtefactRejectedError: the folder is absent, or its manifest damaged.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ArtefactRejectedError(
            f"The files of artefact {folder.name[:12]} are gone ({error.strerror}): import it again."
        ) from error
    if hashlib.sha256(content).hexdigest() != folder.name:
        raise ArtefactRejectedError(f"The manifest of artefact {folder.name[:12]} is damaged: import it again.")
    return decode_manifest(content, folder)


def verify_artefact(folder: Path) -> tuple[Manifest, dict[str, StoredFile]]:
    """``read_artefact``, and every file's hash too (blocking, some 2 ms a megabyte).

    Raises:
        ArtefactRejectedError: something is absent or damaged.
    """
    manifest, files = read_artefact(folder)
    for name, stored in files.items():
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ArtefactRejectedError(
                f"Artefact {folder.name[:12]} lacks its file {name} ({error.strerror}): import it again."
            ) from error
        if digest != stored.sha256:
            raise ArtefactRejectedError(f"The file {name} of artefact {folder.name[:12]} is damaged: import it again.")
    return manifest, files


def decode_manifest(content: bytes, where: Path) -> tuple[Manifest, dict[str, StoredFile]]:
    """Parse a manifest.

    Raises:
        ArtefactRejectedError: it is none, or of another version.
    """
    try:
        value = cast(dict[str, Any], json.loads(content))
        stored = {str(name): StoredFile(**entry) for name, entry in value.pop("files").items()}
        if value.pop("format") != FORMAT:
            raise ValueError("another version")
        value["feedback"] = tuple(value["feedback"])
        manifest = Manifest(**value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtefactRejectedError(f"{where / MANIFEST} is no manifest of an artefact ({error}).") from error
    _check_names(manifest, list(stored))
    return manifest, stored


def _encode(manifest: Manifest, files: Mapping[str, StoredFile]) -> bytes:
    value = {"format": FORMAT, **asdict(manifest), "files": {name: asdict(stored) for name, stored in files.items()}}
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _check(manifest: Manifest, files: Mapping[str, Path]) -> None:
    _check_names(manifest, list(files))
    for name, path in files.items():
        if not path.is_file():
            raise ArtefactRejectedError(f"{path} is not there: name a file.")
        size, limit = path.stat().st_size, MAX_BYTES[manifest.kind]
        if size > limit:
            raise ArtefactRejectedError(
                f"{name} has {size / 1024**2:.0f} MB; a {manifest.kind} may have {limit // 1024**2} MB: check the file."
            )


def _check_names(manifest: Manifest, names: list[str]) -> None:
    if manifest.kind not in KINDS:
        raise ArtefactRejectedError(f"There is no kind {manifest.kind!r} of artefact.", matches=KINDS)
    if not AGENT.fullmatch(manifest.agent):
        raise ArtefactRejectedError(f"{manifest.agent!r} can't be an agent's name: use small letters, digits, - and _.")
    if manifest.source_hash and not HASH.fullmatch(manifest.source_hash):
        raise ArtefactRejectedError("The source hash is no SHA-256: 64 hex digits are expected.")
    if not 0 < len(names) <= MAX_FILES:
        raise ArtefactRejectedError(f"An artefact has 1 to {MAX_FILES} files, not {len(names)}.")
    for name in names:
        if not NAME.fullmatch(name) or name == MANIFEST:
            raise ArtefactRejectedError(f"{name!r} can't be a file's name in an artefact.")
        if Path(name).suffix not in SUFFIXES:
            raise ArtefactRejectedError(
                f"{name} is not taken: artefacts are made of {', '.join(sorted(SUFFIXES))} files, "
                "none of which runs code when it is read."
            )


def _copy(source: Path, target: Path, share: Callable[[int], None]) -> StoredFile:
    """Copy in pieces, hashing on the way, and wait for the disk."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while piece := reading.read(PIECE):
            writing.write(piece)
            digest.update(piece)
            size += len(piece)
            share(size)
        writing.flush()
        os.fsync(writing.fileno())
    return StoredFile(digest.hexdigest(), size)


def _move(making: Path, target: Path) -> None:
    """Rename into place; a whole folder of that name is the same artefact, a damaged one makes room."""
    try:
        verify_artefact(target)
    except ArtefactRejectedError:
        shutil.rmtree(target, ignore_errors=True)
        os.rename(making, target)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder can't be opened for that
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what killed imports left."""
    for left in folder.glob(".making-*"):
        try:
            old = time.time() - left.stat().st_mtime > ABANDONED_S
        except FileNotFoundError:  # finished meanwhile
            continue
        if old:
            shutil.rmtree(left, ignore_errors=True)
