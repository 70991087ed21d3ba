"""Slips in the small words that the conversation's rules turn on ("availble", "teh", "chepaer") and in the shop's cities.

A word that English, the shop's catalogue or the world's cities know is left alone, and so is a product's name: the
agents read misspelt products themselves.
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from shopfloor.graph.lexicon import Lexicon, singular
from shopfloor.graph.prompts import load_slips, load_words
from shopfloor.graph.replies import Replies
from shopfloor.tools.inventory.lexicon import FRAME
from shopfloor.tools.matching import stem

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SHORTEST = 4  # letters
_LONG = 8  # letters; from here on two slips are forgiven
_LONG_PLACE = 7
_FOREIGN_WORDS = 3
_SHORTEST_PLACE = 5
_SHORTEST_LONG_PLACE = 7
_LONGEST_TEXT = 400  # characters; longer texts are no chat lines


def mended(text: str, lexicon: Lexicon) -> str:
    """The text with slips in its function words and in the names of the shop's cities put right."""
    if len(text) > _LONGEST_TEXT:
        return text
    return _WORD.sub(lambda found: _mended(found[0], lexicon), _with_long_places(text, lexicon))


def _with_long_places(text: str, lexicon: Lexicon) -> str:
    """The text with slips in the shop's places of several words put right, whatever each word alone may mean: cap town."""
    for place in sorted(place for place in lexicon.places if " " in place and len(place) >= _SHORTEST_LONG_PLACE):
        words = place.split()
        for found in re.finditer(rf"(?=\b({_WORD.pattern}(?: {_WORD.pattern}){{{len(words) - 1}}})\b)", text):
            said = found[1].casefold()
            if said != place and said[0] == place[0] and OSA.distance(said, place, score_cutoff=1) <= 1:
                return text[: found.start(1)] + place.title() + text[found.end(1) :]
    return text


def understood(text: str, lexicon: Lexicon, replies: Replies) -> str:
    """The text as the rules read it: mended, unless it is in another language."""
    return text if replies.language_reply(text) is not None or is_foreign(text, lexicon) else mended(text, lexicon)


def is_foreign(text: str, lexicon: Lexicon) -> bool:
    """Whether no word of a message is English's or the shop's, and some have letters that English has not."""
    said = [found[0].casefold() for found in _WORD.finditer(text)]
    if len(said) < _FOREIGN_WORDS or not any(ord(letter) > 0x7F for word in said for letter in word):
        return False
    return not any(word in FRAME or word in _cues() or lexicon.knows(word) for word in said if len(word) > 1)


def _mended(word: str, lexicon: Lexicon) -> str:
    lowered = word.casefold()
    slip = load_slips().get(lowered)
    if slip is not None and not lexicon.knows(lowered):
        return slip
    if len(lowered) < _SHORTEST or not lowered.isalpha() or _is_known(lowered, lexicon):
        return word
    place = _place(lowered, lexicon)
    return place or _nearest(lowered) or word


def _is_known(lowered: str, lexicon: Lexicon) -> bool:
    return (
        lowered in FRAME
        or stem(lowered) in FRAME
        or lowered in _cues()
        or singular(lowered) in _cues()
        or lexicon.knows(lowered)
        or lexicon.is_city(lowered)
    )


@lru_cache(maxsize=4096)
def _nearest(lowered: str) -> str | None:
    """The one cue word this is a slip of; None where none or several are as near."""
    slips = 2 if len(lowered) >= _LONG else 1
    near = sorted(
        (distance, cue)
        for cue in _cues()
        if abs(len(cue) - len(lowered)) <= slips
        and (cue[0] == lowered[0] or cue[:2] == lowered[1::-1])
        and (distance := OSA.distance(lowered, cue, score_cutoff=slips)) <= slips
        and not _other_form(lowered, cue)
    )
    if not near or (len(near) > 1 and near[1][0] == near[0][0] and near[1][1].removesuffix("s") != near[0][1]):
        return None
    return near[0][1]


def _other_form(word: str, cue: str) -> bool:
    """Whether two words differ in their endings only, as two words of one root do: shorten and shorter."""
    if sorted(word) == sorted(cue) or _undoubled(word) == _undoubled(cue):
        return False
    shorter = min(len(word), len(cue))
    alike = next((place for place in range(shorter) if word[place] != cue[place]), shorter)
    return alike >= max(4, shorter - 2)


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1", r"\1", word)


def _place(lowered: str, lexicon: Lexicon) -> str | None:
    """The shop's own city this is a slip of, as a name is written."""
    if len(lowered) < _SHORTEST_PLACE:
        return None
    slips = 2 if len(lowered) >= _LONG_PLACE else 1
    near = [
        place
        for place in lexicon.places
        if " " not in place and place[0] == lowered[0] and OSA.distance(lowered, place, score_cutoff=slips) <= slips
    ]
    return near[0].title() if len(near) == 1 else None


def _cues() -> frozenset[str]:
    return load_words("cues")
