"""The conversation's rules: what a message means in the light of what was said before.

Pure functions. :func:`follow_up` decides the messages that lean on the conversation ("the second one", "do you have
it in Tokyo?", "yes"); :func:`plan_route` turns the local router's route into tasks. Both supervisors share the result's shape.
"""

import re
from dataclasses import replace

from shopfloor.graph import cues
from shopfloor.graph.acting import contradicts, plainly
from shopfloor.graph.acts import Reading
from shopfloor.graph.bare import (
    kind_alone,
    kind_in_place,
    named_side_by_side,
    place_and_size,
    sum_of_two,
    value_alone,
    which_of_the_stores,
)
from shopfloor.graph.continuations import (
    in_colour,
    narrowed,
    number_alone,
    on_same_terms,
    one_thing,
    online,
    same_matter,
    same_of_another,
    together,
)
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.mixed import count_in, depends, split_mixed, without_count
from shopfloor.graph.pending import named_what_was_asked, pending_answer
from shopfloor.graph.plan import Plan, inventory_task, recommend_task, rule_plan
from shopfloor.graph.prompts import load_words
from shopfloor.graph.questions import (
    disputed,
    for_others,
    goes_with,
    named_otherwise,
    named_product,
    one_more,
    price_and_stock,
    product_question,
    store_question,
    superlative,
    takes_it,
    which_store,
)
from shopfloor.graph.references import own_size, points_past, shown_in, size_beside
from shopfloor.graph.replies import LANGUAGE, OUT_OF_SCOPE, Replies
from shopfloor.graph.spelling import is_foreign
from shopfloor.graph.state import InventoryTask, Memory
from shopfloor.tools.schemas import Route, RouteInfo

_MOST_STOCK_TASKS = 3
_UNSURE = 0.8
_IN_STOCK_IN = re.compile(r"\b(in stock|available|you (?:have|carry|sell)|on the shelf|pick up)\b", re.IGNORECASE)


def follow_up(
    text: str, memory: Memory, lexicon: Lexicon, replies: Replies, reading: Reading | None = None
) -> Plan | None:
    """Decide a message that the conversation explains; None leaves it to the router.

    ``reading``: the message's act; rules without firm evidence give way to it.
    """
    text = cues.corrected(text)
    lowered = cues.normal(text)
    if memory.pending is not None:
        plan = pending_answer(text, lowered, memory.pending)
        if plan is not None:
            return plan
    small = LANGUAGE if is_foreign(text, lexicon) else replies.sure_kind(text)
    if small is not None:
        return replace(_direct(small, "small talk"), skus=lexicon.products_in(text)[:1])
    if memory.pending is not None and not memory.pending["options"]:
        plan = named_what_was_asked(text, lowered, memory.pending)
        if plan is not None:
            return plan
    matter = same_matter(text, lowered, memory, lexicon, replies)
    if matter is not None:
        return matter
    if not memory.shown and memory.focus_sku is None:
        return (
            _declined(lowered)
            or _sku_named(text, lowered, memory, lexicon)
            or goes_with(text, lowered, memory, lexicon)
            or named_side_by_side(text, lowered, memory, lexicon)
            or kind_in_place(text, lowered, memory, lexicon)
            or named_product(text, lowered, memory, lexicon)
            or store_question(text, lowered, memory, lexicon)
        )
    for rule in _RULES:
        plan = rule(text, lowered, memory, lexicon)
        if plan is not None and reading is not None and rule in _WEAK and contradicts(reading, plan, text):
            continue
        if plan is not None and not (rule is product_question and _elsewhere(text, lowered, replies)):
            return plan
    return _agreed(lowered, memory) or _declined(lowered)


def _elsewhere(text: str, lowered: str, replies: Replies) -> bool:
    """Whether a question that does not say "it" is one for the shop's staff: what does shipping cost?"""
    return not cues.has_pronoun(lowered) and replies.kind(text) != OUT_OF_SCOPE


def plan_route(text: str, info: RouteInfo, memory: Memory, lexicon: Lexicon, replies: Replies) -> Plan:
    """Turn a route into tasks; a supervisor's message gets the kind of its direct reply."""
    route: Route = info.route
    lowered = cues.normal(text)
    decided = {"decided_by": info.decided_by, "confidence": info.confidence, "reason": info.reason}
    if route == "supervisor" and replies.kind(text) == OUT_OF_SCOPE and lexicon.names_product(text):
        # The router misses short wishes in a conversation's tone ("ok, a tent then"): the shop has such things.
        route, decided["reason"] = "recommendation", "names a kind of product of this shop"
    elif route == "supervisor" and replies.kind(text) == OUT_OF_SCOPE and value_alone(text, memory, lexicon):
        task = recommend_task(text, refine=True)
        return rule_plan("recommendation", "a word of the shop's products after a list", recommend=task)
    if cues.asks_range(lowered) and _asks_for_a_thing(route, text, memory, info, lexicon, replies):
        route, decided["reason"] = "recommendation", "asked whether the shop has such a thing"
    if route == "supervisor":
        return Plan(route, reply=replies.kind(text), **decided)  # pyright: ignore[reportArgumentType]
    if route == "recommendation":
        task = recommend_task(
            without_count(cues.without_owned(text)), count=count_in(lowered), city=_stock_city(text, lexicon)
        )
        return Plan(route, recommend=task, **decided)  # pyright: ignore[reportArgumentType]
    if route == "inventory":
        return Plan(route, inventory=(_stock_task(text, lowered, memory, lexicon),), **decided)  # pyright: ignore[reportArgumentType]
    wish, question = split_mixed(cues.without_owned(text))
    if question is not None and depends(question, lexicon):
        then = _of_top(question, lexicon, wish)
        task = recommend_task(wish, count=count_in(lowered))
        return Plan(route, recommend=task, inventory=(then,), **decided)  # pyright: ignore[reportArgumentType]
    if question is not None:
        task = recommend_task(wish, count=count_in(lowered))
        stock = _stock_task(question, cues.normal(question), memory, lexicon)
        return Plan(route, recommend=task, inventory=(stock,), **decided)  # pyright: ignore[reportArgumentType]
    city = lexicon.place_in(text)
    then = inventory_task("Is it in stock" + (f" in {city}?" if city else "?"), of_top=True, city=city)
    task = recommend_task(text, count=count_in(lowered), city=city)
    return Plan(route, recommend=task, inventory=(then,), **decided)  # pyright: ignore[reportArgumentType]


def _asks_for_a_thing(
    route: Route, text: str, memory: Memory, info: RouteInfo, lexicon: Lexicon, replies: Replies
) -> bool:
    """Whether "do you have …" asks for something of the range rather than about a store or what we spoke of."""
    if lexicon.place_in(text) is not None or lexicon.service_in(text) is not None or lexicon.names_service(text):
        return False
    if route == "supervisor":
        return replies.kind(text) == OUT_OF_SCOPE
    about = cues.has_pronoun(cues.normal(text)) or lexicon.products_in(text) or lexicon.sku_in(text)
    vague = info.confidence < _UNSURE or not lexicon.names_product(text)
    return route == "inventory" and not about and vague and not cues.asks_where(cues.normal(text))


def _sku_named(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    sku = lexicon.sku_in(text)
    if (
        sku is None
        or split_mixed(text)[1] is not None
        or not (cues.asks_details(lowered) or len(cues.words(text)) <= 4)
        or cues.asks_stock(lowered)
    ):
        return None
    return rule_plan("supervisor", f"asked about {sku}", reply="details", skus=(sku,))


def _pointed_at(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """The second one; the blue one in Berlin; tell me more about the first."""
    if not cues.is_short(text):
        return None
    items = shown_in(text, memory.shown)
    if not items:
        return _direct("no_such_place", "pointed past the list") if points_past(lowered, len(memory.shown)) else None
    place = lexicon.place_in(text)
    size = cues.size_in(lowered)
    if place is None or place in cues.asking_part(text):
        text = cues.asking_part(text) if len(items) == 1 else text
    goes_on = memory.last_route == "inventory" and cues.what_about(lowered) is not None
    if cues.asks_stock(lowered) or place is not None or size is not None or goes_on:
        tasks = tuple(
            inventory_task(text, sku=item["sku"], city=place or _city(memory), size=size or _size(memory))
            for item in items[:_MOST_STOCK_TASKS]
        )
        return rule_plan("inventory", "asked about the stock of what is shown", inventory=tasks)
    narrows = len(items) == 1 and re.match(r"(only|just) (the|that) (?!.*\bones\b)", lowered) is not None
    if cues.refines(lowered) and not (
        narrows or cues.asks_details(lowered) or cues.chooses(lowered) or "the cheaper" in lowered
    ):
        return None
    in_what = cues.colour_wish(lowered)
    if len(items) == 1 and in_what is not None and lexicon.has_colour(in_what):
        task = recommend_task(f"{items[0]['name']} in {in_what}", refine=True, like=items[0]["sku"])
        return rule_plan("recommendation", "asked for another colour", recommend=task)
    told = cues.asks_details(lowered) or cues.chooses(lowered) or cues.is_question(lowered)
    if len(items) == 1 and len(cues.words(text)) > 7 and not told:
        return None
    reply = "chosen" if cues.chooses(lowered) and len(items) == 1 else "details"
    return rule_plan("supervisor", "pointed at what is shown", reply=reply, skus=tuple(item["sku"] for item in items))


def _stock_of_focus(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Do you have it in Tokyo; what about Berlin; how many are left; in XL?"""
    if not cues.is_short(text) or memory.focus_sku is None:
        return None
    place = lexicon.place_in(text)
    about = cues.what_about(lowered)
    if place is None and about is not None and lexicon.is_place(about):
        place = about
    in_what = cues.in_what(lowered)
    size = (
        cues.size_in(lowered) or (in_what if in_what and lexicon.is_size(in_what) else None) or own_size(text, memory)
    )
    if size is None and about is not None and lexicon.is_size(about):
        size = about
    if size is None and place is not None:
        size = size_beside(text, place, lexicon)
    if lexicon.has_colour(lowered) and place is None:
        return None
    alone = len(cues.words(text)) <= 5 and not _names_something(lowered, place, size)
    begins = place is not None and cues.begins_with_place(text, place)
    bare_place = place is not None and (about is not None or len(cues.words(text)) <= 3 or alone or begins)
    bare_size = size is not None and (in_what is not None or about is not None or len(cues.words(text)) <= 4)
    pronoun_stock = cues.has_pronoun(lowered) and (cues.asks_stock(lowered) or place is not None or size is not None)
    nothing_else = cues.asks_stock(lowered) and not _names_something(lowered, place, size)
    if not (bare_place or bare_size or pronoun_stock or nothing_else):
        return _details_of_focus(lowered, memory)
    if bare_place and not begins and memory.last_route == "recommendation" and cues.refines(lowered):
        return None
    if place is not None and cues.asks_price(lowered):
        return price_and_stock(memory.focus_sku, place, size)
    return rule_plan(
        "inventory",
        "asked about the stock of what we spoke of",
        inventory=_focus_tasks(text, lowered, place, size, memory, lexicon),
    )


def _names_something(lowered: str, place: str | None, size: str | None) -> bool:
    """Whether a stock question has words that could name a product."""
    said = {word for word in cues.words(lowered) if not word.isdecimal()} - load_words("stock_fillers")
    return bool(said - set(cues.words(place or "")) - set(cues.words(size or "")))


def _focus_tasks(
    text: str, lowered: str, place: str | None, size: str | None, memory: Memory, lexicon: Lexicon
) -> tuple[InventoryTask, ...]:
    skus: tuple[str | None, ...] = (memory.focus_sku,)
    if cues.is_plural(lowered) and 1 < len(memory.skus) <= _MOST_STOCK_TASKS and memory.last_route != "inventory":
        skus = memory.skus
    city = place or (None if cues.asks_where(lowered) else _city(memory))
    text = cues.asking_part(text) if place is None or place in cues.asking_part(text) else text
    text = plainly(text, place, size, lexicon)
    return tuple(inventory_task(text, sku=sku, city=city, size=size or _size(memory)) for sku in skus)


def _details_of_focus(lowered: str, memory: Memory) -> Plan | None:
    if memory.focus_sku is None or not cues.asks_details(lowered):
        return None
    if not (cues.has_pronoun(lowered) or len(cues.words(lowered)) <= 4):
        return None
    skus = memory.skus if cues.is_plural(lowered) and len(memory.skus) > 1 else (memory.focus_sku,)
    return rule_plan("supervisor", "asked about what we spoke of", reply="details", skus=skus[:_MOST_STOCK_TASKS])


def _mixed_refinement(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Something warmer, and is it in Berlin?"""
    wish, question = split_mixed(text)
    if question is None or not _changes(wish, lexicon):
        return None
    if lexicon.is_colour(wish) and _comes_in(wish, memory):
        task = inventory_task(
            f"{question.rstrip(' ?.!')} in {cues.normal(wish)}?", sku=memory.focus_sku, city=_city(memory)
        )
        return rule_plan("inventory", "chose a colour and asked about stock", inventory=(task,))
    task = recommend_task(wish, refine=True)
    reason = "changed the last request and asked about stock"
    return rule_plan("both", reason, recommend=task, inventory=(_of_top(question, lexicon, wish),))


def _comes_in(colour: str, memory: Memory) -> bool:
    """Whether the product we spoke of comes in a colour."""
    item = next((item for item in memory.shown if item["sku"] == memory.focus_sku), None)
    return item is not None and set(cues.words(colour)) <= set(cues.words(item["colour"] or ""))


def _refinement(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Something cheaper; and in red; not wool; under 50."""
    if not _changes(text, lexicon):
        return None
    city = lexicon.place_in(text) if _IN_STOCK_IN.search(text) else None
    task = recommend_task(text, count=count_in(lowered), refine=True, city=city)
    return rule_plan("recommendation", "changed the last request", recommend=task)


def _changes(wish: str, lexicon: Lexicon) -> bool:
    """Whether a wish only makes sense as a change of the last one."""
    if not cues.is_short(wish):
        return False
    wished = cues.normal(wish)
    in_what = cues.in_what(wished) or cues.what_about(wished)
    if lexicon.is_colour(wished):
        return True
    return cues.refines(wished) or (in_what is not None and lexicon.has_colour(in_what))


def _compared(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Which of them is warmer?"""
    wished = re.search(r"\b(recommend|suggest|you have|you got)\b", lowered) and not lowered.startswith("which")
    if wished or re.search(r"\b(it|its|this one|that one)\b", lowered):
        return None
    if len(memory.shown) < 2 or not cues.compares(lowered) or cues.asks_stock(lowered):
        return None
    return rule_plan("supervisor", "compared what is shown", reply="details", skus=memory.skus[:_MOST_STOCK_TASKS])


def _agreed(lowered: str, memory: Memory) -> Plan | None:
    if not cues.says_yes(lowered) or memory.focus_sku is None:
        return None
    return rule_plan("supervisor", "agreed", reply="chosen", skus=(memory.focus_sku,))


def _declined(lowered: str) -> Plan | None:
    if cues.says_no(lowered):
        return _direct("declined", "declined")
    if cues.says_yes(lowered):
        return _direct("what_can_i_do", "agreed to nothing in particular")
    return None


def _stock_task(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> InventoryTask:
    sku = None
    if lexicon.sku_in(text) is None and cues.has_pronoun(lowered) and memory.focus_sku is not None:
        sku = memory.focus_sku
    return inventory_task(text, sku=sku, city=None if lexicon.place_in(text) else _city(memory))


def _of_top(question: str, lexicon: Lexicon, wish: str = "") -> InventoryTask:
    """The stock question about what a wish will find, in the size and colour that the wish named."""
    size = cues.size_in(cues.normal(question)) or cues.size_in(cues.normal(wish))
    colours = [word for word in cues.words(wish) if word in lexicon.colours]
    if len(colours) == 1 and not lexicon.has_colour(question):
        question = f"{question.rstrip(' ?.!')} in {colours[0]}?"
    return inventory_task(question, of_top=True, city=lexicon.place_in(question), size=size)


def _stock_city(text: str, lexicon: Lexicon) -> str | None:
    return lexicon.place_in(text) if _IN_STOCK_IN.search(text) else None


def _city(memory: Memory) -> str | None:
    return memory.focus.get("city") if memory.focus else None


def _size(memory: Memory) -> str | None:
    return memory.focus.get("size") if memory.focus else None


_RULES = (
    _sku_named,
    which_store,
    which_of_the_stores,
    store_question,
    goes_with,
    named_side_by_side,
    named_product,
    kind_in_place,
    together,
    sum_of_two,
    number_alone,
    online,
    in_colour,
    kind_alone,
    narrowed,
    same_of_another,
    for_others,
    on_same_terms,
    one_more,
    one_thing,
    superlative,
    _mixed_refinement,
    takes_it,
    _pointed_at,
    _compared,
    named_otherwise,
    disputed,
    product_question,
    _stock_of_focus,
    place_and_size,
    _refinement,
)
_WEAK = frozenset({superlative, _compared, product_question, _refinement, _stock_of_focus, narrowed})


def _direct(kind: str, reason: str) -> Plan:
    return rule_plan("supervisor", reason, reply=kind)
