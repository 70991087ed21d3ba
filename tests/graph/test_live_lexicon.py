"""The conversation's words follow an import while the assistant runs."""

import shutil
from pathlib import Path

from shopfloor.graph.live_lexicon import LiveLexicon
from shopfloor.store.database import Database


async def test_an_import_s_words_are_taken_up(catalogue: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    shutil.copy(catalogue, path)
    async with Database(path) as database:
        words = LiveLexicon(database, lambda name: name == "oslo")
        first = await words.refresh()
        assert first.place_in("is it in Gondor?") is None
        assert await words.refresh() is first
        await database.write(
            lambda connection: connection.execute("UPDATE stores SET city = 'Gondor' WHERE store_id = 'MUC1'")
        )
        assert await words.refresh() is first  # no import: the revision stands
        await database.write(
            lambda connection: connection.execute(
                "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'revision'"
            )
        )
        second = await words.refresh()
        assert second.place_in("is it in Gondor?") == "Gondor"
        assert words.current is second
        assert second.is_city("oslo")
