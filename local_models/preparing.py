"""Makes and checks the faster form of a model: ``python -m shopfloor.local_models.preparing SOURCE FOLDER THREADS``.

The service starts this as a process of its own, at low priority, when the form is missing; it serves the shipped form
meanwhile and takes the new one at its next start. ``shopfloor models get embedded`` does the same in the foreground.
"""

import subprocess
import sys
from pathlib import Path

import psutil

from shopfloor.local_models.divergence import Verdict, check_form, read_verdict
from shopfloor.local_models.files import ModelFile, open_model_file
from shopfloor.local_models.forms import Progress, Recipe, derive, is_whole
from shopfloor.local_models.locking import exclusive

FAST_FORMS = frozenset({"Q8_0", "F16", "BF16", "F32"})


def needs_form(source: ModelFile) -> bool:
    """Whether the file's own form is one that llama.cpp has no fast CPU kernels for."""
    return source.header.quantisation not in FAST_FORMS


def prepared_form(source: ModelFile, folder: Path) -> Path | None:
    """The checked faster form, if it is there and was accepted."""
    form = Recipe().path(source, folder)
    verdict = read_verdict(form)
    return form if verdict is not None and verdict.accepted and is_whole(form) else None


def is_settled(source: ModelFile, folder: Path) -> bool:
    """Whether nothing is left to do: no form is needed, or it was made and judged."""
    form = Recipe().path(source, folder)
    verdict = read_verdict(form)
    return not needs_form(source) or (verdict is not None and (not verdict.accepted or is_whole(form)))


def prepare(source: ModelFile, folder: Path, threads: int, progress: Progress | None = None) -> Verdict | None:
    """Make and check the faster form (blocking, about 10 s); ``None`` when the source needs none.

    A form that was refused is deleted, its verdict stays, so that it is not tried again.

    Raises:
        ModelError: the disk is full, or the model can't be loaded.
    """
    if not needs_form(source):
        return None
    form = Recipe().path(source, folder)
    with exclusive(folder / ".prepare.lock"):
        if is_settled(source, folder):
            return read_verdict(form)
        derive(source, Recipe(), folder, progress)
        verdict = check_form(source.path, form, threads)
        if not verdict.accepted:
            form.unlink()
        return verdict


def start_in_background(source: ModelFile, folder: Path, threads: int) -> "subprocess.Popen[bytes]":
    """Start this module as a process."""
    command = [sys.executable, "-m", "shopfloor.local_models.preparing", str(source.path), str(folder), str(threads)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Entry of the process."""
    path, folder, threads = sys.argv[1:]
    psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else 15)
    prepare(open_model_file(Path(path), Path(folder)), Path(folder), int(threads))


if __name__ == "__main__":
    main()
