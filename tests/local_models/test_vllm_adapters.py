"""Adapters that a running vLLM is told to load: named by their hash, kept while a request needs them, then unloaded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.errors import ModelError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.openai_compatible import OpenAICompatibleRuntime, Served
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.settings import Settings
from tests.fakes.serving import serving
from tests.fakes.vllm import MODEL, FakeVllm

ASK = [Message("user", "What is a rain jacket for?")]
GREEDY = GenerateOptions(max_tokens=12, timeout_s=60)
CONFIG = "adapter_config.json"


@pytest.fixture
def folders(adapters: list[AdapterFile], tmp_path: Path) -> list[AdapterFile]:
    """The two adapters as artefacts: a folder each, with PEFT's form beside the GGUF (whose place the fake reads)."""
    found: list[AdapterFile] = []
    for adapter in adapters:
        folder = tmp_path / adapter.sha256[:8]
        folder.mkdir()
        (folder / CONFIG).write_text("{}", encoding="utf-8")
        (folder / "gguf.txt").write_text(str(adapter.path), encoding="utf-8")
        found.append(replace(adapter, folder=folder))
    return found


@pytest_asyncio.fixture
async def fake(runtime: Runtime, model_settings: Settings) -> AsyncIterator[FakeVllm]:
    settings = model_settings.model_copy(update={"model_ctx": 512, "model_slots": 1})

    async def open_variant(folder: Path) -> Runtime:
        return await open_embedded(settings, Path((folder / "gguf.txt").read_text(encoding="utf-8")))

    fake = FakeVllm(runtime, open_variant)
    yield fake
    for variant in [*fake.adapters.values(), *fake.closed]:
        await variant.close()


def vllm_at(url: str) -> Served:
    return Served(url=url, model=MODEL, key=None, context=2048, timeout_s=60, profile="cpu")


async def test_a_b_a_and_back(fake: FakeVllm, folders: list[AdapterFile]) -> None:
    with serving(fake.create_app()) as url:
        remote = await OpenAICompatibleRuntime.open(vllm_at(url))
        base = (await remote.chat(ASK, GREEDY)).text
        answers: list[str] = []
        for adapter in (folders[0], folders[1], folders[0]):
            await remote.use_adapter(adapter)
            assert remote.info.adapter == adapter.identity
            assert list(fake.adapters) == [f"{MODEL}-shopfloor-{adapter.sha256[:12]}"]
            answers.append((await remote.chat(ASK, GREEDY)).text)
        assert answers[0] == answers[2] != answers[1]
        await remote.use_adapter(None)
        assert remote.info.adapter is None and not fake.adapters
        assert (await remote.chat(ASK, GREEDY)).text == base
        assert base not in answers
        await remote.close()


async def test_a_request_keeps_its_adapter_until_it_is_done(fake: FakeVllm, folders: list[AdapterFile]) -> None:
    with serving(fake.create_app()) as url:
        remote = await OpenAICompatibleRuntime.open(vllm_at(url))
        await remote.use_adapter(folders[0])
        alone = (await remote.chat(ASK, GREEDY)).text
        chunks = remote.stream(ASK, GREEDY)
        pieces = [(await anext(chunks)).text]
        await remote.use_adapters({"": folders[1]}, drained=False)
        assert len(fake.adapters) == 2
        pieces += [chunk.text async for chunk in chunks]
        assert "".join(pieces) == alone
        for _ in range(100):
            if len(fake.adapters) == 1:
                break
            await asyncio.sleep(0.02)
        assert list(fake.adapters) == [f"{MODEL}-shopfloor-{folders[1].sha256[:12]}"]
        await remote.close()


async def test_agents_have_adapters_of_their_own(fake: FakeVllm, folders: list[AdapterFile]) -> None:
    with serving(fake.create_app()) as url:
        remote = await OpenAICompatibleRuntime.open(vllm_at(url))
        await remote.use_adapters({"one": folders[0], "two": folders[1]})
        views = [remote.for_agent(agent) for agent in ("one", "two", "three")]
        texts = [answer.text for answer in await asyncio.gather(*(view.chat(ASK, GREEDY) for view in views))]
        assert len(set(texts)) == 3
        assert [view.info.adapter for view in views] == [folders[0].identity, folders[1].identity, None]
        with remote.hold():
            await remote.use_adapters({}, drained=False)
            assert (await views[0].chat(ASK, GREEDY)).text == texts[0]
        assert (await views[0].chat(ASK, GREEDY)).text == texts[2]
        await remote.close()


async def test_what_can_not_be_loaded_changes_nothing(fake: FakeVllm, folders: list[AdapterFile]) -> None:
    with serving(fake.create_app()) as url:
        remote = await OpenAICompatibleRuntime.open(vllm_at(url))
        await remote.use_adapter(folders[0])
        assert folders[1].folder is not None
        (folders[1].folder / CONFIG).unlink()
        with pytest.raises(ModelError, match=r"adapter_config\.json"):
            await remote.use_adapter(folders[1])
        assert remote.info.adapter == folders[0].identity
        assert (await remote.chat(ASK, GREEDY)).text
        await remote.close()


async def test_a_server_that_may_not_load_says_how_to_start_it(fake: FakeVllm, folders: list[AdapterFile]) -> None:
    fake.updating = False
    with serving(fake.create_app()) as url:
        remote = await OpenAICompatibleRuntime.open(vllm_at(url))
        with pytest.raises(ModelError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"):
            await remote.use_adapter(folders[0])
        assert remote.info.adapter is None
        await remote.close()


async def test_other_servers_load_none(served: Served, folders: list[AdapterFile]) -> None:
    remote = await OpenAICompatibleRuntime.open(served)
    with pytest.raises(ModelError, match="only vLLM"):
        await remote.use_adapter(folders[0])
    await remote.close()
