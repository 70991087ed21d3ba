"""Which words of a request are denied: "not red, black or green", "anything but wool", "no black shoes".

By grammar: a denial reaches to the end of its clause or to the first real object, a list goes on after a comma only with
what continues it, and of "ribbon, anything but christmas ribbon" only what stands before the thing is denied.
"""

import re
from collections.abc import Sequence

from shopfloor.tools.recommendation.language import NUMBER_WORDS, SURE_COLOURS
from shopfloor.tools.recommendation.text import Token
from shopfloor.tools.recommendation.vocabulary import Vocabulary

_NEGATION = re.compile(
    r"\b(?:not|no|without|except(?: for)?|excluding|but not|anything but|everything but|other than|nothing|never|non|"
    r"neither|nor|forget(?: about)?|hate|hates|dislike|dislikes|avoid|avoids|avoiding|instead of|rather than|sick of|tired of|free of|"
    r"allergic to|minus|rule out|skip)\b"
)
# Words that may stand between a negation and what it denies.
_NEGATION_GAP = frozenset(["a", "an", "the", "any", "in", "of", "to", "be", "too", "very", "really", "want", "like", "need", "have", "wear", "with", "made", "from", "it", "is", "are", "so", "for", "that", "one", "ones", "please", "colour", "coloured", "other", "made-of"])  # fmt: skip
_NEGATION_END = re.compile(
    r"[.;!?:]|\b(?:but|please|thanks|under|below|over|above|between|i|that|which|for|just|only)\b"
)
# "Not too warm" and "I don't have to iron it" deny nothing.
_NOT_A_DENIAL = re.compile(
    r"\b(?:not (?:too|sure|only|just|necessarily|bad)|no (?:problem|idea|matter|worries|preference|need|one|thanks|rush)|"
    r"why not|if not|or not|do not (?:mind|care|know|have to|need to)|not (?:have|need)(?:ing)? to|not (?:mind|care))\b[^,.;!?]*"
)
_FOR = re.compile(r"\s+for\b")
_LISTING = frozenset({"or", "and", "nor", "not", "no"})
MOST_DENIED = 6  # words


def denied_tokens(text: str, tokens: Sequence[Token], vocabulary: Vocabulary) -> set[int]:
    """Indices of the tokens that a "not", "without", "no" … denies: up to the clause's end or the first real object."""
    skipped = [match.span() for match in _NOT_A_DENIAL.finditer(text)]
    out: set[int] = set()
    for match in _NEGATION.finditer(text):
        if any(start <= match.start() < end for start, end in skipped):
            continue
        gap = _FOR.match(text, match.end())  # "not for christmas"
        stop = _NEGATION_END.search(text, gap.end() if gap else match.end())
        end = stop.start() if stop else len(text)
        objects = _objects(text, tokens, match.end(), end, vocabulary)
        out.update(objects[:1] if match.group() == "non" else _without_thing(objects, tokens))
    return out


def _without_thing(objects: Sequence[int], tokens: Sequence[Token]) -> list[int]:
    """Of "ribbon, anything but christmas ribbon": christmas alone, as the ribbon is asked for."""
    if len(objects) < 2:
        return list(objects)
    after = tokens[objects[-1] + 1].word if objects[-1] + 1 < len(tokens) else ""
    if after in {"one", "ones"} and objects[-1] - objects[0] == len(objects) - 1:
        return [objects[-1]]  # "not the summer cotton one" denies neither summer nor every cotton, but that one
    asked = {token.stem for index, token in enumerate(tokens) if index < objects[0]}
    return list(objects[:-1]) if tokens[objects[-1]].stem in asked else list(objects)


def _objects(text: str, tokens: Sequence[Token], start: int, end: int, vocabulary: Vocabulary) -> list[int]:
    """Tokens in the span that are denied: "red, black or green" all; after a comma only what goes on listing."""
    out: list[int] = []
    last_end = start
    for index, token in enumerate(tokens):
        if not start <= token.start < end:
            continue
        between = text[last_end : token.start]
        if out and "," in between and not _goes_on(text, tokens, index):
            break
        last_end = token.end
        if token.word in _NEGATION_GAP or token.word in _LISTING or token.word in NUMBER_WORDS:
            continue
        follows = bool(out) and not between.strip() and out[-1] == index - 1
        if follows and _describes(tokens, out[-1], vocabulary) and not _describes(tokens, index, vocabulary):
            break  # "no black shoes": black is denied, shoes are wanted
        out.append(index)
        if len(out) >= MOST_DENIED:
            break
    return out


def _describes(tokens: Sequence[Token], index: int, vocabulary: Vocabulary) -> bool:
    """Whether a token is a colour, a brand or an attribute of the catalogue, not a thing."""
    return vocabulary.longest((tokens[index].stem,)) is not None


def _goes_on(text: str, tokens: Sequence[Token], index: int) -> bool:
    """After a comma a list of denied colours goes on only with another colour that no noun follows."""
    if tokens[index].stem not in SURE_COLOURS:
        return False
    follower = tokens[index + 1].word if index + 1 < len(tokens) else ""
    gap = text[tokens[index].end :].lstrip()
    return follower in {"", "or", "and", "nor"} or gap.startswith(",")
