"""What an answer cost the local model: tokens read and written, and how fast it wrote them."""

from dataclasses import dataclass
from time import perf_counter

from pydantic import JsonValue

from shopfloor.errors import ModelError
from shopfloor.local_models.runtime import Completion, Runtime

MEASURABLE = 4  # pieces of a stream; the time between fewer says little


@dataclass(slots=True)
class ModelUsage:
    """Tokens of the local model. Given to ``RecommendationAgent.explain`` it is filled while the words stream.

    Attributes:
        prompt: tokens read, of scoring and of the explanation.
        completion: tokens written; a score counts as one a candidate.
        tokens_per_second: while writing, the wait for the first token left out; None: nothing was written.
    """

    prompt: int = 0
    completion: int = 0
    tokens_per_second: float | None = None

    def add(self, other: "ModelUsage") -> None:
        """Count another's tokens too; the newer speed wins."""
        self.prompt += other.prompt
        self.completion += other.completion
        self.tokens_per_second = other.tokens_per_second or self.tokens_per_second

    def to_json(self) -> dict[str, JsonValue]:
        """For the reply's usage and the trace."""
        return {
            "prompt": self.prompt,
            "completion": self.completion,
            "tokens_per_second": self.tokens_per_second,
        }


class StreamMeter:
    """Counts one stream's pieces and the time between them."""

    def __init__(self) -> None:
        self._pieces = 0
        self._first = self._last = 0.0

    @property
    def pieces(self) -> int:
        """How many arrived so far."""
        return self._pieces

    def piece(self) -> None:
        """A piece with text arrived."""
        self._last = perf_counter()
        self._first = self._first or self._last
        self._pieces += 1

    async def usage(self, runtime: Runtime, prompt: str, said: str, done: Completion | None) -> ModelUsage:
        """The stream's cost: the runtime's own figures where it ran to its end, else counted by its tokenizer.

        The speed of a stream that was ended early after a few pieces is the runtime's mean since its start.
        """
        try:
            read = done.prompt_tokens if done is not None else await runtime.count_tokens(prompt)
            written = done.completion_tokens if done is not None else max(1, await runtime.count_tokens(said))
            took = self._last - self._first
            if self._pieces >= MEASURABLE and took > 0:
                speed = (written - 1) / took
            else:
                speed = (await runtime.stats()).tokens_per_second
        except ModelError:
            return ModelUsage()
        return ModelUsage(read, written, round(speed, 1) if speed > 0 else None)
