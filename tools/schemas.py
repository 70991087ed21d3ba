"""Typed arguments and results of the agents: the shapes at every front door (INTERFACES: REST and LangServe).

Requests forbid nothing unknown and check sizes; results may gain fields, never lose them but by a major version.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

UserId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
ThreadId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Sku = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

Route = Literal["recommendation", "inventory", "both", "supervisor"]
DecidedBy = Literal["gemini", "local", "rules", "caller"]


class ModelCard(BaseModel):
    """The local model behind an answer."""

    name: str
    hash: str
    adapter: str | None = None
    profile: str
    runtime: str


class ProductRef(BaseModel):
    """A product as the database has it."""

    sku: str
    name: str
    price: float | None = None
    currency: str


# Recommendation ------------------------------------------------------------------------------------------------------


class RecommendRequest(BaseModel):
    """What a shopper wants. ``context`` is free text; the graph adds what the conversation already says."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "test", "context": "a warm blue jacket under 120", "count": 3}]}
    )

    user_id: UserId
    context: Text
    count: int = Field(default=3, ge=1, le=20)
    thread_id: ThreadId | None = None


class RecommendedItem(BaseModel):
    """A product card. ``signals`` says how much each signal weighed in ``score`` (they add up to it)."""

    sku: str
    name: str
    price: float | None
    currency: str
    reason: str
    score: float
    signals: dict[str, float]
    in_stock: bool
    position: int = Field(ge=1)
    category: str | None = None
    colour: str | None = None
    sizes: list[str] = Field(default_factory=list[str])
    rating_mean: float | None = None
    rating_count: int = 0
    stock_total: int = 0


class RecommendResponse(BaseModel):
    """Items in their final order. ``explanation`` is one or two grounded sentences over the list."""

    recommendation_id: str
    trace_id: str
    user_id: str
    items: list[RecommendedItem]
    explanation: str = ""
    model: ModelCard
    degraded: bool = False
    model_scored: bool = False
    timings_ms: dict[str, float] = Field(default_factory=dict)


# Inventory -----------------------------------------------------------------------------------------------------------


class LocationContext(BaseModel):
    """Where the shopper is, by any one of these."""

    city: ShortText | None = None
    store_id: ShortText | None = None
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)

    @model_validator(mode="after")
    def _both_coordinates(self) -> "LocationContext":
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        return self


class InventoryRequest(BaseModel):
    """A stock question about one product (``POST /check-inventory``)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"product_id": "SKU_JCK_01", "location_context": {"city": "Delhi"}}]}
    )

    product_id: Sku
    location_context: LocationContext | None = None
    size: ShortText | None = None
    quantity: int = Field(default=1, ge=1, le=100_000)
    question: Text | None = None
    user_id: UserId | None = None
    thread_id: ThreadId | None = None


class StoreStock(BaseModel):
    """One store's stock of the product asked for."""

    store_id: str
    name: str
    city: str | None
    quantity: int
    distance_km: float | None = None


class StockAnalysis(BaseModel):
    """What the numbers mean. Days of cover = stock / mean daily sales of the last 90 days of history."""

    status: Literal["in_stock", "low", "out"]
    days_of_cover: float | None = None
    reorder_point: int | None = None
    daily_sales: float | None = None


class Alternative(BaseModel):
    """A similar product with stock."""

    sku: str
    name: str
    price: float | None = None
    currency: str
    quantity: int
    reason: str = ""


class InventoryResponse(BaseModel):
    """Answer to a stock question about one product."""

    trace_id: str
    answer_id: str
    product: ProductRef
    available: bool
    total_quantity: int
    stores: list[StoreStock]
    analysis: StockAnalysis
    alternatives: list[Alternative] = Field(default_factory=list[Alternative])
    answer: str
    model: ModelCard
    degraded: bool = False
    timings_ms: dict[str, float] = Field(default_factory=dict)


class InventoryAnswer(BaseModel):
    """Answer to a free stock question: intent, structured facts (compared with gold by ``eval inventory``), a text.

    ``status``: answered; ask (ambiguous: ``options`` hold what to choose from); unknown (nothing by that name:
    ``options`` hold the nearest); unsupported (not a stock question).
    """

    status: Literal["answered", "ask", "unknown", "unsupported"]
    intent: str
    slots: dict[str, JsonValue] = Field(default_factory=dict)
    structured: dict[str, JsonValue] = Field(default_factory=dict)
    answer: str
    options: list[str] = Field(default_factory=list[str])
    product: ProductRef | None = None
    stock: InventoryResponse | None = None
    slots_by: Literal["rules", "model", "caller"] = "rules"
    degraded: bool = False
    timings_ms: dict[str, float] = Field(default_factory=dict)


# Feedback ------------------------------------------------------------------------------------------------------------


class FeedbackRequest(BaseModel):
    """A reaction to an answer. ``recommendation_id`` is an answer's id, or a SKU the user was shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "user_123", "recommendation_id": "SKU_JCK_01", "rating": 5, "action": "purchased"},
                {"product_id": "SKU_JCK_01", "rating": 4},
            ]
        }
    )

    user_id: UserId | None = None
    recommendation_id: Sku | None = None
    product_id: Sku | None = None
    trace_id: Sku | None = None
    rating: int | None = Field(default=None, ge=1, le=5, strict=True)
    action: Literal["clicked", "purchased", "ignored", "returned"] | None = None
    correction: Text | dict[str, JsonValue] | None = None
    comment: Text | None = None
    idempotency_key: ShortText | None = None

    @model_validator(mode="after")
    def _says_something_about_something(self) -> "FeedbackRequest":
        if self.rating is None and self.action is None and self.correction is None:
            raise ValueError("give at least one of rating, action, correction")
        if self.recommendation_id is None and self.product_id is None and self.trace_id is None:
            raise ValueError("give one of recommendation_id, product_id, trace_id")
        return self


class FeedbackResponse(BaseModel):
    """What became of a reaction. ``trace_id`` is null when it joins to no answer (stored, not trained on)."""

    feedback_id: str
    trace_id: str | None
    agent: str
    accepted: bool = True
    duplicate: bool = False


# Figures -------------------------------------------------------------------------------------------------------------


class FeedbackCounts(BaseModel):
    """What people said of an agent's answers. ``usable`` passes the filters that training uses."""

    count: int = 0
    mean_rating: float | None = None
    usable: int = 0


class AgentStats(BaseModel):
    """One agent's model and figures since start. Latencies in ms: p50, p95, p99 (empty before the first request)."""

    model: str
    quantisation: str
    runtime: str
    profile: str
    adapter: str | None = None
    memory_mb: float
    requests: int
    tokens_per_second: float
    latency_ms: dict[str, float] = Field(default_factory=dict)
    feedback: FeedbackCounts = Field(default_factory=FeedbackCounts)


class ModelStats(BaseModel):
    """``GET /model-stats``. ``process``: memory_mb, uptime_s, pid, version and the like."""

    agents: dict[str, AgentStats]
    process: dict[str, JsonValue] = Field(default_factory=dict)


class HistoryMessage(BaseModel):
    """One message of a conversation as a page shows it again. The assistant's carries what was shown beside it."""

    role: Literal["user", "assistant"]
    text: str
    trace_id: str | None = None
    recommendation_id: str | None = None
    items: list[RecommendedItem] = Field(default_factory=list[RecommendedItem])
    route: "RouteInfo | None" = None
    inventory: InventoryAnswer | None = None
    options: list[str] = Field(default_factory=list)
    model: ModelCard | None = None
    degraded: bool = False
    timings_ms: dict[str, float] = Field(default_factory=dict)
    usage: "Usage | None" = None


# A turn --------------------------------------------------------------------------------------------------------------


class RouteInfo(BaseModel):
    """Who handles the message, who decided, and how sure (0 to 1)."""

    route: Route
    decided_by: DecidedBy
    confidence: float = Field(ge=0, le=1)
    reason: str = ""


class Usage(BaseModel):
    """Tokens of a turn, by side. ``tokens_per_second`` is the local model's decode speed in this turn."""

    local_prompt_tokens: int = 0
    local_completion_tokens: int = 0
    gemini_prompt_tokens: int = 0
    gemini_completion_tokens: int = 0
    tokens_per_second: float | None = None


class Reply(BaseModel):
    """A finished turn."""

    text: str
    trace_id: str
    thread_id: str
    user_id: str
    route: RouteInfo
    items: list[RecommendedItem] = Field(default_factory=list[RecommendedItem])
    recommendation_id: str | None = None
    inventory: InventoryAnswer | None = None
    answer_ids: dict[str, str] = Field(default_factory=dict)
    options: list[str] = Field(default_factory=list[str])
    model: ModelCard
    degraded: bool = False
    timings_ms: dict[str, float] = Field(default_factory=dict)
    usage: Usage = Field(default_factory=Usage)


class RouteEvent(BaseModel):
    """First event of a turn."""

    type: Literal["route"] = "route"
    trace_id: str
    thread_id: str
    route: RouteInfo


class ItemsEvent(BaseModel):
    """The cards, all at once and in their final order."""

    type: Literal["items"] = "items"
    recommendation_id: str
    items: list[RecommendedItem]


class StockEvent(BaseModel):
    """The facts of a stock answer, before its words."""

    type: Literal["stock"] = "stock"
    inventory: InventoryAnswer


class TokenEvent(BaseModel):
    """A piece of the reply's text; all pieces joined are ``Reply.text``."""

    type: Literal["token"] = "token"
    text: str


class DoneEvent(BaseModel):
    """Last event of a turn that was answered."""

    type: Literal["done"] = "done"
    reply: Reply


class ErrorEvent(BaseModel):
    """Last event of a turn that failed."""

    type: Literal["error"] = "error"
    code: str
    detail: str
    trace_id: str


TurnEvent = Annotated[
    RouteEvent | ItemsEvent | StockEvent | TokenEvent | DoneEvent | ErrorEvent, Field(discriminator="type")
]
