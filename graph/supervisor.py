"""Who handles a message: Gemini where there is one, else the conversation's rules and the local router.

:class:`Supervisor` makes plans; it neither runs agents nor writes state.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage
from pydantic import JsonValue, ValidationError

from shopfloor.errors import ModelError, SupervisorError
from shopfloor.graph import cues
from shopfloor.graph.acting import plan_of_act
from shopfloor.graph.acts import read_act
from shopfloor.graph.conversation import follow_up, plan_route, split_mixed
from shopfloor.graph.gemini import TOOLS, CheckInventory, Gemini, ProductDetails, Recommend
from shopfloor.graph.grounding import Facts, grounded
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.mixed import without_count
from shopfloor.graph.plan import Plan, inventory_task, recommend_task
from shopfloor.graph.prompts import load_prompt
from shopfloor.graph.replies import OUT_OF_SCOPE, Replies
from shopfloor.graph.shared_router import SharesUsers
from shopfloor.graph.spelling import understood
from shopfloor.graph.state import Finding, InventoryTask, Memory, RecommendTask, Tokens, text_of
from shopfloor.observability import get_logger
from shopfloor.store.traces import Exposure
from shopfloor.tools.schemas import Route, RouteInfo

log = get_logger("shopfloor.graph")

GEMINI_CONFIDENCE = 0.9
_HISTORY = 12  # messages Gemini sees
_MOST_CALLS = 4
_ROUTER_TIMEOUT_S = 3.0


class Router(Protocol):
    """The local router's part that is used."""

    async def decide(self, text: str) -> RouteInfo:
        """The route of a message and how sure it is."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What the supervisor reads of a turn.

    ``calls``: Gemini's tool-call messages of this turn, in order; ``who``: the user, or the conversation of one without a
    name, by whom a share of the users is told from the rest.
    """

    text: str
    messages: Sequence[AnyMessage]
    memory: Memory
    calls: Sequence[AnyMessage] = ()
    findings: Sequence[Finding] = ()
    shop: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A plan, and what it cost.

    ``call``: Gemini's tool-call message to keep; ``fell_back``: why Gemini did not decide; ``exposure``: which of the
    router's heads decided, while one is tried on a share of the users.
    """

    plan: Plan
    tokens: Tokens
    call: AIMessage | None = None
    fell_back: str | None = None
    exposure: Exposure | None = None


class Supervisor:
    """Decides turns. Stateless but for Gemini's breaker and budget; ``lexicon`` is replaced when the shop's words change."""

    def __init__(
        self,
        router: Router | None,
        lexicon: Lexicon,
        replies: Replies,
        gemini: Gemini | None,
        *,
        gemini_below: float = 1.0,
    ) -> None:
        self._router = router
        self._gemini_below = gemini_below
        self.lexicon = lexicon
        self._replies = replies
        self.gemini = gemini

    async def decide(self, turn: Turn) -> Decided:
        """Plan a new turn, or go on with one whose tool results are there (Gemini only)."""
        fell_back: str | None = None
        tokens = Tokens(prompt=0, completion=0)
        if self.gemini is not None and not turn.findings and self._gemini_below < 1:
            plan, exposure = await self._local(turn)
            if plan.confidence >= self._gemini_below and (plan.recommend is not None or plan.inventory):
                return Decided(plan, tokens, exposure=exposure)  # sure, and an agent answers: nothing to ask Gemini
        if self.gemini is not None:
            try:
                message, tokens = await self.gemini.ask(self._conversation(turn))
                return Decided(_read(message, turn, self.lexicon), tokens, message if message.tool_calls else None)
            except SupervisorError as error:
                fell_back = error.code
                log.warning("gemini_fell_back", code=error.code, cause=type(error.__cause__).__name__)
        if turn.findings:
            return Decided(_finish(turn), tokens, fell_back=fell_back)
        plan, exposure = await self._local(turn)
        return Decided(plan, tokens, fell_back=fell_back, exposure=exposure)

    async def _local(self, turn: Turn) -> tuple[Plan, Exposure | None]:
        said = understood(turn.text, self.lexicon, self._replies)
        text = cues.corrected(said)
        talking = bool(turn.memory.last_text)
        reading = read_act(said, self.lexicon) if talking else None
        plan = follow_up(said, turn.memory, self.lexicon, self._replies, reading)
        if plan is not None:
            return plan, None
        router, exposure = self._router, None
        if isinstance(router, SharesUsers):
            router, exposure = router.side_for(turn.who)
        info = await self._route(router, text)
        if reading is not None:
            plan = plan_of_act(reading, info, text, turn.memory, self.lexicon, self._replies)
        return plan or plan_route(text, info, turn.memory, self.lexicon, self._replies), exposure

    async def _route(self, router: Router | None, text: str) -> RouteInfo:
        """The router's route; by the words alone where it is not there or not in time."""
        if router is not None:
            try:
                async with asyncio.timeout(_ROUTER_TIMEOUT_S):
                    return await router.decide(text)
            except (ModelError, TimeoutError) as error:
                log.warning("router_failed", error=type(error).__name__)
        return route_by_words(text, self._replies)

    def _conversation(self, turn: Turn) -> list[AnyMessage]:
        memory = turn.memory
        shown = [
            f"{number}. {item['name']} ({item['sku']}), {item['price']} {item['currency']}"
            for number, item in enumerate(memory.shown, start=1)
        ]
        system = load_prompt("supervisor").format(
            shop=turn.shop or self.lexicon.shop_name,
            shown="\n".join(shown) or "nothing yet",
            focus=json.dumps(memory.focus or {}, ensure_ascii=False),
            pending=json.dumps(memory.pending, ensure_ascii=False) if memory.pending else "none",
        )
        history: list[AnyMessage] = [
            HumanMessage(text_of(message)) if isinstance(message, HumanMessage) else AIMessage(text_of(message))
            for message in turn.messages[-_HISTORY:]
            if isinstance(message, HumanMessage | AIMessage) and text_of(message)
        ]
        while history and isinstance(history[0], AIMessage):
            history.pop(0)
        return [SystemMessage(system), *history, *_with_results(turn)]


def route_by_words(text: str, replies: Replies) -> RouteInfo:
    """A plain guess without a model: small talk by its patterns, stock by its words, else a wish."""
    lowered = cues.normal(text)
    if replies.kind(text) != OUT_OF_SCOPE:
        route: Route = "supervisor"
    elif split_mixed(text)[1] is not None:
        route = "both"
    else:
        route = "inventory" if cues.asks_stock(lowered) else "recommendation"
    return RouteInfo(route=route, decided_by="rules", confidence=0.3, reason="by words alone")


def _with_results(turn: Turn) -> list[AnyMessage]:
    """Gemini's calls of this turn, each followed by its results."""
    by_call = {finding["call_id"]: finding for finding in turn.findings if finding["call_id"] is not None}
    messages: list[AnyMessage] = []
    for message in turn.calls:
        messages.append(message)
        if not isinstance(message, AIMessage):
            continue
        for call in message.tool_calls:
            finding = by_call.get(call["id"] or "")
            content = _result(finding) if finding is not None else "not run: nothing to ask about"
            messages.append(ToolMessage(content, tool_call_id=call["id"] or "", name=call["name"]))
    return messages


def _result(finding: Finding) -> str:
    if finding["error"] is not None:
        return "failed: say that this could not be looked up just now"
    return json.dumps({"answer": finding["text"], "facts": _facts_json(finding)}, ensure_ascii=False)


def _facts_json(finding: Finding) -> JsonValue:
    """The part of a result that the remote model needs: names, prices and stock."""
    result = finding["result"]
    if finding["agent"] == "recommendation":
        keep = ("sku", "name", "price", "currency", "colour", "sizes", "in_stock", "reason")
        items = cast(list[dict[str, JsonValue]], result.get("items") or [])
        return [{key: item.get(key) for key in keep} for item in items]
    return result.get("structured")


def _read(message: AIMessage, turn: Turn, lexicon: Lexicon) -> Plan:
    """Turn Gemini's message into a plan.

    Raises:
        SupervisorError: an unknown tool, malformed arguments, a repeated call, or nothing at all.
    """
    if message.invalid_tool_calls:
        raise SupervisorError("Gemini's tool arguments can't be read.", code="malformed")
    if not message.tool_calls:
        return _answer(message, turn)
    if len(message.tool_calls) > _MOST_CALLS:
        raise SupervisorError("Gemini asked for too much at once.", code="too_many_calls")
    before = {_signature(call) for old in turn.calls if isinstance(old, AIMessage) for call in old.tool_calls}
    recommend: RecommendTask | None = None
    inventory: list[InventoryTask] = []
    details: list[tuple[ProductDetails, str | None]] = []
    for call in message.tool_calls:
        if _signature(call) in before:
            raise SupervisorError("Gemini repeats itself.", code="loop")
        before.add(_signature(call))
        arguments = _arguments(call)
        if isinstance(arguments, Recommend):
            if recommend is not None:
                raise SupervisorError("Gemini asked for two recommendations at once.", code="too_many_calls")
            recommend = recommend_task(
                without_count(arguments.query),
                count=arguments.count,
                city=arguments.city,
                refine=arguments.refines_last and turn.memory.parsed is not None,
                explain=False,
                call_id=call["id"],
            )
        elif isinstance(arguments, ProductDetails):
            details.append((arguments, call["id"]))
        else:
            inventory.append(_inventory(arguments, call["id"]))
    if len(details) == 1 and recommend is None and not inventory and not turn.findings:
        plan = _details(details[0][0], turn, lexicon)
        if plan is not None:
            return plan
    inventory += [
        inventory_task(one.question, sku=one.skus[0] if one.skus else None, call_id=call_id) for one, call_id in details
    ]
    if recommend is None:
        inventory = [_on_screen(task, turn.memory) for task in inventory]
    route: Route = "both" if recommend and inventory else "recommendation" if recommend else "inventory"
    return Plan(route, "gemini", GEMINI_CONFIDENCE, "tool calls", recommend=recommend, inventory=tuple(inventory))


def _details(asked: ProductDetails, turn: Turn, lexicon: Lexicon) -> Plan | None:
    """The catalogue's own words about products, which need no wording by Gemini; None where none is meant."""
    skus = tuple(sku for sku in dict.fromkeys(asked.skus) if sku in lexicon.skus) or lexicon.products_in(asked.question)
    if not skus and turn.memory.focus_sku is not None:
        skus = (turn.memory.focus_sku,)
    if not skus:
        return None
    reason = "asked what products are like"
    return Plan("supervisor", "gemini", GEMINI_CONFIDENCE, reason, reply="details", skus=skus, asked=asked.question)


def _answer(message: AIMessage, turn: Turn) -> Plan:
    written = message.text.strip()
    if not written:
        raise SupervisorError("Gemini answered nothing.", code="empty")
    text = grounded(written, facts_of(turn), asked=turn.text)
    if not text and not turn.findings:
        raise SupervisorError("Nothing in Gemini's answer is a fact.", code="ungrounded")
    return Plan(_route_of(turn.findings), "gemini", GEMINI_CONFIDENCE, "answered", text=text or None)


def _finish(turn: Turn) -> Plan:
    """The agents have answered; Gemini can't word it: their own words stand."""
    return Plan(_route_of(turn.findings), "gemini", GEMINI_CONFIDENCE, "worded locally")


def _route_of(findings: Sequence[Finding]) -> Route:
    agents = {finding["agent"] for finding in findings}
    if len(agents) > 1:
        return "both"
    return cast(Route, next(iter(agents), "supervisor"))


def facts_of(turn: Turn) -> Facts:
    """What may be said in this turn: the agents' results and what is on the screen."""
    facts = Facts()
    for item in turn.memory.shown:
        facts.add(cast(JsonValue, item))
    for finding in turn.findings:
        facts.add(cast(JsonValue, finding["result"]))
        facts.add_text(finding["text"])
    return facts


def _arguments(call: ToolCall) -> Recommend | ProductDetails | CheckInventory:
    schema = TOOLS.get(call["name"])
    if schema is None:
        raise SupervisorError(f"Gemini called an unknown tool: {call['name'][:40]}.", code="unknown_tool")
    try:
        return schema.model_validate(call["args"])
    except ValidationError as error:
        raise SupervisorError("Gemini's tool arguments don't fit.", code="malformed") from error


def _inventory(arguments: CheckInventory, call_id: str | None) -> InventoryTask:
    return inventory_task(
        arguments.question,
        of_top=arguments.of_recommendation,
        sku=arguments.sku,
        city=arguments.city,
        size=arguments.size,
        call_id=call_id,
    )


def _on_screen(task: InventoryTask, memory: Memory) -> InventoryTask:
    """Without a recommendation beside it, "of the recommendation" can only mean the product in focus."""
    if not task["of_top"]:
        return task
    known = task.copy()
    known["of_top"], known["sku"] = False, task["sku"] or memory.focus_sku
    return known


def _signature(call: ToolCall) -> str:
    return f"{call['name']} {json.dumps(call['args'], sort_keys=True, default=str)}"
