"""What to do about a message in a conversation when no rule of the conversation decides it: by its act.

The act is a learned head's (:mod:`shopfloor.graph.acts`), weighed with the router's opinion; which product is meant and
which constraints hold comes from the conversation's memory. Pure functions.
"""

import re
from typing import Literal

from shopfloor.graph import cues
from shopfloor.graph.acts import Act, Reading
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.mixed import count_in, without_count
from shopfloor.graph.parts import names_other_kind, parts_of
from shopfloor.graph.plan import Plan, inventory_task, recommend_task
from shopfloor.graph.references import shown_in
from shopfloor.graph.replies import OUT_OF_SCOPE, Replies
from shopfloor.graph.state import InventoryTask, Memory, RecommendTask
from shopfloor.tools.schemas import Route, RouteInfo

Group = Literal["wish", "ask", "stock", "talk"]
_GROUPS: dict[Group, tuple[Act, ...]] = {
    "wish": ("wish", "refine"),
    "ask": ("ask", "choose"),
    "stock": ("stock", "store"),
    "talk": ("close", "service"),
}
_ROUTED: dict[Route, tuple[Act, ...]] = {
    "recommendation": ("wish", "refine"),
    "inventory": ("stock", "store"),
    "supervisor": ("close", "service", "ask"),
    "both": ("wish", "stock"),
}
_ROUTER_SAYS = 2.0
"""How much more probable the acts of the router's route become, times its confidence."""
CONTRADICTED_BELOW, CONTRADICTED_ABOVE = 0.04, 0.85
_ASKS_IN_A_WORD = 0.1
_SAID_BELOW, _SAID_ABOVE = 0.25, 0.6
_MOST_PRODUCTS = 6
_MOST_STOCK_TASKS = 3
_HOURS = re.compile(r"\b(open\w*|clos\w+|shut\w*|hours?|until|till?|what time|sundays?|late)\b")
_WHERE = re.compile(r"\b(address|where|located|location|directions|get there|find (it|you|them))\b")
_WHICH_STORE = re.compile(r"\b(which|what|who)\b(?! (?:size|colou?r))")
_HOW_MANY = re.compile(r"\b(how (many|much)|number|quantity|total|count|units)\b")
_NEAR = re.compile(r"\b(near|nearest|closest|nearby)\b")
_OTHER_STORE = re.compile(r"\bother (?:stores?|shops?|branch(?:es)?)\b")
_SHOP_SINGLE = re.compile(r"\b(shop|store|branch)\b")
_COUNT = re.compile(r"\b(?P<n>\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|twelve|a dozen)(?= |$)")


def plan_of_act(
    reading: Reading, info: RouteInfo, text: str, memory: Memory, lexicon: Lexicon, replies: Replies
) -> Plan | None:
    """What the most probable act asks for; None leaves it to the router's route."""
    if info.route == "both" and info.confidence > 0.6:
        return None
    act, sure = _weighed(reading, info)
    if _asks_in_a_word(text, memory, lexicon) and reading.of("ask") > _ASKS_IN_A_WORD:
        act = "ask"
    match act:
        case "wish" | "refine":
            return _wish(act, sure, text, memory, lexicon)
        case "ask" | "choose":
            return _ask(act, sure, text, memory, lexicon)
        case "stock":
            return _stock(sure, text, memory, lexicon)
        case "store":
            return _store(sure, text, memory, lexicon)
        case "close":
            if lexicon.names_product(text):
                return None
            kind = replies.kind(text)
            return _plan("supervisor", sure, "closes the matter", reply="thanks" if kind == OUT_OF_SCOPE else kind)
        case "service":
            kind = replies.kind(text)
            if kind == OUT_OF_SCOPE and reading.of("ask") > _ASKS_IN_A_WORD and cues.has_pronoun(cues.normal(text)):
                return _ask("ask", sure, text, memory, lexicon)
            if kind == OUT_OF_SCOPE and (
                cues.asks_range(text) or lexicon.names_product(text) or info.route != "supervisor"
            ):
                return None
            return _plan("supervisor", sure, "nothing an agent can do", reply=kind)


def _asks_in_a_word(text: str, memory: Memory, lexicon: Lexicon) -> bool:
    """Stretch? Pockets? of what is on the screen."""
    if memory.focus_sku is None or not text.rstrip().endswith("?") or len(cues.words(text)) > 3:
        return False
    parts = parts_of(text, lexicon)
    return not (parts.kinds or parts.colours or parts.sizes or parts.place or lexicon.columns_of(parts.rest))


def group_of(plan: Plan) -> Group:
    """What kind of act a plan answers."""
    if plan.recommend is not None:
        return "wish"
    if plan.inventory:
        return "stock"
    return "ask" if plan.reply in {"details", "chosen"} else "talk"


def contradicts(reading: Reading, plan: Plan, text: str) -> bool:
    """Whether a message plainly does something else than what a plan answers; less is needed where it asks nothing."""
    group = group_of(plan)
    ours = reading.of(*_GROUPS[group])
    best = max(reading.of(*acts) for acts in _GROUPS.values())
    if group == "ask" and "?" not in text and not cues.is_question(cues.normal(text)):
        return ours < _SAID_BELOW and best > _SAID_ABOVE
    return ours < CONTRADICTED_BELOW and best > CONTRADICTED_ABOVE


def _store(sure: float, text: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    if not _of_a_store(text, memory, lexicon):
        return None
    lowered = cues.normal(text)
    if memory.focus_sku is not None and _NEAR.search(lowered) and cues.has_pronoun(lowered):
        return _stock(sure, text, memory, lexicon)
    return _plan("inventory", sure, "asked about a store", inventory=(store_task(text, memory, lexicon),))


def _of_a_store(text: str, memory: Memory, lexicon: Lexicon) -> bool:
    """Whether there is a store, a place or a service that a question can be about."""
    focus = memory.focus or {}
    lowered = cues.normal(text)
    named = lexicon.place_in(text) or lexicon.service_in(text) or re.search(r"\b(stores?|shops?|branch\w*)\b", lowered)
    spoken = memory.last_route == "inventory" or focus.get("city") or focus.get("store_id")
    return bool(named) or (bool(spoken) and not lexicon.names_product(text))


def store_task(text: str, memory: Memory, lexicon: Lexicon) -> InventoryTask:
    """A question about a store, put plainly where it leans on what was said."""
    lowered = cues.normal(text)
    focus = memory.focus or {}
    place = lexicon.place_in(text)
    service = lexicon.service_in(text)
    before = lexicon.service_in(memory.last_text) if memory.last_text else None
    which = _WHICH_STORE.search(lowered) is not None
    question = text
    if service is None and before is not None and which and place is None:
        return inventory_task(f"Which stores have {before}?")
    if service is not None:
        question = f"Which stores have {service}?" if which and place is None else f"Do you have {service}?"
        return inventory_task(question, city=place or (None if which else focus.get("city")))
    if place is None and (focus.get("city") or focus.get("store_id")):
        if _HOURS.search(lowered) and not re.search(r"\b\w+day\b", lowered):
            question = "What are the opening hours?"
        elif _WHERE.search(lowered):
            question = "What is the address?"
    return inventory_task(question, city=place or focus.get("city"), store_id=None if place else focus.get("store_id"))


def stock_question(text: str, place: str | None, lexicon: Lexicon) -> str:
    """A stock question about the product in focus, put plainly: what is not of the question would be read as a product."""
    lowered = cues.normal(text)
    parts = parts_of(text, lexicon)
    where = f" in {place}" if place else ""
    colour = f" in {parts.colours[0]}" if len(parts.colours) == 1 else ""
    count = _COUNT.search(lowered)
    if _NEAR.search(lowered):
        return f"Which store nearest to {place} has it?" if place else "Which store nearest to me has it?"
    if cues.asks_where(lowered) or re.search(r"\bwho\b|\bwhere\b|\bwhich\b", lowered):
        return f"Which stores{where} have it in stock{colour}?"
    if _HOW_MANY.search(lowered):
        return f"How many are in stock{colour}{where}?"
    if (
        count is not None
        and not (set(parts.sizes) & {count["n"]})
        and re.search(r"\b(take|need|want|get|order|for)\b", lowered)
    ):
        return f"Are {count['n']} of it in stock{colour}{where}?"
    return f"Is it in stock{colour}{where}?"


def plainly(text: str, place: str | None, size: str | None, lexicon: Lexicon) -> str:
    """A shopper's stock question about the product in focus, reworded only where its words would be read otherwise."""
    lowered = cues.normal(text)
    if _OTHER_STORE.search(lowered):
        return "Which other stores have it in stock?"
    if _NEAR.search(lowered) or (_HOW_MANY.search(lowered) and _SHOP_SINGLE.search(lowered)):
        return stock_question(text, place, lexicon)
    if size is not None and size.isdecimal():
        return re.sub(rf"(?<!size )(?<![\w.]){size}(?![\w.])", f"size {size}", text, count=1, flags=re.IGNORECASE)
    return text


def _weighed(reading: Reading, info: RouteInfo) -> tuple[Act, float]:
    """The act that head and router together find most probable, and how probable."""
    liked = _ROUTED[info.route]
    scores = {
        act: chance * (1 + _ROUTER_SAYS * info.confidence * (1.0 if act in liked else 0.0))
        for act, chance in reading.ranked
    }
    total = sum(scores.values())
    acts = max(_GROUPS.values(), key=lambda group: sum(scores[act] for act in group))
    return max(acts, key=lambda act: scores[act]), sum(scores[act] for act in acts) / total


def _wish(act: Act, sure: float, text: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """A fresh wish where a message names a kind of thing; else what it says is one more word on the last wish."""
    lowered = cues.normal(text)
    named = lexicon.names_product(text)
    if memory.parsed is None or (act == "wish" and named):
        return None
    if named and names_other_kind(text, memory, lexicon):
        task = recommend_task(f"{without_count(text)} too", count=count_in(lowered), refine=True)
        return _plan("recommendation", sure, "another thing, with what was wished before", recommend=task)
    if act == "wish" and len(cues.words(text)) > cues.MAX_FOLLOW_UP_WORDS:
        return None
    task = recommend_task(text, count=count_in(lowered), refine=True)
    return _plan("recommendation", sure, "one more word on the last wish", recommend=task)


def _ask(act: Act, sure: float, text: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    pointed = tuple(item["sku"] for item in shown_in(text, memory.shown))
    named = lexicon.products_in(text)
    if not (pointed or named) and names_other_kind(text, memory, lexicon):
        return None
    lowered = cues.normal(text)
    skus = named or pointed
    if not skus and cues.is_plural(lowered) and len(memory.skus) > 1 and memory.focus_sku in memory.skus[:1]:
        skus = memory.skus
    if not skus and cues.compares(lowered) and len(memory.skus) > 1:
        skus = memory.skus
    if not skus:
        if memory.focus_sku is None:
            return None
        skus = (memory.focus_sku,)
    reply = "chosen" if act == "choose" and len(skus) == 1 else "details"
    return _plan("supervisor", sure, "asked about what was shown", reply=reply, skus=skus[:_MOST_PRODUCTS])


def _stock(sure: float, text: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    if lexicon.sku_in(text) is not None or lexicon.products_in(text) or memory.focus_sku is None:
        return None
    pointed = shown_in(text, memory.shown)
    if not pointed and names_other_kind(text, memory, lexicon):
        return None
    lowered = cues.normal(text)
    parts = parts_of(text, lexicon)
    focus = memory.focus or {}
    size = (parts.sizes[0] if len(parts.sizes) == 1 else None) or focus.get("size")
    city = parts.place or (None if cues.asks_where(lowered) else focus.get("city"))
    skus = tuple(item["sku"] for item in pointed[:_MOST_STOCK_TASKS]) or (memory.focus_sku,)
    question = stock_question(text, parts.place, lexicon)
    tasks = tuple(inventory_task(question, sku=sku, city=city, size=size) for sku in skus)
    return _plan("inventory", sure, "asked about the stock of what we spoke of", inventory=tasks)


def _plan(
    route: Route,
    sure: float,
    reason: str,
    *,
    recommend: RecommendTask | None = None,
    inventory: tuple[InventoryTask, ...] = (),
    reply: str | None = None,
    skus: tuple[str, ...] = (),
) -> Plan:
    return Plan(route, "local", sure, reason, recommend=recommend, inventory=inventory, reply=reply, skus=skus)
