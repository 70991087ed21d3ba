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
_WORDS_OF = {"bright": "brightness", "eas": "difficulty", "hard": "difficulty", "large": "size", "big": "size",
             "small": "size", "short": "length", "long": "length", "few": "piece"}  # fmt: skip
_CHEAPEST, _DEAREST = re.compile(r"\bcheapest|lowest price"), re.compile(r"\bmost expensive|highest price")
_PREFER = re.compile(r"prefer(?:ably)? ([^).;]+(?:>[^).;]+)+)")


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
    wish = _about(plain(text), product)
    ranked = sorted(candidates, key=lambda variant: (-_score(wish, variant, current, candidates), variant.price))
    return ranked[0].item_id


def _about(text: str, product: str) -> str:
    """Sentences and clauses that name the product, and what follows until another thing is spoken of."""
    words = [word for word in stems(product) if len(word) > 2]
    parts = re.split(r"(?<=[.;!?])\s+|,?\s+(?:and|also|plus)\s+(?=(?:i |exchange|return|the |my |modify|get a))", text)
    named = [place for place, part in enumerate(parts) if words and words[-1] in stems(part)]
    if not named:
        return text
    kept = set(named) | {
        place + 1 for place in named if place + 1 < len(parts) and not re.search(r"\bmy |\bthe ", parts[place + 1][:40])
    }
    return " ".join(parts[place] for place in sorted(kept))


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
    for match in _PREFER.finditer(wish):
        order = [part.strip() for part in match[1].split(">")]
        words = set(stems(value))
        place = next((i for i, part in enumerate(order) if words and words & set(stems(part))), None)
        if place is not None:
            return 2.0 - 0.5 * place
    named = [option for option in values if _says(wish, key, option)]
    aimed = _aims_at(wish, key)
    if named and not (aimed and named == [now]) and not (now in named and len(named) > 1 and value == now):
        return 4.0 if value in named and (len(named) == 1 or value != now) else 0.0
    if aimed:
        labels: set[str] = {*values}
        if now:
            labels.add(now)
        order = sorted(labels, key=_size)
        step = order.index(value) - (order.index(now) if now else 0)
        if _MOST.search(wish) or _LEAST.search(wish):
            share = order.index(value) / max(1, len(order) - 1)
            return 3.0 * (share if _MOST.search(wish) else 1 - share)
        up = _MORE.search(wish) is not None
        return 3.0 - 0.1 * abs(step) if (step > 0) == up and step else 0.0
    return 1.0 if value == now else 0.0


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


def _aims_at(wish: str, key: str) -> bool:
    if not any(pattern.search(wish) for pattern in (_MORE, _LESS, _MOST, _LEAST)):
        return False
    words = {word for part in key.split() for word in (plain(part), plain(part).removesuffix("s"))}
    hinted = {target for hint, target in _WORDS_OF.items() if re.search(rf"\b{hint}", wish)}
    return any(re.search(rf"\b{re.escape(word)}", wish) for word in words) or bool(words & hinted)


def _size(value: str) -> tuple[float, str]:
    text = plain(value)
    for scale in _SCALES:
        if text in scale:
            return float(scale.index(text)), text
    number = re.search(r"\d+(?:\.\d+)?", text)
    return (float(number.group()) if number else 0.0), text
