"""The agent as a plain LangChain tool with a schema, usable in any graph or agent of one's own."""

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.query import RecommendQuery


class RecommendArguments(BaseModel):
    """What a caller may ask."""

    request: str = Field(max_length=4_000, description="what the shopper wants, in their words; may be empty")
    count: int = Field(default=3, ge=1, le=20, description="how many products")
    user_id: str | None = Field(default=None, description="the shopper, so that their history counts")
    city: str | None = Field(default=None, description="only products in stock in this city")


def recommendation_tool(agent: RecommendationAgent) -> StructuredTool:
    """Wrap an agent. The tool returns a short text for a model; the cards are the message's artifact."""

    async def recommend_products(
        request: str, count: int = 3, user_id: str | None = None, city: str | None = None
    ) -> tuple[str, list[dict[str, object]]]:
        query = RecommendQuery(text=request, count=count, user_id=user_id, city=city)
        answer = await agent.recommend(query)
        lines = [
            f"{item.position}. {item.sku} {item.name}"
            + (f", {item.price:.2f} {item.currency}" if item.price is not None else "")
            + f": {item.reason}"
            for item in answer.items
        ]
        text = "\n".join([*([answer.note] if answer.note else []), *lines])
        return text, [item.model_dump(mode="json") for item in answer.items]

    return StructuredTool.from_function(
        coroutine=recommend_products,
        name="recommend_products",
        description="Recommend products of this shop that fit a shopper's request. Every fact is from the database.",
        args_schema=RecommendArguments,
        response_format="content_and_artifact",
    )
