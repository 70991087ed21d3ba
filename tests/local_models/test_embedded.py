"""What only the embedded runtime promises: exact scores, fair slots, clean shutdown, spans."""

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shopfloor.errors import ModelError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.divergence import next_token, read_verdict
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.llama_server import read_error
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.local_models.scoring import score_prompt
from shopfloor.local_models.slots import SlotPool
from shopfloor.settings import Settings

ASK = [Message("user", "Say hello.")]


@pytest.mark.parametrize("prompt", ["Is the sky blue?\nAnswer:", "The capital of France is", "x ="])
async def test_scores_equal_the_full_softmax(runtime: Runtime, prompt: str) -> None:
    """Against the whole vocabulary's distribution, for labels from the most likely down to hopeless ones."""
    assert isinstance(runtime, EmbeddedRuntime)
    server = runtime._server
    whole = await asyncio.to_thread(next_token, server.complete, prompt, 49152)
    assert sum(math.exp(value) for value in whole.values()) == pytest.approx(1.0, abs=1e-2)
    ranked = sorted(whole, key=whole.__getitem__, reverse=True)
    labels = [ranked[place] for place in (0, 1, 5, 30, 100, 1_000, 10_000, 40_000)]
    scores = await asyncio.to_thread(score_prompt, server.complete, prompt, labels, 0)
    assert np.abs(np.array(scores) - np.array([whole[label] for label in labels])).max() < 0.05
    hopeless = await asyncio.to_thread(score_prompt, server.complete, prompt, labels[5:], 0)
    assert np.abs(np.array(hopeless) - np.array([whole[label] for label in labels[5:]])).max() < 0.05


async def test_a_grammar_is_obeyed_and_a_wrong_one_is_our_error(runtime: Runtime) -> None:
    options = GenerateOptions(max_tokens=20, grammar='root ::= "size " [SML] "!"', timeout_s=60)
    assert (await runtime.chat(ASK, options)).text in {"size S!", "size M!", "size L!"}
    with pytest.raises(ModelError, match="refused"):
        await runtime.chat(ASK, GenerateOptions(grammar="root ::= (", timeout_s=60))
    assert (await runtime.chat(ASK, GenerateOptions(max_tokens=2, timeout_s=60))).completion_tokens <= 2


async def test_a_second_turn_reuses_the_prefix(runtime: Runtime) -> None:
    first = [Message("user", "Tell me about tents. " + "They keep the rain out. " * 60)]
    options = GenerateOptions(max_tokens=4, timeout_s=60)
    cold = await runtime.chat(first, options)
    warm = await runtime.chat([*first, Message("assistant", cold.text), Message("user", "And chairs?")], options)
    assert warm.prompt_tokens > cold.prompt_tokens
    assert warm.first_token_s < cold.first_token_s


async def test_a_closed_runtime_refuses_and_stops_what_runs(model_settings: Settings) -> None:
    runtime = await open_runtime(model_settings.model_copy(update={"model_ctx": 512, "model_slots": 2}))
    stream = runtime.stream([Message("user", "Count to 500.")], GenerateOptions(max_tokens=400, timeout_s=60))
    assert (await anext(stream)).text
    await runtime.close()
    await runtime.close()
    with pytest.raises(ModelError):
        async for _chunk in stream:
            pass
    for call in (runtime.chat(ASK), runtime.score(["a"], [" b"]), runtime.embed(["a"]), runtime.count_tokens("a")):
        with pytest.raises(ModelError):
            await call
    assert (await runtime.stats()).active == 0


def test_several_event_loops_may_share_one_runtime(runtime: Runtime) -> None:
    async def ask() -> str:
        answers = await asyncio.gather(
            *(runtime.chat(ASK, GenerateOptions(max_tokens=3, timeout_s=60)) for _ in range(6))
        )
        return answers[0].text

    assert asyncio.run(ask())
    assert asyncio.run(ask())


async def test_every_call_leaves_a_span(runtime: Runtime) -> None:
    assert isinstance(runtime, EmbeddedRuntime)
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before, runtime._tracer = runtime._tracer, provider.get_tracer("test")
    try:
        await runtime.chat(ASK, GenerateOptions(max_tokens=3, timeout_s=60))
        await runtime.score(["Answer:"], [" yes"])
    finally:
        runtime._tracer = before
    generated, scored = exporter.get_finished_spans()
    assert (generated.name, scored.name) == ("model.generate", "model.score")
    assert generated.attributes is not None
    assert generated.attributes["shopfloor.model.form_hash"] == runtime.info.form_hash
    assert generated.attributes["gen_ai.usage.output_tokens"] == 3


def test_errors_of_unknown_shape_are_still_ours() -> None:
    assert "boom" in read_error({"error": "boom"}).detail
    assert "boom" in read_error({"error": {"message": "boom"}}).detail


async def test_slots_are_given_in_order_and_by_prefix() -> None:
    pool = SlotPool(2)
    one, other = await pool.acquire("alpha beta"), await pool.acquire("gamma")
    waiting = [asyncio.create_task(pool.acquire(f"late {number}")) for number in range(3)]
    await asyncio.sleep(0)
    assert pool.waiting == 3 and pool.try_acquire("x") is None
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    pool.release(one)
    assert await waiting[1] == one
    pool.release(other)
    assert await waiting[2] == other
    pool.release(one)
    pool.release(other)
    assert await pool.acquire("late 2, and more") == other
    assert await pool.acquire("anything") == one
    assert pool.waiting == 0


async def test_an_adapter_goes_back_to_its_own_slots() -> None:
    pool = SlotPool(3)
    one = await pool.acquire("the same text", "a")
    other = await pool.acquire("the same text", "b")
    third = await pool.acquire("the same", "a")
    for slot in (one, other, third):
        pool.release(slot)
    assert await pool.acquire("the same text", "b") == other
    assert await pool.acquire("the same text", "a") == one
    pool.release(other)
    pool.release(one)
    assert await pool.acquire("nothing alike", "c") == third  # of the one who has two


async def test_a_slot_handed_to_a_cancelled_caller_comes_back() -> None:
    pool = SlotPool(1)
    slot = await pool.acquire("a")
    waiting = asyncio.create_task(pool.acquire("b"))
    await asyncio.sleep(0)
    pool.release(slot)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1):
        assert await pool.acquire("c") == slot


@pytest.mark.slow
async def test_the_faster_form_is_made_meanwhile_and_used_at_the_next_start(
    model_settings: Settings, tmp_path: Path
) -> None:
    settings = model_settings.model_copy(update={"models": tmp_path, "model_form": "auto", "model_ctx": 512})
    first = await open_runtime(settings)
    assert isinstance(first, EmbeddedRuntime) and first._preparation is not None
    assert first.info.form_hash == first.info.source_hash
    assert (await first.chat(ASK, GenerateOptions(max_tokens=4, timeout_s=60))).text
    assert await asyncio.to_thread(first._preparation.wait, 240) == 0
    await first.close()
    verdict = read_verdict(tmp_path / f"{first.info.source_hash[:16]}.q8_0.gguf")
    assert verdict is not None
    second = await open_runtime(settings)
    assert isinstance(second, EmbeddedRuntime) and second._preparation is None
    assert (second.info.quantisation == "Q8_0") is verdict.accepted
    assert second.info.source_hash == first.info.source_hash
    await second.close()


async def test_closing_ends_an_unfinished_preparation(model_settings: Settings, tmp_path: Path) -> None:
    settings = model_settings.model_copy(update={"models": tmp_path, "model_form": "auto", "model_ctx": 512})
    runtime = await open_runtime(settings)
    assert isinstance(runtime, EmbeddedRuntime) and runtime._preparation is not None
    await runtime.close()
    assert runtime._preparation.poll() is not None


@pytest.mark.timeout(60)
async def test_closing_right_after_opening_ends(model_settings: Settings) -> None:
    settings = model_settings.model_copy(update={"model_form": "shipped", "model_ctx": 256})
    for _ in range(3):
        runtime = await open_runtime(settings)
        assert await runtime.count_tokens("hello") > 0
        await runtime.close()
