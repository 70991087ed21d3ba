"""What a conversation remembers, what one turn works with, and who is asking.

Everything in :class:`ShopState` is plain JSON (messages apart), so any checkpointer can keep it and another version of
the program can read it. A new turn is known by its human message: the supervisor clears what belonged to the last one.
"""
# LangGraph is a namespace package: its py.typed is not found from its subpackages.
# pyright: reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph.message import add_messages
from pydantic import JsonValue
from typing_extensions import TypedDict

from shopfloor.tools.schemas import DecidedBy, Route

AgentName = Literal["recommendation", "inventory"]


@dataclass(frozen=True, slots=True)
class ShopContext:
    """Who is asking, and from where. A host passes it as ``context=``; every field has a default.

    Attributes:
        user: the shopper's id; decides whose history counts.
        thread: the conversation's id, as the checkpointer knows it.
        shop: the shop's name as the assistant says it; empty: the catalogue's own.
        locale: the shopper's language and region, e.g. ``en-GB``.
        budget: seconds the whole turn may take; None: the setting.
        door: the front door the message came through.
        trace_id: 32 hex digits; empty: the graph makes one.
    """

    user: str = "anonymous"
    thread: str = ""
    shop: str = ""
    locale: str = "en"
    budget: float | None = None
    door: str = "graph"
    trace_id: str = ""


class ShownItem(TypedDict):
    """A product on the shopper's screen. ``traits``: its row's other columns, as text."""

    sku: str
    name: str
    price: float | None
    currency: str
    colour: str | None
    category: str | None
    sizes: list[str]
    traits: NotRequired[dict[str, str]]


class Focus(TypedDict, total=False):
    """What the conversation is about now. ``before``: the SKU it was about before this one."""

    sku: str
    name: str
    store_id: str
    city: str
    size: str
    before: str


class Pending(TypedDict):
    """A question the assistant asked and waits on: which product, or which place.

    ``options`` may be chosen by number or name; ``values`` are what they stand for (SKUs, names of places), in the same
    order. ``question`` is what the shopper had asked, ``unclear`` the part of it that a choice replaces.
    """

    about: Literal["product", "place"]
    question: str
    unclear: str | None
    options: list[str]
    values: list[str]
    sku: str | None
    city: str | None
    size: str | None


class InventoryTask(TypedDict):
    """What the inventory agent is asked. ``of_top``: about the first product of the recommendation made in this turn."""

    question: str
    of_top: bool
    sku: str | None
    city: str | None
    store_id: str | None
    size: str | None
    call_id: str | None


class RecommendTask(TypedDict):
    """What the recommendation agent is asked.

    ``refine``: change the last request; ``explain``: say why, streamed; ``like``: the SKU it starts from, else the focus.
    """

    text: str
    count: int
    city: str | None
    refine: bool
    explain: bool
    like: str | None
    call_id: str | None


class Decision(TypedDict):
    """Who handles the message, who decided, how sure; ``reply`` is the kind of a direct answer, ``text`` its words.

    ``asked``: the question it answers, where that is not the shopper's own wording.
    """

    route: Route
    decided_by: DecidedBy
    confidence: float
    reason: str
    reply: str | None
    text: str | None
    skus: list[str]
    asked: NotRequired[str | None]


class Finding(TypedDict):
    """One agent's result in this turn. ``result`` is the agent's typed answer as JSON; ``said`` was streamed already."""

    agent: AgentName
    answer_id: str
    call_id: str | None
    text: str
    said: bool
    error: str | None
    degraded: bool
    result: dict[str, JsonValue]
    record: dict[str, JsonValue]
    timings_ms: dict[str, float]


class Tokens(TypedDict):
    """Gemini's tokens in this turn."""

    prompt: int
    completion: int


def merge_findings(left: Sequence[Finding] | None, right: Sequence[Finding] | None) -> list[Finding]:
    """Append, so that agents that run side by side both count; None clears."""
    if right is None:
        return []
    return [*(left or []), *right]


class ShopState(TypedDict, total=False):
    """The conversation. Below ``messages``: what is remembered; then what belongs to the turn in progress."""

    messages: Annotated[list[AnyMessage], add_messages]

    shown: list[ShownItem]
    focus: Focus
    parsed: dict[str, JsonValue] | None
    pending: Pending | None
    last_route: Route | None

    turn_id: str | None
    trace_id: str
    started_at: float
    decision_ms: float
    hops: int
    decision: Decision | None
    calls: list[AnyMessage]
    tokens: Tokens
    findings: Annotated[list[Finding], merge_findings]


class AgentState(TypedDict):
    """What an agent's node is sent: its task, and the part of the memory it may use."""

    recommend: RecommendTask | None
    inventory: InventoryTask | None
    after: list[InventoryTask]
    back: Literal["supervisor", "respond"]
    shown: list[ShownItem]
    focus: Focus
    parsed: dict[str, JsonValue] | None


@dataclass(frozen=True, slots=True)
class Memory:
    """The remembered part of the state, as the conversation rules read it. ``last_text``: the message before this one."""

    shown: tuple[ShownItem, ...] = ()
    focus: Focus | None = None
    parsed: dict[str, JsonValue] | None = None
    pending: Pending | None = None
    last_route: Route | None = None
    last_text: str = ""

    @property
    def focus_sku(self) -> str | None:
        """The product in focus."""
        return self.focus.get("sku") if self.focus else None

    @property
    def skus(self) -> tuple[str, ...]:
        """What is on the screen, in order."""
        return tuple(item["sku"] for item in self.shown)


def memory_of(state: ShopState) -> Memory:
    """Read the memory out of a state, whatever of it is there."""
    return Memory(
        shown=tuple(state.get("shown") or ()),
        focus=state.get("focus") or None,
        parsed=state.get("parsed"),
        pending=state.get("pending"),
        last_route=state.get("last_route"),
        last_text=_text_before(state.get("messages") or []),
    )


def _text_before(messages: Sequence[AnyMessage]) -> str:
    """What the shopper said before the message being answered."""
    said = [message for message in messages if isinstance(message, HumanMessage)]
    return text_of(said[-2]) if len(said) > 1 else ""


def last_human(messages: Sequence[AnyMessage]) -> HumanMessage | None:
    """The message being answered: the last human one."""
    return next((message for message in reversed(messages) if isinstance(message, HumanMessage)), None)


def text_of(message: AnyMessage | None) -> str:
    """A message's text, whatever its content blocks are."""
    return message.text.strip() if message is not None else ""


def is_answered(messages: Sequence[AnyMessage]) -> bool:
    """Whether the last message is already the assistant's."""
    return bool(messages) and isinstance(messages[-1], AIMessage)
