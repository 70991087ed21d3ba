"""What every runtime promises, whatever library is behind it."""

import asyncio
import random
import time
from typing import Any

import jsonschema
import numpy as np
import pytest

from shopfloor.errors import ContextOverflowError, ModelError, ModelTimeoutError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.adapting import Adaptable
from shopfloor.local_models.forgetting import forget_texts
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime

ASK = [Message("system", "You help in a shop. Answer in one sentence."), Message("user", "What is a rain jacket for?")]
STORY = [Message("user", "Tell me a very long story about a shop in the mountains, with many chapters.")]
LONG = GenerateOptions(max_tokens=1500, temperature=0.7, seed=3, timeout_s=60)
LONG_PROMPT = [Message("user", "a warm blue jacket for the winter and " * 180)]
SLOTS = 4


async def fresh_answer(backend: Runtime) -> float:
    """Seconds for a few words on a prompt of some 400 tokens that no slot has seen."""
    fresh = " ".join(f"{number} {random.random()}" for number in range(16))
    started = time.perf_counter()
    await backend.chat([Message("user", fresh + " coat" * 150)], GenerateOptions(max_tokens=4, timeout_s=60))
    return time.perf_counter() - started


async def assert_free(backend: Runtime, before_s: float) -> None:
    """An answer comes about as fast as before: what was abandoned, many times as much work, no longer runs."""
    assert (await backend.stats()).active == 0
    assert await fresh_answer(backend) < 4 * before_s + 8.0  # to their ends they would take half a minute and more


async def test_streamed_equals_unstreamed(backend: Runtime) -> None:
    options = GenerateOptions(max_tokens=40, timeout_s=60)
    whole = await backend.chat(ASK, options)
    chunks = [chunk async for chunk in backend.stream(ASK, options)]
    assert "".join(chunk.text for chunk in chunks) == whole.text
    last = chunks[-1].completion
    assert last is not None and chunks[-1].text == ""
    assert last.text == whole.text
    assert (last.prompt_tokens, last.completion_tokens) == (whole.prompt_tokens, whole.completion_tokens)
    assert 0 < last.first_token_s <= last.seconds
    assert len(chunks) > 5


async def test_letting_go_of_texts_harms_nobody(backend: Runtime) -> None:
    """A stream under way goes on, and the same prompt is answered alike from an empty cache."""
    options = GenerateOptions(max_tokens=40, timeout_s=60)
    before = await backend.chat(ASK, options)
    stream = backend.stream(ASK, options)
    chunks = [await anext(stream)]
    emptied = asyncio.create_task(forget_texts(backend))
    chunks += [chunk async for chunk in stream]
    await emptied
    assert "".join(chunk.text for chunk in chunks) == before.text
    assert (await backend.chat(ASK, options)).text == before.text


async def test_limits_and_stops_are_kept(backend: Runtime) -> None:
    cut = await backend.chat(STORY, GenerateOptions(max_tokens=7, timeout_s=60))
    assert (cut.completion_tokens, cut.finish_reason) == (7, "length")
    stopped = await backend.chat(STORY, GenerateOptions(max_tokens=60, stop=("the",), timeout_s=60))
    assert "the" not in stopped.text
    assert stopped.finish_reason == "stop"


async def test_the_same_seed_gives_the_same_text(backend: Runtime) -> None:
    options = GenerateOptions(max_tokens=12, temperature=0.9, seed=11, timeout_s=60)
    assert (await backend.chat(STORY, options)).text == (await backend.chat(STORY, options)).text


async def test_closing_a_stream_frees_its_slot(backend: Runtime) -> None:
    before_s = await fresh_answer(backend)
    streams = [backend.stream(STORY, LONG) for _ in range(SLOTS)]
    for stream in streams:
        assert (await anext(stream)).text
        await stream.aclose()  # type: ignore[attr-defined]
    await assert_free(backend, before_s)


@pytest.mark.parametrize("messages", [STORY, LONG_PROMPT], ids=["generating", "reading the prompt"])
async def test_cancelling_frees_the_slots(backend: Runtime, messages: list[Message]) -> None:
    before_s = await fresh_answer(backend)
    failed = (await backend.stats()).failed
    tasks = [asyncio.create_task(backend.chat(messages, LONG)) for _ in range(SLOTS + 3)]
    await asyncio.sleep(0.4)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert (await backend.stats()).failed == failed
    await assert_free(backend, before_s)


async def test_time_out_is_an_error_and_frees_the_slot(backend: Runtime) -> None:
    before_s = await fresh_answer(backend)
    failed = (await backend.stats()).failed
    started = time.perf_counter()
    with pytest.raises(ModelTimeoutError):
        await backend.chat(STORY, GenerateOptions(max_tokens=1500, timeout_s=0.3))
    assert time.perf_counter() - started < 2.0
    assert (await backend.stats()).failed == failed + 1
    await assert_free(backend, before_s)


async def test_waiting_for_a_slot_counts_towards_the_time_out(backend: Runtime) -> None:
    busy = [asyncio.create_task(backend.chat(STORY, LONG)) for _ in range(SLOTS)]
    await asyncio.sleep(0.2)
    with pytest.raises(ModelTimeoutError):
        await backend.chat(ASK, GenerateOptions(max_tokens=4, timeout_s=0.3))
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


SCHEMAS: list[dict[str, Any]] = [
    {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue", "green"]}, "price": {"type": "integer"}},
        "required": ["colour", "price"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "string", "maxLength": 12}, "minItems": 1, "maxItems": 3},
    {"enum": ["yes", "no"]},
    {"type": "boolean"},
    {
        "type": "object",
        "properties": {
            "product": {"type": "string", "maxLength": 30},
            "size": {"anyOf": [{"type": "null"}, {"enum": ["S", "M", "L"]}]},
            "where": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]},
        },
        "required": ["product", "size", "where"],
        "additionalProperties": False,
    },
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@pytest.mark.parametrize("text", ["A red coat in M for 40 in Delhi", 'odd "quotes" \\ {"a":1}', "中文 🧥 é"])
async def test_json_parses_against_its_schema(backend: Runtime, schema: dict[str, Any], text: str) -> None:
    options = GenerateOptions(max_tokens=200, timeout_s=60)
    value = await backend.generate_json([Message("user", f"Fill in the form: {text}")], schema, options)
    jsonschema.validate(value, schema)


async def test_json_that_does_not_end_is_an_error(backend: Runtime) -> None:
    schema: dict[str, Any] = {"type": "array", "items": {"type": "integer"}, "minItems": 50}
    with pytest.raises(ModelError, match="cut at 8 tokens"):
        await backend.generate_json(ASK, schema, GenerateOptions(max_tokens=8, timeout_s=60))


async def test_scores_are_log_probabilities_of_all_labels(backend: Runtime) -> None:
    labels = [f" {letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"] + [" yes", " no", " zebra", "\n"]
    prompts = ["The first letter of the alphabet is", "Is fire hot? Answer:", "中文 🧥 é", "x"]
    scores = await backend.score(prompts, labels)
    assert scores.shape == (4, 30) and scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert (scores <= 0).all()
    assert (np.exp(scores.astype(np.float64)).sum(axis=1) <= 1.001).all()
    assert scores[0].argmax() == 0
    assert (await backend.score([], labels)).shape == (0, 30)


async def test_scores_of_a_label_do_not_depend_on_the_other_labels(backend: Runtime) -> None:
    prompts = ["Is a tent bigger than a cup? Answer:", "Customer: hello!\nRoute:"]
    few = await backend.score(prompts, [" yes", " zebra"])
    many = await backend.score(prompts, [" zebra", " yes", " no", " the", " a", " of", " Yes", " No"])
    assert np.abs(few[:, 0] - many[:, 1]).max() < 0.05
    assert np.abs(few[:, 1] - many[:, 0]).max() < 0.05


async def test_scores_do_not_depend_on_order_or_neighbours(backend: Runtime) -> None:
    prefix = "Basket: paper cups; candles; balloons\n"
    prompts = [f"Next: {name}? Answer:" for name in ("napkins", "a drill", "party hats", "engine oil", "lemonade")]
    labels = [" yes", " no"]
    alone = np.concatenate([await backend.score([prompt], labels, prefix=prefix) for prompt in prompts])
    mixed = await backend.score(prompts[::-1], labels, prefix=prefix)
    noise = [asyncio.create_task(backend.chat(STORY, GenerateOptions(max_tokens=40, timeout_s=60))) for _ in range(3)]
    beside, joined = await asyncio.gather(
        backend.score(prompts, labels, prefix=prefix), backend.score([prefix + prompt for prompt in prompts], labels)
    )
    await asyncio.gather(*noise)
    assert np.abs(alone - mixed[::-1]).max() < 0.05
    assert np.abs(alone - beside).max() < 0.05
    assert np.abs(alone - joined).max() < 0.05


async def test_a_label_of_several_tokens_is_refused(backend: Runtime) -> None:
    with pytest.raises(ModelError, match="single token"):
        await backend.score(["Answer:"], [" yes", " thermoregulation cushion"])
    with pytest.raises(ModelError, match="single token"):
        await backend.score(["Answer:"], [""])


async def test_a_prompt_over_the_context_is_refused_not_cut(backend: Runtime) -> None:
    before_s = await fresh_answer(backend)
    endless = "coat shoe lamp " * backend.info.context
    for call in (
        backend.chat([Message("user", endless)]),
        backend.generate_json([Message("user", endless)], {"type": "boolean"}),
        backend.score([endless], [" yes"]),
        backend.embed([endless]),
    ):
        with pytest.raises(ContextOverflowError):
            await call
    await assert_free(backend, before_s)


async def test_unicode_survives(backend: Runtime) -> None:
    options = GenerateOptions(max_tokens=30, timeout_s=60)
    messages = [Message("user", "Repeat exactly: 🧥 中文 Größe é"), Message("assistant", "🧥 中文 Größe é")]
    chunks = [
        chunk.text async for chunk in backend.stream([*messages, Message("user", "Again: 🧥 中文 Größe é")], options)
    ]
    assert "\ufffd" not in "".join(chunks)
    assert await backend.count_tokens("🧥 中文 Größe é") > await backend.count_tokens("coat") > 0


async def test_embeddings_have_one_row_a_text(backend: Runtime) -> None:
    vectors = await backend.embed(["a blue jacket", "a navy coat", "what is the capital of France"])
    assert vectors.ndim == 2 and vectors.shape[0] == 3
    assert np.isfinite(vectors).all()
    again = await backend.embed(["a blue jacket"])
    assert np.abs(again[0] - vectors[0]).max() < 0.02 * np.abs(vectors[0]).max()


async def test_eight_callers_at_once(backend: Runtime) -> None:
    options = GenerateOptions(max_tokens=16, timeout_s=60)
    answers = await asyncio.gather(
        *(backend.chat([Message("user", f"Name {number} things for camping.")], options) for number in range(2, 10))
    )
    assert all(answer.text.strip() and answer.completion_tokens <= 16 for answer in answers)
    stats = await backend.stats()
    assert stats.active == 0
    assert stats.requests >= 8 and stats.completion_tokens >= 8
    assert 0 < stats.latency_ms["p50"] <= stats.latency_ms["p95"] <= stats.latency_ms["p99"]
    assert stats.memory_mb > 50


async def test_info_says_what_answers(backend: Runtime) -> None:
    info = backend.info
    assert len(info.source_hash) == len(info.form_hash) == 64
    assert info.licence == ("unknown" if info.runtime == "openai" else "apache-2.0")
    assert info.context >= 256


async def test_a_b_a(backend: Runtime, adapters: list[AdapterFile]) -> None:
    if not isinstance(backend, Adaptable) or backend.info.runtime == "openai":
        pytest.skip(
            "adapters change in another way here: see test_swapping, test_adapters, test_hf, test_vllm_adapters"
        )
    options = GenerateOptions(max_tokens=12, timeout_s=60)
    base = (await backend.chat(ASK, options)).text
    answers: list[str] = []
    scores: list[float] = []
    for adapter in (adapters[0], adapters[1], adapters[0]):
        await backend.use_adapters({"": adapter})
        assert backend.info.adapter == adapter.identity
        answers.append((await backend.chat(ASK, options)).text)
        scores.append(float((await backend.score(["Is fire hot? Answer:"], [" yes"]))[0, 0]))
    await backend.use_adapters({})
    assert answers[0] == answers[2] != answers[1]
    assert abs(scores[0] - scores[2]) < 0.01 < abs(scores[0] - scores[1])
    assert backend.info.adapter is None
    assert (await backend.chat(ASK, options)).text == base
    assert base not in answers
