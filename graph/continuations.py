"""Rules for messages that go on with what was just said without naming it: "and a 33?", "a shirt", "what do they cost together?".

Pure functions with the conversation's other rules (:mod:`shopfloor.graph.conversation`), which calls them in order.
"""

import re
from typing import cast

from shopfloor.graph import cues
from shopfloor.graph.lexicon import Lexicon, singular
from shopfloor.graph.plan import Plan, inventory_task, recommend_task, rule_plan
from shopfloor.graph.references import shown_in
from shopfloor.graph.replies import LANGUAGE, Replies
from shopfloor.graph.state import Memory

MOST_PRODUCTS = 6
_LEAD = r"^(?:(?:and|or|ok|okay|so|then|well|hm+|oh|ah|nah|no|nope|no wait|wait|actually|fine|right|what about|how about|how many of)\b[,. ]*)*"
_TAIL = r"(?: (?:then|instead|please|maybe|rather|there|of (?:them|it|those)|pieces|pairs|units))*$"
_NUMBER = re.compile(rf"{_LEAD}(?:in )?(?:a |an |the |size |for |only |just )*(?P<number>\d{{1,3}}(?:\.5)?){_TAIL}")
_WANTED = re.compile(
    rf"{_LEAD}(?:(?:i|we)(?:'d|'ll)? (?:actually )?(?:need|want|take|would need)|make it|enough for|at least) "
    rf"(?P<number>\d{{1,3}}|two|three|four|five|six|seven|eight|nine|ten|twelve|a dozen)(?: of (?:them|it|those))?{_TAIL}"
)
_SAME_TERMS = re.compile(
    r"\b(?:on|for|with|under|to) the same (?:terms|conditions?|criteria|rules|trip|journey|occasion|event|person|budget|price|reason|purpose|use|party|holiday|weather)\b"
)
_MATTER = frozenset({"order_status"})
_RETURNS = frozenset({"taking_back", "returns"})
_RETURN_WORDS = re.compile(
    r"\b(replac\w*|exchang\w*|refund\w*|money back|return\w*|swap|repair|fix|receipt|warranty)\b"
)
_MATTER_WORDS = re.compile(
    r"\b(it|they|that|this|mine)\b.*\b(where|when|arriv\w*|com(e|es|ing)|here|long|tak\w+|late|wait\w*|lost|yet|forever|been|still|due|overdue|promised|supposed)\b"
    r"|\b(where|when|how long|why|still|late|yet|forever)\b.*\b(it|they|that|this|mine)\b|^(when|where|why|how long)\b"
)
_PERSON = re.compile(
    rf"{_LEAD}(?:for |only |just |maybe |the |a |an )*(?:(?:older|young|little|grown) )?(wom[ae]n'?s?|m[ae]n'?s?|lad(?:y|ies)'?|gent(?:s|lemen)?|kids?'?|child(?:ren)?'?s?"
    rf"|girls?'?|boys?'?|unisex|male|female|adults?|grown[- ]?ups?)(?: only| ones?| sizes?| model)*{_TAIL}"
)
_COLOURED_ONE = re.compile(rf"{_LEAD}(?:the|a|an|any|that|those|some|only)? ?(?:[\w-]+ ){{1,3}}ones?{_TAIL}")
_THING = re.compile(
    rf"{_LEAD}(?:(?:maybe|perhaps|just|rather|only) )*(?:(?P<article>a|an|some|the) )?(?P<thing>[\w'-]+(?: [\w'-]+){{0,2}}?){_TAIL}"
)
_OTHER_PRODUCT = re.compile(rf"{_LEAD}(?:the|your|a|an) (?P<what>[\w'-]+(?: [\w'-]+){{0,3}}?){_TAIL}")
_ONE_IN = re.compile(
    rf"{_LEAD}(?:is there|are there|do you have|have you got|got|have you)(?: any| one| ones| some| something| anything)+ in [\w ]+{_TAIL}"
)
_IN_COLOUR = re.compile(rf"{_LEAD}(?:in )?(?P<colour>(?:(?:light|dark) )?[a-z]+){_TAIL}$")
_ONLINE = re.compile(rf"{_LEAD}(?:is (?:it|that) |are they |and |available |in stock )*online{_TAIL}$")
_TAKES_BACK = re.compile(r"(?:hm+ |oh |well )*(?:nah|no|nope|no wait|wait|actually|rather)\b")
_FILLERS = frozenset({"and", "or", "but", "a", "the", "please", "maybe", "ok", "in", "something", "also", "very"})
_MOST_VALUES = 3
_TOGETHER = re.compile(
    r"\b(together|both|altogether|in total|total( price| cost)?|combined|all (of them|three|two|four)|the (two|three|lot))\b"
)
_MONEY = re.compile(r"\b(cost\w*|price\w*|how much|come to|pay|expensive|total)\b")


def same_matter(text: str, lowered: str, memory: Memory, lexicon: Lexicon, replies: Replies) -> Plan | None:
    """Where is it then, of a parcel; one more line in a language that was recognised before."""
    before = memory.last_text
    if not before or lexicon.names_product(text) or lexicon.place_in(text) is not None:
        return None
    if replies.kind(before) in _MATTER and cues.is_short(text) and _MATTER_WORDS.search(lowered):
        return rule_plan("supervisor", "the same matter as before", reply=replies.kind(before))
    if replies.kind(before) in _RETURNS and cues.is_short(text) and _RETURN_WORDS.search(lowered):
        return rule_plan("supervisor", "the same matter as before", reply=replies.kind(before))
    if replies.language_reply(before) is not None and replies.is_foreign(text):
        return rule_plan("supervisor", "the same language as before", reply=LANGUAGE)
    return None


def number_alone(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """And a 33?; and 6?: another size or quantity of what we spoke of."""
    match = _NUMBER.match(lowered)
    if memory.focus_sku is None or memory.last_route != "inventory":
        return None
    focus = memory.focus or {}
    wanted = _WANTED.fullmatch(lowered)
    if wanted is not None:
        task = inventory_task(
            f"Are {wanted['number']} of it in stock?",
            sku=memory.focus_sku,
            city=focus.get("city"),
            size=focus.get("size"),
        )
        return rule_plan("inventory", "another number of what we spoke of", inventory=(task,))
    if match is None:
        return None
    task = inventory_task(text, sku=memory.focus_sku, city=focus.get("city"), size=focus.get("size"))
    return rule_plan("inventory", "another number of what we spoke of", inventory=(task,))


def online(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Online then?"""
    if memory.focus_sku is None or _ONLINE.match(lowered) is None:
        return None
    task = inventory_task("Is it available online?", sku=memory.focus_sku, size=(memory.focus or {}).get("size"))
    return rule_plan("inventory", "asked for the online store", inventory=(task,))


def narrowed(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Women's; the blue ones: what was shown, narrowed."""
    if memory.parsed is None or lexicon.place_in(text) is not None or shown_in(text, memory.shown):
        return None
    one = _COLOURED_ONE.match(lowered) or (memory.last_route == "recommendation" and _ONE_IN.match(lowered))
    coloured = lexicon.has_colour(text) and bool(one)
    if not coloured and _PERSON.match(lowered) is None and not _values_alone(lowered, memory, lexicon):
        return None
    return rule_plan("recommendation", "narrowed the last request", recommend=recommend_task(text, refine=True))


def _values_alone(lowered: str, memory: Memory, lexicon: Lexicon) -> bool:
    """Whether a message is only what the last wish lacked: hiking; waterproof and light."""
    said = [word for word in cues.words(lowered) if word not in _FILLERS]
    if memory.last_route != "recommendation" or not 0 < len(said) <= _MOST_VALUES or cues.is_question(lowered):
        return False
    return not lexicon.names_product(lowered) and all(lexicon.columns_of([word]) for word in said)


def in_colour(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """In red, after the stock of a product."""
    match = _IN_COLOUR.match(lowered)
    if match is None or memory.last_route != "inventory" or memory.focus_sku is None:
        return None
    if not lexicon.is_colour(match["colour"]):
        return None
    focus = memory.focus or {}
    question = f"Is it in stock in {match['colour']}?"
    task = inventory_task(question, sku=memory.focus_sku, city=focus.get("city"), size=focus.get("size"))
    return rule_plan("inventory", "asked for another colour of what we spoke of", inventory=(task,))


def one_thing(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """A shirt, after clothes for men under 60; a fleece then, after jumpers for men: for the same person."""
    match = _THING.match(lowered)
    if match is None or memory.parsed is None or memory.last_route != "recommendation" or cues.is_question(lowered):
        return None
    said = cues.words(match["thing"])
    if not said or singular(said[-1]) not in lexicon.product_words or cues.refines(lowered) or cues.asks_stock(lowered):
        return None
    if lexicon.place_in(text) is not None or shown_in(text, memory.shown) or lexicon.products_in(text):
        return None
    before = str(memory.parsed.get("text") or "")
    if before and not (memory.parsed.get("categories") or memory.parsed.get("head")):
        known = (
            ""
            if before.casefold() == memory.last_text.casefold() and not memory.parsed.get("refines")
            else carried(memory)
        )
        task = recommend_task(", ".join(part for part in (match["thing"], known or before) if part))
        return rule_plan("recommendation", "named a thing of a broad wish", recommend=task)
    if match["article"] is None and match["thing"] == lowered:
        return None  # bare words may be a fresh start
    if _TAKES_BACK.match(lowered):
        task = recommend_task(", ".join(part for part in (match["thing"], carried(memory)) if part))
        return rule_plan("recommendation", "another thing for the same use", recommend=task)
    return rule_plan(
        "recommendation", "another thing for the same person", recommend=recommend_task(f"{text} too", refine=True)
    )


def on_same_terms(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Shoes on the same terms; socks for the same trip."""
    match = _SAME_TERMS.search(lowered)
    if match is None or memory.parsed is None or not cues.is_short(text) or lexicon.place_in(text) is not None:
        return None
    thing = cues.normal(lowered.replace(match[0], " "))
    if not lexicon.names_product(thing):
        return None
    task = recommend_task(", ".join(part for part in (thing, carried(memory)) if part))
    return rule_plan("recommendation", "another thing on the same terms", recommend=task)


def carried(memory: Memory) -> str:
    """What the wishes so far came to, but for the thing itself, as words of a wish: running, for women, under 40."""
    parsed = memory.parsed or {}
    values = [pair[1] for pair in cast("list[list[str]]", parsed.get("attributes") or [])]
    said = [value for value in (*values, parsed.get("occasion")) if isinstance(value, str)]
    pairs = cast("list[list[str]]", parsed.get("not_attributes") or [])
    said += [
        f"no {value}" for value in (*(pair[1] for pair in pairs), *cast("list[str]", parsed.get("not_colours") or []))
    ]
    gender, age, most = parsed.get("gender"), parsed.get("age"), parsed.get("price_max")
    if isinstance(gender, str):
        said.append(f"for {gender}")
    if isinstance(age, int | float):
        said.append(f"{age:g} years old")
    if isinstance(most, int | float):
        said.append(f"under {most:g}")
    return ", ".join(dict.fromkeys(said))


def same_of_another(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """And the sleeping bag, after the stock of another product in a city."""
    city = (memory.focus or {}).get("city")
    match = _OTHER_PRODUCT.match(lowered)
    if match is None or memory.last_route != "inventory" or not city or lexicon.place_in(text) is not None:
        return None
    what = match["what"]
    if not cues.what_about(lowered) or not lexicon.names_product(what) or lexicon.is_size(what):
        return None
    if shown_in(text, memory.shown) or lexicon.products_in(text):
        return None
    sku = _of_family(what, memory, lexicon)
    task = inventory_task(f"Is the {what} in stock?", sku=sku, city=city)
    return rule_plan("inventory", "asked the same of another product", inventory=(task,))


def _of_family(what: str, memory: Memory, lexicon: Lexicon) -> str | None:
    """The product of these words; of several, the one whose name begins as that of the product in focus does."""
    asked = {singular(word) for word in cues.words(what)}
    fitting = {name: sku for name, sku in lexicon.names.items() if asked <= set(name.split())}
    if len(fitting) > 1:
        family = cues.words((memory.focus or {}).get("name", ""))[:1]
        fitting = {
            name: sku for name, sku in fitting.items() if name.split()[:1] == [singular(word) for word in family]
        }
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def together(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """What do they cost together; how much would both be?"""
    if not _TOGETHER.search(lowered) or not _MONEY.search(lowered) or cues.stock_words(lowered):
        return None
    named = lexicon.products_in(text)
    before = (memory.focus or {}).get("before")
    if len(named) > 1:
        skus = named
    elif 1 < len(memory.shown) <= MOST_PRODUCTS and memory.focus_sku in memory.skus:
        two = re.search(r"\b(both|two)\b", lowered) is not None
        skus = memory.skus[:2] if two else memory.skus
    elif before and memory.focus_sku:
        skus = (before, memory.focus_sku)
    else:
        return None
    return rule_plan("supervisor", "asked for a sum", reply="details", skus=skus[:MOST_PRODUCTS])
