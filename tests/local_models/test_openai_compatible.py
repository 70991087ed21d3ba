"""What is particular to OpenAI-compatible servers: finding the model, dialects, and servers that are not there."""

from dataclasses import replace

import numpy as np
import pytest

from shopfloor.errors import ConfigError, ContextOverflowError, ModelError, ModelMissingError
from shopfloor.local_models.openai_compatible import OpenAICompatibleRuntime, Served, estimate_tokens
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from tests.fakes.openai_server import MODEL, create_app
from tests.fakes.serving import serving

ASK = [Message("user", "Say hello.")]
PROMPTS = ["Is fire hot? Answer:", "Is ice hot? Answer:"]
LABELS = [" yes", " no", " zebra"]


def plain(url: str, model: str = "") -> Served:
    return Served(url=url, model=model, key=None, context=2048, timeout_s=60, profile="cpu")


async def test_the_same_file_scores_alike_in_and_out_of_process(openai_runtime: Runtime, runtime: Runtime) -> None:
    inside, outside = await runtime.score(PROMPTS, LABELS), await openai_runtime.score(PROMPTS, LABELS)
    assert np.abs(inside - outside).max() < 0.05


async def test_the_same_file_embeds_alike(openai_runtime: Runtime, runtime: Runtime) -> None:
    inside, outside = await runtime.embed(["a navy coat"]), await openai_runtime.embed(["a navy coat"])
    assert np.abs(inside - outside).max() < 0.02 * np.abs(inside).max()


async def test_a_grammar_is_obeyed_by_llama_cpp(openai_runtime: Runtime) -> None:
    options = GenerateOptions(max_tokens=20, grammar='root ::= "size " [SML] "!"', timeout_s=60)
    assert (await openai_runtime.chat(ASK, options)).text in {"size S!", "size M!", "size L!"}


async def test_the_server_says_what_it_serves(openai_runtime: Runtime) -> None:
    info = openai_runtime.info
    assert (info.runtime, info.context) == ("openai", 2048)
    assert info.quantisation in {"Q8_0", "Q4_1"}
    assert info.source_hash != info.form_hash


async def test_a_wrong_key_is_named(served: Served) -> None:
    with pytest.raises(ModelError, match="SHOPFLOOR_MODEL_API_KEY"):
        runtime = await OpenAICompatibleRuntime.open(replace(served, key="wrong"))
        await runtime.chat(ASK)


async def test_a_model_the_server_lacks_is_named(served: Served) -> None:
    with pytest.raises(ModelMissingError, match="does not serve 'gpt-99'.*SHOPFLOOR_MODEL_NAME"):
        await OpenAICompatibleRuntime.open(replace(served, model="gpt-99"))


async def test_a_closed_runtime_refuses(served: Served) -> None:
    runtime = await OpenAICompatibleRuntime.open(served)
    await runtime.close()
    await runtime.close()
    for call in (runtime.chat(ASK), runtime.score(["a"], [" b"]), runtime.embed(["a"]), runtime.count_tokens("a")):
        with pytest.raises(ModelError, match="shut down"):
            await call


async def test_a_server_that_is_down_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"http://127.0.0.1:9 doesn't answer.*SHOPFLOOR_MODEL_URL"):
        await OpenAICompatibleRuntime.open(plain("http://127.0.0.1:9/v1"))


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="SHOPFLOOR_MODEL_URL"):
        await OpenAICompatibleRuntime.open(plain(url))


async def test_scores_by_echo_are_the_model_s(runtime: Runtime) -> None:
    with serving(create_app(runtime)) as url:
        remote = await OpenAICompatibleRuntime.open(plain(url, MODEL))
        assert remote.info.context == 512
        scores = await remote.score(PROMPTS, LABELS, prefix="Answer truly. ")
        expected = await runtime.score(PROMPTS, LABELS, prefix="Answer truly. ")
        assert np.abs(scores - expected).max() < 0.05
        with pytest.raises(ModelError, match="single token"):
            await remote.score(PROMPTS, [" yes", " thermoregulation"])
        assert await remote.count_tokens("a navy coat") == await runtime.count_tokens("a navy coat")
        with pytest.raises(ContextOverflowError, match="maximum context length is 512"):
            await remote.chat(ASK)
        with pytest.raises(ModelError, match="grammar"):
            await remote.chat(ASK, GenerateOptions(grammar='root ::= "a"'))
        await remote.close()


async def test_a_server_without_log_probabilities_says_so(runtime: Runtime) -> None:
    with serving(create_app(runtime, owner="somebody", echoes=False)) as url:
        remote = await OpenAICompatibleRuntime.open(plain(url))
        with pytest.raises(ModelError, match="can't be scored"):
            await remote.score(PROMPTS, LABELS)
        text = "Größe 44, 中文 🧥 waterproof jackets"
        assert await remote.count_tokens(text) == estimate_tokens(text)
        await remote.close()


@pytest.mark.parametrize(
    "text",
    ["a warm blue jacket", "SKU_JCK_01 at 49.90 EUR", "中文 🧥 Größe é", "    x = {1: 2}\n\n\n", "antidisestablish"],
)
async def test_estimates_are_never_too_low(runtime: Runtime, text: str) -> None:
    assert estimate_tokens(text) >= await runtime.count_tokens(text)
