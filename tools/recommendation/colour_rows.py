"""Which rows come in a colour, in a shade of it, or in one that is not wanted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.language import SHADES
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import Snapshot

Mask = NDArray[np.bool_]


def denied_colour_rows(parsed: ParsedRequest, snapshot: Snapshot) -> Mask:
    """Rows that also come in a colour that is not wanted."""
    unwanted = [name for name in snapshot.colours if is_unwanted(name, parsed.not_colours)]
    return snapshot.mask(snapshot.colours[name] for name in unwanted)


def is_unwanted(colour: str, unwanted: Sequence[str]) -> bool:
    """Whether a product's colour is one of the unwanted, their shades included ("not blue" forbids navy)."""
    words = set(colour.split())
    return any(words.issuperset(name.split()) or any(SHADES.get(word) == name for word in words) for name in unwanted)


def colour_rows(colours: Sequence[str], snapshot: Snapshot) -> Mask:
    """Rows in any of the colours by its own name: "blue" is also "dark blue", never "navy"."""
    names = [name for name in snapshot.colours if any(set(name.split()).issuperset(c.split()) for c in colours)]
    return snapshot.mask(snapshot.colours[name] for name in names)


def shade_rows(colours: Sequence[str], snapshot: Snapshot) -> Mask:
    """Rows whose colour is of the same family as one of the colours."""
    families = {SHADES[word] for colour in colours for word in colour.split() if word in SHADES}
    names = [name for name in snapshot.colours if any(SHADES.get(word) in families for word in name.split())]
    return snapshot.mask(snapshot.colours[name] for name in names) | colour_rows(colours, snapshot)
