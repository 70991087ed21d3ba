"""Keeps the serving process within memory: refuses to load a model that would make the machine swap.

The arithmetic is that of ``shopfloor models fit``; what is refused is refused before anything is loaded.
"""

from dataclasses import dataclass

import psutil

from shopfloor.errors import ConfigError
from shopfloor.local_models.fit_memory import Need, load_of, serving_need
from shopfloor.local_models.fit_shapes import shape_of, tensors_of
from shopfloor.local_models.gguf_file import GgufHeader
from shopfloor.local_models.llama_server import ServerOptions
from shopfloor.settings import Settings

KEPT_FREE = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of memory that are free for a model now, and what sets that limit."""

    free: int
    why: str


def room_for_model(settings: Settings, available: int | None = None) -> Room:
    """What the machine has available, or what ``SHOPFLOOR_MODEL_MEMORY_MB`` allows if that is less.

    Args:
        settings: the limit, if one is set.
        available: bytes available; ``None``: read them.
    """
    free = (psutil.virtual_memory().available if available is None else available) - KEPT_FREE
    allowed = settings.model_memory_mb * 1_000_000
    if allowed and allowed < free:
        return Room(allowed, "allowed by SHOPFLOOR_MODEL_MEMORY_MB")
    return Room(max(0, free), f"available ({KEPT_FREE // 2**20} MB are kept free)")


def need_of(header: GgufHeader, options: ServerOptions) -> Need:
    """What serving a file takes, loaded by these options."""
    return serving_need(shape_of(header), tensors_of(header), load_of(options))


def check_room(header: GgufHeader, options: ServerOptions, room: Room) -> None:
    """Refuse a file that memory does not hold.

    Raises:
        ConfigError: it needs more than there is; the sentence has the sum and what mends it.
        ModelMissingError: the file does not state its sizes.
    """
    need = need_of(header, options)
    if need.total > room.free:
        raise ConfigError(
            f"{header.path.stem} needs {need.arithmetic()}, but {room.free / 1e6:.0f} MB are {room.why}: "
            "lower SHOPFLOOR_MODEL_SLOTS or SHOPFLOOR_MODEL_CTX, close other programs, "
            "or see what fits by `shopfloor models fit`"
        )
