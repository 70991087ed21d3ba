"""What can be told of an explanation without taste: is it true, short, about the request, and does it repeat itself.

The checks read the text as a shopper gets it; they share no code with what wrote it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.query import Recommendation
from shopfloor.tools.recommendation.text import stems

MAX_WORDS = 60
MAX_REASON_WORDS = 16
REPEATED_WORDS = 4

_WORD = re.compile(r"[^\W_]+(?:[.,'\u2019-][^\W_]+)*")
_MARKUP = re.compile(r"[*_#`<>{}\[\]|]|https?:|\n")
_PLAIN_WORDS = """
a about after again all also always am among an and another any are as at back be because been before being
best better between both but by came can cannot card choice choose come comes cost costs could customer
customers did different do does each easy eight either else enough every few find first fits five for four
from get give go goes going good great had has have helps her here highest his how i i'd i'm i've if in
including is it it's its just kind know last least less let like likes listed little look looking looks lot
made make makes many may me means might more most much my need needs new next nice nine no not note nothing
now of often on once one ones only option options or other others our out over own perfect person pick
please price prices product products rated rating ratings really recommend right same say see seller sellers
sells set seven she should show similar since six so some something start stay stays still such suggest
suits sure take ten than that that's the their them then there these they thing things this those though
three time to too try two under until up us use used usually very want was way we well were what when where
which while who why will with within without work works worth would yes you you'll you're your
"""
_PLAIN = frozenset(_PLAIN_WORDS.split())


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found of one explanation; every field but ``words`` and ``supported`` is a yes or no.

    ``supported``: share of its telling words that the products' own words or the request hold. ``specific`` is None
    where the request asks for nothing in particular.
    """

    short: bool
    distinct: bool
    clean: bool
    named: bool
    specific: bool | None
    supported: float
    words: int

    @property
    def ok(self) -> bool:
        """Nothing to find fault with."""
        return self.short and self.distinct and self.clean and self.named and self.specific is not False


def check_words(answer: Recommendation, text: str, vocabulary: frozenset[str]) -> Checks:
    """Check an explanation together with the reasons of its cards.

    Args:
        answer: the cards and what was understood.
        text: the explanation.
        vocabulary: stems of everything the database says of the products shown.
    """
    names = sorted((item.name for item in answer.items), key=len, reverse=True)
    reasons = [item.reason for item in answer.items]
    said = _without(text, names)
    words = _WORD.findall(text)
    short = len(words) <= MAX_WORDS and all(len(_WORD.findall(reason)) <= MAX_REASON_WORDS for reason in reasons)
    tail = text.strip()
    clean = bool(tail) and tail[-1] in ".?!" and _MARKUP.search(tail) is None
    return Checks(
        short=short,
        distinct=not repeated([said, *(_without(reason, names) for reason in reasons)]),
        clean=clean,
        named=not names or any(name.casefold() in text.casefold() for name in names),
        specific=_specific(answer, " ".join((said, *(_without(reason, names) for reason in reasons)))),
        supported=_supported(said, vocabulary | set(stems(answer.parsed.text))),
        words=len(words),
    )


def repeated(texts: Sequence[str]) -> list[str]:
    """Phrases of ``REPEATED_WORDS`` words that occur more than once; a product's name (X) ends a phrase."""
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        for sentence in re.split(r"[.?!:;](?:\s|$)|\bX\b", text):
            words = [word.casefold() for word in _WORD.findall(sentence)]
            seen.update(tuple(words[at : at + REPEATED_WORDS]) for at in range(len(words) - REPEATED_WORDS + 1))
    return [" ".join(words) for words, count in seen.items() if count > 1]


def unsupported(text: str, names: Sequence[str], known: frozenset[str] | set[str]) -> list[str]:
    """Telling words of a text, names of products aside, that are not ``known`` (stems)."""
    said = _without(text, sorted(names, key=len, reverse=True))
    return [word for word in _telling(said) if not set(stems(word)) <= known]


def opening(text: str, names: Sequence[str]) -> str:
    """The first three words, names of products aside."""
    return " ".join(_WORD.findall(_without(text, sorted(names, key=len, reverse=True)))[:3]).casefold()


def _without(text: str, names: Sequence[str]) -> str:
    for name in names:
        text = re.sub(re.escape(name), "X", text, flags=re.IGNORECASE)
    return text


def _specific(answer: Recommendation, text: str) -> bool | None:
    """Whether something that was asked for, names of products aside, is spoken of."""
    parsed = answer.parsed
    asked: list[str] = [*parsed.colours, *parsed.not_colours, *parsed.sizes, *parsed.terms, *parsed.brands]
    asked += [value for _, value in parsed.attributes] + [key for key, _ in parsed.attributes]
    asked += [parsed.occasion or "", parsed.gender or "", parsed.quality or "", *parsed.head, *parsed.categories]
    numbers = [f"{limit:g}" for limit in (parsed.price_max, parsed.price_min) if limit is not None]
    numbers += [f"{limit:.2f}" for limit in (parsed.price_max, parsed.price_min) if limit is not None]
    price = parsed.order in {"price_low", "price_high"} or parsed.price_firm or bool(numbers)
    wanted = {stem for word in asked if word for stem in stems(word)}
    if parsed.like_sku is not None:
        wanted.add("similar")
    recipient = re.search(r"\bmy (\w+)", parsed.text.casefold())
    if recipient is not None:
        wanted.add(stems(recipient[1])[0])
    if not wanted and not numbers and not price and parsed.order is None:
        return None
    told = set(stems(text))
    cheap = bool(price and told & {"cost", "least", "cheaper", "only", "within", "leave", "price"})
    order = bool(parsed.order in {"rating", "popular"} and told & {"rated", "rating", "seller", "sold"})
    return bool(wanted & told) or any(number in text for number in numbers) or cheap or order


def _supported(text: str, vocabulary: frozenset[str] | set[str]) -> float:
    telling = _telling(text)
    return sum(set(stems(word)) <= vocabulary for word in telling) / len(telling) if telling else 1.0


def _telling(text: str) -> list[str]:
    words = [word for word in _WORD.findall(text.casefold()) if word not in _PLAIN and word != "x"]
    return [word for word in words if not word.replace(".", "").replace(",", "").isdigit()]
