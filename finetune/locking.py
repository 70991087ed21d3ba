"""One training at a time: a lock file that the system frees when its process dies, however it dies."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shopfloor.errors import ShopfloorError


class BusyError(ShopfloorError):
    """Another training is running in this data folder."""

    code = "training_busy"
    status = 409


@contextmanager
def one_training(data: Path) -> Generator[None]:
    """Hold ``DATA/train.lock``.

    Raises:
        BusyError: somebody holds it.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "train.lock").open("a+b") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError("Another training is running; wait for it, or stop it first.") from error
        yield
