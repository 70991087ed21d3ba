"""The shop's words as they are now: read again when an import has changed the catalogue."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from shopfloor.graph.lexicon import Lexicon, read_lexicon
from shopfloor.store.catalogue import revision
from shopfloor.store.database import Database


class LiveLexicon:
    """Keeps one :class:`Lexicon` up to date. For one event loop.

    Args:
        catalogue: the opened catalogue.
        is_city: whether a name is a city anywhere in the world.
    """

    def __init__(self, catalogue: Database, is_city: Callable[[str], bool]) -> None:
        self._catalogue = catalogue
        self._is_city = is_city
        self._revision: int | None = None
        self._lock = asyncio.Lock()
        self.current = Lexicon()

    async def refresh(self) -> Lexicon:
        """The words of the catalogue's present revision; costs one small query where nothing has changed."""
        if await self._catalogue.read(revision) == self._revision:
            return self.current
        async with self._lock:
            now = await self._catalogue.read(revision)
            if now != self._revision:
                self.current = replace(await self._catalogue.read(read_lexicon), is_city=self._is_city)
                self._revision = now
        return self.current
