"""Turns the pieces of a generation into text that may be shown: nothing of a stop text, and no half of a character."""

import codecs
from collections.abc import Sequence


class TextWriter:
    """Holds back what may still turn out to be the beginning of a stop text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._text = ""
        self._given = 0

    def add(self, text: str) -> tuple[str, bool]:
        """The text that is settled by a further piece, and whether a stop text was reached."""
        self._text += text
        found = [place for stop in self._stops if (place := self._text.find(stop)) >= 0]
        if found:
            self._text = self._text[: min(found)]
            return self.rest(), True
        settled = len(self._text)
        for stop in self._stops:
            for length in range(1, len(stop)):
                if self._text.endswith(stop[:length]):
                    settled = min(settled, len(self._text) - length)
        return self._take(settled), False

    def rest(self) -> str:
        """What was held back."""
        return self._take(len(self._text))

    def _take(self, end: int) -> str:
        piece = self._text[self._given : end]
        self._given = max(self._given, end)
        return piece


class ByteReader:
    """Puts characters together from tokens that may hold parts of them; bytes that are no text are left out."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def add(self, part: bytes) -> str:
        """The characters that are whole by now."""
        return self._decoder.decode(part)
