"""Colours by their tone: "in dark colours", "a light shade", "nothing bright"."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

_COLOUR = r"(?:colou?rs?|colou?red|shades?|tones?|hues?)"
_TONES: Mapping[str, frozenset[str]] = MappingProxyType({
    "dark": frozenset(["black", "navy", "charcoal", "burgundy", "maroon", "brown", "anthracite", "aubergine", "plum", "indigo", "graphite", "jet", "ebony", "chocolate"]),
    "light": frozenset(["white", "cream", "beige", "ivory", "ecru", "sand", "pink", "lilac", "mint", "lavender", "yellow", "silver", "sky", "offwhite"]),
    "bright": frozenset(["red", "orange", "yellow", "pink", "turquoise", "lime", "fuchsia", "magenta", "coral", "cyan", "green", "blue", "purple"]),
    "neutral": frozenset(["black", "white", "grey", "beige", "cream", "brown", "navy", "camel", "charcoal", "sand", "stone", "taupe", "ivory", "ecru"]),
    "earthy": frozenset(["brown", "olive", "rust", "camel", "beige", "khaki", "ochre", "terracotta", "sand", "tan", "copper", "mustard"]),
    "pastel": frozenset(["pink", "lilac", "mint", "lavender", "peach", "apricot", "cream"]),
})  # fmt: skip
_SAME = MappingProxyType({"pale": "light", "soft": "pastel", "vivid": "bright", "loud": "bright", "flashy": "bright", "bold": "bright",
                          "muted": "neutral", "quiet": "neutral", "earth": "earthy", "natural": "earthy", "deep": "dark", "darker": "dark",
                          "lighter": "light", "brighter": "bright"})  # fmt: skip
_WORDS = "|".join(sorted({*_TONES, *_SAME}, key=len, reverse=True))
_TONED = re.compile(
    rf"\b(?P<not>(?:no|not|nothing|without|avoid)(?: any| in| too| an?)* )?(?:in (?:an? )?)?(?P<tone>{_WORDS})[ -]{_COLOUR}\b"
)


def read_tones(text: str, colours: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """The shop's colours of a tone that a plain text asks for, those it denies, and the text without them (same length).

    A tone that none of the shop's colours has is left in the text.
    """
    wanted: list[str] = []
    denied: list[str] = []
    for match in _TONED.finditer(text):
        tone = _SAME.get(match["tone"], match["tone"])
        found = [colour for colour in colours if _has_tone(colour, tone)]
        if found:
            (denied if match["not"] else wanted).extend(found)
            text = text[: match.start()] + " " * (match.end() - match.start()) + text[match.end() :]
    return tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(denied)), text


def _has_tone(colour: str, tone: str) -> bool:
    """Whether a colour's name is of a tone: "dark green" and "navy" are dark, "light blue" is light."""
    words = colour.split()
    if tone in {"dark", "light"} and set(words) & {"dark", "light"}:
        return tone in words
    return bool(set(words) & _TONES[tone])
