"""The protocol every local-model runtime implements, and the values that cross it.

A runtime is asynchronous, safe for many callers at once, and never blocks the event loop. Cancelling the awaiting
task (or closing the stream) stops generation and frees the slot. Every method may raise
:class:`~shopfloor.errors.ModelError`; a prompt longer than the context raises
:class:`~shopfloor.errors.ContextOverflowError` and is never cut.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """How to generate. ``grammar`` is GBNF; runtimes without grammars reject it with a ModelError."""

    max_tokens: int = 96
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    grammar: str | None = None
    timeout_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished generation. Times in seconds from the call; ``first_token_s`` includes the wait for a slot."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    first_token_s: float
    finish_reason: Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a stream; the last one has empty text and the ``completion``."""

    text: str
    completion: Completion | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What answers: ``source_hash`` names the original weights, ``form_hash`` the file that is loaded."""

    name: str
    source_hash: str
    form_hash: str
    quantisation: str
    runtime: str
    profile: str
    licence: str
    context: int
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class RuntimeStats:
    """Counters since start. Latencies in milliseconds over the last 512 requests, tokens/s while decoding."""

    requests: int
    failed: int
    active: int
    prompt_tokens: int
    completion_tokens: int
    tokens_per_second: float
    latency_ms: dict[str, float] = field(default_factory=dict[str, float])  # p50, p95, p99
    memory_mb: float = 0.0


@runtime_checkable
class Runtime(Protocol):
    """A local model, ready to answer."""

    @property
    def info(self) -> ModelInfo:
        """What is loaded now."""
        ...

    async def chat(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> Completion:
        """Answer a chat by the model's own chat template."""
        ...

    def stream(self, messages: Sequence[Message], options: GenerateOptions | None = None) -> AsyncIterator[Chunk]:
        """``chat`` in pieces: the texts joined equal ``chat``'s text."""
        ...

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token ``labels`` right after each prompt.

        Args:
            prompts: P raw texts (no chat template), each appended to ``prefix``.
            labels: L texts, each one token after the prompt.
            prefix: text shared by all prompts, evaluated once where the runtime can.

        Returns:
            Array of shape (P, L), natural logarithms under the full softmax: independent of other requests.

        Raises:
            ModelError: a label is not a single token.
        """
        ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states, shape (len(texts), width), not normalised."""
        ...

    async def generate_json(
        self, messages: Sequence[Message], schema: dict[str, JsonValue], options: GenerateOptions | None = None
    ) -> JsonValue:
        """Generate under a JSON schema; what comes back parses against it, or ModelError is raised."""
        ...

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        ...

    async def stats(self) -> RuntimeStats:
        """Counters, latencies and memory."""
        ...

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        ...
