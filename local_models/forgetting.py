"""What holds texts in memory that people wrote, and how it lets go of them when somebody is to be forgotten."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class HoldsTexts(Protocol):
    """Something that keeps what it was asked, or what was made of it, to be faster the next time."""

    async def forget_texts(self) -> None:
        """Let go of all of it; what runs goes on."""
        ...


async def forget_texts(holder: object) -> None:
    """Have ``holder`` let go of what it keeps, if it keeps anything."""
    if isinstance(holder, HoldsTexts):
        await holder.forget_texts()
