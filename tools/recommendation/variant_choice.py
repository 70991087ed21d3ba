"""Choose the variant a request means: named option values, "bigger", "cheapest", and otherwise as the current one.

Only the part of the request that speaks of the product counts. Rules alone; a wish they do not know is not guessed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.comparisons import Aim, Scale, aims_of, scale_of, without_faults
from shopfloor.tools.recommendation.option_values import GivenValues, given_values, names_of
from shopfloor.tools.recommendation.text import plain, stems

NAMED, STEP, KEPT = 4.0, 3.0, 1.0  # what a named value, a step in the right direction and an unchanged value are worth

_CHEAPEST = re.compile(
    r"\bcheapest|lowest[- ]price|costs? (?:the )?least|least expensive|most affordable|cheap as possible|less(?:er)? money"
)
_DEAREST = re.compile(r"\bmost expensive|highest[- ]price|priciest|dearest|costs? (?:the )?most")
_PAID = re.compile(
    r"\b(?:with|within|at|for|under|below|than|over|beyond) (?:the |my )?(?:previous|old|original|same|current|present)\w* (?:\w+ )?price\b"
    r"|\bthan (?:what )?i paid\b|\bwithout paying (?:any )?(?:more|extra)\b"
)
_ACTIONS = r"(?:exchang\w*|return\w*|cancel\w*|modify\w*|refund\w*)"
_OVER = re.compile(
    r"\b(?:prefer|rather|ideally|better)\w* (?:an? |the |to have |have )?(?P<first>[^.;,]{2,40}?) (?:over|than|to|instead of)"
    r" (?:an? |the )?(?P<second>[^.;,]{2,40})"
)
_PREFER = re.compile(r"prefer(?:ably)? ([^).;]+(?:>[^).;]+)+)")
_THE = re.compile(r"\b(?:my|the)\b", re.IGNORECASE)
_CARELESS = re.compile(
    r"\b(?:not care|does not matter|do not mind|not bothered|all the same|whatever it is|either way)\b"
)


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant to choose from."""

    item_id: str
    options: Mapping[str, str]
    price: float


def choose(text: str, product: str, current: Variant | None, candidates: Sequence[Variant]) -> str | None:
    """The id of the variant meant, None without candidates."""
    if not candidates:
        return None
    wish = _Wish.read(text, product, current, candidates)
    if current is not None and _PAID.search(wish.text):
        candidates = [variant for variant in candidates if variant.price <= current.price] or candidates
    ranked = sorted(candidates, key=lambda variant: (-wish.worth(variant, candidates), variant.price))
    return ranked[0].item_id


@dataclass(frozen=True)
class _Wish:
    """What a request says of one product's options."""

    text: str
    given: GivenValues
    now: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]
    scales: Mapping[str, Scale]
    aims: Mapping[str, Aim]

    @classmethod
    def read(cls, text: str, product: str, current: Variant | None, candidates: Sequence[Variant]) -> "_Wish":
        now: Mapping[str, str] = current.options if current is not None else {}
        known: list[Mapping[str, str]] = [*(candidate.options for candidate in candidates), now]
        choices = {key: sorted({o[key] for o in known if key in o}) for key in sorted({k for o in known for k in o})}
        part = _about(text, product, {word for key, values in choices.items() for word in _long_stems(key, *values)})
        scales = {key: scale for key, values in choices.items() if (scale := scale_of(values)) is not None}
        said = plain(part)
        return cls(said, given_values(without_faults(part), choices), now, choices, scales, aims_of(said, scales))

    def worth(self, variant: Variant, candidates: Sequence[Variant]) -> float:
        """How well a variant answers the wish."""
        total = sum(self._option(key, variant.options.get(key, "")) for key in self.choices)
        prices = [candidate.price for candidate in candidates]
        spread = max(prices) - min(prices) or 1.0
        if _CHEAPEST.search(self.text):
            # Beside other wishes it only decides among what fits.
            alone = not (self.given.mentioned or self.given.denied or self.aims or re.search(r"\bsame\b", self.text))
            weight = 6.0 if alone else 0.9
            total += weight * (max(prices) - variant.price) / spread
        if _DEAREST.search(self.text):
            total += 2 * (variant.price - min(prices)) / spread
        return total

    def _option(self, key: str, value: str) -> float:
        ranked = _ranked(self.text, value)
        if ranked is not None:
            return ranked
        now = self.now.get(key)
        counted = self._counted(key)
        if counted is not None:
            return NAMED if key in self.scales and self.scales[key].place(value) == counted else 0.0
        if now is not None and re.search(rf"\bsame (?:\w+ )?{names_of(key)}\b", self.text):
            return NAMED if value == now else 0.0
        denied = self.given.denied.get(key, frozenset())
        if value in denied:
            return -NAMED
        named = self._named(key)
        aim = self.aims.get(key)
        if named and not (aim is not None and named == [now]):
            return NAMED if value in named else 0.0
        if aim is not None:
            return self._towards(key, value, aim)
        return KEPT if value == now else 0.0

    def _named(self, key: str) -> list[str]:
        """The values asked for; the one of now is only what is to be changed where others are named too."""
        values = [plain(value) for value in self.choices[key]]
        yes_or_no = set(values) <= {"yes", "no"}
        if yes_or_no and _CARELESS.search(self.text):
            return []
        named = list(dict.fromkeys(self.given.mentioned.get(key, ())))
        others = [value for value in named if value != self.now.get(key)] or self._by_number(key)
        if yes_or_no:
            return named[-1:]
        return others or named

    def _by_number(self, key: str) -> list[str]:
        """The value whose number stands alone in the text ("the one that goes to 16"), where only one can be meant."""
        numbers = set(re.findall(r"(?<![\w.,/-])\d+(?:\.\d+)?(?![\w.,/-]*\w)", self.given.rest))
        meant = [
            (option, value)
            for option, values in self.choices.items()
            for value in values
            if value != self.now.get(option)
            and (found := re.match(r"\d+(?:\.\d+)?", value))
            and found.group() in numbers
        ]
        return [meant[0][1]] if len(meant) == 1 and meant[0][0] == key else []

    def _counted(self, key: str) -> float | None:
        """The number asked for as so many more or fewer than now ("1000 more pieces")."""
        now, scale = self.now.get(key), self.scales.get(key)
        if now is None or scale is None:
            return None
        words = names_of(key)
        unit = re.sub(r"[\d\s.,/-]+", "", plain(now))
        after = rf"(?:{words}" + (rf"|{re.escape(unit)})" if unit.isalpha() else ")")
        found = re.search(
            rf"\b(\d+)[ -]?(?:\w+ )?(more|extra|additional|longer|fewer|less|shorter) {after}\b"
            + (rf"|\b(\d+)[ -]?{re.escape(unit)} (more|longer|extra|less|shorter)\b" if unit.isalpha() else ""),
            self.text,
        )
        if found is None:
            return None
        number, way = [part for part in found.groups() if part][:2]
        step = float(number) if way in ("more", "extra", "additional", "longer") else -float(number)
        return scale.place(now) + step

    def _towards(self, key: str, value: str, aim: Aim) -> float:
        """How well a value answers "larger", "shortest": in the right direction, the nearest step first."""
        scale, now = self.scales[key], self.now.get(key)
        order = sorted(self.choices[key], key=scale.place)
        if value not in order:
            return 0.0
        if aim.extreme or now is None:
            share = order.index(value) / max(1, len(order) - 1)
            return STEP * (share if aim.up else 1 - share)
        step = order.index(value) - order.index(now)
        return STEP - 0.1 * abs(step) if (step > 0) == aim.up and step else 0.0


def _long_stems(*texts: str) -> set[str]:
    return {word for text in texts for word in stems(text) if len(word) > 2}


def _about(text: str, product: str, options: set[str]) -> str:
    """The clauses that name the product and those that go on about it, until another thing is spoken of."""
    words = [word for word in stems(product) if len(word) > 2]
    parts = re.split(
        r"(?<=[.;!?])\s+|,?\s+(?:and|also|plus)\s+(?=(?:i |exchange|return|the |my |modify|get a))",
        text,
        flags=re.IGNORECASE,
    )
    kept: list[str] = []
    speaking: bool | None = None  # None: of nothing yet
    for part in parts:
        own = {form for word in stems(part) for form in (word, word.removesuffix("e"))}
        if words and words[-1] in own:
            speaking = True
        elif _turns_to_another(part) or (speaking and _of_another(part, own & options)):
            speaking = False
        if speaking or (speaking is None and own & options):
            kept.append(part)
    return " ".join(kept) if kept else text


def _of_another(part: str, options: set[str]) -> bool:
    """Whether a clause that goes on says "my" or "the" of something else: no option of the product, no price."""
    priced = _CHEAPEST.search(plain(part)) or _DEAREST.search(plain(part))
    return not options and not priced and _THE.search(part[:40]) is not None


def _turns_to_another(part: str) -> bool:
    """Whether a clause wants something of another thing ("I also want to cancel my order")."""
    return re.search(rf"\b{_ACTIONS}\b[^.,;]{{0,30}}?\b(?:my|the|a|an) (?!one\b)\w+", plain(part)) is not None


def _ranked(wish: str, value: str) -> float | None:
    """The worth of a value in a stated order of preference, None when it has no place in one."""
    words = set(stems(value))
    for match in _PREFER.finditer(wish):
        order = [part.strip() for part in match[1].split(">")]
        place = next((i for i, part in enumerate(order) if words and words & set(stems(part))), None)
        if place is not None:
            return 2.0 - 0.5 * place
    for match in _OVER.finditer(wish):
        if words & set(stems(match["first"])):
            return 2.0
        if words & set(stems(match["second"])):
            return 1.5
    return None
