"""A place given as such (a form field, the conversation's city): a store id, a store's name, any name of a city."""

from shopfloor.tools.inventory.find_places import ONLINE_WORDS, PlaceFinder
from shopfloor.tools.inventory.parse import PlaceRef
from shopfloor.tools.inventory.reading import Reading
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import plain
from shopfloor.tools.places import Gazetteer


def locate(text: str, names: ShopNames, gazetteer: Gazetteer) -> PlaceRef:
    """What ``text`` names; ``kind`` is "unknown" with the nearest names when it is nothing."""
    key = plain(text)
    if text.strip() in names.stores:
        return PlaceRef(text, "here", (text.strip(),))
    ids = names.cities.get(key) or names.store_names.get(key) or names.zips.get(text.strip().upper())
    if ids is None and key in ONLINE_WORDS:
        ids = tuple(store.store_id for store in names.stores.values() if store.online) or None
    if ids:
        return PlaceRef(text, "here", ids)
    head = key
    region = None
    if "," in text:
        head, _, tail = text.partition(",")
        region = names.states.get(plain(tail))
        ids = tuple(
            store_id for store_id in names.cities.get(plain(head), ())
            if region is None or names.stores[store_id].state == region
        )  # fmt: skip
        if ids:
            return PlaceRef(text, "here", ids)
    finder = PlaceFinder(Reading.of(plain(head).title()), names, gazetteer)
    words = len(plain(head).split())
    found = finder.whole(words)
    if found is None:
        return PlaceRef(text, "unknown", nearest=_nearest(text, names, gazetteer))
    return PlaceRef(text, found.kind, found.store_ids, found.place, found.nearest)


def _nearest(text: str, names: ShopNames, gazetteer: Gazetteer) -> tuple[str, ...]:
    spelled = gazetteer.nearest_names(text)
    if spelled:
        return tuple(spelled)
    return tuple(dict.fromkeys(store.label for store in names.stores.values()))[:3]
