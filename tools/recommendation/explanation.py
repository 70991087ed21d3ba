"""Stream the explanation: sentences put together from facts of the database, said at once.

Where there are several ways to say one, the local model may choose (the setting ``explanations``): it generates under
a grammar whose only sentences are those, so it can't invent anything; as soon as its choice is plain, generation stops
and the sentence is completed. ``shopfloor eval explanations`` compares that with the templates' own choice and with
free text; docs/quality.md says what came of it.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from opentelemetry import trace

from shopfloor.errors import ModelError
from shopfloor.local_models.runtime import Chunk, GenerateOptions, Message, Runtime
from shopfloor.settings import Settings
from shopfloor.tools.recommendation.query import Recommendation
from shopfloor.tools.recommendation.usage import ModelUsage, StreamMeter

MAX_TOKENS = 48
TIMEOUT_S = 4.0
WRITTEN = 6  # pieces the model writes itself at least: a tenth of a second that shows how fast it is
PROMPT_CHARS = 300
MODEL_CHOOSES_BETTER = False
"""Whether the model's choice was preferred to the templates' own, which costs no time (``eval explanations``)."""

_tracer = trace.get_tracer("shopfloor")


def choice_grammar(options: Sequence[str]) -> str:
    """A GBNF grammar whose sentences are exactly the options."""
    return "root ::= " + " | ".join(json.dumps(option, ensure_ascii=False) for option in options)


def explanation_messages(rec: Recommendation) -> list[Message]:
    """The prompt: the request and the cards' names and reasons, as data."""
    cards = "\n".join(f"- {item.name}: {item.reason}" for item in rec.items[:3])
    asked = " ".join(rec.parsed.text.split())[:PROMPT_CHARS] or "something nice"
    return [
        Message("user", f"Customer: {asked}\nSuggestions:\n{cards}\nAdd the one fact that helps this customer most.")
    ]


async def stream_explanation(
    runtime: Runtime | None, settings: Settings, rec: Recommendation, usage: ModelUsage | None = None
) -> AsyncIterator[str]:
    """Yield pieces that join to the explanation; without a model, or when it fails, the template's words."""
    if rec.note:
        yield rec.note + (" " if rec.phrasings else "")
    mode = settings.explanations
    chooses = mode == "model" or (mode == "auto" and MODEL_CHOOSES_BETTER)
    for number, options in enumerate(rec.phrasings):
        space = " " if number else ""
        if not chooses or len(options) == 1 or runtime is None or rec.degraded:
            yield space + options[0]
            continue
        if space:
            yield space
        async for piece in _chosen(runtime, settings, rec, options, usage or ModelUsage()):
            yield piece


async def _chosen(
    runtime: Runtime, settings: Settings, rec: Recommendation, options: Sequence[str], usage: ModelUsage
) -> AsyncIterator[str]:
    """One of the options, as the model's choice becomes plain; the first where it has none."""
    said, meter, done = "", StreamMeter(), None
    try:
        with _tracer.start_as_current_span("model explain"):
            async with aclosing(_generate(runtime, settings, rec, options)) as chunks:
                async for chunk in chunks:
                    done = chunk.completion or done
                    if chunk.text:
                        meter.piece()
                    if not any(option.startswith(said + chunk.text) for option in options):
                        break
                    said += chunk.text
                    if chunk.text:
                        yield chunk.text
                    plain = sum(option.startswith(said) for option in options) == 1
                    if plain and meter.pieces >= WRITTEN:
                        break
    except ModelError as error:
        trace.get_current_span().add_event("explanation by template", {"reason": error.code})
    rest = next(option for option in options if option.startswith(said))[len(said) :]
    if rest:
        yield rest
    if said:
        prompt = "\n".join(message.content for message in explanation_messages(rec))
        usage.add(await meter.usage(runtime, prompt, said, done))


async def _generate(
    runtime: Runtime, settings: Settings, rec: Recommendation, options: Sequence[str]
) -> AsyncGenerator[Chunk, None]:
    chosen = GenerateOptions(
        max_tokens=MAX_TOKENS,
        grammar=choice_grammar(options),
        timeout_s=min(TIMEOUT_S, settings.model_timeout_s),
    )
    async for chunk in runtime.stream(explanation_messages(rec), chosen):
        yield chunk
