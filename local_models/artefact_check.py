"""Looks into a learned artefact before anything of it is loaded: is it what it says, and does it fit the model here?

Weights are read as GGUF or safetensors, numbers as JSON: nothing that runs code when it is read.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from shopfloor.errors import ArtefactRejectedError, ModelError
from shopfloor.local_models.adapter_file import AdapterFile, check_fit, open_adapter
from shopfloor.local_models.files import ModelFile
from shopfloor.store.artefact_files import MANIFEST, Manifest, decode_manifest, verify_artefact

HEAD_FILES = ("head.safetensors", "card.json")
FUSION_FILE = "weights.json"
ADAPTER_FILE = "adapter.gguf"
PEFT_FILES = ("adapter_config.json", "adapter_model.safetensors")


def find_files(path: Path, agent: str | None, kind: str | None) -> tuple[Manifest, dict[str, Path]]:
    """What a person wants to import, as a manifest and files (blocking).

    Args:
        path: an artefact's folder with its manifest; a GGUF adapter; a head's folder; a JSON file of fusion weights.
        agent: whom it serves; needed where no manifest says so.
        kind: lora, head or fusion; empty: by what is there.

    Raises:
        ArtefactRejectedError: nothing that is taken is there, or the agent is not known.
    """
    if (path / MANIFEST).is_file():
        manifest, stored = decode_manifest((path / MANIFEST).read_bytes(), path)
        if agent not in (None, manifest.agent) or kind not in (None, manifest.kind):
            raise ArtefactRejectedError(
                f"{path} is a {manifest.kind} for {manifest.agent}, by its manifest: leave --agent and --kind out."
            )
        return manifest, {name: path / name for name in stored}
    files, found = _by_content(path)
    if kind not in (None, found):
        raise ArtefactRejectedError(f"{path} is a {found}, not a {kind}.")
    if agent is None:
        raise ArtefactRejectedError(f"{path} does not say whom it serves: add --agent, e.g. --agent recommendation.")
    manifest = Manifest(agent=agent, kind=found)  # type: ignore[arg-type]
    return _described(manifest, files), files


def check_files(manifest: Manifest, files: Mapping[str, Path], source: ModelFile | None) -> AdapterFile | None:
    """Check an artefact's files against its manifest and the model here (blocking); returns the adapter of a lora.

    Args:
        manifest: what it says it is.
        files: where its files lie.
        source: the model it must fit; None where the model's file is out of sight.

    Raises:
        ArtefactRejectedError: a file is broken or of another kind, or the artefact was made for another model.
    """
    try:
        if manifest.kind == "lora":
            return _check_lora(manifest, files, source)
        if manifest.kind == "head":
            _check_head(manifest, files)
        else:
            read_numbers(files)
    except ModelError as error:
        raise ArtefactRejectedError(error.detail) from error
    return None


def check_artefact(folder: Path, source: ModelFile | None) -> AdapterFile | None:
    """Verify a registered artefact's hashes, and check it as :func:`check_files` does (blocking).

    Raises:
        ArtefactRejectedError: a file is absent, damaged or of another kind, or made for another model.
    """
    manifest, stored = verify_artefact(folder)
    adapter = check_files(manifest, {name: folder / name for name in stored}, source)
    return None if adapter is None else replace(adapter, artefact=folder.name, folder=folder)


def read_numbers(files: Mapping[str, Path]) -> dict[str, float]:
    """The weights of a fusion artefact, by name.

    Raises:
        ArtefactRejectedError: the file is absent, or holds anything but finite numbers by name.
    """
    path = files.get(FUSION_FILE)
    if path is None:
        raise ArtefactRejectedError(f"Fusion weights are one file {FUSION_FILE}: it is not there.")
    try:
        value: object = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtefactRejectedError(f"{path.name} is no JSON ({error}).") from error
    numbers = cast(dict[str, Any], value) if isinstance(value, dict) else {}
    fine = {name: float(one) for name, one in numbers.items() if isinstance(one, int | float) and math.isfinite(one)}
    if not fine or len(fine) != len(numbers):
        raise ArtefactRejectedError(f'{path.name} must be an object of finite numbers, e.g. {{"text": 1.5}}.')
    return fine


def _by_content(path: Path) -> tuple[dict[str, Path], str]:
    if path.is_file() and path.suffix == ".gguf":
        return {ADAPTER_FILE: path}, "lora"
    if path.is_file() and path.suffix == ".json":
        return {FUSION_FILE: path}, "fusion"
    if all((path / name).is_file() for name in HEAD_FILES):
        return {name: path / name for name in HEAD_FILES}, "head"
    gguf = sorted(path.glob("*.gguf")) if path.is_dir() else []
    if len(gguf) == 1:
        peft = {name: path / name for name in PEFT_FILES if (path / name).is_file()}
        return {ADAPTER_FILE: gguf[0], **(peft if len(peft) == len(PEFT_FILES) else {})}, "lora"
    if not path.exists():
        raise ArtefactRejectedError(f"{path} is not there: name a GGUF adapter, a head's folder, or a JSON file.")
    raise ArtefactRejectedError(
        f"{path} is nothing that can be imported: name a LoRA as GGUF (convert the trained one first), a head's folder "
        f"({', '.join(HEAD_FILES)}), a JSON file of fusion weights, or an artefact's folder with its {MANIFEST}."
    )


def _described(manifest: Manifest, files: Mapping[str, Path]) -> Manifest:
    """Fill in what the files themselves say."""
    try:
        if manifest.kind == "lora":
            adapter = open_adapter(files[ADAPTER_FILE])
            recipe = {"rank": adapter.rank, "alpha": adapter.alpha, "targets": list(adapter.targets)}
            return replace(manifest, source_hash=adapter.source_hash, recipe=recipe)
        if manifest.kind == "head":
            from shopfloor.local_models.head import LinearHead

            card = LinearHead.load(files["card.json"].parent).card
            return replace(
                manifest,
                parent=card.parent or None,
                licence=card.licence,
                dataset_hash=card.data_hash,
                recipe=dict(card.recipe),
                metrics=card.metrics,
            )
    except ModelError as error:
        raise ArtefactRejectedError(error.detail) from error
    return manifest


def _check_lora(manifest: Manifest, files: Mapping[str, Path], source: ModelFile | None) -> AdapterFile:
    gguf = [path for name, path in files.items() if name.endswith(".gguf")]
    if len(gguf) != 1:
        raise ArtefactRejectedError(f"A lora has one GGUF file, not {len(gguf)}.")
    adapter = open_adapter(gguf[0])
    claimed = {manifest.source_hash, adapter.source_hash} - {""}
    if len(claimed) > 1:
        raise ArtefactRejectedError(f"{gguf[0].name} and its manifest name different base models: import it again.")
    adapter = replace(adapter, source_hash=claimed.pop() if claimed else "")
    if source is not None:
        check_fit(adapter, source.header, source.sha256)
    return adapter


def _check_head(manifest: Manifest, files: Mapping[str, Path]) -> None:
    from shopfloor.local_models.head import LinearHead

    folders = {path.parent for path in files.values()}
    if set(files) != set(HEAD_FILES) or len(folders) != 1:
        raise ArtefactRejectedError(f"A head is the two files {' and '.join(HEAD_FILES)}.")
    head = LinearHead.load(folders.pop())
    if head.card.task != manifest.agent and manifest.agent == "router":
        raise ArtefactRejectedError(f"This head was trained for {head.card.task}, not for {manifest.agent}.")
