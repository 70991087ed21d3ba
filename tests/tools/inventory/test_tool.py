"""The LangChain tools: schema, answers, and errors a model can act on."""

import json

from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.tool import make_inventory_tools


async def test_check_inventory(agent: InventoryAgent) -> None:
    tool = make_inventory_tools(agent)[0]
    assert tool.name == "check_inventory"
    assert set(tool.args) == {"product_id", "city", "store_id", "size", "quantity"}
    answer = json.loads(await tool.ainvoke({"product_id": "GT-1002", "city": "Lyon"}))
    assert (answer["available"], answer["stores"][0]["quantity"]) == (True, 7)


async def test_an_unknown_sku_is_said_with_the_nearest(agent: InventoryAgent) -> None:
    said = await make_inventory_tools(agent)[0].ainvoke({"product_id": "GT-1009"})
    assert "GT-1009" in said and "GT-1001" in said


async def test_ask_stock(agent: InventoryAgent) -> None:
    tool = make_inventory_tools(agent)[1]
    answer = json.loads(await tool.ainvoke({"question": "how many are in Lyon?", "product_id": "GT-1002"}))
    assert (answer["status"], answer["structured"]["quantity"]) == ("answered", 7)
