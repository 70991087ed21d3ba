"""From a parsed question to an outcome: settle what is unknown or ambiguous, then hand over to the intent's answer."""

from dataclasses import replace

from pydantic import JsonValue

from shopfloor.tools.inventory.answer_facts import FactAnswers
from shopfloor.tools.inventory.answer_locator import LocatorAnswers, ask_store, ask_where
from shopfloor.tools.inventory.answer_product import ProductAnswers
from shopfloor.tools.inventory.answer_shop import ShopAnswers
from shopfloor.tools.inventory.answer_supply import SupplyAnswers
from shopfloor.tools.inventory.compare_facts import compare_facts
from shopfloor.tools.inventory.intents import RESERVE
from shopfloor.tools.inventory.outcome import Area, Outcome, Shop, joined, json_id, km, labels, place
from shopfloor.tools.inventory.parse import Parsed, PlaceRef, ProductRef
from shopfloor.tools.inventory.snapshot import SAME_CITY_KM, Store
from shopfloor.tools.matching import plain, word_set

NEAREST_SHOWN = 3
OPTIONS_SHOWN = 8
MOST_OPTIONS = 40  # of a great catalogue
SUPPLY = word_set("sizes_and_stock days_of_cover reorder_point alternatives transfer")
LOCATOR = word_set(
    "nearest_with_service nearest_store nearest_other has_service hours_on_day store_hours store_by_zip stores_in_city"
    " stores_with_service count_state_service count_stores store_info store_services"
)
NEEDS_STORE = word_set("stock_at_store low_stock_at_store out_of_stock_at_store units_at_store category_at_store")
NEEDS_PRODUCT = word_set(
    "stock_at_store at_least_n stores_with_product total_stock nearest_other_store nearest_from_point compare_stores top_store"
    " multi_product sizes_and_stock days_of_cover reorder_point alternatives product_facts"
)
USES_CONTEXT_PLACE = word_set(
    "stock_at_store at_least_n sizes_and_stock low_stock_at_store out_of_stock_at_store units_at_store category_at_store"
    " nearest_other_store multi_product has_service hours_on_day store_hours store_info store_services"
    " nearest_store"
)
AT_NEAREST = word_set("has_service hours_on_day store_hours store_info store_services category_at_store")


WHOLE_AREA = word_set(
    "stock_at_store at_least_n sizes_and_stock multi_product nearest_other_store category_at_store low_stock_at_store"
    " out_of_stock_at_store units_at_store alternatives"
)


def area_of(ref: PlaceRef, shop: Shop) -> Area:
    """The stores of a place; called by its city where it is one city."""
    stores = tuple(shop.store(store_id) for store_id in ref.store_ids)
    cities = {store.label for store in stores}
    return Area(cities.pop() if len(cities) == 1 else ref.text, stores)


def is_one_area(ref: PlaceRef, shop: Shop) -> bool:
    """Whether several stores are one place, so that they can be answered for together: a city, or a whole country.

    Two cities of one name, or a store name that several cities have, are not.
    """
    stores = [shop.store(store_id) for store_id in ref.store_ids]
    if len({plain(store.city or "") for store in stores}) == 1:
        first = stores[0]
        if first.latitude is None or first.longitude is None:
            return len({store.state for store in stores}) == 1
        distances = [store.km_from(first.latitude, first.longitude) for store in stores]
        return all(distance is None or distance <= SAME_CITY_KM for distance in distances)
    if ref.named or len({store.country for store in stores}) != 1:
        return False
    country = stores[0].country
    return set(ref.store_ids) == {store.store_id for store in shop.names.stores.values() if store.country == country}


def answer(parsed: Parsed, shop: Shop, here: PlaceRef | None = None) -> Outcome:
    """Answer, ask, or say what is unknown. Reads the database: call it on a worker thread.

    Args:
        parsed: the question.
        shop: what may be read.
        here: the place the conversation is about, for questions that name none.
    """
    if not parsed.intent:
        text = "I can look up stock, sizes and stores. Which product or store do you want to know about?"
        return Outcome("unsupported", "unsupported", text=text)
    nearest = _nearest_to(here, shop) if not parsed.places and parsed.intent in AT_NEAREST else None
    if nearest is not None and here is not None and here.place is not None:
        found = answer(parsed, shop, nearest)
        store = shop.store(nearest.store_ids[0])
        return replace(
            found, text=f"We have no store in {here.place.name}; the nearest is {place(store)}. {found.text}"
        )
    parsed = _with_context(parsed, shop, here)
    problem = _product_problem(parsed, shop)
    if problem is None and parsed.intent == "product_facts":
        return _about_facts(parsed, shop)
    problem = problem or _place_problem(parsed, shop)
    if problem is not None:
        return problem
    if parsed.intent in LOCATOR:
        stores = [shop.store(store_id) for ref in parsed.places[:1] for store_id in ref.store_ids]
        return LocatorAnswers(shop, parsed, stores).handlers()[parsed.intent]()
    areas = [area_of(ref, shop) for ref in parsed.places if ref.store_ids]
    skus = [ref.sku for ref in parsed.products if ref.sku is not None]
    if skus:
        make = SupplyAnswers if parsed.intent in SUPPLY else ProductAnswers
        answers = make(shop, parsed, skus, areas)
        found = answers.refusal() or answers.handlers()[parsed.intent]()
        return _without_reserving(found, areas) if RESERVE.search(parsed.mentions.masked) else found
    return ShopAnswers(shop, parsed, areas[0] if areas else None).handlers()[parsed.intent]()


def _nearest_to(here: PlaceRef | None, shop: Shop) -> PlaceRef | None:
    """The store nearest to the conversation's city, where that city has none."""
    if here is None or here.kind != "elsewhere" or here.place is None:
        return None
    ranked = nearest_stores(shop, here.place.latitude, here.place.longitude, 1)
    return PlaceRef(ranked[0][0].label, "here", (ranked[0][0].store_id,)) if ranked else None


def _without_reserving(found: Outcome, areas: list[Area]) -> Outcome:
    """Say that nothing can be reserved from here."""
    text = f"{found.text} I can't reserve anything from here; please ask the store itself."
    collect = [store for area in areas for store in area.stores if "click and collect" in store.services]
    if collect:
        verb = "offers" if len(collect) == 1 else "offer"
        text += f" {joined(labels(collect))} {verb} click and collect."
    return replace(found, text=text)


def _about_facts(parsed: Parsed, shop: Shop) -> Outcome:
    """One product, or a choice among several."""
    skus = [ref.sku for ref in parsed.products if ref.sku is not None]
    return FactAnswers(shop, parsed, skus[0]).outcome() if len(skus) == 1 else compare_facts(shop, parsed, skus)


def _with_context(parsed: Parsed, shop: Shop, here: PlaceRef | None) -> Parsed:
    """The conversation's place, where the question names none and needs one; the origin of a city without a store."""
    if here is not None and not parsed.places and parsed.intent in USES_CONTEXT_PLACE and not parsed.mentions.zips:
        parsed = replace(parsed, places=(here,))
    if not parsed.places and parsed.mentions.zips and parsed.intent not in LOCATOR:
        ids = tuple(store_id for code in parsed.mentions.zips for store_id in shop.names.zips.get(code, ()))
        if ids:
            parsed = replace(parsed, places=(PlaceRef(parsed.mentions.zips[0], "here", ids),))
            if parsed.intent == "stores_with_product":
                parsed = replace(parsed, intent="stock_at_store")
    elsewhere = parsed.places[0].place if parsed.places and parsed.places[0].kind == "elsewhere" else None
    if elsewhere is not None and parsed.intent in ("nearest_other_store", "nearest_from_point"):
        origin = (elsewhere.latitude, elsewhere.longitude)
        parsed = replace(parsed, intent="nearest_from_point", origin=origin, places=())
    return parsed


def _product_problem(parsed: Parsed, shop: Shop) -> Outcome | None:
    """An unknown or ambiguous product, or none at all where one is needed."""
    for ref in parsed.products:
        if ref.sku is None and not ref.options:
            return _unknown_product(ref, parsed, shop)
    for ref in parsed.products:
        if ref.sku is None:
            return _ask_product(ref, parsed, shop)
    if not parsed.products and not parsed.group and parsed.intent in NEEDS_PRODUCT:
        facts: dict[str, JsonValue] = {"error": "missing_product"}
        return Outcome(
            "ask",
            parsed.intent,
            _place_slots(parsed, shop),
            facts,
            "Which product do you mean? A name or an article code is best.",
        )
    return None


def _unknown_product(ref: ProductRef, parsed: Parsed, shop: Shop) -> Outcome:
    options = tuple(shop.product_name(sku) for sku in ref.nearest[:NEAREST_SHOWN])
    text = f"I can't find “{ref.text}” in our catalogue."
    if options:
        text += f" Did you mean {joined(options, last='or')}?"
    slots: dict[str, JsonValue] = {"product_text": ref.text} | _place_slots(parsed, shop)
    facts: dict[str, JsonValue] = {"error": "unknown_product", "nearest": list(ref.nearest[:NEAREST_SHOWN])}
    return Outcome("unknown", "unknown_product", slots, facts, text, options)


def _ask_product(ref: ProductRef, parsed: Parsed, shop: Shop) -> Outcome:
    options = ref.options[:MOST_OPTIONS]
    names = [shop.product_name(sku) for sku in options]
    shown = [name if names.count(name) == 1 else f"{name} ({sku})" for name, sku in zip(names, options, strict=True)]
    facts: dict[str, JsonValue] = {"error": "ambiguous_product", "skus": list(ref.options[:20])}
    said = f"“{ref.text}” could be" if ref.text else "Which one do you mean:"
    listed = joined(shown, OPTIONS_SHOWN, "or")
    if len(ref.options) > MOST_OPTIONS:
        listed = f"{', '.join(shown[:OPTIONS_SHOWN])} or one of many more"
    text = f"{said} {listed}" + (". Which one?" if ref.text else "?")
    slots: dict[str, JsonValue] = {"product_text": ref.text} | _place_slots(parsed, shop)
    return Outcome("ask", parsed.intent, slots, facts, text, tuple(shown[:12]))


def _place_slots(parsed: Parsed, shop: Shop) -> dict[str, JsonValue]:
    if not parsed.places:
        return {}
    ref = parsed.places[0]
    if ref.store_ids:
        return {"city": area_of(ref, shop).label}
    return {"city": ref.place.name if ref.place is not None else ref.text}


def _place_problem(parsed: Parsed, shop: Shop) -> Outcome | None:
    """An unknown place, a city without a store, several stores where one is meant, or none where one is needed."""
    for ref in parsed.places:
        if ref.kind != "here" and not (
            ref.place is not None and parsed.intent in ("nearest_with_service", "nearest_store")
        ):
            return _unknown_store(ref, parsed, shop)
    if parsed.intent not in LOCATOR and parsed.intent != "compare_stores":
        for ref in parsed.places:
            if len(ref.store_ids) > 1 and not (parsed.intent in WHOLE_AREA and is_one_area(ref, shop)):
                asked = ask_store(parsed.intent, [shop.store(store_id) for store_id in ref.store_ids])
                return replace(asked, slots=_product_slots(parsed) | _place_slots(parsed, shop))
    if not parsed.places and parsed.intent in NEEDS_STORE:
        return replace(_ask_city(parsed, shop), slots=_product_slots(parsed))
    if parsed.intent == "nearest_other_store" and not parsed.places:
        return ask_where(parsed.intent, ())
    if parsed.intent == "nearest_from_point" and parsed.origin is None:
        return ask_where(parsed.intent, ())
    return None


def _ask_city(parsed: Parsed, shop: Shop) -> Outcome:
    stores = list(shop.names.stores.values())
    cities = tuple(dict.fromkeys(store.label for store in stores))
    facts: dict[str, JsonValue] = {"error": "missing_place"}
    return Outcome("ask", parsed.intent, {}, facts, f"In which store? We are in {joined(cities)}.", cities[:12])


def _product_slots(parsed: Parsed) -> dict[str, JsonValue]:
    return {"sku": parsed.products[0].sku} if parsed.products else {}


def _unknown_store(ref: PlaceRef, parsed: Parsed, shop: Shop) -> Outcome:
    """No store there: the nearest ones when the city is known, the nearest names when it is not."""
    slots = _product_slots(parsed) | _place_slots(parsed, shop)
    if ref.place is not None:
        ranked = nearest_stores(shop, ref.place.latitude, ref.place.longitude)
        facts: dict[str, JsonValue] = {
            "error": "unknown_store",
            "store_id": json_id(ranked[0][0].store_id) if ranked else None,
            "nearest": [
                {"store_id": json_id(store.store_id), "city": store.label, "distance_km": distance}
                for store, distance in ranked
            ],
        }
        said = joined((f"{place(store)} ({km(distance)})" for store, distance in ranked), last="or")
        text = f"We have no store in {ref.place.name}." + (f" The nearest would be {said}." if said else "")
        return Outcome(
            "unknown", "unknown_store", slots, facts, text, tuple(store.label for store, _ in ranked), _sku(parsed)
        )
    facts = {"error": "unknown_store", "nearest_names": list(ref.nearest)}
    cities = tuple(dict.fromkeys(store.label for store in shop.names.stores.values()))
    text = f"I don't know a place called {ref.text}."
    if ref.nearest:
        text += f" Did you mean {joined(ref.nearest, last='or')}?"
    else:
        text += f" Our stores are in {joined(cities)}."
    return Outcome("unknown", "unknown_store", slots, facts, text, ref.nearest or cities[:12], _sku(parsed))


def _sku(parsed: Parsed) -> str | None:
    return parsed.products[0].sku if parsed.products else None


def nearest_stores(
    shop: Shop, latitude: float, longitude: float, limit: int = NEAREST_SHOWN
) -> list[tuple[Store, float]]:
    """The stores nearest to a point, with the distance in km."""
    ranked: list[tuple[float, str]] = []
    for store in shop.names.stores.values():
        distance = store.km_from(latitude, longitude)
        if distance is not None:
            ranked.append((distance, store.store_id))
    return [(shop.store(store_id), round(distance, 1)) for distance, store_id in sorted(ranked)[:limit]]
