"""Gemini's third tool: what products are like, answered in the catalogue's own words without another call."""

import pytest
from pydantic import SecretStr

from shopfloor.graph.agents import Agents
from shopfloor.graph.assistant import Assistant
from shopfloor.graph.shop import Resources
from shopfloor.settings import Settings
from shopfloor.tools.schemas import Reply
from tests.fakes.gemini import FakeGemini, Step, calls, says

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def ask(settings: Settings, agents: Agents, script: list[Step], text: str) -> tuple[Reply, int]:
    async with FakeGemini(script) as gemini:
        given = settings.model_copy(
            update={"google_api_key": SecretStr("test-key"), "gemini_base_url": gemini.url, "gemini_timeout_s": 3.0}
        )
        async with Resources(given, agents) as resources, Assistant.open(given, resources=resources) as assistant:
            reply = await assistant.ask(text, user_id="ada")
        return reply, len(gemini.requests)


async def test_the_catalogue_s_words_answer_in_one_call(settings: Settings, agents: Agents) -> None:
    script = [calls(("product_details", {"question": "What does it cost?", "skus": ["SKU_TNT_01"]}))]
    reply, requests = await ask(settings, agents, script, "Was kostet das Zelt Cairn Duo Tent?")
    assert "279.00 EUR" in reply.text
    assert reply.route.decided_by == "gemini"
    assert requests == 1


async def test_a_product_may_be_named_instead(settings: Settings, agents: Agents) -> None:
    script = [calls(("product_details", {"question": "How heavy is the Ember Titanium Mug?", "skus": ["NO_SUCH"]}))]
    reply, _ = await ask(settings, agents, script, "is the mug heavy?")
    assert "75 g" in reply.text


async def test_several_products_are_compared(settings: Settings, agents: Agents) -> None:
    skus = ["SKU_TNT_01", "SKU_TNT_02"]
    script = [calls(("product_details", {"question": "Which is lighter?", "skus": skus}))]
    reply, _ = await ask(settings, agents, script, "which of the two tents is lighter?")
    assert reply.text.startswith("That is the Cairn Solo Tent")


async def test_beside_a_stock_question_it_is_one_more_task(settings: Settings, agents: Agents) -> None:
    script = [
        calls(
            ("check_inventory", {"question": "Is the Cairn Duo Tent in Munich?"}),
            ("product_details", {"question": "What does the Cairn Duo Tent cost?", "skus": ["SKU_TNT_01"]}),
        ),
        says("It costs 279 EUR. Munich has 5."),
    ]
    reply, requests = await ask(settings, agents, script, "price of the duo tent, and is it in Munich?")
    assert reply.text == "It costs 279 EUR. Munich has 5."
    assert requests == 2


async def test_without_any_product_the_stock_agent_is_asked(settings: Settings, agents: Agents) -> None:
    script = [
        calls(("product_details", {"question": "What is the warmest of all?"})),
        says("Which product do you mean?"),
    ]
    reply, _ = await ask(settings, agents, script, "what's the warmest thing?")
    assert reply.route.route == "inventory"
