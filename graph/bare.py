"""Rules for messages that are nothing but the shop's own words: "umbrella london", "M, Berlin?", "winter boots, size 43".

They decide by what such words can only mean in the state of the conversation. Pure functions, called in order by
:mod:`shopfloor.graph.conversation`.
"""

import re

from shopfloor.graph import cues
from shopfloor.graph.acting import stock_question
from shopfloor.graph.aspects import content_words
from shopfloor.graph.lexicon import Lexicon, singular
from shopfloor.graph.parts import Parts, names_other_kind, parts_of
from shopfloor.graph.plan import Plan, inventory_task, recommend_task, rule_plan
from shopfloor.graph.references import shown_in
from shopfloor.graph.state import Memory

_LONGEST = 9  # words
_VERSUS = re.compile(r"\b(vs\.?|versus|or|and|compared (?:to|with)|against)\b|\?")
_BOTH = re.compile(r"\b(both|together|altogether|in total|all (?:of them|three)|combined)\b")
_WHICH_HAS = re.compile(
    r"(?:\w+ )?which (?:one|of (?:the|them|these|those)(?: two| three)?)(?: stores?| shops?)? (?:has|have|stocks?|carr(?:y|ies)) (?:it|them|one|any)(?: then| in stock)?"
)
_MONEY = re.compile(r"\b(cost\w*|price\w*|how much|expensive|pay)\b")


def kind_in_place(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Umbrella london: whether the place has it; of a kind with several products, those that it has."""
    parts = parts_of(text, lexicon)
    if parts.place is None or not parts.kinds or parts.rest or len(cues.words(text)) > _LONGEST:
        return None
    if shown_in(text, memory.shown) or _of_focus(parts, memory) or lexicon.products_in(text):
        return None
    fitting = {sku for name, sku in lexicon.names.items() if set(parts.kinds) <= set(name.split())}
    size = parts.sizes[0] if parts.sizes else None
    if len(fitting) == 1:
        sku = next(iter(fitting))
        task = inventory_task(stock_question(text, parts.place, lexicon), sku=sku, city=parts.place, size=size)
        return rule_plan("inventory", "named a thing and a place", inventory=(task,))
    if cues.asks_stock(lowered):
        return None
    wish = re.sub(rf"\W*\b(?:in |at |near )?{re.escape(parts.place)}\W*", " ", text, count=1).strip()
    task = recommend_task(wish, city=parts.place)
    return rule_plan("recommendation", "named a kind and a place", recommend=task)


def place_and_size(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """M, Cape Town? Only two? Then Berlin. Bombay? Leather ones in 40, Madrid: the stock of what we speak of."""
    if memory.focus_sku is None or not cues.is_short(text):
        return None
    parts = parts_of(text, lexicon)
    pointed = shown_in(text, memory.shown) if parts.place or parts.sizes else []
    if not (parts.place or parts.sizes) or (parts.place is None and lexicon.has_colour(text)):
        return None
    if lexicon.products_in(text) or names_other_kind(text, memory, lexicon):
        return None
    if parts.rest and not (len(pointed) == 1 and parts.place and not cues.is_question(lowered)):
        return None
    if parts.place is None and (parts.kinds or memory.last_route == "recommendation") and len(cues.words(text)) > 4:
        return None
    sku = pointed[0]["sku"] if len(pointed) == 1 else memory.focus_sku
    focus = memory.focus or {}
    size = parts.sizes[0] if parts.sizes else _number_as_size(parts, sku, memory) or focus.get("size")
    city = parts.place or (None if cues.asks_where(lowered) else focus.get("city"))
    question = stock_question(text, parts.place, lexicon)
    task = inventory_task(question, sku=sku, city=city, size=size)
    return rule_plan("inventory", "a place or a size of what we spoke of", inventory=(task,))


def kind_alone(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Winter boots, size 43; what about a mug that can go on the fire: another thing than what is on the screen."""
    if not memory.skus or not names_other_kind(text, memory, lexicon) or lexicon.products_in(text):
        return None
    parts = parts_of(text, lexicon)
    if parts.place is not None or cues.stock_words(lowered) or shown_in(text, memory.shown):
        return None
    asks = re.match(r"(?:\w+[,. ]+)?(?:what|how) about (?:a|an|some) \w", lowered) is not None
    if not asks and (not parts.sizes or parts.rest or cues.is_question(lowered)):
        return None
    return rule_plan("recommendation", "named another thing", recommend=recommend_task(text))


def named_side_by_side(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Quay Trainers vs Mile Trainers, which is cheaper?"""
    skus = lexicon.products_in(text)
    if len(skus) < 2 or cues.asks_stock(lowered) or lexicon.place_in(text) is not None:
        return None
    if _VERSUS.search(lowered) is None or not (cues.compares(lowered) or "which" in lowered or " vs" in lowered):
        return None
    return rule_plan("supervisor", "compared named products", reply="details", skus=skus[:4])


def sum_of_two(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """And both together? after a price."""
    before = (memory.focus or {}).get("before")
    if not before or memory.focus_sku is None or not _BOTH.search(lowered) or len(cues.words(text)) > 5:
        return None
    if content_words(lowered) - {"both", "together", "total", "altogether", "combined", "what", "cost", "price"}:
        return None
    skus = (before, memory.focus_sku)
    plan = rule_plan("supervisor", "asked for a sum", reply="details", skus=skus)
    return plan if _MONEY.search(lowered) else plan.answering("How much do both cost together?")


def which_of_the_stores(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Which of the two has it, after the stock of a city with several stores."""
    city = (memory.focus or {}).get("city")
    if memory.focus_sku is None or memory.last_route not in {"inventory", "both"} or not city:
        return None
    if _WHICH_HAS.fullmatch(lowered) is None:
        return None
    task = inventory_task(f"Which stores in {city} have it in stock?", sku=memory.focus_sku, city=city)
    return rule_plan("inventory", "asked which of a city's stores has it", inventory=(task,))


def _number_as_size(parts: Parts, sku: str, memory: Memory) -> str | None:
    """A bare number that is one of the product's sizes."""
    item = next((one for one in memory.shown if one["sku"] == sku), None)
    sizes = {size.casefold().split()[0]: size for size in (item["sizes"] if item else ()) if size.strip()}
    return next((sizes[number] for number in parts.numbers if number in sizes), None)


def _of_focus(parts: Parts, memory: Memory) -> bool:
    own = {singular(word) for word in cues.words((memory.focus or {}).get("name", ""))}
    return bool(own & set(parts.kinds))


def value_alone(text: str, memory: Memory, lexicon: Lexicon) -> bool:
    """Whether a message is only what the last wish lacked: silk."""
    said = [word for word in cues.words(text) if word not in {"in", "a", "please", "and", "or", "maybe", "ok"}]
    return bool(memory.shown) and 0 < len(said) <= 3 and all(lexicon.columns_of([word]) for word in said)
