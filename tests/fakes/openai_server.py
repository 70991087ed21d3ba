"""A fake of vLLM's HTTP interface as far as scoring and counting go, over the embedded model's real probabilities."""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from shopfloor.local_models.runtime import Runtime

MODEL = "fake/smollm2"


def create_app(runtime: Runtime, *, owner: str = "vllm", echoes: bool = True) -> Starlette:
    """vLLM's routes; without ``echoes`` a server that, like many, gives no log-probabilities of a prompt."""

    async def models(_request: Request) -> JSONResponse:
        return JSONResponse({"data": [{"id": MODEL, "owned_by": owner, "max_model_len": 512, "root": "smollm2"}]})

    async def tokenize(request: Request) -> JSONResponse:
        count = await runtime.count_tokens((await request.json())["prompt"])
        return JSONResponse({"count": count, "max_model_len": 512, "tokens": list(range(count))})

    async def completions(request: Request) -> JSONResponse:
        body = await request.json()
        assert body["echo"] is True and body["max_tokens"] == 0
        choices = [await _echo(runtime, text, body["prompt"], echoes) for text in body["prompt"]]
        return JSONResponse({"choices": [{"index": place, **choice} for place, choice in enumerate(choices)]})

    async def chat(_request: Request) -> JSONResponse:
        message = "This model's maximum context length is 512 tokens. However, you requested 900 tokens."
        return JSONResponse({"error": {"message": message, "type": "BadRequestError", "code": 400}}, 400)

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/tokenize", tokenize, methods=["POST"]),
            Route("/v1/completions", completions, methods=["POST"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ]
    )


async def _echo(runtime: Runtime, text: str, texts: Sequence[str], echoes: bool) -> dict[str, Any]:
    """One echoed text, cut into its first part and the label's tokens (a label is a word after a space)."""
    if not echoes:
        return {"text": "", "logprobs": None}
    start = text.rindex(" ")
    prompt, label = text[:start], text[start:]
    tokens = await runtime.count_tokens(label)
    values: list[float | None] = [None]
    offsets = [0]
    if tokens == 1:
        values.append(float((await runtime.score([prompt], [label]))[0, 0]))
        offsets.append(start)
    else:
        values.extend([-1.0] * tokens)
        offsets.extend(start + place for place in range(tokens))
    return {"text": text, "logprobs": {"token_logprobs": values, "text_offset": offsets}}
