"""The Model Context Protocol, through its own client."""

from mcp import Client

from tests.server.conftest import Served


async def test_tools_are_listed_with_schemas(server: Served) -> None:
    async with Client(f"{server.base}/mcp") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools.keys() == {"recommend", "check_inventory", "ask"}
    assert "product_id" in tools["check_inventory"].input_schema["properties"]
    assert tools["recommend"].output_schema is not None


async def test_recommend(server: Served) -> None:
    async with Client(f"{server.base}/mcp") as client:
        result = await client.call_tool("recommend", {"request": "a warm blue jacket", "count": 2})
    assert not result.is_error
    assert result.structured_content is not None
    assert len(result.structured_content["items"]) == 2


async def test_check_inventory(server: Served) -> None:
    arguments = {"product_id": "SKU_JCK_01", "location_context": {"city": "Delhi"}}
    async with Client(f"{server.base}/mcp") as client:
        result = await client.call_tool("check_inventory", arguments)
    assert result.structured_content is not None
    assert result.structured_content["product"]["sku"] == "SKU_JCK_01"


async def test_ask_goes_on_in_a_thread(server: Served) -> None:
    async with Client(f"{server.base}/mcp") as client:
        first = await client.call_tool("ask", {"message": "show me rain jackets"})
        assert first.structured_content is not None
        thread = first.structured_content["thread_id"]
        second = await client.call_tool("ask", {"message": "something cheaper", "thread_id": thread})
    assert second.structured_content is not None
    assert second.structured_content["thread_id"] == thread


async def test_a_failure_says_why(server: Served) -> None:
    async with Client(f"{server.base}/mcp") as client:
        unknown = await client.call_tool("check_inventory", {"product_id": "SKU_JKC_01"})
        wrong = await client.call_tool("recommend", {"request": "hat", "count": 500})
    assert unknown.is_error
    assert "SKU_JCK_01" in _text(unknown)
    assert wrong.is_error
    assert "count" in _text(wrong)


def _text(result: object) -> str:
    return " ".join(getattr(part, "text", "") for part in result.content)  # type: ignore[attr-defined]
