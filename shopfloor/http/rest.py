"""The REST routes: recommendations, stock, feedback and the models' figures."""

from typing import Annotated

from fastapi import APIRouter, Body

from shopfloor.http.identity import identify
from shopfloor.http.service import Service
from shopfloor.tools.schemas import (
    FeedbackRequest,
    FeedbackResponse,
    InventoryRequest,
    InventoryResponse,
    ModelStats,
    RecommendRequest,
    RecommendResponse,
)

RECOMMEND_EXAMPLES = {
    "jacket": {"summary": "A word", "value": {"user_id": "test", "context": "jacket", "count": 3}},
    "limits": {
        "summary": "A request with limits",
        "value": {"user_id": "test", "context": "a warm blue jacket under 120", "count": 5},
    },
}
INVENTORY_EXAMPLES = {
    "anywhere": {"summary": "All stores", "value": {"product_id": "SKU_JCK_01"}},
    "city": {
        "summary": "In a city",
        "value": {"product_id": "SKU_JCK_01", "location_context": {"city": "Delhi"}, "size": "M", "quantity": 2},
    },
}
FEEDBACK_EXAMPLES = {
    "bought": {
        "summary": "Bought what was recommended",
        "value": {"user_id": "user_123", "recommendation_id": "SKU_JCK_01", "rating": 5, "action": "purchased"},
    },
    "product": {"summary": "Rated a product", "value": {"product_id": "SKU_JCK_01", "rating": 4}},
}


def rest_routes(service: Service) -> APIRouter:
    """The router of the four REST routes."""
    router = APIRouter(tags=["rest"])

    @router.post("/get-recommendations", summary="Recommend products")
    async def get_recommendations(  # pyright: ignore[reportUnusedFunction]
        request: Annotated[RecommendRequest, Body(openapi_examples=RECOMMEND_EXAMPLES)],  # type: ignore[arg-type]
    ) -> RecommendResponse:
        """Products from the catalogue for a request in plain words, best first, each with the reason it is there."""
        return await service.recommend(request)

    @router.post("/check-inventory", summary="Check stock")
    async def check_inventory(  # pyright: ignore[reportUnusedFunction]
        request: Annotated[InventoryRequest, Body(openapi_examples=INVENTORY_EXAMPLES)],  # type: ignore[arg-type]
    ) -> InventoryResponse:
        """Stock of one product by store, what the numbers mean, and what else there is when it is out."""
        if request.thread_id is not None and request.user_id is None:
            request = request.model_copy(update={"user_id": identify(None, request.thread_id).user_id})
        return await service.check_inventory(request)

    @router.post("/feedback", summary="Give feedback")
    async def feedback(  # pyright: ignore[reportUnusedFunction]
        request: Annotated[FeedbackRequest, Body(openapi_examples=FEEDBACK_EXAMPLES)],  # type: ignore[arg-type]
    ) -> FeedbackResponse:
        """A rating, an action or a correction. ``recommendation_id`` is an answer's id, or a SKU the user was shown.

        The same reaction sent twice, or twice with the same ``idempotency_key``, is stored once.
        """
        return await service.feedback(request)

    @router.get("/model-stats", summary="Figures of the local models")
    async def model_stats() -> ModelStats:  # pyright: ignore[reportUnusedFunction]
        """Model, adapter, memory, speed, latency and feedback of each agent."""
        return await (await service.assistant()).model_stats()

    return router
