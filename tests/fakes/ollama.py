"""A fake of Ollama's HTTP interface over the embedded model: its routes and wire formats, real answers.

It keeps what Ollama would keep: models by tag, blobs by digest, models created from a base and an adapter.
"""

import asyncio
import contextlib
import hashlib
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from shopfloor.errors import ContextOverflowError
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.runtime import GenerateOptions, Message
from shopfloor.local_models.streaming import Ask

LIBRARY = ("smollm2:135m", "tinyllama:latest", "stablelm2:1.6b")
TOO_LONG = "the input length exceeds the context length"
VOCABULARY = 49152


@dataclass
class FakeOllama:
    """``models`` are those that are there; ``pullable`` those that a pull finds. ``requests`` holds every body received."""

    runtime: EmbeddedRuntime
    folder: Path
    open_variant: Callable[[Path], Awaitable[EmbeddedRuntime]]
    version: str = "0.13.5"
    logprobs: bool = True
    refuse_adapters: bool = False
    models: dict[str, EmbeddedRuntime] = field(default_factory=dict[str, EmbeddedRuntime])
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])

    def create_app(self) -> Starlette:
        """The routes."""
        posts = {
            "/api/show": self.show,
            "/api/pull": self.pull,
            "/api/chat": self.chat,
            "/api/generate": self.generate,
            "/api/embed": self.embed,
            "/api/create": self.create,
        }
        routes = [Route(path, self._recorded(path, handler), methods=["POST"]) for path, handler in posts.items()]
        gets = {"/api/version": self.tell_version, "/api/tags": self.tags, "/api/ps": self.ps}
        routes += [Route(path, handler) for path, handler in gets.items()]
        routes.append(Route("/api/blobs/{digest}", self.blob, methods=["POST"]))
        return Starlette(routes=routes)

    def _recorded(
        self, path: str, handler: Callable[[dict[str, Any]], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await request.json()
            self.requests.append((path, body))
            if path in {"/api/show", "/api/chat", "/api/generate", "/api/embed"} and body["model"] not in self.models:
                return JSONResponse({"error": f"model '{body['model']}' not found"}, 404)
            return await handler(body)

        return endpoint

    async def tell_version(self, _request: Request) -> Response:
        return JSONResponse({"version": self.version})

    async def tags(self, _request: Request) -> Response:
        entries = [
            {"name": tag, "model": tag, "digest": runtime.info.source_hash, "size": 98_000_000, "details": {}}
            for tag, runtime in self.models.items()
        ]
        return JSONResponse({"models": entries})

    async def ps(self, _request: Request) -> Response:
        return JSONResponse({"models": [{"name": tag, "model": tag, "size": 270_000_000} for tag in self.models]})

    async def show(self, body: dict[str, Any]) -> Response:
        info = self.models[body["model"]].info
        meta = {"general.architecture": "llama", "general.license": info.licence, "llama.vocab_size": VOCABULARY}
        details = {"format": "gguf", "family": "llama", "quantization_level": info.quantisation}
        return JSONResponse({"details": details, "model_info": meta, "capabilities": ["completion"], "license": "text"})

    async def pull(self, body: dict[str, Any]) -> Response:
        tag = body["model"]

        async def lines() -> AsyncGenerator[str]:
            yield json.dumps({"status": "pulling manifest"}) + "\n"
            if tag not in LIBRARY:
                yield json.dumps({"error": "pull model manifest: file does not exist"}) + "\n"
                return
            for done in (0, 49_000_000, 98_000_000):
                part = {"status": "pulling 970aa74c0a90", "digest": "sha256:97", "total": 98_000_000, "completed": done}
                yield json.dumps(part) + "\n"
            self.models[tag] = self.runtime
            yield json.dumps({"status": "success"}) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def chat(self, body: dict[str, Any]) -> Response:
        runtime = self.models[body["model"]]
        messages = [Message(message["role"], message["content"]) for message in body["messages"]]
        if await self._too_long(runtime, body, "\n".join(message.content for message in messages)):
            return JSONResponse({"error": TOO_LONG}, 400)
        ask = Ask(messages, _options(body), body.get("format"))
        return StreamingResponse(_chat_lines(runtime, ask, body["model"]), media_type="application/x-ndjson")

    async def generate(self, body: dict[str, Any]) -> Response:
        runtime = self.models[body["model"]]
        if not body.get("prompt"):
            return JSONResponse({"model": body["model"], "response": "", "done": True, "done_reason": "load"})
        if await self._too_long(runtime, body, body["prompt"]):
            return JSONResponse({"error": TOO_LONG}, 400)
        assert body["raw"] is True and body["stream"] is False
        asked: dict[str, Any] = {
            "prompt": body["prompt"],
            "n_predict": body["options"]["num_predict"],
            "temperature": 0,
            "n_probs": body.get("top_logprobs", 0),
        }
        if "format" in body:
            asked["json_schema"] = body["format"]
        answer = await asyncio.to_thread(runtime._server.complete, asked)
        reply: dict[str, Any] = {"response": answer["choices"][0]["text"], "done": True, "done_reason": "stop"}
        if body.get("logprobs") and self.logprobs:
            reply["logprobs"] = answer["choices"][0]["logprobs"]["content"]
        return JSONResponse(reply)

    async def embed(self, body: dict[str, Any]) -> Response:
        runtime = self.models[body["model"]]
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        try:
            counts = [await runtime.count_tokens(text) for text in texts]
            vectors = await runtime.embed([text or " " for text in texts])
        except ContextOverflowError:
            return JSONResponse({"error": TOO_LONG}, 400)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return JSONResponse({"embeddings": vectors.tolist(), "prompt_eval_count": sum(counts)})

    async def blob(self, request: Request) -> Response:
        digest = request.path_params["digest"]
        content = await request.body()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            return JSONResponse({"error": "digest mismatch"}, 400)
        (self.folder / digest.removeprefix("sha256:")).write_bytes(content)
        return Response(status_code=201)

    async def create(self, body: dict[str, Any]) -> Response:
        if body["from"] not in self.models:
            return JSONResponse({"error": f"model '{body['from']}' not found"}, 404)
        if self.refuse_adapters:
            return JSONResponse({"error": "unsupported architecture"}, 400)
        (digest,) = body["adapters"].values()
        self.models[body["model"]] = await self.open_variant(self.folder / digest.removeprefix("sha256:"))
        return JSONResponse({"status": "success"})

    async def _too_long(self, runtime: EmbeddedRuntime, body: dict[str, Any], text: str) -> bool:
        """Whether the prompt overflows; Ollama would cut it, unless it is asked not to."""
        assert body["truncate"] is False and body["shift"] is False
        return await runtime.count_tokens(text) >= body["options"]["num_ctx"]


async def _chat_lines(runtime: EmbeddedRuntime, ask: Ask, model: str) -> AsyncGenerator[str]:
    async with contextlib.aclosing(runtime._generate(ask)) as chunks:
        async for chunk in chunks:
            event: dict[str, Any] = {"model": model, "message": {"role": "assistant", "content": chunk.text}}
            event["done"] = chunk.completion is not None
            if (done := chunk.completion) is not None:
                event |= {
                    "done_reason": done.finish_reason,
                    "prompt_eval_count": done.prompt_tokens,
                    "eval_count": done.completion_tokens,
                    "eval_duration": math.ceil((done.seconds - done.first_token_s) * 1e9),
                }
            yield json.dumps(event) + "\n"


def _options(body: dict[str, Any]) -> GenerateOptions:
    given = body["options"]
    return GenerateOptions(
        max_tokens=given["num_predict"],
        temperature=given["temperature"],
        seed=given["seed"],
        stop=tuple(given.get("stop", ())),
        timeout_s=60,
    )
