"""Answers about the stores themselves: where they are, when they open, what they offer."""

from collections.abc import Callable

from pydantic import JsonValue

from shopfloor.tools.inventory.hours import hours_by_day
from shopfloor.tools.inventory.intents import FACILITY
from shopfloor.tools.inventory.outcome import Outcome, Shop, joined, json_id, labels, place
from shopfloor.tools.inventory.parse import Parsed, PlaceRef
from shopfloor.tools.inventory.snapshot import Store

TOGETHER = 4  # stores of one city that are answered for together; of more the shopper is asked which


class LocatorAnswers:
    """One method an intent. ``stores`` are the stores the question's place can mean."""

    def __init__(self, shop: Shop, parsed: Parsed, stores: list[Store]) -> None:
        self._shop = shop
        self._parsed = parsed
        self._mentions = parsed.mentions
        self._stores = stores

    def handlers(self) -> dict[str, Callable[[], Outcome]]:
        """The intents answered here."""
        return {
            "nearest_with_service": self.nearest,
            "nearest_store": self.nearest,
            "nearest_other": self.nearest_other,
            "has_service": self.has_service,
            "hours_on_day": self.hours_on_day,
            "store_hours": self.store_hours,
            "store_by_zip": self.store_by_zip,
            "stores_in_city": self.stores_in_city,
            "stores_with_service": self.stores_with_service,
            "count_state_service": self.count,
            "count_stores": self.count,
            "store_info": self.store_info,
            "store_services": self.store_services,
        }

    def _outcome(self, slots: dict[str, JsonValue], structured: dict[str, JsonValue], text: str) -> Outcome:
        return Outcome("answered", self._parsed.intent, slots, structured, text)

    def _one(self, then: Callable[[Store], Outcome]) -> Outcome:
        """Answer for the one store meant, or ask which."""
        stores = self._stores
        if not stores and self._mentions.zips:
            ids = [store_id for code in self._mentions.zips for store_id in self._shop.names.zips.get(code, ())]
            stores = [self._shop.store(store_id) for store_id in ids]
        named = [store for store in stores if self._parsed.places and store.store_id in self._parsed.places[0].named]
        if len(named) == 1:
            return then(named[0])
        if len(stores) == 1:
            return then(stores[0])
        if 1 < len(stores) <= TOGETHER and len({store.city for store in stores}) == 1:
            return self._together([then(store) for store in stores])
        return ask_store(self._parsed.intent, stores or list(self._shop.names.stores.values()))

    def _together(self, answers: list[Outcome]) -> Outcome:
        """The answers for a few stores of one city, one after the other."""
        facts: dict[str, JsonValue] = {"stores": [dict(answer.structured) for answer in answers]}
        slots: dict[str, JsonValue] = {"city": self._stores[0].label}
        return self._outcome(slots, facts, " ".join(answer.text for answer in answers))

    def _origin(self) -> tuple[float, float, Store | None] | None:
        """Where the asker is: a zip code's store, a named store or city, coordinates."""
        stores = self._stores
        if self._mentions.zips:
            ids = [store_id for code in self._mentions.zips for store_id in self._shop.names.zips.get(code, ())]
            at_zip = [self._shop.store(store_id) for store_id in ids]
            stores = [store for store in at_zip if store in stores] or at_zip or stores
        for store in stores:
            if store.latitude is not None and store.longitude is not None:
                return store.latitude, store.longitude, store
        for ref in self._parsed.places:
            if ref.place is not None:
                return ref.place.latitude, ref.place.longitude, None
        if self._parsed.origin is not None:
            return (*self._parsed.origin, None)
        return None

    def _ranked(
        self, latitude: float, longitude: float, service: str | None, skip: str | None
    ) -> list[tuple[Store, float]]:
        found: list[tuple[float, Store]] = []
        for store in self._shop.names.stores.values():
            distance = store.km_from(latitude, longitude)
            if distance is None or store.store_id == skip or (service is not None and service not in store.services):
                continue
            found.append((distance, store))
        found.sort(key=lambda item: (item[0], item[1].store_id))
        return [(store, round(distance, 1)) for distance, store in found]

    def nearest(self) -> Outcome:
        origin = self._origin()
        service = self._mentions.services[0] if self._mentions.services else None
        slots: dict[str, JsonValue] = {"service": service} if service else {}
        if self._mentions.zips:
            slots["zip"] = self._mentions.zips[0]
        if origin is None:
            return ask_where(self._parsed.intent, self._mentions.zips)
        ranked = self._ranked(origin[0], origin[1], service, None)
        offering = f" with {service}" if service else ""
        return self._nearest_outcome(slots, ranked, f"The nearest store{offering} is", f"No store offers {service}.")

    def nearest_other(self) -> Outcome:
        def answer(origin: Store) -> Outcome:
            slots: dict[str, JsonValue] = {"store_id": json_id(origin.store_id)}
            if origin.latitude is None or origin.longitude is None:
                return self._outcome(
                    slots, {"store_id": None, "distance_km": None}, f"I don't know where {place(origin)} is."
                )
            ranked = self._ranked(origin.latitude, origin.longitude, None, origin.store_id)
            return self._nearest_outcome(
                slots, ranked, f"The next closest to {place(origin)} is", "There is no other store."
            )

        return self._one(answer)

    def _nearest_outcome(
        self, slots: dict[str, JsonValue], ranked: list[tuple[Store, float]], start: str, none: str
    ) -> Outcome:
        if not ranked:
            return self._outcome(slots, {"store_id": None, "distance_km": None}, none)
        store, distance = ranked[0]
        facts: dict[str, JsonValue] = {**_store_facts(store), "distance_km": distance}
        return self._outcome(slots, facts, f"{start} {place(store)}{_address(store)}, {distance:.1f} km away.")

    def has_service(self) -> Outcome:
        facility = FACILITY.search(self._mentions.text.casefold())
        if not self._mentions.services:
            return self._unlisted(facility["what"] if facility is not None else "that")
        service = self._mentions.services[0]

        def answer(store: Store) -> Outcome:
            offered = service in store.services
            start = "Yes" if offered else "No"
            verb = "offers" if offered else "does not offer"
            facts: dict[str, JsonValue] = {"answer": offered, "store_id": json_id(store.store_id)}
            slots: dict[str, JsonValue] = {"store_id": json_id(store.store_id), "service": service}
            return self._outcome(slots, facts, f"{start}, {place(store)} {verb} {service}.")

        return self._one(answer)

    def _unlisted(self, service: str) -> Outcome:
        """Something that no store of the shop lists."""

        def answer(store: Store) -> Outcome:
            facts: dict[str, JsonValue] = {"answer": None, "store_id": json_id(store.store_id), "known": False}
            text = f"The shop's data don't say whether {place(store)} has {service}."
            return self._outcome({"store_id": json_id(store.store_id), "service": service}, facts, text)

        return self._one(answer)

    def hours_on_day(self) -> Outcome:
        day = self._mentions.days[0]

        def answer(store: Store) -> Outcome:
            hours = hours_by_day(store.hours).get(day)
            slots: dict[str, JsonValue] = {"store_id": json_id(store.store_id), "day": day}
            said = f"open {hours} on {day}" if hours else f"without stated hours on {day}"
            if hours and hours.casefold() == "closed":
                said = f"closed on {day}"
            facts: dict[str, JsonValue] = {"hours": hours, "store_id": json_id(store.store_id)}
            return self._outcome(slots, facts, f"{_capital(place(store))} is {said}.")

        return self._one(answer)

    def store_hours(self) -> Outcome:
        def answer(store: Store) -> Outcome:
            facts: dict[str, JsonValue] = {"store_id": json_id(store.store_id), "hours": store.hours}
            said = (
                f"{_capital(place(store))} is open {store.hours}."
                if store.hours
                else f"{_capital(place(store))} states no hours."
            )
            return self._outcome({"store_id": json_id(store.store_id)}, facts, said)

        return self._one(answer)

    def store_by_zip(self) -> Outcome:
        code = self._mentions.zips[0]
        ids = self._shop.names.zips.get(code, ())
        slots: dict[str, JsonValue] = {"zip": code}
        if not ids:
            return self._outcome(slots, {"store_id": None, "store_ids": []}, f"There is no store with zip code {code}.")
        stores = [self._shop.store(store_id) for store_id in ids]
        facts: dict[str, JsonValue] = {**_store_facts(stores[0]), "store_ids": [json_id(store_id) for store_id in ids]}
        said = joined(f"{store.name}{_address(store)}" for store in stores)
        return self._outcome(slots, facts, f"At zip code {code}: {said}.")

    def stores_in_city(self) -> Outcome:
        stores = self._stores
        states = self._mentions.states
        slots: dict[str, JsonValue] = {}
        if self._parsed.places:
            cities = {store.city for store in stores}
            slots["city"] = next(iter(cities)) if len(cities) == 1 else self._parsed.places[0].text
            in_city = [store for store in stores if store.city and _is_city(store, self._parsed.places[0], self._shop)]
            stores = in_city or stores
        else:
            stores = [store for store in self._shop.names.stores.values() if not states or store.state in states]
        if states:
            slots["state"] = states[0]
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in stores], "count": len(stores),
        }  # fmt: skip
        where = f" in {slots.get('city') or states[0]}" if slots else ""
        if not stores:
            return self._outcome(slots, facts, f"We have no store{where}.")
        names = [store.name for store in stores] if self._parsed.places else labels(stores)
        count = "1 store" if len(stores) == 1 else f"{len(stores)} stores"
        return self._outcome(slots, facts, f"We have {count}{where}: {joined(names, 12)}.")

    def _with_service(self) -> tuple[list[Store], dict[str, JsonValue], str]:
        """The stores that fit place, state and service; the slots; and how to say which they are."""
        service = self._mentions.services[0] if self._mentions.services else None
        stores = self._stores if self._parsed.places else list(self._shop.names.stores.values())
        slots: dict[str, JsonValue] = {}
        where = ""
        if self._mentions.states:
            slots["state"] = self._mentions.states[0]
            where = f" in {self._mentions.states[0]}"
            stores = [store for store in stores if store.state in self._mentions.states]
        elif self._parsed.places:
            where = f" in {self._parsed.places[0].text}"
        if service is not None:
            slots["service"] = service
            stores = [store for store in stores if service in store.services]
            where += f" with {service}"
        return stores, slots, where

    def stores_with_service(self) -> Outcome:
        stores, slots, where = self._with_service()
        facts: dict[str, JsonValue] = {
            "store_ids": [json_id(store.store_id) for store in stores], "count": len(stores),
        }  # fmt: skip
        if not stores:
            return self._outcome(slots, facts, f"There is no store{where}.")
        count = "There is 1 store" if len(stores) == 1 else f"There are {len(stores)} stores"
        return self._outcome(slots, facts, f"{count}{where}: {joined((store.name for store in stores), 10)}.")

    def count(self) -> Outcome:
        stores, slots, where = self._with_service()
        text = f"There is 1 store{where}." if len(stores) == 1 else f"There are {len(stores)} stores{where}."
        return self._outcome(slots, {"count": len(stores)}, text)

    def store_services(self) -> Outcome:
        if not self._parsed.places and not self._mentions.zips:
            offered = sorted(set(self._shop.names.services.values()))
            text = f"Our stores offer {joined(offered, 20)}; not every store offers all of it." if offered else ""
            return self._outcome({}, {"services": list(offered)}, text or "The shop's data name no services.")

        def answer(store: Store) -> Outcome:
            facts: dict[str, JsonValue] = {"store_id": json_id(store.store_id), "services": list(store.services)}
            said = (
                f"{_capital(place(store))} offers {joined(store.services, 20)}."
                if store.services
                else f"The shop's data name no services for {place(store)}."
            )
            return self._outcome({"store_id": json_id(store.store_id)}, facts, said)

        return self._one(answer)

    def store_info(self) -> Outcome:
        def answer(store: Store) -> Outcome:
            text = (
                f"{_capital(place(store))} is at {store.address}."
                if store.address
                else f"{_capital(place(store))} states no address."
            )
            return self._outcome(
                {"store_id": json_id(store.store_id)}, {**_store_facts(store), "hours": store.hours}, text
            )

        return self._one(answer)


def _is_city(store: Store, ref: PlaceRef, shop: Shop) -> bool:
    from shopfloor.tools.matching import plain

    return store.store_id in shop.names.cities.get(plain(ref.text), ())


def ask_store(intent: str, stores: list[Store]) -> Outcome:
    """Ask which of several stores is meant."""
    options = tuple(store_options(stores))
    facts: dict[str, JsonValue] = {
        "error": "ambiguous_store", "store_ids": [json_id(store.store_id) for store in stores[:20]],
    }  # fmt: skip
    return Outcome("ask", intent, {}, facts, f"Which store do you mean: {joined(options, 6, 'or')}?", options[:12])


def store_options(stores: list[Store]) -> list[str]:
    """A name for each store that tells it from the others."""
    options: list[str] = []
    names = [store.name for store in stores]
    for store, label in zip(stores, labels(stores), strict=True):
        if names.count(store.name) > 1:
            options.append(f"{store.name}, {store.address or store.zip or store.store_id}")
        else:
            options.append(
                label
                if label == store.name
                else store.name
                if store.city is None or store.city in store.name
                else f"{store.name}, {store.city}"
            )
    return options


def ask_where(intent: str, zips: tuple[str, ...]) -> Outcome:
    """Ask where the shopper is."""
    if zips:
        text = f"I don't know zip code {zips[0]}. Which city are you in?"
        return Outcome("unknown", intent, {"zip": zips[0]}, {"error": "unknown_zip"}, text)
    return Outcome("ask", intent, {}, {"error": "missing_place"}, "Where are you? A city or a zip code is enough.")


def _store_facts(store: Store) -> dict[str, JsonValue]:
    return {
        "store_id": json_id(store.store_id), "name": store.name, "address": store.address,
        "city": store.city, "state": store.state,
    }  # fmt: skip


def _address(store: Store) -> str:
    parts = [store.address] if store.address else []
    if store.city and store.city not in (store.address or ""):
        parts.append(store.city)
    return f" ({', '.join(parts)})" if parts else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
