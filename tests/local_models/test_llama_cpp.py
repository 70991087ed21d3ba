"""llama-cpp-python: adapters attached while it serves, and what one batch for all must keep apart."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.llama_cpp import LlamaCppRuntime
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.settings import Settings

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None, reason="needs the environment made by `scripts/env.sh llama-cpp`"
)

ASK = [Message("user", "What is a rain jacket for?")]
STORY = [Message("user", "Tell me a very long story about a shop in the mountains, with many chapters.")]
GREEDY = GenerateOptions(max_tokens=16, timeout_s=60)
PROMPTS = ["Is fire hot? Answer:", "The first letter of the alphabet is"]
LABELS = [" yes", " no", " A", " the"]


@pytest_asyncio.fixture
async def own(model_settings: Settings) -> AsyncIterator[LlamaCppRuntime]:
    runtime = await open_runtime(model_settings.model_copy(update={"runtime": "llama-cpp", "model_slots": 3}))
    assert isinstance(runtime, LlamaCppRuntime)
    yield runtime
    await runtime.close()


async def test_the_same_file_scores_as_in_the_embedded_runtime(llama_cpp_runtime: Runtime, runtime: Runtime) -> None:
    one, other = await llama_cpp_runtime.score(PROMPTS, LABELS), await runtime.score(PROMPTS, LABELS)
    difference = np.abs(one - other)  # the two libraries multiply in different kernels
    assert difference.mean() < 0.1 and difference.max() < 0.3
    counts = [(await each.chat(ASK, GREEDY)).prompt_tokens for each in (llama_cpp_runtime, runtime)]
    assert counts[0] == counts[1]


async def test_a_grammar_is_obeyed_and_a_wrong_one_is_our_error(own: LlamaCppRuntime) -> None:
    options = GenerateOptions(max_tokens=20, grammar='root ::= "size " [SML] "!"', timeout_s=60)
    assert (await own.chat(ASK, options)).text in {"size S!", "size M!", "size L!"}
    wrong = own.chat(ASK, GenerateOptions(grammar="root ::= (", timeout_s=60))
    right = own.chat(ASK, GREEDY)
    failed, answered = await asyncio.gather(wrong, right, return_exceptions=True)
    assert isinstance(failed, ModelError) and "refused" in str(failed)
    assert not isinstance(answered, BaseException)  # whoever shared the batch is not hit


async def test_a_request_keeps_its_adapter_while_another_takes_over(
    own: LlamaCppRuntime, adapters: list[AdapterFile]
) -> None:
    options = GenerateOptions(max_tokens=60, timeout_s=60)
    await own.use_adapter(adapters[0])
    alone = (await own.chat(STORY, options)).text
    chunks = own.stream(STORY, options)
    pieces = [(await anext(chunks)).text]
    await own.use_adapters({"": adapters[1]}, drained=False)
    beside = asyncio.create_task(own.chat(STORY, options))
    pieces += [chunk.text async for chunk in chunks]
    assert "".join(pieces)[:80] == alone[:80]  # the batch differs, so the last digits may; the adapter must not
    assert (await beside).text != alone
    await own.use_adapters({})
    assert not own._engine.has(adapters[0].sha256) and not own._engine.has(adapters[1].sha256)


async def test_scores_beside_another_adapter_are_those_alone(own: LlamaCppRuntime, adapters: list[AdapterFile]) -> None:
    views = [own.for_agent("one"), own.for_agent("two"), own.for_agent("three")]
    await own.use_adapters({"one": adapters[0], "two": adapters[1]})
    alone = [await view.score(PROMPTS, LABELS) for view in views]
    assert min(np.abs(alone[0] - alone[1]).max(), np.abs(alone[0] - alone[2]).max()) > 0.5
    together = await asyncio.gather(*(view.score(PROMPTS, LABELS) for view in views * 3))
    for place, scores in enumerate(together):
        assert np.abs(scores - alone[place % 3]).max() < 0.1


async def test_what_is_held_keeps_the_adapter_it_began_with(own: LlamaCppRuntime, adapters: list[AdapterFile]) -> None:
    await own.use_adapter(adapters[0])
    before = await own.score(PROMPTS, LABELS)
    with own.hold():
        await own.use_adapters({"": adapters[1]}, drained=False)
        assert own.info.adapter == adapters[0].identity
        assert np.abs(await own.score(PROMPTS, LABELS) - before).max() < 0.1
    assert own.info.adapter == adapters[1].identity
    assert np.abs(await own.score(PROMPTS, LABELS) - before).max() > 0.5


async def test_an_adapter_that_does_not_fit_changes_nothing(
    own: LlamaCppRuntime, adapters: list[AdapterFile], tmp_path: Path
) -> None:
    await own.use_adapter(adapters[0])
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(adapters[1].path.read_bytes()[:-4000])
    with pytest.raises((ModelError, ModelMissingError)):
        await own.use_adapter(AdapterFile(broken, "0" * 64, "llama", 4, 4.0, ("attn_q",), ""))
    assert own.info.adapter == adapters[0].identity
    assert (await own.chat(ASK, GREEDY)).text


async def test_a_closed_runtime_refuses(own: LlamaCppRuntime) -> None:
    stream = own.stream(STORY, GenerateOptions(max_tokens=400, timeout_s=60))
    assert (await anext(stream)).text
    await own.close()
    await own.close()
    with pytest.raises(ModelError):
        async for _chunk in stream:
            pass
    for call in (own.chat(ASK), own.score(["a"], [" b"]), own.embed(["a"]), own.count_tokens("a")):
        with pytest.raises(ModelError, match="shut down"):
            await call


async def test_a_file_that_is_no_model_is_named(model_settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "none.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ModelMissingError, match=r"none\.gguf"):
        await open_runtime(model_settings.model_copy(update={"runtime": "llama-cpp", "model": path}))
