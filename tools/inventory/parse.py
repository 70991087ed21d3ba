"""From a question and the conversation's context to an intent with its slots, or to what has to be asked."""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from shopfloor.tools.inventory.asides import without_asides
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.inventory.intents import (
    AVAILABILITY,
    HOW_MANY,
    LIST_STORES,
    MOST,
    PRONOUN,
    Scene,
    locator_intent,
    product_intent,
    shop_intent,
)
from shopfloor.tools.inventory.lexicon import FRAME
from shopfloor.tools.inventory.mentions import Mentions, read_mentions
from shopfloor.tools.inventory.parse_facts import FactQuestion, read_fact_question
from shopfloor.tools.inventory.parse_size import size_from_amount
from shopfloor.tools.inventory.reading import PlaceMention, ProductMention
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import COLOURS, stem
from shopfloor.tools.places import Gazetteer, Place

_BRIEF = 4  # words
_ORDINALS = {
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4,
    "last": -1,
}  # fmt: skip
_THIS_TIME = re.compile(
    r"\b(this|that|these|those|both|same) (week|month|weekend|year|season|quarter|rate|time|moment|pace|speed|morning|day|stores?|shops?|branch(es)?)\b"
)
_HOLDS = re.compile(
    r"\b(has|have|had|sells?|stocks?|carry|carries|keeps?) (it|them|this|that|these|those|one|any|some)\b"
)
_WHOLE_SHOP = re.compile(
    r"\b(products?|items?|articles?|goods|things|everything|shops?|company|business|inventory|assortment)\b"
)


@dataclass(frozen=True, slots=True)
class PlaceRef:
    """A place after everything that names it was put together. ``store_ids`` are the stores it can mean."""

    text: str
    kind: Literal["here", "elsewhere", "unknown"]
    store_ids: tuple[str, ...] = ()
    place: Place | None = None
    nearest: tuple[str, ...] = ()
    named: tuple[str, ...] = ()  # those of ``store_ids`` whose own name was given
    as_store: bool = False


@dataclass(frozen=True, slots=True)
class ProductRef:
    """A product the question is about; ``options`` when it may be one of several, ``nearest`` when there is none."""

    text: str
    sku: str | None
    options: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()
    category: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is asked. ``intent`` is "" when it is no stock question."""

    intent: str
    mentions: Mentions
    products: tuple[ProductRef, ...] = ()
    places: tuple[PlaceRef, ...] = ()
    group: tuple[str, ...] = ()  # SKUs of a category or of a description of many
    category: str | None = None
    group_text: str = ""
    group_words: tuple[str, ...] = ()  # plain singular
    size: str | None = None
    amount: int | None = None
    threshold: int | None = None
    origin: tuple[float, float] | None = None
    fact_words: tuple[str, ...] = ()  # of a question about facts: what it asks of the product
    notes: tuple[str, ...] = field(default=())


def parse_question(text: str, context: InventoryContext, names: ShopNames, gazetteer: Gazetteer) -> Parsed:
    """Read a question. Pure: the shop's stock is not needed, only its names."""
    mentions = read_mentions(text, names, gazetteer)
    mentions = size_from_amount(mentions, _focus(mentions, context), context.size, names)
    places = merge_places(mentions, names)
    facts = read_fact_question(mentions, _focus(mentions, context), context, names)
    if facts is not None:
        return _finish(_about_facts(facts, mentions, places, names), context)
    mentions = without_asides(_without_scraps(mentions, context))
    mentions = _colours_to_products(mentions)
    mentions, colours = _colours_of_focus(mentions, context, names)
    wanted = [mention for mention in mentions.products if mention.kind != "none"]
    missing = [mention for mention in mentions.products if mention.kind == "none"]
    group = next((mention for mention in wanted if _is_group(mention, mentions)), None)
    if group is not None and len(wanted) == 1:
        parsed = _parse_group(group, mentions, places, context, names)
        if parsed is not None:
            return parsed
    wanted = [_in_context(mention, context) for mention in wanted]
    if wanted:
        missing = [mention for mention in missing if mention.exact or mention.strength > 0]
    products = [_product_ref(mention, names) for mention in sorted([*wanted, *missing], key=lambda item: item.start)]
    products = [
        ref
        for number, ref in enumerate(products)
        if ref.sku is None or ref.sku not in {one.sku for one in products[:number]}
    ]
    if not wanted and missing and not any(mention.exact or mention.skus for mention in missing):
        products = []  # words that mean nothing here: only a question without any other sense is about them
    scene = _scene(products, places, context, unknown=bool(missing))
    if not products:
        parsed = _without_product(mentions, scene, places, context, names, missing)
        if parsed is not None:
            return replace(parsed, products=tuple(replace(ref, words=colours) for ref in parsed.products))
        products = [_product_ref(mention, names) for mention in missing]
        scene = _scene(products, places, context, unknown=bool(missing))
    locator = locator_intent(mentions, scene, _are_stores(places, mentions))
    if locator is not None:
        return _finish(Parsed(locator, mentions, tuple(products), tuple(places)), context)
    intent = product_intent(mentions, scene)
    return _finish(Parsed(intent, mentions, tuple(products), tuple(places)), context)


def _about_facts(facts: FactQuestion, mentions: Mentions, places: list[PlaceRef], names: ShopNames) -> Parsed:
    """A question about a product itself."""
    products = [ProductRef(names.matcher.by_sku[sku].name, sku) for sku in facts.skus if sku in names.matcher.by_sku]
    if facts.options:
        products = [ProductRef(facts.text, None, options=facts.options)]
    return Parsed("product_facts", mentions, tuple(products), tuple(places), fact_words=facts.words)


def explained(parsed: Parsed) -> bool:
    """Whether no word is left that might be the name of a place: nothing hangs on names of cities elsewhere."""
    if not parsed.intent or any(ref.kind != "here" for ref in parsed.places):
        return False
    if any(ref.sku is None for ref in parsed.products):
        return False
    words = [word for word in parsed.mentions.masked.split() if word.islower()]
    return all(stem(word) in FRAME or word in parsed.fact_words or stem(word) in parsed.fact_words for word in words)


def _without_scraps(mentions: Mentions, context: InventoryContext) -> Mentions:
    """With a product in focus, a unit or a letter that several products happen to use names no other product."""
    if context.sku is None:
        return mentions
    kept = [found for found in mentions.products if found.exact or any(len(word) > 2 for word in found.words)]
    return mentions if len(kept) == len(mentions.products) else replace(mentions, products=tuple(kept))


def _colours_to_products(mentions: Mentions) -> Mentions:
    """A lone colour beside a product ("the gloves in size M, in red") is that product's colour."""
    kept: list[ProductMention] = []
    for mention in mentions.products:
        colour = not mention.exact and bool(mention.words) and set(mention.words) <= COLOURS
        if colour and kept:
            kept[-1] = replace(kept[-1], words=(*kept[-1].words, *mention.words))
        else:
            kept.append(mention)
    return replace(mentions, products=tuple(kept))


def _colours_of_focus(
    mentions: Mentions, context: InventoryContext, names: ShopNames
) -> tuple[Mentions, tuple[str, ...]]:
    """ "Do you have it in red?": a lone colour beside a product in focus is that product's colour."""
    if len(mentions.products) != 1 or not _focus(mentions, context):
        return mentions, ()
    words = mentions.products[0].words
    if mentions.products[0].exact or not words or not set(words) <= COLOURS:
        return mentions, ()
    return replace(mentions, products=()), words


def _in_context(mention: ProductMention, context: InventoryContext) -> ProductMention:
    """Of several products that fit, the one the conversation is about."""
    if mention.kind != "many":
        return mention
    shown = [sku for sku in context.shown if sku in mention.skus]
    if context.sku is not None and context.sku in mention.skus:
        shown = [context.sku]
    return replace(mention, kind="one", skus=(shown[0],), category=None) if len(shown) == 1 else mention


def _without_product(
    mentions: Mentions,
    scene: Scene,
    places: list[PlaceRef],
    context: InventoryContext,
    names: ShopNames,
    missing: list[ProductMention],
) -> Parsed | None:
    """A question that names no product: about the stores, the shop's stock, or the product in focus."""
    focus = _focus(mentions, context)
    pointing = PRONOUN.search(_THIS_TIME.sub(" ", mentions.masked)) is not None
    which_store = (
        focus
        and LIST_STORES.search(mentions.masked)
        and (_HOLDS.search(mentions.masked) or MOST.search(mentions.masked))
    )
    locator = None if which_store else locator_intent(mentions, scene, _are_stores(places, mentions))
    if locator is not None:
        return _finish(Parsed(locator, mentions, (), tuple(places)), context)
    pointing = pointing or bool(which_store and not _WHOLE_SHOP.search(mentions.masked.replace("shop", "")))
    shop = shop_intent(mentions, scene)
    if shop == "units_overall" and focus and not _WHOLE_SHOP.search(mentions.masked):
        pointing = True  # "how many in total?" is about the product in focus
    if shop is not None and not (focus and pointing):
        return _finish(Parsed(shop, mentions, (), tuple(places)), context)
    if missing:
        return None
    brief = (
        context.size is not None and len(mentions.masked.split()) <= _BRIEF
    )  # "and in l", with the size read already
    if focus and (
        brief or pointing or places or AVAILABILITY.search(mentions.masked) or mentions.size or mentions.amounts
    ):
        products = [ProductRef(names.matcher.by_sku[sku].name, sku) for sku in focus if sku in names.matcher.by_sku]
        if products:
            again = replace(scene, products=len(products))
            return _finish(Parsed(product_intent(mentions, again), mentions, tuple(products), tuple(places)), context)
    if context.shown and pointing:
        options = ProductRef("", None, options=context.shown)
        again = replace(scene, products=1)
        return _finish(Parsed(product_intent(mentions, again), mentions, (options,), tuple(places)), context)
    if AVAILABILITY.search(mentions.masked) and (places or mentions.amounts or mentions.size or pointing):
        return _finish(Parsed("stock_at_store", mentions, (), tuple(places)), context)
    return Parsed("", mentions, (), tuple(places))


def _focus(mentions: Mentions, context: InventoryContext) -> tuple[str, ...]:
    """The products meant by "it", "the second one", "both"."""
    words = mentions.masked.split()
    for word, position in _ORDINALS.items():
        if word in words and context.shown and (position < len(context.shown)):
            return (context.shown[position],)
    if (
        context.shown
        and re.search(r"\b(both|them all|all of them|these|those)\b", mentions.masked)
        and len(context.shown) > 1
    ):
        return context.shown[:2] if "both" in words else context.shown
    if context.sku is not None:
        return (context.sku,)
    return context.shown if len(context.shown) == 1 else ()


def _is_group(mention: ProductMention, mentions: Mentions) -> bool:
    """Whether a description is of a kind of product ("which socks ...", "blue jackets"), not of one product."""
    if mention.exact or mention.kind == "none":
        return False
    if mention.kind == "one" and mention.category is None:
        return False
    before = re.search(r"(\w+) PRODUCT", mentions.masked)
    lead = before.group(1) if before else ""
    if lead in ("the", "this", "that", "a", "an") and not mention.plural:
        return False
    asks_kind = re.search(
        r"\b(what|which|show( me)?( all| the)?|list( all| the)?|all( the| your)?|any|every|kinds? of|types? of|sorts? of) PRODUCT",
        mentions.masked,
    )
    return (
        bool(asks_kind)
        or mention.category is not None
        or (mention.kind == "many" and mention.plural and HOW_MANY.search(mentions.masked) is None)
    )


def _parse_group(
    mention: ProductMention, mentions: Mentions, places: list[PlaceRef], context: InventoryContext, names: ShopNames
) -> Parsed | None:
    """A question about a kind of product; None when it still has to be about one product."""
    scene = Scene(0, True, len(places), context_place=bool(context.city or context.store_id))
    if mentions.point is not None or (len(places) > 1) or mentions.amounts:
        return None
    intent = shop_intent(mentions, scene)
    if intent not in ("category_at_store", "category_overall"):
        return None
    categories = {names.matcher.by_sku[sku].category for sku in mention.skus}
    category = mention.category or (categories.pop() if len(categories) == 1 else mention.text)
    skus = mention.skus
    if mention.category is not None:
        skus = tuple(entry.sku for entry in names.matcher.products if entry.category == mention.category)
    parsed = Parsed(intent, mentions, (), tuple(places), skus, category, mention.text, mention.words)
    return _finish(parsed, context)


def _product_ref(mention: ProductMention, names: ShopNames) -> ProductRef:
    if mention.kind == "one":
        return ProductRef(mention.text, mention.skus[0], category=mention.category, words=mention.words)
    if mention.kind == "many":
        return ProductRef(mention.text, None, mention.skus, category=mention.category, words=mention.words)
    nearest = mention.skus or tuple(names.matcher.nearest(mention.text))
    return ProductRef(mention.text, None, nearest=nearest)


def _scene(products: list[ProductRef], places: list[PlaceRef], context: InventoryContext, *, unknown: bool) -> Scene:
    return Scene(len(products), False, len(places), unknown, bool(context.city or context.store_id))


def _are_stores(places: list[PlaceRef], mentions: Mentions) -> bool:
    if not places:
        return False
    named = bool(places[0].named) or len(places[0].store_ids) == 1
    return (
        named
        and re.search(
            r"PLACE (stores?|shops?|branch|one|location)\b|apart|other|except|zip", mentions.masked, re.IGNORECASE
        )
        is not None
    )


def _finish(parsed: Parsed, context: InventoryContext) -> Parsed:
    """Add size, amounts, origin and the conversation's place."""
    mentions = parsed.mentions
    amount = next((item.at_least() for item in mentions.amounts if item.sense in ("at_least", "more_than")), None)
    if amount is None:
        exact = [item.value for item in mentions.amounts if item.sense == "exactly"]
        amount = next((value for value in exact if value > 1), exact[0] if exact else None)  # "a pair ... two of them"
    limits = [item for item in mentions.amounts if item.sense in ("at_most", "fewer_than")]
    threshold = None
    if limits:
        threshold = limits[0].at_most() + 1 if parsed.intent == "reorder_overall" else limits[0].at_most()
    elif parsed.intent in ("low_stock_at_store", "reorder_overall") and amount is not None:
        threshold = amount
    origin = mentions.point
    if origin is None and context.latitude is not None and context.longitude is not None:
        origin = (context.latitude, context.longitude)
    return replace(
        parsed, size=mentions.size or context.size, amount=amount, threshold=threshold, origin=origin,
    )  # fmt: skip


def merge_places(mentions: Mentions, names: ShopNames) -> list[PlaceRef]:
    """Put together what names one place: a store's name with its city, state and zip; the same city said twice."""
    refs: list[PlaceRef] = []
    for mention in mentions.places:
        ref = _place_ref(mention)
        if ref.kind == "here" and refs and refs[-1].kind == "here":
            common = tuple(store_id for store_id in refs[-1].store_ids if store_id in ref.store_ids)
            if common:
                named = tuple(store_id for store_id in refs[-1].named if store_id in common)
                refs[-1] = replace(refs[-1], store_ids=named or common, named=named)
                continue
        if not any(_same_place(ref, other) for other in refs):
            refs.append(ref)
    return [_narrow(ref, mentions, names) for ref in refs]


def _same_place(one: PlaceRef, other: PlaceRef) -> bool:
    if one.kind == "here":
        return other.kind == "here" and one.store_ids == other.store_ids
    return one.kind == other.kind and one.text.casefold() == other.text.casefold()


def _place_ref(mention: PlaceMention) -> PlaceRef:
    ids = mention.named if mention.as_store and len(mention.named) == 1 else mention.store_ids
    return PlaceRef(mention.text, mention.kind, ids, mention.place, mention.nearest, mention.named, mention.as_store)


def _narrow(ref: PlaceRef, mentions: Mentions, names: ShopNames) -> PlaceRef:
    """Keep the stores that also fit a state or a zip code of the question."""
    if ref.kind != "here":
        return ref
    ids = ref.store_ids
    for kept in (
        tuple(store_id for store_id in ids if names.stores[store_id].state in mentions.states),
        tuple(store_id for store_id in ids if names.stores[store_id].zip in mentions.zips),
    ):
        both = tuple(store_id for store_id in ids if store_id in kept)
        ids = both or ids
    return replace(ref, store_ids=ids)
