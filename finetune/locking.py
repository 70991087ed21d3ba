"""One training at a time: a lock file that the system frees when its process dies, however it dies."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from shopfloor.errors import ShopfloorError
from shopfloor.local_models.locking import exclusive


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
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(data / "train.lock", wait=False))
        except BlockingIOError as error:
            raise BusyError("Another training is running; wait for it, or stop it first.") from error
        yield
