"""Stream the explanation: the model chooses among true phrasings under a grammar, so it can't invent anything."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from opentelemetry import trace

from shopfloor.errors import ModelError
from shopfloor.local_models.runtime import Chunk, GenerateOptions, Message, Runtime
from shopfloor.settings import Settings
from shopfloor.tools.recommendation.query import Recommendation

MAX_TOKENS = 160

_tracer = trace.get_tracer("shopfloor")


def phrasing_grammar(phrasings: Sequence[Sequence[str]]) -> str:
    """A GBNF grammar whose sentences are exactly one phrasing of each group, joined by spaces."""
    lines = ["root ::= " + ' " " '.join(f"s{number}" for number in range(len(phrasings)))]
    for number, options in enumerate(phrasings):
        lines.append(f"s{number} ::= " + " | ".join(_literal(option) for option in options))
    return "\n".join(lines)


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def explanation_messages(rec: Recommendation) -> list[Message]:
    """The prompt: the request and the cards' facts, as data."""
    cards = "\n".join(f"- {item.name}: {item.reason}" for item in rec.items[:3])
    asked = " ".join(rec.parsed.text.split())[:300] or "something nice"
    return [
        Message("system", "You are a shop assistant. Say in one or two short sentences what you suggest and why."),
        Message("user", f"Customer: {asked}\nSuggestions:\n{cards}"),
    ]


async def stream_explanation(runtime: Runtime | None, settings: Settings, rec: Recommendation) -> AsyncIterator[str]:
    """Yield pieces that join to the explanation; the template when there is no model, no choice, or it fails."""
    if rec.note:
        yield rec.note + (" " if rec.phrasings else "")
    template = " ".join(options[0] for options in rec.phrasings)
    if runtime is None or rec.degraded or sum(len(options) > 1 for options in rec.phrasings) == 0:
        if template:
            yield template
        return
    allowed = _all_texts(rec.phrasings)
    said = ""
    try:
        with _tracer.start_as_current_span("model explain"):
            async with aclosing(_stream(runtime, settings, rec)) as chunks:
                async for chunk in chunks:
                    if chunk.text:
                        said += chunk.text
                        yield chunk.text
    except ModelError:
        pass
    if said not in allowed:
        yield _rest(said, allowed, template)


async def _stream(runtime: Runtime, settings: Settings, rec: Recommendation) -> AsyncGenerator[Chunk, None]:
    options = GenerateOptions(
        max_tokens=MAX_TOKENS, grammar=phrasing_grammar(rec.phrasings), timeout_s=settings.model_timeout_s
    )
    async for chunk in runtime.stream(explanation_messages(rec), options):
        yield chunk


def _all_texts(phrasings: Sequence[Sequence[str]]) -> list[str]:
    texts = [""]
    for options in phrasings:
        texts = [f"{text} {option}".strip() for text in texts for option in options]
    return texts


def _rest(said: str, allowed: Sequence[str], template: str) -> str:
    """What completes a broken-off stream to an allowed text; the whole template after a text that is none."""
    for text in allowed:
        if text.startswith(said):
            return text[len(said) :]
    return f" {template}" if said else template
