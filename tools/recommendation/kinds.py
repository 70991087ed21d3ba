"""Which kind of thing a request asks for: categories of the catalogue, or words its products' names must have."""

from collections.abc import Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.language import BREAKS, EMPTY_WORDS, GENDERS, KINDS, OCCASIONS
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import Token
from shopfloor.tools.recommendation.vocabulary import Vocabulary

_MAIN_VERBS = frozenset({"need", "want", "looking", "look", "show", "recommend", "find", "buy", "get", "suggest", "have",
                         "sell", "give", "searching", "like", "love"})  # fmt: skip
_WEAK_CLAUSES = frozenset({"with", "without", "like", "which", "that", "who", "because", "from", "about"})
_HEAD_SHARE = 0.3  # a word that ends this share of the names it is in is the thing, not its description


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
    return _unknown_kind(main, vocabulary, snapshot)


def _clauses(tokens: Sequence[Token], free: set[int]) -> list[_Clause]:
    out: list[_Clause] = []
    intro, words = "", list[Token]()
    for index, token in enumerate(tokens):
        verb = token.word in _MAIN_VERBS and token.word != "like"
        if token.word in BREAKS or verb:
            out.append(_Clause(intro, tuple(words)))
            intro, words = ("" if verb else token.word), []
        elif index in free:
            words.append(token)
    out.append(_Clause(intro, tuple(words)))
    return [clause for clause in out if clause.words]


def _kind_of(clause: _Clause, snapshot: Snapshot) -> Kind | None:
    found = [category for category in (_categories(words, snapshot) for words in _groups(clause)) if category]
    categories = tuple(dict.fromkeys(name for group in found for name in group))
    if categories:
        return Kind(categories=categories, head=_naming_word(clause, categories, snapshot))
    head = _head(clause, snapshot)
    if head is None:
        return None
    for word in (head, *KINDS.get(head, ())):
        named = _categories((word,), snapshot)
        if named:
            return Kind(categories=named, head=(word,))
        if word in snapshot.stems:
            return Kind(head=(word,))
    return None


def _naming_word(clause: _Clause, categories: tuple[str, ...], snapshot: Snapshot) -> tuple[str, ...]:
    """The one word of the clause that the categories go by; none when several kinds are asked for at once."""
    words = [t.stem for t in clause.words if any(t.stem in snapshot.category_stems[name] for name in categories)]
    return tuple(words[-1:]) if len(_groups(clause)) == 1 else ()


def _groups(clause: _Clause) -> list[tuple[str, ...]]:
    """Noun phrases joined by "and" or "or", as stems."""
    groups: list[list[str]] = [[]]
    for token in clause.words:
        if token.word in {"and", "or"}:
            groups.append([])
        else:
            groups[-1].append(token.stem)
    return [tuple(group) for group in groups if group]


def _categories(words: tuple[str, ...], snapshot: Snapshot) -> tuple[str, ...]:
    """Categories that a noun phrase names: wholly, else by its last word that any category has."""
    have = set(words)
    whole = [name for name, stems in snapshot.category_stems.items() if stems and have.issuperset(stems)]
    if whole:
        most = max(len(snapshot.category_stems[name]) for name in whole)
        return tuple(name for name in whole if len(snapshot.category_stems[name]) == most)
    for word in reversed(words):
        if word in EMPTY_WORDS or word in OCCASIONS or word in GENDERS:
            continue  # a person names a category only together with a thing: "kids shoes"
        part = tuple(name for name, stems in snapshot.category_stems.items() if word in stems)
        if part:
            closer = tuple(n for n in part if len(have & set(snapshot.category_stems[n])) > 1)
            return closer or part
        if word in snapshot.stems and snapshot.head_share.get(word, 0.0) >= _HEAD_SHARE:
            return ()
    return ()


def _head(clause: _Clause, snapshot: Snapshot) -> str | None:
    words = _things(clause)
    for word in reversed(words):
        if word in KINDS and _reachable(word, snapshot):
            return word
    for word in reversed(words):
        if word in snapshot.stems and snapshot.head_share.get(word, 0.0) >= _HEAD_SHARE and word not in OCCASIONS:
            return word
    if clause.intro:
        return None
    known = [word for word in words if word in snapshot.stems and not word.isdigit()]
    things = [word for word in known if word not in OCCASIONS]
    vague = {"gift", "present", "something", "anything", "outfit", "stuff"} & {t.stem for t in clause.words}
    return (things or ([] if vague else known) or [None])[-1]


def _things(clause: _Clause) -> list[str]:
    """Stems of the clause that can name a thing."""
    return [t.stem for t in clause.words if not {t.stem, t.word} & EMPTY_WORDS and t.stem not in GENDERS]


def _reachable(word: str, snapshot: Snapshot) -> bool:
    return any(w in snapshot.stems for w in (word, *KINDS.get(word, ())))


def _unknown_kind(main: Sequence[_Clause], vocabulary: Vocabulary, snapshot: Snapshot) -> Kind:
    """A thing this shop does not have, when the request plainly asks for one; so that the answer can say so."""
    for clause in main:
        words = _things(clause)
        if words and words[-1] in KINDS and not _reachable(words[-1], snapshot):
            return Kind(head=(words[-1],))
        if clause.vague:  # "something cosy" describes
            continue
        if len(words) == 1 and not vocabulary.knows(words[0]) and words[0].isalpha() and len(words[0]) > 3:
            return Kind(head=(words[0],))
    return Kind()
