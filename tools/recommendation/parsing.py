"""Understand a request in the catalogue's own words: what kind of thing, which colours and sizes, limits, exclusions.

Deterministic, some 200 µs a request. References to what is on the screen ("the second one", "cheaper") are resolved
by :mod:`shopfloor.tools.recommendation.refinement`, which calls this first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from shopfloor.tools.recommendation.ages import read_age
from shopfloor.tools.recommendation.amounts import in_figures
from shopfloor.tools.recommendation.categories import begins_a_thing, implied_qualifiers, suits, told_apart
from shopfloor.tools.recommendation.compounds import as_the_shop_writes
from shopfloor.tools.recommendation.degrees import read_superlative, without_superlatives
from shopfloor.tools.recommendation.denials import denied_tokens
from shopfloor.tools.recommendation.extents import count_of, room_for, tells_room, with_degree
from shopfloor.tools.recommendation.kind_rows import kind_rows
from shopfloor.tools.recommendation.kinds import Kind, find_kind, is_sold, read_description, together
from shopfloor.tools.recommendation.language import (
    COMMON_WORDS,
    DATES,
    DOERS,
    EMPTY_WORDS,
    GENDERS,
    NUMBER_WORDS,
    OCCASIONS,
    PRESENTS,
    SIZE_WORDS,
    SPELLINGS,
    WEAK_GENDER,
)
from shopfloor.tools.recommendation.measures import Measure, labels_within, read_measures
from shopfloor.tools.recommendation.narrowing import free_rows
from shopfloor.tools.recommendation.prices import read_prices
from shopfloor.tools.recommendation.qualities import in_plain_words
from shopfloor.tools.recommendation.query import Order, ParsedRequest
from shopfloor.tools.recommendation.sizes import labels_of, read_sizes
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import Token, plain, stem, tokens_of_plain
from shopfloor.tools.recommendation.tones import read_tones
from shopfloor.tools.recommendation.vocabulary import Entry, Vocabulary

_GREETING = re.compile(
    r"^\s*(?:(?:hi|hello|hey|dear|greetings)\b[\s,!.]*(?:there|all|team|guys|folks|sir|madam)?[\s,!.]*)?"
    r"(?:(?:good |a very good )?(?:morning|afternoon|evening|day|night)(?: (?:to you|all|everyone|there))?\s*(?=[,.!:;-]))"
)
_LOOK_FOR = re.compile(
    r"\b(?:look(?:ing)?|search(?:ing)?|shop(?:ping)?|hunt(?:ing)?|ask(?:ing)?|in the market|browsing) for\b"
)
_WOULD_LIKE = re.compile(
    r"\b(?:i|we)(?:['’]?d|\s+would)(?:\s+(?:really|also|very much))?\s+(?:like|love|fancy)\b(?!\s+to\s+(?:know|ask))",
    re.IGNORECASE,
)
_SCI_FI = re.compile(r"\bsci[- ]?fi\b")
# What is worn there: "something warm for my neck".
_FOR_BODY = MappingProxyType({"neck": "scarf", "hands": "gloves", "head": "hat", "feet": "socks"})
_BODY = re.compile(
    r"\b((?:something|anything)\b[^,.;]*?) for (?:(?:my|his|her|their|your|the|cold) ){1,2}(neck|hands|head|feet)\b"
)
_BY_BIKE = re.compile(
    r"\b(i|we|he|she|who|to|by|while|when|for my|on my|on the|on a) (?:bike|cycle)\b(?! (?:helmet|light|bag|lock|shop))"
)
_THEY_ARE = re.compile(r"\b(he|she)['’]s\b", re.IGNORECASE)
_CHEAP = re.compile(r"\b(?:cheap|cheapest|inexpensive|affordable|budget|low[- ]cost|lowest price|low price|bargain|"
                    r"not too (?:expensive|pricey)|economical|cheapish|least expensive)\b")  # fmt: skip
_DEAR = re.compile(
    r"\b(?:most expensive|dearest|costliest|premium|luxury|luxurious|high[- ]end|priciest|fanciest|highest price)\b"
)
_RATED = re.compile(r"\b(?:best|top|highest|well|good|better)[- ]?(?:rated|reviewed|rating|reviews)\b")
_POPULAR = re.compile(r"\b(?:popular|best[- ]?sell(?:er|ers|ing)|trending|favou?rites?|most bought)\b")
# "Which boots do you have" asks for boots; "a jacket which is warm" goes on about the jacket.
_ASKS_WHICH = re.compile(
    r"(?P<before>^|[.!?,]\s*)(?:which|what)(?= (?!is\b|are\b|about\b|else\b|do\b|would\b|can\b)\w)"
)
_GROWN = re.compile(r"\b(?:adults?|grown[- ]?ups?)\b")
_FREE = re.compile(r"\b([a-z]{3,})[- ]free\b")
_NT = re.compile(r"\b(are|is|was|were|do|does|did|would|could|should|have|has|wo|ca)nt\b")  # typed without apostrophe
_MAKE_IT = re.compile(r"\bmake (?:it|that|them)\b")
_COUPLE = re.compile(r"\bmy \w+ and (?:i|me|myself)\b|\b(?:i|me|myself|we) and my \w+\b")
_REQUESTS = re.compile(
    r"\b(?:show|recommend|suggest|need|want|looking|search|find|buy|after|prefer|have you|do you have|interested|got any)\b"
)
_SENTENCE = re.compile(r"[^.!?;:]+")
_QUANTITY = re.compile(
    r"(?:^|\b(?:need|want|buy|get|take|order|for|me)\s+)(\d{1,3}|two|three|four|five|six|ten|twelve|a pair of)\b"
)
SMALL_PRICE = 20.0
SHARE_OF_WORDS, SHARE_OF_NUMBERS = 0.5, 0.25  # of a kind's products that come in a size, for the word to mean it

_OTHER = Token("about", "about", -1, -1)  # stands for a word of another sentence


@dataclass(slots=True)
class Reading:
    """A request being read: tokens not yet understood, and the fields found so far."""

    text: str
    tokens: list[Token]
    fields: ParsedRequest
    used: set[int] = field(default_factory=set[int])
    denied: set[int] = field(default_factory=set[int])

    def left(self) -> list[int]:
        """Indices of the tokens that nothing has claimed yet."""
        return [index for index in range(len(self.tokens)) if index not in self.used]


def parse(text: str, snapshot: Snapshot, vocabulary: Vocabulary) -> ParsedRequest:
    """Read one request by itself.

    Args:
        text: what the shopper wrote, of any content.
        snapshot: the catalogue's facets.
        vocabulary: its words.
    """
    lowered = in_figures(
        _NT.sub(r"\1 not", plain(_THEY_ARE.sub(r"\1 is", _WOULD_LIKE.sub("want", text)))),
        small_prices=lambda: _has_small_prices(snapshot),
    )
    lowered = in_plain_words(_blanked(_GREETING, lowered))
    lowered = _FREE.sub(lambda m: _freed(m, snapshot), lowered)
    lowered = _SCI_FI.sub("science fiction", lowered)
    lowered = _BODY.sub(lambda m: f"{m[1]} {_FOR_BODY[m[2]]}", lowered)
    lowered = _BY_BIKE.sub(r"\1 cycling", lowered)
    lowered = _LOOK_FOR.sub(lambda m: m.group()[:-4] + "    ", lowered)
    lowered = _ASKS_WHICH.sub(lambda m: m["before"] + " show ", lowered)
    lowered = _MAKE_IT.sub(lambda m: "show".ljust(len(m.group())), lowered)
    order = _order(lowered)
    measures, measured = read_measures(lowered, snapshot.sizes)
    prices = read_prices(measured)
    age, rest = read_age(prices.rest)
    grown = _GROWN.search(rest) is not None
    rest = without_superlatives(_blanked(_GROWN, _blanked(_COUPLE, rest)))
    tones, not_tones, rest = read_tones(rest, snapshot.colours)
    written = as_the_shop_writes(tokens_of_plain(rest), rest, snapshot)
    words = as_the_shop_writes([_corrected(token, vocabulary) for token in written], rest, snapshot)
    fields = ParsedRequest(text=text, price_min=prices.low, price_max=prices.high, age=age, order=order,
                           quality=read_superlative(lowered), not_genders=("kids",) if grown else (),
                           measures=tuple((m.kind, m.low, m.high) for m in measures))  # fmt: skip
    reading = Reading(rest, words, replace(fields, colours=tones, not_colours=not_tones))
    reading.denied = denied_tokens(rest, words, vocabulary)
    _read_entries(reading, snapshot, vocabulary)
    _read_people(reading)
    read_sizes_into(reading, snapshot)
    _read_denied_rest(reading)
    _read_kind(reading, snapshot, vocabulary)
    return _finish(reading, snapshot)


def _has_small_prices(snapshot: Snapshot) -> bool:
    """Whether half of what the shop sells costs less than that, so that "two fifty" is 2.50."""
    return bool(np.nanmedian(snapshot.price_low) < SMALL_PRICE) if len(snapshot) else False


def _freed(match: re.Match[str], snapshot: Snapshot) -> str:
    """ "Plastic free" denies plastic, where no product of the shop calls itself so."""
    word = stem(match[1])
    known = word in snapshot.text_stems and not free_rows(word, snapshot).any()
    return f"without {match[1]}," if known else match.group()


def _blanked(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: " " * len(match.group()), text)


def _order(text: str) -> Order | None:
    orders: tuple[tuple[re.Pattern[str], Order], ...] = (
        (_RATED, "rating"),
        (_DEAR, "price_high"),
        (_CHEAP, "price_low"),
        (_POPULAR, "popular"),
    )
    return next((name for pattern, name in orders if pattern.search(text)), None)


def _corrected(token: Token, vocabulary: Vocabulary) -> Token:
    stem = SPELLINGS.get(token.stem, token.stem)
    stem = stem if vocabulary.names(stem) else DOERS.get(stem, stem)
    if stem in EMPTY_WORDS or token.word in EMPTY_WORDS or vocabulary.knows(stem):
        return Token(token.word, stem, token.start, token.end)
    return Token(token.word, vocabulary.nearest(stem) or stem, token.start, token.end)


def _read_entries(reading: Reading, snapshot: Snapshot, vocabulary: Vocabulary) -> None:
    """Colours, brands and attribute values: the longest phrases of the catalogue that stand in the request."""
    index = 0
    while index < len(reading.tokens):
        entry = vocabulary.longest(
            tuple(token.stem for token in reading.tokens[index : index + vocabulary.longest_phrase])
        )
        if entry is None:
            index += 1
            continue
        span = range(index, index + len(entry.phrase))
        denied = span[-1] in reading.denied or span[0] in reading.denied
        if not denied and begins_a_thing(entry, reading.tokens, span.stop, snapshot):
            index = span.stop
            continue
        reading.fields = _with_entry(reading.fields, entry, denied)
        reading.used.update(span)
        index = span.stop


def _with_entry(parsed: ParsedRequest, entry: Entry, denied: bool) -> ParsedRequest:
    if entry.kind == "colour":
        name = "not_colours" if denied else "colours"
        return _add(parsed, name, entry.value)
    if entry.kind == "brand":
        return _add(parsed, "not_brands" if denied else "brands", entry.value)
    if entry.value == "yes" and denied:
        return _add(parsed, "not_attributes", (entry.key, "yes"))
    return _add(parsed, "not_attributes" if denied else "attributes", (entry.key, entry.value))


def _add(parsed: ParsedRequest, name: str, value: object) -> ParsedRequest:
    have: tuple[object, ...] = getattr(parsed, name)
    return parsed if value in have else replace(parsed, **{name: (*have, value)})  # type: ignore[arg-type]


def _read_people(reading: Reading) -> None:
    """Whom it is for. With an age of 16 or more a daughter is a woman; "for kids" is not undone by "my son"."""
    for index in reading.left():
        token = reading.tokens[index]
        gender = GENDERS.get(token.stem) or GENDERS.get(token.word)
        if gender is None or (token.stem in WEAK_GENDER and not _stands_for_person(reading, index)):
            continue
        reading.used.add(index)
        if index in reading.denied:
            reading.fields = _add(reading.fields, "not_genders", gender)
        else:
            reading.fields = replace(reading.fields, gender=_joined_gender(reading.fields.gender, gender))
    age, gender = reading.fields.age, reading.fields.gender
    if age is not None:
        grown = {"girls": "women", "boys": "men", "kids": None}
        young = {"women": "girls", "men": "boys", None: "kids"}
        table: dict[str | None, str | None] = {**grown} if age >= 16 else {**young}
        reading.fields = replace(reading.fields, gender=table.get(gender, gender))


def _stands_for_person(reading: Reading, index: int) -> bool:
    before = reading.tokens[index - 1].word if index else ""
    return before in {"for", "my", "a", "the", "our", "his", "her", "to", "new"}


def _joined_gender(first: str | None, second: str) -> str:
    if first is None or first == second:
        return second
    if {first, second} == {"men", "women"}:
        return "unisex"
    children = {"boys", "girls", "kids", "baby"}
    if first in children and second in children:
        return first if second == "kids" else second if first == "kids" else "kids"
    return first if second in children else second if first in children else first


def read_sizes_into(reading: Reading, snapshot: Snapshot) -> None:
    """Sizes the catalogue knows, where the request means them as sizes."""
    free = [index for index in reading.left() if index not in reading.denied]
    for size, claimed in read_sizes(reading.tokens, free, snapshot):
        reading.fields = _add(reading.fields, "sizes", size)
        reading.used.update(claimed)


def _read_denied_rest(reading: Reading) -> None:
    for index in reading.left():
        token = reading.tokens[index]
        if index not in reading.denied:
            continue
        reading.used.add(index)
        if token.stem not in EMPTY_WORDS and token.word not in EMPTY_WORDS and not token.stem.isdigit():
            reading.fields = _add(reading.fields, "not_terms", token.stem)


def _read_kind(reading: Reading, snapshot: Snapshot, vocabulary: Vocabulary) -> None:
    free = reading.left()
    people = [i for i, token in enumerate(reading.tokens) if token.stem in GENDERS and i not in reading.denied]
    kind = _asked_kind(reading, sorted({*free, *people}), snapshot, vocabulary)
    said = {token.stem for index, token in enumerate(reading.tokens) if index not in reading.denied}
    said |= implied_qualifiers(reading.fields.attributes, snapshot)
    kind = replace(kind, categories=told_apart(kind.categories, said, snapshot))
    kind = kind if suits(kind.categories, kind.head, reading.fields, snapshot) else Kind()
    reading.fields = replace(reading.fields, categories=kind.categories, head=kind.head)
    terms = [reading.tokens[i].stem for i in free if not _is_noise(reading.tokens[i], snapshot)]
    told = [token for index, token in enumerate(reading.tokens) if index not in reading.denied]
    occasion = next((token.stem for token in told if {token.stem, token.word} & OCCASIONS), None)
    if occasion is None:
        occasion = next((t.word for t in told if t.word in OCCASIONS), None)
    if occasion in DATES and any({token.stem, token.word} & PRESENTS for token in told):
        occasion = "gift"  # "a christmas present": what is fit for one
    modifiers, described = read_description(reading.tokens, set(free), reading.text, kind, snapshot)
    reading.fields = replace(reading.fields, terms=tuple(dict.fromkeys(terms)), occasion=occasion,
                             modifiers=modifiers, described=described)  # fmt: skip


def _asked_kind(reading: Reading, free: Sequence[int], snapshot: Snapshot, vocabulary: Vocabulary) -> Kind:
    """The kind named in the last sentence that asks for something, where there are several; else in the whole text."""
    sentences = [m for m in _SENTENCE.finditer(reading.text) if m.group().strip()]
    if len(sentences) > 1:
        asking = [sentence for sentence in sentences if _REQUESTS.search(sentence.group())]
        named: Kind | None = None
        for sentence in reversed(asking or sentences):
            inside = [i for i in free if sentence.start() <= reading.tokens[i].start < sentence.end()]
            tokens = [t if sentence.start() <= t.start < sentence.end() else _OTHER for t in reading.tokens]
            kind = find_kind(tokens, inside, snapshot, vocabulary)
            if kind.categories or (kind.head and (asking or is_sold(kind.head, snapshot))):
                return kind
            named = named or (kind if kind.head and together(kind.head, snapshot) else None)
        if named is not None:
            return named
    return find_kind(reading.tokens, free, snapshot, vocabulary)


def _is_noise(token: Token, snapshot: Snapshot) -> bool:
    """Whether a word is not worth searching for."""
    if {token.word, token.stem} & EMPTY_WORDS or len(token.stem) < 2:
        return True
    if {token.word, token.stem} & COMMON_WORDS:
        return token.stem not in snapshot.stems
    return token.stem in NUMBER_WORDS


def _finish(reading: Reading, snapshot: Snapshot) -> ParsedRequest:
    parsed = reading.fields
    excluded = set(parsed.not_colours)
    categories = tuple(
        name
        for name, words in snapshot.category_stems.items()
        if words and set(words) & set(parsed.not_terms) and name not in parsed.categories
    )
    quantity = None if tells_room(reading.text) else _QUANTITY.search(reading.text)
    room = room_for(reading.text, parsed, snapshot)
    parsed = with_degree(_sizes_for_measures(parsed, snapshot), snapshot)
    sizes = _of_kind(parsed.sizes or _size_of_kind(parsed, snapshot), parsed, snapshot)
    return replace(
        parsed,
        terms=tuple(term for term in parsed.terms if parsed.sizes or not term.isdigit() or term not in sizes),
        attributes=(*parsed.attributes, *([room] if room else [])),
        sizes=sizes,
        colours=tuple(colour for colour in parsed.colours if colour not in excluded),
        not_categories=categories,
        quantity=count_of(quantity.group(1)) if quantity else None,
    )


def _sizes_for_measures(parsed: ParsedRequest, snapshot: Snapshot) -> ParsedRequest:
    """ "A belt, 90 to 100 cm": where the kind comes in sizes of that measure, those within it."""
    if not parsed.measures:
        return parsed
    kind = kind_rows(parsed, snapshot)  # all rows where no kind is named
    for measure in parsed.measures:
        labels = labels_within(Measure(*measure), [label for label, rows in snapshot.sizes.items() if kind[rows].any()])
        if labels:
            rest = tuple(other for other in parsed.measures if other != measure)
            parsed = replace(parsed, sizes=(*parsed.sizes, *labels), measures=rest)
    return parsed


def _size_of_kind(parsed: ParsedRequest, snapshot: Snapshot) -> tuple[str, ...]:
    """ "A medium t-shirt", "snow boots 38": a size word or number counts as a size where that kind comes in it."""
    if not (parsed.categories or parsed.head):
        return ()
    for word in parsed.terms:
        spoken = word in SIZE_WORDS
        if not (spoken or word.isdigit()):
            continue
        labels = [label for label in labels_of(word, snapshot.sizes) if label in snapshot.sizes]
        kind = kind_rows(parsed, snapshot)
        sized = kind & snapshot.mask(snapshot.sizes[label] for label in labels)
        if sized.sum() >= kind.sum() * (SHARE_OF_WORDS if spoken else SHARE_OF_NUMBERS) > 0:
            return tuple(labels)
    return ()


def _of_kind(sizes: tuple[str, ...], parsed: ParsedRequest, snapshot: Snapshot) -> tuple[str, ...]:
    """Of the labels that a size may stand for ("m", "medium"; "42", "39-42") those that the kind comes in."""
    if len(sizes) < 2 or not (parsed.categories or parsed.head):
        return sizes
    kind = kind_rows(parsed, snapshot)
    own = tuple(size for size in sizes if size in snapshot.sizes and kind[snapshot.sizes[size]].any())
    return own or sizes
