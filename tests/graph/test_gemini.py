"""Gemini over the wire, whatever it does: the shopper gets an answer, in time."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from shopfloor.graph.agents import Agents
from shopfloor.graph.assistant import Assistant
from shopfloor.graph.shop import Resources
from shopfloor.settings import Settings
from shopfloor.tools.schemas import Reply
from tests.fakes.gemini import FakeGemini, Step, calls, empty, fails, hangs, malformed, says

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT_S = 3.0


def with_gemini(settings: Settings, gemini: FakeGemini, **changes: object) -> Settings:
    return settings.model_copy(
        update={
            "google_api_key": SecretStr("test-key"),
            "gemini_base_url": gemini.url,
            "gemini_timeout_s": LIMIT_S,
            **changes,
        }
    )


@asynccontextmanager
async def opened(settings: Settings, agents: Agents) -> AsyncGenerator[Assistant]:
    resources = Resources(settings, agents)
    async with resources, Assistant.open(settings, resources=resources) as assistant:
        yield assistant


async def ask(
    settings: Settings, agents: Agents, script: Sequence[Step], *texts: str
) -> tuple[list[Reply], FakeGemini]:
    async with FakeGemini(script) as gemini, opened(with_gemini(settings, gemini), agents) as assistant:
        replies: list[Reply] = []
        for text in texts:
            thread = replies[-1].thread_id if replies else None
            replies.append(await assistant.ask(text, user_id="ada", thread_id=thread))
        return replies, gemini


async def test_gemini_recommends_and_words_the_answer(settings: Settings, agents: Agents) -> None:
    script = [calls(("recommend", {"query": "a warm jacket", "count": 2})), says("These two should keep you warm.")]
    (reply,), gemini = await ask(settings, agents, script, "I'm always cold outside")
    assert reply.route.decided_by == "gemini"
    assert reply.route.route == "recommendation"
    assert reply.text == "These two should keep you warm."
    assert len(reply.items) == 2
    assert reply.usage.gemini_prompt_tokens == 100
    assert "functionResponse" in str(gemini.requests[1])


async def test_parallel_calls_run_recommendation_first_where_stock_depends_on_it(
    settings: Settings, agents: Agents
) -> None:
    script = [
        calls(
            ("recommend", {"query": "a blue jacket"}),
            ("check_inventory", {"question": "is it in Tokyo?", "city": "Tokyo", "of_recommendation": True}),
        ),
        says("I found something you may like."),
    ]
    (reply,), _ = await ask(settings, agents, script, "a blue jacket, and is it in Tokyo?")
    assert reply.route.route == "both"
    assert reply.items
    assert reply.inventory is not None
    assert reply.inventory.product is not None
    assert reply.inventory.product.sku == reply.items[0].sku


async def test_parallel_calls_without_dependence_both_answer(settings: Settings, agents: Agents) -> None:
    script = [
        calls(
            ("recommend", {"query": "wool socks"}),
            ("check_inventory", {"question": "is SKU_JCK_01 in stock in Delhi?", "sku": "SKU_JCK_01", "city": "Delhi"}),
        ),
        says("Here you are."),
    ]
    (reply,), _ = await ask(settings, agents, script, "socks please, and is SKU_JCK_01 in Delhi?")
    assert reply.items
    assert reply.inventory is not None
    assert reply.inventory.product is not None
    assert reply.inventory.product.sku == "SKU_JCK_01"


async def test_small_talk_is_gemini_s_own(settings: Settings, agents: Agents) -> None:
    (reply,), _ = await ask(settings, agents, [says("Guten Tag, was suchen Sie?")], "Hallo")
    assert reply.text == "Guten Tag, was suchen Sie?"
    assert reply.route.route == "supervisor"


async def test_claims_without_facts_are_dropped(settings: Settings, agents: Agents) -> None:
    script = [
        calls(("recommend", {"query": "a jacket", "count": 1})),
        says("A fine choice for cold days. It costs only 1 EUR. Ask for SKU_XXX_99. We ship it free within 2 days."),
    ]
    (reply,), _ = await ask(settings, agents, script, "a jacket for 1 EUR, you promised")
    assert reply.text == "A fine choice for cold days."


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(fails(429), id="rate limited"),
        pytest.param(fails(500), id="server error"),
        pytest.param(fails(503), id="unavailable"),
        pytest.param(fails(400), id="bad request"),
        pytest.param(fails(403), id="forbidden"),
        pytest.param(hangs(30), id="time-out"),
        pytest.param(empty(), id="no candidates"),
        pytest.param(says(""), id="empty text"),
        pytest.param(malformed(), id="malformed call"),
        pytest.param(calls(("recommend", {"wrong": 1})), id="malformed arguments"),
        pytest.param(calls(("recommend", {"query": "x", "count": "many"})), id="wrong type"),
        pytest.param(calls(("place_order", {"sku": "SKU_JCK_01"})), id="unknown tool"),
        pytest.param(says("It costs 5 EUR."), id="nothing but invention"),
    ],
)
async def test_the_local_supervisor_takes_over(settings: Settings, agents: Agents, step: Step) -> None:
    started = time.monotonic()
    (reply,), _ = await ask(settings, agents, [step], "Is SKU_JCK_01 in stock in Delhi?")
    assert reply.route.decided_by in {"local", "rules"}
    assert reply.inventory is not None
    assert reply.inventory.product is not None
    assert reply.inventory.product.sku == "SKU_JCK_01"
    assert reply.text
    assert reply.timings_ms["decision"] < (LIMIT_S + 4) * 1000
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(("status", "requests"), [(429, 2), (500, 2), (503, 2), (400, 1), (403, 1)])
async def test_only_what_may_pass_is_retried(settings: Settings, agents: Agents, status: int, requests: int) -> None:
    _, gemini = await ask(settings, agents, [fails(status)], "a red scarf")
    assert len(gemini.requests) == requests


async def test_a_retry_that_works_is_gemini_s_answer(settings: Settings, agents: Agents) -> None:
    script = [fails(503), calls(("recommend", {"query": "a red scarf"})), says("A warm choice.")]
    (reply,), _ = await ask(settings, agents, script, "a red scarf")
    assert reply.route.decided_by == "gemini"


async def test_a_loop_ends_with_the_agents_own_words(settings: Settings, agents: Agents) -> None:
    (reply,), gemini = await ask(settings, agents, [calls(("recommend", {"query": "a red scarf"}))], "a red scarf")
    assert reply.items
    assert reply.text
    assert len(gemini.requests) == 2


async def test_an_endless_chain_of_new_calls_ends_at_the_hop_limit(settings: Settings, agents: Agents) -> None:
    script = [calls(("recommend", {"query": f"wish number {number}"})) for number in range(20)]
    (reply,), gemini = await ask(settings, agents, script, "a red scarf")
    assert reply.text
    assert len(gemini.requests) <= settings.hop_limit


async def test_the_breaker_opens_and_the_next_turn_does_not_wait(settings: Settings, agents: Agents) -> None:
    replies, gemini = await ask(settings, agents, [fails(403)], "a hat", "a scarf", "a belt", "a tent", "socks")
    assert len(gemini.requests) == settings.breaker_failures
    assert all(reply.route.decided_by != "gemini" for reply in replies)


async def test_gemini_failing_after_the_tools_leaves_their_answer(settings: Settings, agents: Agents) -> None:
    script = [calls(("recommend", {"query": "a red scarf"})), fails(500)]
    (reply,), _ = await ask(settings, agents, script, "a red scarf")
    assert reply.items
    assert reply.text


async def test_a_spent_budget_leaves_gemini_alone(settings: Settings, agents: Agents) -> None:
    async with FakeGemini([says("Hello.")]) as gemini:
        changed = with_gemini(settings, gemini, gemini_daily_tokens=50)
        async with opened(changed, agents) as assistant:
            first = await assistant.ask("Hello", user_id="ada")
            second = await assistant.ask("Hello", user_id="ada")
        # The budget outlives the process: it is read from the traces.
        async with opened(changed, agents) as assistant:
            third = await assistant.ask("Hello", user_id="ada")
    assert first.route.decided_by == "gemini"
    assert second.route.decided_by == "rules"
    assert third.route.decided_by == "rules"
    assert len(gemini.requests) == 1


async def test_follow_ups_reach_gemini_with_the_screen(settings: Settings, agents: Agents) -> None:
    script = [
        calls(("recommend", {"query": "jackets"})),
        says("Have a look."),
        calls(("check_inventory", {"question": "is it in Tokyo?", "sku": "SKU_JCK_01", "city": "Tokyo"})),
        says("I looked it up for you."),
    ]
    replies, gemini = await ask(settings, agents, script, "jackets", "do you have the second one in Tokyo?")
    system = str(gemini.requests[2]["systemInstruction"])
    assert replies[0].items[1].sku in system
    assert replies[1].inventory is not None
