"""Choose the variant a request means: named option values, "bigger", "cheapest", and otherwise as the current one.

Only the part of the request that speaks of the product counts. Rules alone; a wish they do not know is not guessed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.text import plain, stems

_SCALES = (
    ("low", "medium", "high"),
    ("beginner", "intermediate", "expert"),
    ("easy", "medium", "hard"),
    ("xs", "s", "small", "m", "medium", "l", "large", "xl", "extra large", "xxl"),
    ("720p", "1080p", "2k", "4k", "5k", "8k"),
)
_MORE = re.compile(r"\b(?:bigger|larger|longer|brighter|higher|more|stronger|faster|heavier|harder|wider|taller)\b")
_LESS = re.compile(r"\b(?:smaller|shorter|lower|less|lighter|weaker|easier|fewer|dimmer|slower|narrower)\b")
_MOST = re.compile(r"\b(?:highest|maximum|max|maximi[sz]ed|biggest|largest|longest|brightest|most|hardest|best)\b")
_LEAST = re.compile(r"\b(?:lowest|minimum|smallest|shortest|fewest|least|easiest|slowest)\b")
_WORDS_OF = {
    "bright": "brightness", "dim": "brightness", "eas": "difficulty", "hard": "difficulty", "large": "size capacity frame",
    "big": "size capacity frame", "small": "size capacity frame", "short": "length", "long": "length", "few": "piece",
    "tall": "height", "heav": "weight", "light": "weight", "wide": "width", "narrow": "width", "fast": "speed", "slow": "speed",
    "strong": "power strength", "weak": "power strength",
}  # fmt: skip
_CHEAPEST, _DEAREST = re.compile(r"\bcheapest|lowest price"), re.compile(r"\bmost expensive|highest price")
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


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant to choose from."""

    item_id: str
    options: Mapping[str, str]
    price: float


@dataclass(frozen=True, slots=True)
class _Aim:
    """A comparison: towards more or less of an option, as far as it goes or by one step."""

    up: bool
    extreme: bool


_AIMS = (
    (_MOST, _Aim(True, True)),
    (_LEAST, _Aim(False, True)),
    (_MORE, _Aim(True, False)),
    (_LESS, _Aim(False, False)),
)


def choose(text: str, product: str, current: Variant | None, candidates: Sequence[Variant]) -> str | None:
    """The id of the variant meant, None without candidates."""
    if not candidates:
        return None
    wish = _about(plain(text), product, _option_words(candidates))
    if current is not None and _PAID.search(wish):
        candidates = [variant for variant in candidates if variant.price <= current.price] or candidates
    ranked = sorted(candidates, key=lambda variant: (-_score(wish, variant, current, candidates), variant.price))
    return ranked[0].item_id


def _option_words(candidates: Sequence[Variant]) -> set[str]:
    texts = {text for variant in candidates for pair in variant.options.items() for text in pair}
    return {word for text in texts for word in stems(text) if len(word) > 2}


def _about(text: str, product: str, options: set[str]) -> str:
    """The clauses that name the product and those that go on about it, until another thing is spoken of."""
    words = [word for word in stems(product) if len(word) > 2]
    parts = re.split(r"(?<=[.;!?])\s+|,?\s+(?:and|also|plus)\s+(?=(?:i |exchange|return|the |my |modify|get a))", text)
    kept: list[str] = []
    speaking = False
    for part in parts:
        own = set(stems(part))
        if words and words[-1] in own:
            speaking = True
        elif _turns_to_another(part) or (not own & options and re.search(r"\b(my|the)\b", part[:40])):
            speaking = False
        if speaking:
            kept.append(part)
    return " ".join(kept) if kept else text


def _turns_to_another(part: str) -> bool:
    """Whether a clause wants something of another thing ("I also want to cancel my order")."""
    return re.search(rf"\b{_ACTIONS}\b[^.,;]{{0,30}}?\b(?:my|the|a|an) (?!one\b)\w+", part) is not None


def _score(wish: str, variant: Variant, current: Variant | None, candidates: Sequence[Variant]) -> float:
    total = 0.0
    keys = {key for candidate in candidates for key in candidate.options}
    for key in keys:
        value = variant.options.get(key, "")
        values = sorted({c.options[key] for c in candidates if key in c.options})
        total += _option_score(wish, key, value, values, current.options.get(key) if current else None)
    prices = [candidate.price for candidate in candidates]
    spread = max(prices) - min(prices) or 1.0
    if _CHEAPEST.search(wish):
        total += 6 * (max(prices) - variant.price) / spread
    if _DEAREST.search(wish):
        total += 2 * (variant.price - min(prices)) / spread
    return total


def _option_score(wish: str, key: str, value: str, values: Sequence[str], now: str | None) -> float:
    ranked = _ranked(wish, value)
    if ranked is not None:
        return ranked
    counted = _counted(wish, key, now)
    if counted is not None:
        return 4.0 if _size(value)[0] == counted else 0.0
    if now is not None and re.search(rf"\bsame (?:\w+ )?{re.escape(plain(key).split()[0])}", wish):
        return 4.0 if value == now else 0.0
    named = [option for option in values if _says(wish, key, option)]
    aimed = _aim(wish, key, values)
    if named and not (aimed and named == [now]) and not (now in named and len(named) > 1 and value == now):
        return 4.0 if value in named and (len(named) == 1 or value != now) else 0.0
    if aimed is not None:
        return _towards(aimed, value, values, now)
    return 1.0 if value == now else 0.0


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


def _counted(wish: str, key: str, now: str | None) -> float | None:
    """The number asked for as so many more or fewer than now ("1000 more pieces")."""
    if now is None:
        return None
    words = "|".join(
        re.escape(word) for part in key.split() for word in (plain(part), plain(part).removesuffix("s")) if word
    )
    found = re.search(rf"\b(\d+)[ -]?(?:\w+ )?(more|extra|additional|fewer|less) (?:{words})\b", wish)
    if found is None:
        return None
    step = float(found[1]) if found[2] in ("more", "extra", "additional") else -float(found[1])
    return _size(now)[0] + step


def _towards(aim: _Aim, value: str, values: Sequence[str], now: str | None) -> float:
    """How well a value answers "larger", "shortest": in the right direction, the nearest step first."""
    known = set(values) if now is None else {*values, now}
    order = sorted(known, key=_size)
    if value not in order:
        return 0.0
    step = order.index(value) - (order.index(now) if now else 0)
    if aim.extreme:
        share = order.index(value) / max(1, len(order) - 1)
        return 3.0 * (share if aim.up else 1 - share)
    return 3.0 - 0.1 * abs(step) if (step > 0) == aim.up and step else 0.0


def _says(wish: str, key: str, option: str) -> bool:
    text = plain(option)
    if text in {"yes", "no"}:
        said = re.search(rf"\b(?P<no>not |non-?|isn't )?{re.escape(plain(key))}\b", wish)
        careless = "not care" in wish or "don't care" in wish
        return said is not None and not careless and (text == "no") == (said["no"] is not None)
    forms = [text, text.replace("-", " "), text.replace("shell", "")]
    forms += ["medium"] if text == "m" else []
    forms += ["two-" + text[2:]] if text.startswith("2-") else []
    return any(len(form) > 0 and re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", wish) for form in forms)


def _aim(wish: str, key: str, values: Sequence[str]) -> _Aim | None:
    """The comparison that is about this option: it stands beside the option's name, or can only mean it."""
    if not any(_ordered(value) for value in values):
        return None
    words = {word for part in key.split() for word in (plain(part), plain(part).removesuffix("s")) if word}
    for pattern, aim in _AIMS:
        for found in pattern.finditer(wish):
            before = re.split(r"[.,;]", wish[: found.start()])[-1].split()[-4:]
            after = re.split(r"[.,;]", wish[found.end() :])[0].split()[:3]
            if words & {word.removesuffix("s") for word in (*before, *after)}:
                return aim
            said = (found.group(), *after[:1])
            meant = {
                word
                for hint, targets in _WORDS_OF.items()
                for word in targets.split()
                if any(w.startswith(hint) for w in said)
            }
            if words & meant:
                return aim
    return None


def _ordered(value: str) -> bool:
    """Whether a value has a place on a scale."""
    return any(plain(value) in scale for scale in _SCALES) or re.match(r"\W*\d", value) is not None


def _size(value: str) -> tuple[float, str]:
    text = plain(value)
    for scale in _SCALES:
        if text in scale:
            return float(scale.index(text)), text
    number = re.search(r"\d+(?:\.\d+)?", text)
    return (float(number.group()) if number else 0.0), text
