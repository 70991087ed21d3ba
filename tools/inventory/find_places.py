"""Finding stores and cities in a question: the shop's own names, any name of its cities, other cities, misspellings."""

from rapidfuzz.distance import OSA

from shopfloor.tools.inventory.lexicon import BEFORE_STORE, DETERMINERS, FRAME, PLACE_PREPOSITIONS, STORE_NOUNS
from shopfloor.tools.inventory.reading import PlaceMention, Reading
from shopfloor.tools.inventory.snapshot import ShopNames
from shopfloor.tools.matching import COLOURS
from shopfloor.tools.places import Gazetteer, Place

ONLINE_WORDS = frozenset({"online", "web", "website", "internet", "webshop", "webstore", "eshop"})
MAX_WORDS = 5
GREAT_CITY = 300_000  # people
BIG_CITY = 150_000  # people; a lower-case word is taken for a city elsewhere only if the city is this big


class PlaceFinder:
    """Finds places in one reading; labels the words it uses."""

    def __init__(self, reading: Reading, names: ShopNames, gazetteer: Gazetteer) -> None:
        self._reading = reading
        self._names = names
        self._gazetteer = gazetteer
        self.found: list[PlaceMention] = []

    def find(self) -> list[PlaceMention]:
        """Every place named, in the order of the text."""
        self._online()
        self._own()
        self._long_names()
        self._slots()
        self.found.sort(key=lambda mention: mention.start)
        return self.found

    def leftover(self, start: int, end: int, product_known: bool) -> PlaceMention | None:
        """Read unexplained words as a place: a misspelt store city, or a city elsewhere written with a capital.

        With the product known, a name in the place of a subject ("does Atlantis have ...") is an unknown store.
        """
        found = self._fuzzy(start, end)
        if found is None and (start > 0 or len(self._reading.words[start]) > 4):
            found = self._elsewhere(start, end, strict=True)
        if found is None and product_known and start > 0:
            asked = self._reading.words[start - 1] in ("does", "do", "has", "have", "is", "can", "will", "would", "did")
            if asked and self._reading.capitalised(start):
                return self._unknown(start, end)
        return found

    def whole(self, words: int) -> PlaceMention | None:
        """Read the whole text as one place."""
        if words == 0:
            return None
        return self._elsewhere(0, words, strict=False) or self._fuzzy(0, words)

    # The shop's own places

    def _online(self) -> None:
        online = tuple(store.store_id for store in self._names.stores.values() if store.online)
        if not online:
            return
        reading = self._reading
        for position, word in enumerate(reading.words):
            if word in ONLINE_WORDS and reading.free(position):
                self._take(position, position + 1, online, online)

    def _own(self) -> None:
        for length in range(MAX_WORDS, 0, -1):
            for start in range(len(self._reading.tokens) - length + 1):
                if not self._reading.free(start, start + length):
                    continue
                key = " ".join(self._reading.words[start : start + length])
                by_name, by_city = self._names.store_names.get(key, ()), self._names.cities.get(key, ())
                if (by_name or by_city) and self._plausible(start, length, key, own=bool(by_name)):
                    self._take(start, start + length, tuple(dict.fromkeys((*by_name, *by_city))), by_name)

    def _plausible(self, start: int, length: int, key: str, *, own: bool) -> bool:
        """Guard against names of places that are also ordinary words ("per", "sea", "Mobile", "Nice")."""
        reading = self._reading
        surface = reading.tokens[start].surface
        own = own or key in self._names.own_cities
        if length == 1 and len(key) <= 3:
            return surface.isupper() or (own and self._in_slot(start, start + 1))
        if length > 1:
            return True
        token = reading.tokens[start].stem
        ordinary = token in FRAME or reading.words[start] in FRAME or self._names.matcher.knows(token)
        if ordinary or token in COLOURS:
            return self._in_slot(start, start + 1) and reading.capitalised(start)
        return own or len(key) >= 5 or reading.capitalised(start) or self._in_slot(start, start + 1)

    def _in_slot(self, start: int, end: int) -> bool:
        """Whether the words stand where a place does: after a preposition, or before "store"."""
        words = self._reading.words
        before = words[start - 1] if start else ""
        if before in ("the", "your", "our", "downtown", "central") and start > 1:
            before = words[start - 2]
        after = words[end] if end < len(words) else ""
        return before in PLACE_PREPOSITIONS or after.removesuffix("s") in STORE_NOUNS or after == "branches"

    def _take(self, start: int, end: int, store_ids: tuple[str, ...], named: tuple[str, ...]) -> None:
        self._reading.mark(start, end, "place")
        text = self._reading.surface(start, end)
        after = self._reading.words[end] if end < len(self._reading.words) else ""
        as_store = after in STORE_NOUNS and after != "location"
        self.found.append(PlaceMention(start, end, text, "here", store_ids, None, named, as_store))

    # Other places

    def _slots(self) -> None:
        """Words where a place is expected that are none of the shop's: other cities, misspellings, unknown names."""
        for start, end, sure in self._candidate_slots():
            mention = None
            for length in range(end - start, 0, -1):
                if not self._reading.free(start, start + length):
                    continue
                mention = self._elsewhere(start, start + length, strict=not sure) or self._fuzzy(start, start + length)
                if mention is not None:
                    break
            if mention is None and sure and self._reading.free(start, end):
                mention = self._unknown(start, end)
            if mention is not None:
                self._reading.mark(mention.start, mention.end, "place")
                self.found.append(mention)

    def _long_names(self) -> None:
        """Cities elsewhere whose names are several words, written with a capital: Cape Town, The Hague."""
        for length in range(min(self._gazetteer.longest, MAX_WORDS), 1, -1):
            for start in range(len(self._reading.tokens) - length + 1):
                if self._reading.free(start, start + length) and self._reading.capitalised(start):
                    if not self._in_slot(start, start + length):
                        continue
                    mention = self._elsewhere(start, start + length, strict=True)
                    if mention is not None:
                        self._reading.mark(start, start + length, "place")
                        self.found.append(mention)

    def _candidate_slots(self) -> list[tuple[int, int, bool]]:
        """Stretches of unexplained words in a place's position; True where it must be a place."""
        slots: list[tuple[int, int, bool]] = []
        words = self._reading.words
        position = 0
        while position < len(words):
            if not self._openword(position):
                position += 1
                continue
            end = position
            while end < len(words) and self._openword(end) and (end == position or "," not in self._reading.gap(end)):
                end += 1
            before = words[position - 1] if position else ""
            if before in DETERMINERS and position > 1:
                before = words[position - 2]
            after = words[end].removesuffix("s") if end < len(words) else ""
            store_follows = after in STORE_NOUNS - {"one"} and before != "with"
            after_preposition = before in PLACE_PREPOSITIONS and before != "for"
            after_comma = "," in self._reading.gap(position) and self.is_great(position)
            beside = not self.found and self._beside_product(position, end) and self.is_great(position)
            if store_follows or after_preposition or after_comma or beside:
                capital = all(self._reading.capitalised(number) for number in range(position, end))
                sure = store_follows or (capital and before in ("in", "at", "near", "around", "from"))
                slots.append((position, end, sure))
            position = end
        return slots

    def _beside_product(self, start: int, end: int) -> bool:
        """Whether the words follow a product's name at once, or end the question, or begin it before a comma."""
        labels = self._reading.labels
        follows = start > 0 and labels[start - 1] == "product"
        begins = start == 0 and end < len(labels) and "," in self._reading.gap(end) and "product" in labels
        return follows or begins

    def _openword(self, position: int) -> bool:
        """A word that nothing explains: no label, no function word, no word of the catalogue, no colour, no number."""
        reading = self._reading
        token = reading.tokens[position]
        return (
            reading.free(position)
            and reading.words[position] not in BEFORE_STORE
            and not (len(token.surface) <= 4 and reading.words[position] in self._names.sizes)
            and token.stem not in FRAME
            and not (position == 0 and len(token.stem) < 4)
            and token.stem not in COLOURS
            and not any(char.isdigit() for char in token.surface)
            and (
                self._is_city(position)
                or self._names.matcher.resolve_word(token.stem) is None
                or self._is_big_city(position)
            )
        )

    def _is_big_city(self, position: int) -> bool:
        """A great city in small letters after "in" or a comma, which some word of the catalogue only resembles."""
        if self._names.matcher.knows(self._reading.tokens[position].stem):
            return False
        slot = self._in_slot(position, position + 1) or (position > 0 and "," in self._reading.gap(position))
        return slot and self.is_great(position)

    def is_great(self, position: int) -> bool:
        """Whether a word is the name of a great city, wherever it stands."""
        found = self._gazetteer.find(self._reading.words[position], None)
        return bool(found) and found[0].population >= GREAT_CITY

    def _is_city(self, position: int) -> bool:
        return self._reading.capitalised(position) and self._gazetteer.knows(self._reading.words[position])

    def _elsewhere(self, start: int, end: int, *, strict: bool) -> PlaceMention | None:
        key = " ".join(self._reading.words[start:end])
        if len(key) <= 3 and not self._reading.tokens[start].surface.isupper():
            return None
        if len(key) <= 4 and key in self._names.sizes:
            return None  # "in XXL" is a size, though some city is called so too
        region = self._reading.words[end] if end < len(self._reading.words) else None
        found = self._gazetteer.find(key, region if region is not None and len(region) == 2 else None)
        if not found:
            return None
        place = found[0]
        capital = self._reading.capitalised(start)
        if not capital and place.population < BIG_CITY:
            return None
        beside = "," in self._reading.gap(start) or (not self.found and self._beside_product(start, end))
        listed = (start > 0 or beside) and beside and place.population >= GREAT_CITY
        if strict and not capital and not self._in_slot(start, end) and not listed:
            return None
        here = self._stores_in(place)
        text = self._reading.surface(start, end)
        if here:
            return PlaceMention(start, end, text, "here", here, place)
        return PlaceMention(start, end, text, "elsewhere", (), place)

    def _stores_in(self, place: Place) -> tuple[str, ...]:
        """Stores whose city is this place under another spelling of the shop."""
        names = set(place.names) & set(self._names.cities)
        found = dict.fromkeys(store_id for name in sorted(names) for store_id in self._names.cities[name])
        near: list[str] = []
        for store_id in found:
            distance = self._names.stores[store_id].km_from(place.latitude, place.longitude)
            if distance is not None and distance <= 60:
                near.append(store_id)
        return tuple(near)

    def _fuzzy(self, start: int, end: int) -> PlaceMention | None:
        """A store's city or name with a slip or two."""
        key = " ".join(self._reading.words[start:end])
        if len(key) < 4:
            return None
        slips = 1 if len(key) <= 5 else 2
        best: tuple[int, str] | None = None
        for name in (*self._names.own_cities, *self._names.store_names):
            if abs(len(name) - len(key)) > slips or len(name) < 4:
                continue
            distance = OSA.distance(key, name, score_cutoff=slips)
            if distance <= slips and (name[0] == key[0] or len(key) > 6) and (best is None or distance < best[0]):
                best = (distance, name)
        if best is None:
            return None
        ids = (*self._names.store_names.get(best[1], ()), *self._names.cities.get(best[1], ()))
        text = self._reading.surface(start, end)
        return PlaceMention(start, end, text, "here", tuple(dict.fromkeys(ids)), corrected=True)

    def _unknown(self, start: int, end: int) -> PlaceMention:
        text = self._reading.surface(start, end)
        return PlaceMention(start, end, text, "unknown", nearest=tuple(self._gazetteer.nearest_names(text)))
