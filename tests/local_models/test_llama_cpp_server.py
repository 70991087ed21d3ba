"""The OpenAI-compatible runtime against llama-cpp-python's own server: what it can do holds, what it can't is said."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import jsonschema
import pytest
import pytest_asyncio

from shopfloor.errors import ContextOverflowError, ModelError
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.openai_compatible import OpenAICompatibleRuntime, Served
from shopfloor.local_models.preparing import prepared_form
from shopfloor.local_models.runtime import GenerateOptions, Message
from shopfloor.settings import Settings
from tests.local_models.environments import python_of
from tests.local_models.processes import free_port, running

PYTHON = python_of("llama-cpp")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs the environment made by `scripts/env.sh llama-cpp`"),
]

ASK = [Message("user", "What is a rain jacket for?")]
STORY = [Message("user", "Tell me a very long story about a shop in the mountains, with many chapters.")]
GREEDY = GenerateOptions(max_tokens=16, timeout_s=60)


@pytest.fixture(scope="module")
def url(model_settings: Settings) -> Iterator[str]:
    source = open_model_file(find_model(model_settings), model_settings.models_path)
    path = prepared_form(source, model_settings.models_path) or source.path
    port = free_port()
    # Otherwise every request would cut off the answer before it.
    options = {"model": path, "n_ctx": 2048, "interrupt_requests": False, "verbose": False, "port": port}
    command = [str(PYTHON), "-m", "llama_cpp.server"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    with running(command, port) as url:
        yield url


@pytest_asyncio.fixture
async def remote(url: str) -> AsyncIterator[OpenAICompatibleRuntime]:
    served = Served(url=url, model="", key=None, context=2048, timeout_s=60, profile="cpu")
    runtime = await OpenAICompatibleRuntime.open(served)
    yield runtime
    await runtime.close()


async def test_streamed_equals_unstreamed_and_limits_hold(remote: OpenAICompatibleRuntime) -> None:
    whole = await remote.chat(ASK, GREEDY)
    chunks = [chunk async for chunk in remote.stream(ASK, GREEDY)]
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert len(chunks) > 5 and whole.text.strip()
    cut = await remote.chat(STORY, GenerateOptions(max_tokens=7, timeout_s=60))
    assert cut.finish_reason == "length" and 5 <= cut.completion_tokens <= 8
    stopped = await remote.chat(STORY, GenerateOptions(max_tokens=60, stop=("the",), timeout_s=60))
    assert "the" not in stopped.text and stopped.finish_reason == "stop"


async def test_json_keeps_to_its_schema(remote: OpenAICompatibleRuntime) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue", "green"]}, "price": {"type": "integer"}},
        "required": ["colour", "price"],
        "additionalProperties": False,
    }
    value = await remote.generate_json([Message("user", "A red coat for 40")], schema, GREEDY)
    jsonschema.validate(value, schema)


async def test_a_grammar_is_obeyed(remote: OpenAICompatibleRuntime) -> None:
    options = GenerateOptions(max_tokens=20, grammar='root ::= "size " [SML] "!"', timeout_s=60)
    assert (await remote.chat(ASK, options)).text in {"size S!", "size M!", "size L!"}


async def test_eight_callers_all_get_whole_answers(remote: OpenAICompatibleRuntime) -> None:
    answers = await asyncio.gather(*(remote.chat(ASK, GREEDY) for _ in range(8)))
    assert len({answer.text for answer in answers}) == 1


async def test_closing_a_stream_frees_the_server(remote: OpenAICompatibleRuntime) -> None:
    stream = remote.stream(STORY, GenerateOptions(max_tokens=1500, timeout_s=60))
    assert (await anext(stream)).text
    await stream.aclose()
    assert (await asyncio.wait_for(remote.chat(ASK, GREEDY), 10)).text


async def test_tokens_are_counted_as_in_process(remote: OpenAICompatibleRuntime) -> None:
    assert await remote.count_tokens("a navy coat") == 3
    assert (await remote.count_tokens("🧥 中文 Größe é")) > 5


async def test_a_prompt_over_the_context_is_refused_not_cut(remote: OpenAICompatibleRuntime) -> None:
    with pytest.raises(ContextOverflowError):
        await remote.chat([Message("user", "coat shoe lamp " * 2048)], GREEDY)
    assert (await remote.chat(ASK, GREEDY)).text


async def test_labels_can_not_be_scored_there_and_it_says_so(remote: OpenAICompatibleRuntime) -> None:
    with pytest.raises(ModelError, match="can't be scored"):
        await remote.score(["Is fire hot? Answer:"], [" yes", " no"])
