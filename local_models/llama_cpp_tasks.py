"""What a sequence of a batch is evaluated for: an answer, the scores of labels, or an embedding."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ContextOverflowError
from shopfloor.local_models.llama_cpp_model import LlamaModel, Sampler
from shopfloor.local_models.streaming import Ask, Piece
from shopfloor.local_models.text_writer import ByteReader, TextWriter
from shopfloor.local_models.workers import Call


class Task(ABC):
    """Work on one sequence. ``tokens`` are those that must have been read before ``advance``; ``adapter`` is a hash."""

    states = False  # whether hidden states of all tokens are wanted instead of the last one's logits
    read = 0  # with ``states``: how many tokens of the present text were read for this very task

    def __init__(self, call: Call, tokens: list[int], adapter: str | None) -> None:
        self.call = call
        self.tokens = tokens
        self.adapter = adapter

    @abstractmethod
    def advance(self, rows: NDArray[np.float32]) -> bool:
        """Take the logits after the last token (or the states of the tokens just read); True: there is no more to do."""

    def end(self) -> None:
        """Give back what the task holds, however it ended."""
        return


class Generation(Task):
    """An answer, handed on piece by piece."""

    def __init__(
        self, call: Call, model: LlamaModel, ask: Ask, tokens: list[int], grammar: str | None, adapter: str | None
    ) -> None:
        super().__init__(call, tokens, adapter)
        self._model = model
        self._options = ask.options
        self._grammar = grammar
        self._sampler: Sampler | None = None
        self._limit = min(ask.options.max_tokens, model.context - len(tokens))
        self._writer = TextWriter(ask.options.stop)
        self._bytes = ByteReader()
        self._count = 0
        call.put(Piece(prompt_tokens=len(tokens)))

    def advance(self, rows: NDArray[np.float32]) -> bool:
        """Choose the next token.

        Raises:
            ModelError: the grammar is none.
        """
        if self._sampler is None:
            self._sampler = self._model.sampler(self._options.temperature, self._options.seed, self._grammar)
        token = self._sampler.choose(rows)
        if self._model.ends(token):
            return self._finish("stop")
        self._count += 1
        text, stopped = self._writer.add(self._bytes.add(self._model.piece(token)))
        self.call.put(Piece(text, completion_tokens=self._count))
        if stopped or self._count >= self._limit:
            return self._finish("stop" if stopped else "length")
        self.tokens.append(token)
        return False

    def end(self) -> None:
        """Free the sampler."""
        if self._sampler is not None:
            self._sampler.free()

    def _finish(self, reason: str) -> bool:
        self.call.put(Piece(self._writer.rest(), finish=reason))
        return True


class Scoring(Task):
    """Log-probabilities of labels after each of several prompts, one prompt after another."""

    def __init__(self, call: Call, prompts: list[list[int]], labels: Sequence[int], adapter: str | None) -> None:
        super().__init__(call, prompts[0], adapter)
        self._waiting = prompts[1:]
        self._labels = list(labels)
        self._rows: list[NDArray[np.float32]] = []

    def advance(self, rows: NDArray[np.float32]) -> bool:
        """Read the labels' logarithms off the full softmax, and go on to the next prompt."""
        logits = rows.astype(np.float64)
        highest = logits.max()
        total = highest + np.log(np.exp(logits - highest).sum())
        self._rows.append(np.minimum(logits[self._labels] - total, 0.0).astype(np.float32))
        if self._waiting:
            self.tokens = self._waiting.pop(0)
            return False
        self.call.put(np.array(self._rows, dtype=np.float32))
        return True


class Embedding(Task):
    """The mean of the last layer's hidden states over each of several texts."""

    states = True

    def __init__(self, call: Call, texts: list[list[int]], adapter: str | None) -> None:
        super().__init__(call, texts[0], adapter)
        self._waiting = texts[1:]
        self._sum: NDArray[np.float64] | None = None
        self._rows: list[NDArray[np.float32]] = []

    def advance(self, rows: NDArray[np.float32]) -> bool:
        """Add the states of the tokens just read."""
        total: NDArray[np.float64] = rows.sum(axis=0, dtype=np.float64)
        if self._sum is not None:
            total = total + self._sum
        self._sum = total
        self.read += len(rows)
        if self.read < len(self.tokens):
            return False
        self._rows.append(np.asarray(total / self.read, dtype=np.float32))
        self._sum, self.read = None, 0
        if self._waiting:
            self.tokens = self._waiting.pop(0)
            return False
        self.call.put(np.array(self._rows, dtype=np.float32))
        return True


def check_fits(tokens: Sequence[int], room: int, context: int) -> None:
    """Refuse a text that is longer than ``room`` tokens.

    Raises:
        ContextOverflowError: it is.
    """
    if len(tokens) > room:
        raise ContextOverflowError(
            f"the prompt has {len(tokens)} tokens, the model's context holds {context}: "
            "shorten it or raise SHOPFLOOR_MODEL_CTX"
        )
