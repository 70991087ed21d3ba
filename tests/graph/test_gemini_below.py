"""Only what the local router is unsure of goes to Gemini, where a shop wants it so."""

import pytest

from shopfloor.graph.agents import Agents
from shopfloor.graph.assistant import Assistant
from shopfloor.graph.shop import Resources
from shopfloor.settings import Settings
from shopfloor.tools.schemas import Reply
from tests.fakes.gemini import FakeGemini, says
from tests.graph.test_gemini import with_gemini

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def ask(settings: Settings, agents: Agents, text: str, below: float) -> tuple[Reply, int]:
    async with FakeGemini([says("Let me think.")]) as gemini:
        own = with_gemini(settings, gemini, gemini_below=below)
        resources = Resources(own, agents)
        async with resources, Assistant.open(own, resources=resources) as assistant:
            return await assistant.ask(text, user_id="ada"), len(gemini.requests)


async def test_a_sure_decision_needs_no_gemini(settings: Settings, agents: Agents) -> None:
    reply, asked = await ask(settings, agents, "show me light rain jackets for cycling", 0.6)
    assert (reply.route.decided_by, reply.route.route, asked) == ("local", "recommendation", 0)
    assert reply.items


async def test_an_unsure_decision_goes_to_gemini(settings: Settings, agents: Agents) -> None:
    reply, asked = await ask(settings, agents, "show me light rain jackets for cycling", 0.99999)
    assert (reply.route.decided_by, asked) == ("gemini", 1)


async def test_what_no_agent_answers_goes_to_gemini(settings: Settings, agents: Agents) -> None:
    reply, asked = await ask(settings, agents, "where is my parcel", 0.0)
    assert (reply.route.decided_by, reply.text, asked) == ("gemini", "Let me think.", 1)


async def test_by_default_gemini_decides_all(settings: Settings, agents: Agents) -> None:
    reply, asked = await ask(settings, agents, "show me light rain jackets for cycling", 1.0)
    assert (reply.route.decided_by, asked) == ("gemini", 1)
