"""Which kind of thing a request asks for: categories of the catalogue, or words its products' names must have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from shopfloor.tools.recommendation.categories import HEAD_SHARE, categories_of, unlike_categories
from shopfloor.tools.recommendation.compounds import side_by_side
from shopfloor.tools.recommendation.degrees import MEASURED
from shopfloor.tools.recommendation.language import (
    ACTIVITIES,
    BREAKS,
    COMMON_WORDS,
    EMPTY_WORDS,
    GENDERS,
    KINDS,
    NUMBER_WORDS,
    OCCASIONS,
    SAME,
    SHADES,
    SIZE_WORDS,
    UNITS,
)
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import Token
from shopfloor.tools.recommendation.vocabulary import Vocabulary

_MAIN_VERBS = frozenset({"need", "want", "looking", "look", "show", "recommend", "find", "buy", "get", "suggest", "have",
                         "sell", "give", "searching", "like", "love", "needs", "wants", "requires", "require"})  # fmt: skip
_WEAK_CLAUSES = frozenset({"with", "without", "like", "which", "that", "who", "because", "from", "about"})
_TELLING = frozenset({"with", "in", "of", "on"})  # what follows describes the thing
_LONGEST_TELLING = 3  # words; more is a story
_OTHER_THINGS = frozenset({"earring", "string", "spring"})  # end like a thing they are not
_LONG_ENOUGH = 4  # letters of a word that may end a longer one
_JOINED_WORDS = 6  # content words of a clause that are tried in pairs
_MANY = 2  # times as many names: then that word is the thing
_RATHER_SHARE = 0.2  # enough to be it where the last word is not


@dataclass(frozen=True, slots=True)
class Kind:
    """Categories (any of them) and the head stems that named them, or head stems alone (all of them must occur).

    Both are empty when the request names no kind.
    """

    categories: tuple[str, ...] = ()
    head: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Clause:
    intro: str
    words: tuple[Token, ...]

    @property
    def vague(self) -> bool:
        """It says "something" or "anything": its other words describe and name no thing."""
        return bool({"something", "anything", "stuff", "thing"} & {token.stem for token in self.words})


def find_kind(tokens: Sequence[Token], free: Sequence[int], snapshot: Snapshot, vocabulary: Vocabulary) -> Kind:
    """The kind named in the main clause, else in the others ("for hiking I need boots")."""
    clauses = _clauses(tokens, set(free))
    main = [clause for clause in clauses if not clause.intro]
    rest = [clause for clause in clauses if clause.intro and clause.intro not in _WEAK_CLAUSES]
    for clause in (*main, *rest):
        kind = _kind_of(clause, snapshot)
        if kind is not None:
            return kind
    joined = next((word for clause in (*main, *rest) if (word := _joined_thing(clause, snapshot))), None)
    return Kind(head=(joined,)) if joined else _unknown_kind(main, vocabulary, snapshot)


def _clauses(tokens: Sequence[Token], free: set[int]) -> list[_Clause]:
    out: list[_Clause] = []
    intro, words = "", list[Token]()
    for index, token in enumerate(tokens):
        verb = token.word in _MAIN_VERBS and token.word != "like"
        if token.word == "of" and words and not intro and all(_counts(word.stem) for word in words):
            words = []  # "a set of mugs" asks for mugs
        elif token.word in BREAKS or verb:
            out.append(_Clause(intro, tuple(words)))
            intro, words = ("" if verb or token.start < 0 else token.word), []  # below zero: of another sentence
        elif index in free:
            words.append(token)
    out.append(_Clause(intro, tuple(words)))
    return [clause for clause in out if clause.words]


def _counts(word: str) -> bool:
    return word in UNITS or word in NUMBER_WORDS or word.isdigit() or word in {"a", "the"}


def is_sold(head: Sequence[str], snapshot: Snapshot) -> bool:
    """Whether the words of a kind surely name a thing of the shop."""
    share = snapshot.head_share.get(head[-1], 0.0)
    return together(head, snapshot) and (share >= _RATHER_SHARE or _is_thing(head[-1], snapshot))


def _kind_of(clause: _Clause, snapshot: Snapshot) -> Kind | None:
    groups = _groups(clause)
    if len(groups) == 1 and (named := _plain_word_last(groups[0], snapshot)):
        return Kind(head=named)
    found = [category for category in (categories_of(words, snapshot) for words in groups) if category]
    categories = tuple(dict.fromkeys(name for group in found for name in group))
    if categories:
        phrase = unlike_categories(groups[0], categories, snapshot) if len(groups) == 1 else ()
        if phrase:
            return Kind(head=phrase)
        return Kind(categories=categories, head=_naming_word(clause, categories, snapshot) if len(found) == 1 else ())
    head = _head(clause, snapshot)
    if head is None:
        return None
    for name in (head, *SAME.get(head, ()), *_longer(head, snapshot), *KINDS.get(head, ())):
        words = tuple(name.split())
        if name in KINDS.get(head, ()) and len(words) == 1 and not _ends_names(name, snapshot):
            continue
        if len(words) > 1 and together(words, snapshot):
            return Kind(head=(head,) if name in SAME.get(head, ()) else words)
        named = categories_of(words, snapshot) if len(words) == 1 else _whole_categories(words, snapshot)
        if named:
            return Kind(categories=named, head=(head,))
        if together(words, snapshot):
            return Kind(head=(head,) if name in SAME.get(head, ()) else words)
    return None


def _plain_word_last(words: tuple[str, ...], snapshot: Snapshot) -> tuple[str, ...]:
    """The last two words where the last is none for a thing elsewhere: a watering *can*."""
    if len(words) < 2 or words[-1] not in EMPTY_WORDS or snapshot.head_share.get(words[-1], 0.0) < HEAD_SHARE:
        return ()
    return words[-2:] if side_by_side(words[-2], words[-1], snapshot) else ()


def _naming_word(clause: _Clause, categories: tuple[str, ...], snapshot: Snapshot) -> tuple[str, ...]:
    """The one word of the clause that the categories go by."""
    words = [t.stem for t in clause.words if any(t.stem in snapshot.category_stems[name] for name in categories)]
    return tuple(words[-1:])


def _groups(clause: _Clause) -> list[tuple[str, ...]]:
    """Noun phrases joined by "and" or "or", as stems."""
    groups: list[list[str]] = [[]]
    for token in clause.words:
        if token.word in {"and", "or"}:
            groups.append([])
        else:
            groups[-1].append(token.stem)
    return [tuple(group) for group in groups if group]


def _head(clause: _Clause, snapshot: Snapshot) -> str | None:
    words = _things(clause)
    for part in _fragments(clause):  # "incense, rose scent": what is named first is asked for
        named = _things(_Clause(clause.intro, part))
        for place in range(len(named) - 1, -1, -1):
            if (place and named[place] in UNITS) or named[place] in OCCASIONS or _only_describes(named[place]):
                continue
            if _is_thing(named[place], snapshot):
                return _rather(named[: place + 1], snapshot)
        alone = named[0] if len(named) == 1 and len(named[0]) > 2 else ""
        if snapshot.head_share.get(alone, 0.0) >= _RATHER_SHARE and not (
            alone in OCCASIONS or alone in ACTIVITIES or alone in COMMON_WORDS or _only_describes(alone)
        ):
            return alone
    if clause.intro:
        return None
    known = [
        w
        for w in words
        if w in snapshot.stems
        and w not in SIZE_WORDS
        and w not in NUMBER_WORDS
        and not (w.isdigit() or w in ACTIVITIES or w in COMMON_WORDS)
    ]
    things = [word for word in known if word not in OCCASIONS and word not in NUMBER_WORDS]
    vague = {"gift", "present", "something", "anything", "outfit", "stuff"} & {t.stem for t in clause.words}
    return (things or ([] if vague else known) or [None])[-1]


def _fragments(clause: _Clause) -> list[tuple[Token, ...]]:
    """The parts of a clause between commas and the like."""
    parts: list[list[Token]] = []
    for before, token in zip((None, *clause.words), clause.words, strict=False):
        if before is None or token.start - before.end > 1 and before.start >= 0:
            parts.append([])
        parts[-1].append(token)
    return [tuple(part) for part in parts]


def _things(clause: _Clause) -> list[str]:
    """Stems of the clause that can name a thing."""
    return [t.stem for t in clause.words if not {t.stem, t.word} & EMPTY_WORDS and t.stem not in GENDERS]


def _only_describes(word: str) -> bool:
    """A size, a colour or a number is never the thing, however many names end with it."""
    return word in SIZE_WORDS or word in SHADES or word in MEASURED or word in NUMBER_WORDS


def _is_thing(word: str, snapshot: Snapshot) -> bool:
    if word in KINDS or word in SAME:
        return _reachable(word, snapshot)
    return word in snapshot.stems and snapshot.head_share.get(word, 0.0) >= HEAD_SHARE


def _longer(head: str, snapshot: Snapshot) -> list[str]:
    """Categories' words that end with a word the shop does not have by itself: a headlamp is a lamp."""
    if head in snapshot.stems or len(head) < _LONG_ENOUGH:
        return []
    words = {word for stems in snapshot.category_stems.values() for word in stems if word.endswith(head)}
    words |= (
        set(re.findall(rf"^(.*{re.escape(head)})$", snapshot.things, re.MULTILINE))
        if head + "\n" in snapshot.things
        else set()
    )
    return sorted(words - _OTHER_THINGS)


def _ends_names(word: str, snapshot: Snapshot) -> bool:
    """Whether a word is a category's or ends enough names to be a thing here ("light" may only describe)."""
    named = any(word in stems for stems in snapshot.category_stems.values())
    return named or snapshot.head_share.get(word, 0.0) >= HEAD_SHARE


def _rather(words: Sequence[str], snapshot: Snapshot) -> str:
    """The thing: the last word, unless no name has it beside the others and one of them is far more of a thing here."""
    last = words[-1]
    others = [
        word
        for word in words[:-1]
        if snapshot.head_share.get(word, 0.0) >= _RATHER_SHARE and word in snapshot.stems and not _only_describes(word)
    ]
    if (
        not others
        or last in SAME
        or last not in snapshot.stems
        or any(together((word, last), snapshot) for word in others)
    ):
        return last
    best = max(others, key=lambda word: len(snapshot.stems[word]))
    many = len(snapshot.stems[best]) >= _MANY * len(snapshot.stems[last])
    return best if many and best not in OCCASIONS else last


def together(words: Sequence[str], snapshot: Snapshot) -> bool:
    """Whether some name or category has all the words."""
    rows: set[int] | None = None
    for word in words:
        if word not in snapshot.stems:
            return False
        own = set(snapshot.stems[word].tolist())
        rows = own if rows is None else rows & own
    return bool(rows)


def _reachable(word: str, snapshot: Snapshot) -> bool:
    own = () if word in snapshot.before_only else (word,)
    names = (*own, *SAME.get(word, ()), *_longer(word, snapshot), *KINDS.get(word, ()))
    return any(together(name.split(), snapshot) for name in names)


def _whole_categories(words: Sequence[str], snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(name for name, stems in snapshot.category_stems.items() if stems and set(words).issuperset(stems))


def read_description(
    tokens: Sequence[Token], free: set[int], text: str, kind: Kind, snapshot: Snapshot
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Words before the thing ("*lunch* bag"), and words that describe it ("with dinosaurs", "…, vanilla")."""
    named = {*kind.head, *(word for name in kind.categories for word in snapshot.category_stems[name])}
    named |= {word for head in kind.head for word in (head, *KINDS.get(head, ()))}
    named |= {word for word, same in SAME.items() if set(same) & set(kind.head) or word in kind.head}
    heads = [index for index, token in enumerate(tokens) if token.stem in named and index in free]
    if not heads:
        return (), ()
    place = heads[-1]
    before: list[str] = []
    for index in range(place - 1, -1, -1):
        token = tokens[index]
        gap = text[token.end : tokens[index + 1].start]
        if token.word == "t" and gap in {" ", "-"}:
            continue  # "t-light": no end of the phrase
        if gap.strip(" -'") or {token.word, token.stem} & (EMPTY_WORDS | BREAKS):
            break
        if index in free and token.stem not in GENDERS and token.stem not in named and token.stem not in UNITS:
            before.extend([token.stem] if token.stem.isalpha() and token.stem not in NUMBER_WORDS else [])
    described: list[str] = []
    for intro, part in _parts_after(tokens, place, text):
        if intro == "for" and kind.head:  # "a tin for biscuits" is a biscuit tin
            inside = [tokens[i].stem for i in part if i in free and not {tokens[i].stem, tokens[i].word} & EMPTY_WORDS]
            before.extend(_before_thing(inside[0], kind.head[-1], snapshot) if inside else ())
        words = [
            tokens[i].stem
            for i in part
            if i in free and not {tokens[i].stem, tokens[i].word} & EMPTY_WORDS and tokens[i].stem not in GENDERS
        ]
        if intro == "for" and any({tokens[i].stem, tokens[i].word} & set(GENDERS) for i in part):
            continue
        if intro == "for" and not _is_told_of(words, snapshot):
            continue
        if (
            (intro in _TELLING or intro == "for")
            and len(words) <= _LONGEST_TELLING
            and not any(tokens[i].word == "my" for i in part)
        ):
            described.extend(w for w in words if w not in ACTIVITIES and w not in UNITS and w.isalpha())
    kept = tuple(word for word in dict.fromkeys(described) if word not in before and word not in named)
    return tuple(before), kept


def _is_told_of(words: Sequence[str], snapshot: Snapshot) -> bool:
    """Whether what a thing is "for" is something that texts of the shop speak of: paint for walls, no two week trek."""
    general = OCCASIONS | COMMON_WORDS | ACTIVITIES.keys() | NUMBER_WORDS.keys()
    return len(words) == 1 and words[0] in snapshot.text_stems and words[0] not in general


def _before_thing(word: str, head: str, snapshot: Snapshot) -> tuple[str, ...]:
    """The word, or what it ends with, where names have it right before the thing: "cake" case for cupcakes."""
    if word in OCCASIONS or word in GENDERS:
        return ()
    forms = (word, *(word[cut:] for cut in range(3, len(word) - 3)))
    return next(((form,) for form in forms if side_by_side(form, head, snapshot)), ())


def _parts_after(tokens: Sequence[Token], place: int, text: str) -> list[tuple[str, list[int]]]:
    """The clauses after the thing, each by the word that opens it; what follows at once or after a comma is "with"."""
    out: list[tuple[str, list[int]]] = [("with", [])]
    for index in range(place + 1, len(tokens)):
        token = tokens[index]
        gap = text[tokens[index - 1].end : token.start]
        if token.word in BREAKS or token.word in _MAIN_VERBS:
            out.append((token.word, []))
        elif "," in gap:
            out.append(("with", [index]))
        elif gap.strip(" -'&+/"):
            out.append(("", [index]))
        else:
            out[-1][1].append(index)
    return out


def _joined_thing(clause: _Clause, snapshot: Snapshot) -> str | None:
    """The shop's thing that two of the words make together: what stops a door is a doorstop."""
    words = [t.stem for t in clause.words if not {t.stem, t.word} & EMPTY_WORDS and len(t.stem) > 2]
    for first, second in permutations(words[:_JOINED_WORDS], 2):
        for form in (f"{first}{second}", f"{first}{second}er"):
            if snapshot.head_share.get(form, 0.0) >= HEAD_SHARE and form in snapshot.stems:
                return form
    return None


def _unknown_kind(main: Sequence[_Clause], vocabulary: Vocabulary, snapshot: Snapshot) -> Kind:
    """A thing this shop does not have, when the request plainly asks for one; so that the answer can say so."""
    for clause in main:
        words = _things(clause)
        if words and words[-1] in KINDS and not _reachable(words[-1], snapshot):
            return Kind(head=(words[-1],))
        if clause.vague:  # "something cosy" describes
            continue
        told = all(word in OCCASIONS or _only_describes(word) for word in words[:-1])
        if words and told and not vocabulary.knows(words[-1]) and words[-1].isalpha() and len(words[-1]) > 3:
            return Kind(head=(words[-1],))
    return Kind()
