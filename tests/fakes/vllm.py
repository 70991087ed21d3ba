"""A fake of vLLM's HTTP interface as far as chats and adapters at run time go, over real runtimes.

Loading and unloading answer in plain text, as vLLM does; an adapter is a further model by its name.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime

MODEL = "fake/smollm2"


@dataclass
class FakeVllm:
    """``adapters`` are those that are loaded; ``updating`` is whether it was started with run-time loading allowed."""

    runtime: Runtime
    open_variant: Callable[[Path], Awaitable[Runtime]]
    updating: bool = True
    adapters: dict[str, Runtime] = field(default_factory=dict[str, Runtime])
    closed: list[Runtime] = field(default_factory=list[Runtime])

    def create_app(self) -> Starlette:
        """The routes; without ``updating`` those for adapters are absent, as in vLLM."""
        routes = [
            Route("/v1/models", self.models),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
        ]
        if self.updating:
            routes.append(Route("/v1/load_lora_adapter", self.load, methods=["POST"]))
            routes.append(Route("/v1/unload_lora_adapter", self.unload, methods=["POST"]))
        return Starlette(routes=routes)

    async def models(self, _request: Request) -> Response:
        base = {"id": MODEL, "owned_by": "vllm", "max_model_len": 2048, "root": "smollm2"}
        loaded = [{"id": name, "owned_by": "vllm", "parent": MODEL, "root": name} for name in self.adapters]
        return JSONResponse({"data": [base, *loaded]})

    async def load(self, request: Request) -> Response:
        body = await request.json()
        name, path = body["lora_name"], Path(body["lora_path"])
        if name in self.adapters:
            return _refusal(400, f"The lora adapter '{name}' has already been loaded.")
        if not (path / "adapter_config.json").is_file():
            return _refusal(404, f"Loading lora {name} failed: No adapter found for {path}")
        self.adapters[name] = await self.open_variant(path)
        return PlainTextResponse(f"Success: LoRA adapter '{name}' added successfully.")

    async def unload(self, request: Request) -> Response:
        name = (await request.json())["lora_name"]
        if name not in self.adapters:
            return _refusal(404, f"The lora adapter '{name}' cannot be found.")
        self.closed.append(self.adapters.pop(name))
        return PlainTextResponse(f"Success: LoRA adapter '{name}' removed successfully.")

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        runtime = self.runtime if body["model"] == MODEL else self.adapters.get(body["model"])
        if runtime is None:
            return _refusal(404, f"The model `{body['model']}` does not exist.")
        messages = [Message(message["role"], message["content"]) for message in body["messages"]]
        options = GenerateOptions(max_tokens=body["max_tokens"], temperature=body["temperature"], timeout_s=60)

        async def events() -> AsyncGenerator[str]:
            async for chunk in runtime.stream(messages, options):
                event: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": chunk.text}}]}
                if chunk.completion is not None:
                    event["choices"][0]["finish_reason"] = chunk.completion.finish_reason
                    usage = (chunk.completion.prompt_tokens, chunk.completion.completion_tokens)
                    event["usage"] = dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))
                yield f"data: {json.dumps(event)}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "BadRequestError", "code": status}}, status)
