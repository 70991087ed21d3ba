"""Direct answers written as data: which kind a message calls for, and its words.

Reads ``prompts/replies.toml``. What it does not cover: products and stock; those are the agents'.
"""

import re
import tomllib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from shopfloor.graph.cues import normal, words
from shopfloor.graph.prompts import load_words
from shopfloor.tools.phrases import listed

OUT_OF_SCOPE = "out_of_scope"
LANGUAGE = "language"
_MOST_CATEGORIES = 12


@dataclass(frozen=True, slots=True)
class ReplyKind:
    """One kind of direct answer."""

    name: str
    patterns: tuple[re.Pattern[str], ...]
    sure: bool
    whole: bool
    replies: tuple[str, ...]

    def matches(self, lowered: str) -> bool:
        """Whether a normalised message is of this kind."""
        if self.whole:
            return any(pattern.fullmatch(lowered) for pattern in self.patterns)
        return any(pattern.search(lowered) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Language:
    """A language the assistant recognises but does not answer in; ``words`` that no other language here shares."""

    code: str
    words: frozenset[str]
    reply: str


@dataclass(frozen=True)
class Replies:
    """All kinds, in the file's order."""

    kinds: Mapping[str, ReplyKind]
    languages: tuple[Language, ...]
    scripts_reply: str
    english: frozenset[str]

    def sure_kind(self, text: str) -> str | None:
        """The kind that decides a message by itself, before any router; None for all others."""
        lowered = re.sub(r",(?= )", "", normal(text))
        if not words(lowered):
            return "unclear"
        if self.language_reply(text) is not None:
            return LANGUAGE
        return next((kind.name for kind in self.kinds.values() if kind.sure and kind.matches(lowered)), None)

    def kind(self, text: str) -> str:
        """The kind for a message that is no agent's; out of scope where none fits."""
        sure = self.sure_kind(text)
        if sure is not None:
            return sure
        lowered = normal(text)
        found = next((kind.name for kind in self.kinds.values() if kind.patterns and kind.matches(lowered)), None)
        return found or OUT_OF_SCOPE

    def say(self, kind: str, *, shop: str, text: str, turn: int, categories: Sequence[str] = ()) -> str:
        """The words for a kind; ``turn`` makes a repeated question get another variant."""
        if kind == LANGUAGE:
            reply = self.language_reply(text)
            if reply is not None:
                return reply
        variants = self.kinds[kind].replies
        start = zlib.crc32(normal(text).encode()) if turn == 0 else turn
        said = variants[start % len(variants)].replace("{shop}", shop)
        return said.replace("{categories}", listed([one.casefold() for one in categories[:_MOST_CATEGORIES]], "and"))

    def is_foreign(self, text: str) -> bool:
        """Whether a short message has a word of another language and none of English."""
        said = set(words(text))
        return not said & self.english and any(said & language.words for language in self.languages)

    def language_reply(self, text: str) -> str | None:
        """An honest sentence in the message's language, where that is plainly not English."""
        letters = [letter for letter in text if letter.isalpha()]
        if len(letters) >= 3 and sum(ord(letter) > 0x2FF for letter in letters) > len(letters) / 2:
            return self.scripts_reply
        said = set(words(text))
        english = len(said & self.english)
        if not said or english >= 2:
            return None
        scored = sorted(((len(said & language.words), language.reply) for language in self.languages), reverse=True)
        best, reply = scored[0]
        needed = 2 if len(said) <= 5 else 3
        return reply if best >= needed and best > english else None


@cache
def load_replies() -> Replies:
    """Read the package's replies."""
    raw = tomllib.loads((resources.files("shopfloor.graph") / "prompts" / "replies.toml").read_text(encoding="utf-8"))
    kinds = {
        name: ReplyKind(
            name=name,
            patterns=tuple(re.compile(pattern) for pattern in table.get("patterns", ())),
            sure=bool(table.get("sure", False)),
            whole=bool(table.get("whole", False)),
            replies=_strings(table["replies"]),
        )
        for name, table in raw["kinds"].items()
    }
    languages = tuple(
        Language(code, frozenset(table["words"].split()), table["reply"]) for code, table in raw["languages"].items()
    )
    return Replies(kinds, languages, raw["scripts"]["reply"], load_words("english"))


def _strings(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
