"""Files that several processes may write: atomic replacement, and a lock held while one is being made."""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that readers see the old or the new content, never a part."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give a temporary path beside ``path``; on success it takes the place of ``path``, on failure it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Generator[None]:
    """Hold a lock file, which the system frees when its process dies, however it dies.

    Args:
        path: the file; it stays there.
        wait: while another process holds it.

    Raises:
        BlockingIOError: it is held, and ``wait`` is off.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(f"{path} is held") from error
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file; one that is about to take it may find it held for a moment."""
    if not path.is_file():
        return False
    try:
        with exclusive(path, wait=False):
            return False
    except BlockingIOError:
        return True
