"""The inventory agent as plain LangChain tools, usable by any model or program outside the graph."""

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from shopfloor.errors import NotFoundError
from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.schemas import InventoryRequest, LocationContext, ShortText, Sku, Text


class CheckInventoryArgs(BaseModel):
    """Arguments of ``check_inventory``."""

    product_id: Sku = Field(description="the product's SKU, e.g. SKU_JCK_01")
    city: ShortText | None = Field(default=None, description="a city by any of its names; empty: all stores")
    store_id: ShortText | None = Field(default=None, description="one store by its id, instead of a city")
    size: ShortText | None = Field(default=None, description="the size wanted, as the shop writes it")
    quantity: int = Field(default=1, ge=1, le=100_000, description="units wanted")


class AskStockArgs(BaseModel):
    """Arguments of ``ask_stock``."""

    question: Text = Field(description="a question about stock, sizes or stores in plain words")
    product_id: Sku | None = Field(default=None, description="the SKU that words like 'it' mean")
    city: ShortText | None = Field(default=None, description="the city the question is about, if it names none")


def make_inventory_tools(agent: InventoryAgent) -> list[BaseTool]:
    """``check_inventory`` (one product, structured) and ``ask_stock`` (a free question), both answering in JSON.

    What can't be found comes back as a tool error that names the nearest matches, so that a model can try again.
    """

    async def check_inventory(
        product_id: str,
        city: str | None = None,
        store_id: str | None = None,
        size: str | None = None,
        quantity: int = 1,
    ) -> str:
        location = LocationContext(city=city, store_id=store_id) if city or store_id else None
        request = InventoryRequest(product_id=product_id, location_context=location, size=size, quantity=quantity)
        try:
            return (await agent.check(request)).model_dump_json(exclude={"timings_ms", "model"})
        except NotFoundError as error:
            raise ToolException(error.detail) from error

    async def ask_stock(question: str, product_id: str | None = None, city: str | None = None) -> str:
        answer = await agent.answer(question, InventoryContext(sku=product_id, city=city))
        return answer.model_dump_json(include={"status", "intent", "structured", "answer", "options"})

    return [
        StructuredTool.from_function(
            coroutine=check_inventory,
            name="check_inventory",
            description="Units of one product in stock, by store, with the nearest stores and alternatives.",
            args_schema=CheckInventoryArgs,
            handle_tool_error=True,
        ),
        StructuredTool.from_function(
            coroutine=ask_stock,
            name="ask_stock",
            description="Answer a question about stock, sizes, opening hours or stores from the shop's database.",
            args_schema=AskStockArgs,
        ),
    ]
