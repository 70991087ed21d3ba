"""``shopfloor forget`` in another process: what runs goes on answering, and holds nothing of the user afterwards."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from shopfloor.graph.assistant import Assistant
from shopfloor.http.continuity import Continuity, Said
from shopfloor.http.identity import Caller
from shopfloor.settings import Settings
from shopfloor.store.database import connect
from shopfloor.store.forgettings import ForgetWatch, record_forgetting
from shopfloor.store.loop import transaction
from shopfloor.store.migrations import open_state
from shopfloor.tools import matching
from tests.finetune.test_forget import found

USER = "ottoline.vexley-31"
SECRET = "glimmerquartz"
MESSAGE = f"a warm jacket for my {SECRET} lantern under 160"
PATIENCE_S = 60.0


async def wait_for(true: Callable[[], bool]) -> None:
    """Until it is so; a busy machine takes its time."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


async def forget_in_another_process(settings: Settings, user: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOPFLOOR_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shopfloor", "forget", user),
        env={**environment, "SHOPFLOOR_DATA": str(settings.data), "SHOPFLOOR_MODELS": str(settings.models)},
        cwd=settings.data,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_an_assistant_empties_its_memory(server_settings: Settings, tmp_path: Path) -> None:
    settings = server_settings.model_copy(update={"data": tmp_path})
    async with Assistant.open(settings) as assistant:
        inside = cast(Any, assistant)
        agents = inside._shop.agents
        encoder = agents.router.champion._given
        slots = agents.runtime._switch._live.runtime._slots

        def held() -> list[bool]:
            """In vectors of messages, in the model's slots, in the stemmer of the catalogue, in cached functions."""
            return [
                bool(encoder._cache),
                any(slots._last_text),
                SECRET in agents.recommendation._loaded[0].search.stemmer._known,
                matching.stem.cache_info().currsize > 0,
            ]

        answer = await assistant.ask(MESSAGE, user_id=USER)
        neighbour = await assistant.ask("a rain jacket for a child", user_id="neighbour")
        await agents.runtime.score([MESSAGE], [" yes"])
        matching.stem(SECRET)
        assert held() == [True, True, True, True]

        # A turn that is under way when the command begins is waited for, and then erased with the rest.
        late = asyncio.create_task(assistant.ask(f"{MESSAGE}, or a {SECRET} scarf", user_id=USER))
        await wait_for(lambda: bool(_started(settings)))
        await forget_in_another_process(settings, USER)
        assert (await late).text
        await wait_for(lambda: inside._forgetting.times > 0 and held() == [False] * 4)
        assert found(settings.data, USER, SECRET) == {}

        assert [said.role for said in await assistant.history(neighbour.thread_id, "neighbour")] == [
            "user",
            "assistant",
        ]
        again = await assistant.ask(MESSAGE, user_id="another")
        assert [item.sku for item in again.items] == [item.sku for item in answer.items]


def _started(settings: Settings) -> list[object]:
    with connect(settings.state_path, read_only=True) as state:
        return state.execute("SELECT 1 FROM turns WHERE user_id = ? AND text LIKE '%scarf%'", (USER,)).fetchall()


def test_a_watch_hears_each_forgetting_once(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_state(path)
    watch = ForgetWatch(path)
    assert not watch.heard()
    with connect(path) as state, transaction(state):
        record_forgetting(state)
    assert watch.heard()
    assert not watch.heard()
    watch.close()


async def test_a_forgotten_conversation_is_not_found_by_its_past(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    open_state(path)
    with connect(path) as state, transaction(state):
        state.execute("INSERT INTO threads (thread_id, user_id, created_at) VALUES ('kept', 'neighbour', '')")
    continuity = Continuity()
    past = {name: (Said("user", name), Said("assistant", "Here.")) for name in ("kept", "gone")}
    continuity.keep(None, past["kept"], Caller("neighbour", "kept"))
    continuity.keep(None, past["gone"], Caller(USER, "gone"))
    await continuity.forget(path)
    assert continuity.find(None, None, past["kept"]).thread_id == "kept"
    assert continuity.find(None, None, past["gone"]).thread_id != "gone"
