"""Converts a GGUF file once into a folder that another library reads; kept beside the forms, whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from shopfloor.errors import ModelError
from shopfloor.local_models.files import ModelFile
from shopfloor.local_models.locking import exclusive

WHOLE = "converted.txt"  # written last, with the hash of the source


def converted(source: ModelFile, models_path: Path, name: str, convert: Callable[[ModelFile, Path], None]) -> Path:
    """The folder of a converted model; made where it is not there (blocking, some seconds).

    Args:
        source: the file.
        models_path: where the folder lies.
        name: of the layout, e.g. "hf"; part of the folder's name.
        convert: fills an empty folder.

    Raises:
        ModelError: it can't be converted, or there is no room for it.
    """
    target = models_path / f"{source.sha256[:16]}.{name}"
    try:
        models_path.mkdir(parents=True, exist_ok=True)
        with exclusive(models_path / f".{target.name}.lock"):
            if (target / WHOLE).is_file():
                return target
            shutil.rmtree(target, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=models_path, prefix=".converting-") as work:
                folder = Path(work) / "model"
                folder.mkdir()
                convert(source, folder)
                (folder / WHOLE).write_text(source.sha256, encoding="utf-8")
                os.replace(folder, target)
    except OSError as error:
        raise ModelError(
            f"{source.path} can't be converted ({error}): free some space or set SHOPFLOOR_MODELS"
        ) from error
    return target
