"""Rules for questions about what was shown or is named: what a product is like, which has more of something, its stock.

Pure functions with the conversation's other rules (:mod:`shopfloor.graph.conversation`), which calls them in order.
"""

import re

from shopfloor.graph import cues
from shopfloor.graph.acting import store_task
from shopfloor.graph.aspects import aspects_in, comparison_in, content_words, speaks_of_product
from shopfloor.graph.lexicon import Lexicon
from shopfloor.graph.plan import Plan, inventory_task, recommend_task, rule_plan
from shopfloor.graph.references import shown_in
from shopfloor.graph.state import Memory

MOST_PRODUCTS = 6
TO_GO_WITH = " to wear with it"  # what the recommendation agent reads as: of the same person and style
_LONGEST_QUESTION = 16  # words
_SHOP_ASKED = re.compile(
    r"\b(do|have|can|could|would|will) (you|u|they|i|we)\b(?! (wash|clean|machine|use|wear|tell|say))"
)
_WISH = re.compile(
    r"\b(recommend|suggest|looking for|similar|matching|match(es)?|go(es)? with|go(es)? well|instead|something|anything|alternatives?|(?<!do )(?<!should )(?<!would )i (need|want|would like|am|have)|i'd like|i'm|show)\b"
)
_WHOLE_SHOP = re.compile(r"\b(you (have|sell|carry|stock)|in (the|your) (shop|range|store)|of all|overall)\b")
_STORE = re.compile(
    r"\b(open(s|ing)?|clos(e|es|ed|ing)|hours|address|services?|parking|phone|that (store|shop|branch)|this (store|shop|branch)|do they|does it (offer|have)|(?<!is )(?<!are )there)\b"
)
_HAS = re.compile(r"\b(do|does|have|has) (you|they|it|u|we) (still |also |even )?(have|got|sell|stock|carry|keep)\b")
_SOMEWHERE = re.compile(
    r"(?<!come)(?<!comes)\b (in|at|near) [A-Z][\w'-]{3,}[ ?.!]*$"
)  # a place we don't know is still one
_HOURS = re.compile(
    r"^(?:and |ok |so )?where (?:is|are) (?:it|they|that)( then| exactly| now)?$|\b(?:(?:un)?till?|from) (?:what time|when)\b|\bwhat time\b|\bwhen do(?:es)? (?:they|it) (?:shut|close|open)\b"
)
_WHICH_DOES = re.compile(
    r"(?:so |and |ok |then )*(?:which|what) (?:ones?|of them|stores?|shops?|branch(?:es)?|other ones?|cit(?:y|ies))"
    r"(?: (?:does|do|has|have|offers?|then|it|that))+"
)
_THERE = re.compile(r"\b(?:there|(?:at|in) (?:that|this) (?:store|shop|branch))\b", re.IGNORECASE)
_OF_THE_SHOP = re.compile(
    r"^(?:so |and |ok |okay )*(?:what|which|anything|how many)(?: (?:else|products?|items?|things?|articles?|of our \w+))*"
    r" (?:will |would |is |are |'s |going to |gonna |likely to |about to )*(?:sells? out|sold out|runs? out|run(?:ning)? (?:out|low)|out of stock|gone|low|needs? re-?ordering)\b"
)
_ANOTHER = re.compile(r"\b(what|anything|something|who) else\b|\bwhat other\b|\b(what|how) about (a|an|some)\b")
_THEY = re.compile(r"\b(they|there|that (store|shop)|does it have)\b")
_GOES_WITH = re.compile(
    r"\b(?:(?:that |which |to )?(?:would |will )?(?:go(?:es)?|wear|works?|looks? good) (?:well )?with|to match|match(?:es|ing)?|pairs? with)"
    r"(?: (?P<what>it|this|that|them|these|those|the \w+ one))?(?= |$)"
)
_MOST_STORE = re.compile(
    r"\bwhich (one|store|shop|branch|city|town|place|location|of (them|these|those))?( of (them|these|those))? ?has (the )?(more|most|fewest|least)\b"
)
_MOST_OF_SIZES = re.compile(
    r"\b(biggest|largest|smallest|longest|shortest|max(imum)?|min(imum)?) (size|length|number)s?\b(?! (store|shop))"
)
_INSISTS = re.compile(r"\b(it|that|this|they) (only )?(costs?|is|are|should be|was)( only)? [^a-z]{0,3}\d")
_BARE = re.compile(
    r"(?:(?:and|ok|so|what about|how about) )*(?:the |its |their )?(?:sizes?|colou?rs?|price|weight|material|brand|rating|reviews)"
)
_ONES_OWN = re.compile(
    r"(and |so |ok |but )*(do|should|can|could|must|will|would) (i|we) (?!(get|have|find|buy|see|try|order|pay|speak|talk|ask)\b)"
)
_TAKES = re.compile(
    r"\b(i'?ll|i will|i'?d like to|let me|i want to|can i|we'?ll) (take|buy|have|get|order) (it|them|that|this|those|that one|this one)\b"
)


def named_product(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """A product named in full, with a question or alone: what does the Duo Tent cost, 6 of the Plain Mug in Berlin."""
    skus = lexicon.products_in(text)
    if not skus:
        return None
    first = skus[0]
    if _WISH.search(lowered) and not cues.asks_details(lowered) and lexicon.place_in(text) is None:
        return None
    place = lexicon.place_in(text)
    left = set(cues.words(lowered)) - _fillers()
    has = _HAS.search(lowered) is not None and not cues.asks_details(lowered)
    if place is not None or cues.asks_stock(lowered) or has or _SOMEWHERE.search(text):
        if len(skus) > 1:
            return None
        if place is None and _THEY.search(lowered) is None:
            task = inventory_task(text, sku=first, size=cues.size_in(lowered))
            return rule_plan("inventory", "asked about the stock of a named product", inventory=(task,))
        if place is not None and cues.asks_price(lowered):
            return price_and_stock(first, place, cues.size_in(lowered))
        store = memory.focus.get("store_id") if memory.focus and place is None and _city(memory) is None else None
        task = inventory_task(text, sku=first, city=place or _city(memory), store_id=store, size=cues.size_in(lowered))
        return rule_plan("inventory", "asked about the stock of a named product", inventory=(task,))
    if len(cues.words(text)) > _LONGEST_QUESTION:
        return None
    bare = len(left) <= len(" ".join(skus)) and not cues.is_question(lowered) and len(cues.words(text)) <= 8
    if memory.last_route == "inventory" and bare and _city(memory) and _goes_on(lowered):
        task = inventory_task(f"Is it in stock? {text}", sku=first, city=_city(memory))
        return rule_plan("inventory", "asked the same of a named product", inventory=(task,))
    if cues.is_question(lowered) or speaks_of_product(lowered) or cues.asks_details(lowered) or bare:
        return rule_plan("supervisor", "asked about a named product", reply="details", skus=skus[:MOST_PRODUCTS])
    return None


def price_and_stock(sku: str, place: str, size: str | None) -> Plan:
    """What does it cost, and is it in Lyon: two questions about one product."""
    tasks = (
        inventory_task("How much is it?", sku=sku),
        inventory_task(f"Is it in stock in {place}?", sku=sku, city=place, size=size),
    )
    return rule_plan("inventory", "asked for price and stock", inventory=tasks)


def goes_with(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """And gloves to go with it; what trousers match the Plain Suit Jacket?"""
    match = _GOES_WITH.search(lowered)
    named = lexicon.products_in(text)
    leans = match is not None and (match["what"] or match[0].startswith("matching"))
    if match is None or not cues.is_short(text) or not (named or (leans and memory.focus_sku)):
        return None
    wish = text if named else cues.normal(lowered.replace(match[0], " ")) + TO_GO_WITH
    task = recommend_task(wish, like=named[0] if named else memory.focus_sku)
    return rule_plan("recommendation", "asked what goes with a product", recommend=task)


def which_store(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Which one has more, after stock was told store by store."""
    match = _MOST_STORE.search(lowered)
    if match is None or memory.last_route != "inventory" or memory.focus_sku is None:
        return None
    least = match[0].endswith(("fewest", "least"))
    # One store alone has no other to compare it with: then it is asked of all.
    one_store = memory.focus is not None and memory.focus.get("store_id") is not None
    place = lexicon.place_in(text) or (None if one_store else _city(memory))
    where = f" in {place}" if place else ""
    question = f"Which store{where} has the {'fewest' if least else 'most'} of {memory.focus_sku}?"
    task = inventory_task(question, sku=memory.focus_sku, city=place)
    return rule_plan("inventory", "asked which store has more", inventory=(task,))


def for_others(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Do you have them for kids?"""
    if not cues.also_for(lowered) or not cues.is_short(text) or lexicon.place_in(text) is not None:
        return None
    return rule_plan("recommendation", "asked for somebody else", recommend=recommend_task(text, refine=True))


def one_more(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Boots too; and a hat: for the same person as before."""
    if memory.parsed is None or not cues.adds(lowered) or not lexicon.names_product(text):
        return None
    if lexicon.place_in(text) is not None or cues.is_question(lowered) or memory.last_route == "inventory":
        return None
    if shown_in(text, memory.shown):
        return None
    return rule_plan("recommendation", "named one more thing", recommend=recommend_task(text, refine=True))


def superlative(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """The lightest one; and the cheapest; which of these holds the most; which is brighter?"""
    if not cues.is_short(text):
        return None
    comparison = comparison_in(lowered)
    if _MOST_OF_SIZES.search(lowered) and memory.focus_sku is not None and not _WHOLE_SHOP.search(lowered):
        return rule_plan(
            "supervisor", "asked for one fact of what we spoke of", reply="details", skus=(memory.focus_sku,)
        )
    if comparison is not None and _WHOLE_SHOP.search(lowered) and not cues.asks_stock(lowered):
        if lexicon.names_product(text) or lexicon.place_in(text):
            return None
        task = recommend_task(text, refine=True)
        return rule_plan("recommendation", "asked for the most of the last wish", recommend=task)
    pair = _pair_spoken_of(memory)
    if len(memory.shown) < 2 and not pair:
        return _most_of_its_kind(text, lowered, memory, lexicon) if comparison is not None else None
    if comparison is None or re.match(r"(something|anything|one|show|ok something|maybe)\b", lowered):
        return None
    asked = cues.compares(lowered) or re.search(
        r"\b(which|what|who)\b|\bof (the (two|three)|them|these|those)\b", lowered
    )
    asked = bool(asked)
    picked = comparison.word.split()[0].endswith("est") or comparison.word.startswith(("most", "least"))
    if asked or (picked and len(cues.words(text)) <= 6):
        if cues.asks_stock(lowered) or lexicon.place_in(text) is not None:
            return None
        chosen = shown_in(text, memory.shown)
        skus = tuple(item["sku"] for item in chosen) if len(chosen) > 1 else pair or memory.skus
        return rule_plan("supervisor", "compared what is shown", reply="details", skus=skus[:MOST_PRODUCTS])
    return None


def _most_of_its_kind(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Which is the lightest, where one product alone was spoken of: of the things of its kind."""
    item = next((one for one in memory.shown if one["sku"] == memory.focus_sku), None)
    if item is None or not item["category"] or not cues.compares(lowered) or cues.asks_stock(lowered):
        return None
    if lexicon.names_product(text) or lexicon.place_in(text) is not None or cues.has_pronoun(lowered):
        return None
    if memory.parsed is not None and memory.last_route == "recommendation":
        task = recommend_task(text, refine=True)
    else:
        task = recommend_task(f"{item['category']}: {text}")
    return rule_plan("recommendation", "asked for the most of that kind", recommend=task)


def _pair_spoken_of(memory: Memory) -> tuple[str, ...]:
    """The last two products that were named one after the other, where they are not of the list on the screen."""
    before = (memory.focus or {}).get("before")
    if not before or memory.focus_sku is None or memory.focus_sku in memory.skus:
        return ()
    return (before, memory.focus_sku)


def disputed(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """No, it costs 50."""
    if memory.focus_sku is None or len(cues.words(text)) > _LONGEST_QUESTION or not _INSISTS.search(lowered):
        return None
    return rule_plan("supervisor", "disputed a price", reply="details", skus=(memory.focus_sku,))


def product_question(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Is it waterproof; does the zip run both ways; how long does the battery last; which colours?"""
    if memory.focus_sku is None or len(cues.words(text)) > _LONGEST_QUESTION:
        return None
    if lexicon.place_in(text) is not None or _WISH.search(lowered) or _asks_stock(lowered):
        return None
    if _OF_THE_SHOP.search(lowered) or _ANOTHER.search(lowered):
        return None
    if cues.refines(lowered) and (_SHOP_ASKED.search(lowered) or not cues.is_question(lowered)):
        return None
    if _BARE.fullmatch(lowered):
        return rule_plan(
            "supervisor", "asked for one fact of what we spoke of", reply="details", skus=(memory.focus_sku,)
        )
    question = cues.is_question(lowered) or text.rstrip().endswith("?")
    aspect = bool(aspects_in(lowered)) or cues.asks_details(lowered)
    if not question and not (aspect and len(cues.words(text)) <= 4):
        return None
    if _SHOP_ASKED.search(lowered) and not cues.has_pronoun(lowered):
        return None
    if not cues.has_pronoun(lowered) and not _elliptic(lowered, memory, lexicon, aspect=aspect):
        return None
    return rule_plan("supervisor", "asked what a product is like", reply="details", skus=_spoken_of(lowered, memory))


def named_otherwise(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """Can the cutlery go in the dishwasher, of a set that only one product's name has a word of."""
    match = re.match(
        r"(?:and |so |ok )*(?:is|are|does|do|can|will|how \w+ (?:is|are|does)) the (?P<word>\w{4,})\b", lowered
    )
    if match is None or lexicon.place_in(text) is not None or cues.asks_stock(lowered) or not cues.is_short(text):
        return None
    word = match["word"].removesuffix("s")
    fitting = {sku for name, sku in lexicon.names.items() if word in name.split()}
    if len(fitting) != 1 or memory.focus_sku in fitting or word in cues.words(_focus_name(memory)):
        return None
    return rule_plan("supervisor", "asked about a product by a word of its name", reply="details", skus=tuple(fitting))


def store_question(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """And the address; what services does it have; do they do alterations, of the store we spoke of."""
    place = lexicon.place_in(text)
    service = lexicon.service_in(text)
    if service is not None and place is None and memory.last_route == "inventory" and memory.focus is not None:
        task = inventory_task(f"Do you have {service}?", city=_city(memory), store_id=memory.focus.get("store_id"))
        return rule_plan("inventory", "asked about a service of the store we spoke of", inventory=(task,))
    if _WHICH_DOES.fullmatch(lowered) and memory.last_text and lexicon.service_in(memory.last_text):
        return rule_plan("inventory", "asked which store offers it", inventory=(store_task(text, memory, lexicon),))
    offered = lexicon.names_service(text) or (service is not None and cues.is_question(lowered))
    if place is not None and offered and cues.is_short(text):
        asked = text if lexicon.names_service(text) else f"Do you have {service} in {place}?"
        return rule_plan("inventory", "asked about a store's service", inventory=(inventory_task(asked, city=None),))
    if memory.last_route != "inventory" or not cues.is_short(text) or memory.focus is None:
        return None
    store = memory.focus.get("store_id")
    asked = _STORE.search(lowered) is not None or lexicon.names_service(text)
    hours = _HOURS.search(lowered) is not None
    if place is None and (hours or (asked and not cues.asks_stock(lowered))) and (store or _city(memory)):
        task = store_task(text, memory, lexicon) if hours else inventory_task(text, city=_city(memory), store_id=store)
        return rule_plan("inventory", "asked about the store we spoke of", inventory=(task,))
    about = cues.what_about(lowered)
    before = memory.last_text
    if about is None or not before or not (asked or memory.focus_sku is None):
        return None
    old = lexicon.place_in(before)
    there = _THERE.search(before) if old is None else None
    if lexicon.is_place(about) and (old is not None or there is not None):
        where = _as_written(text, about)
        question = before.replace(old, where) if old is not None else _THERE.sub(f"in {where}", before, count=1)
        if (same := lexicon.service_in(before)) is not None:
            question = f"Do you have {same} in {where}?"
        return rule_plan(
            "inventory", "asked the same of another place", inventory=(inventory_task(question, city=None),)
        )
    return None


def takes_it(text: str, lowered: str, memory: Memory, lexicon: Lexicon) -> Plan | None:
    """I'll take it."""
    if memory.focus_sku is None or not _TAKES.search(lowered) or not cues.is_short(text) or lexicon.place_in(text):
        return None
    if cues.asks_stock(lowered):
        return None
    return rule_plan("supervisor", "takes what we spoke of", reply="chosen", skus=(memory.focus_sku,))


def _spoken_of(lowered: str, memory: Memory) -> tuple[str, ...]:
    """What a question with "they" or "it" is about: all that is shown, or the one in focus."""
    assert memory.focus_sku is not None
    name = _focus_name(memory)
    if re.search(r"\bboth\b", lowered) and len(memory.skus) > 1:
        return memory.skus[:2]
    pair = name.casefold().removesuffix(" women").removesuffix(" men").endswith("s")
    alone = memory.last_route == "inventory" or memory.focus_sku not in memory.skus[:1]
    if cues.is_plural(lowered) and len(memory.skus) > 1 and not pair and not alone:
        return memory.skus[:MOST_PRODUCTS]
    return (memory.focus_sku,)


def _elliptic(lowered: str, memory: Memory, lexicon: Lexicon, *, aspect: bool) -> bool:
    """Whether a question without "it" leaves out what we speak of, rather than naming something else."""
    name = frozenset(cues.words(_focus_name(memory)))
    others = [word for word in content_words(lowered) if word not in name and lexicon.names_product(word)]
    if others:
        return False
    if aspect and len(cues.words(lowered)) <= 9:
        return True
    if _ONES_OWN.match(lowered) and len(cues.words(lowered)) <= 9:
        return True
    part = re.match(
        r"(and |so |ok |but )*(is|are|does|do|has|have|how|what is|what are|what's) (\w+ )?(the|its|their)\b", lowered
    )
    return part is not None and len(cues.words(lowered)) <= 9


def _asks_stock(lowered: str) -> bool:
    """A stock question that is not "how long is it in ..." and the like."""
    return cues.asks_stock(lowered) and cues.stock_words(lowered)


def _goes_on(lowered: str) -> bool:
    return re.match(r"(and|or|what about|how about|ok|then)\b", lowered) is not None or len(cues.words(lowered)) <= 5


def _as_written(text: str, about: str) -> str:
    match = re.search(re.escape(about), text, re.IGNORECASE)
    return match[0] if match else about


def _focus_name(memory: Memory) -> str:
    return memory.focus.get("name", "") if memory.focus else ""


def _fillers() -> frozenset[str]:
    return frozenset({"the", "a", "an", "and", "what", "about", "how", "please", "ok", "show", "me"})


def _city(memory: Memory) -> str | None:
    return memory.focus.get("city") if memory.focus else None
