"""A model behind an OpenAI-compatible server: vLLM, llama.cpp's server, LM Studio and their like.

Chats, streams, JSON under a schema and embeddings go over the routes all of them share. What they do not share is found
out at the start from ``/v1/models``: llama.cpp scores labels by a bias on their ids and counts tokens; others score by
echoing the prompt with its log-probabilities, and tokens are estimated on the high side where they can't be counted.
The model's weights are out of sight, so the hashes name what the server says of them.
"""

import contextlib
import hashlib
import json
import math
import re
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.http_server import HttpServer
from shopfloor.local_models.live_runtime import LiveRuntime
from shopfloor.local_models.openai_wire import Json, chat_body, llama_chat_body, python_chat_body, read_piece
from shopfloor.local_models.runtime import ModelInfo, RuntimeStats
from shopfloor.local_models.scoring import scoring, single_token
from shopfloor.local_models.streaming import Ask, Piece
from shopfloor.local_models.vllm_adapters import VllmAdapters

Dialect = Literal["llama", "vllm", "python", "plain"]
DIALECTS: dict[str, Dialect] = {"llamacpp": "llama", "vllm": "vllm", "me": "python"}  # me: llama-cpp-python's server
PIECES = re.compile(r"[A-Za-z]+|[^A-Za-z]", re.ASCII)
LETTERS_A_TOKEN = 3
DATA = "data:"
DONE = "[DONE]"
UNSCORABLE = (
    "this model server gives no log-probabilities of a prompt: labels can't be scored with it; "
    "use llama.cpp's server or vLLM, or SHOPFLOOR_RUNTIME=embedded"
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server says of a model. ``id`` is how requests name it; ``weights_mb`` is 0 where it says nothing."""

    id: str
    dialect: Dialect
    context: int
    quantisation: str
    weights_mb: float
    said: str  # everything that tells this model from another, for its hash


@dataclass(frozen=True, slots=True)
class Served:
    """A server and the model asked for there (empty: the server's first); ``context`` is for servers that tell none."""

    url: str
    model: str
    key: str | None
    context: int
    timeout_s: float
    profile: str


class OpenAICompatibleRuntime(LiveRuntime):
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`."""

    def __init__(self, server: HttpServer, model: ServedModel, info: ModelInfo, timeout_s: float) -> None:
        self._store = VllmAdapters(server, model.id)
        super().__init__(info, timeout_s, self._store)
        self._server = server
        self._model = model
        self._labels: dict[str, int] = {}

    @classmethod
    async def open(cls, served: Served) -> "OpenAICompatibleRuntime":
        """Find the model on the server.

        Raises:
            ConfigError: the address is none.
            ModelMissingError: the server does not serve the model.
            ModelError: the server does not answer.
        """
        root = served.url.rstrip("/").removesuffix("/v1")
        server = HttpServer(
            root,
            what="the model server",
            start_hint="start it, or correct SHOPFLOOR_MODEL_URL",
            key=served.key,
        )
        try:
            model = _choose(await server.get("/v1/models"), served)
        except ModelError:
            await server.close()
            raise
        info = ModelInfo(
            name=PurePath(model.id).name.removesuffix(".gguf"),
            source_hash=_digest(model.id, model.said),
            form_hash=_digest(model.id, model.said, model.quantisation, server.url),
            quantisation=model.quantisation,
            runtime="openai",
            profile=served.profile,
            licence="unknown",
            context=model.context,
        )
        return cls(server, model, info, served.timeout_s)

    async def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        if self._model.dialect == "llama":
            body = llama_chat_body(ask)
        elif self._model.dialect == "python":
            body = python_chat_body(ask)
        elif ask.options.grammar is not None:
            raise ModelError("this model server takes no grammar: ask under a JSON schema instead")
        else:
            body = chat_body(ask)
        with self._using() as name:
            lines = self._server.lines("/v1/chat/completions", {"model": name, **body})
            text, whole = "", False
            try:
                async for line in lines:
                    data = line.removeprefix(DATA).strip()
                    whole = whole or data == DONE
                    if not line.startswith(DATA) or data == DONE:
                        continue
                    event = cast(Json, json.loads(data))
                    if "error" in event:
                        raise self._server.failure(500, data)
                    piece = read_piece(event)
                    text += piece.text
                    yield piece
            finally:
                await lines.aclose()
            if not whole:
                raise await self._broken({"model": name, **body})
        if self._model.dialect == "python":  # it counts nothing in a stream
            yield Piece(completion_tokens=await self.count_tokens(text))

    async def _broken(self, body: Json) -> ModelError:
        """Why a stream ended before its time: llama-cpp-python's server says it only when asked without a stream."""
        if self._model.dialect == "python":
            try:
                await self._server.post("/v1/chat/completions", {**body, "stream": False, "max_tokens": 1})
            except ModelError as error:
                return error
        return ModelError("the model server broke its answer off: look into its log, and try again")

    def _check_adapters(self, adapters: Adapters) -> None:
        if adapters and self._model.dialect != "vllm":
            raise ModelError("only vLLM loads adapters while it runs: serve this model with it, or embedded")

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L).

        Raises:
            ModelError: a label is not a single token, or the server gives no log-probabilities.
        """
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        if self._model.dialect == "python":  # to echo without generating is beyond it: it would generate without end
            raise ModelError(UNSCORABLE)
        with self._using() as name:
            return await self._measured("score", self._score([prefix + prompt for prompt in prompts], labels, name))

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The server's embeddings; llama.cpp's are mean-pooled and not normalised, others' as they are configured."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        body: Json = {"model": self._model.id, "input": list(texts)}
        if self._model.dialect == "llama":
            body["embd_normalize"] = -1
        answer = await self._measured("embed", self._server.post("/v1/embeddings", body))
        try:
            rows = sorted(answer["data"], key=lambda row: row["index"])
            return np.array([row["embedding"] for row in rows], dtype=np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError("the model server's embeddings are of an unknown shape") from error

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text; an estimate on the high side where the server can't count."""
        if self._model.dialect == "llama":
            return len(await self._tokens(text))
        if self._model.dialect == "vllm":
            answer = await self._server.post("/tokenize", {"model": self._model.id, "prompt": text})
            return int(answer["count"])
        if self._model.dialect == "python":
            answer = await self._server.post("/extras/tokenize/count", {"model": self._model.id, "input": text})
            return int(answer["count"])
        return estimate_tokens(text)

    async def stats(self) -> RuntimeStats:
        """Counters and latencies; memory is that of the weights, where the server says it, else 0."""
        return replace(await super().stats(), memory_mb=self._model.weights_mb)

    async def close(self) -> None:
        """Close the connections; the server goes on. Idempotent."""
        await self._server.close()

    @contextlib.contextmanager
    def _using(self) -> Generator[str]:
        """The name to ask under, which is kept loaded meanwhile."""

        def pinned(adapter: str | None) -> str | None:
            if adapter is not None:
                self._store.pin(adapter)
            return adapter

        adapter = self._live.begin(self._agent, pinned)
        try:
            yield self._model.id if adapter is None else self._store.name(adapter)
        finally:
            if adapter is not None:
                self._store.release(adapter)

    async def _score(self, texts: list[str], labels: Sequence[str], name: str) -> NDArray[np.float32]:
        by_bias = self._model.dialect == "llama"
        ids = [await self._label_id(label) for label in labels] if by_bias else []
        rows = [await (self._by_bias(text, ids) if by_bias else self._by_echo(text, labels, name)) for text in texts]
        return np.array(rows, dtype=np.float32)

    async def _by_bias(self, text: str, ids: list[int]) -> list[float]:
        steps = scoring(text, ids)
        body = next(steps)
        while True:
            answer = await self._server.post("/v1/completions", {"model": self._model.id, **body})
            try:
                body = steps.send(answer)
            except StopIteration as done:
                return done.value

    async def _by_echo(self, text: str, labels: Sequence[str], name: str) -> list[float]:
        body: Json = {
            "model": name,
            "prompt": [text + label for label in labels],
            "max_tokens": 0,
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
        }
        answer = await self._server.post("/v1/completions", body)
        choices = sorted(cast(list[Json], answer.get("choices") or []), key=lambda choice: choice["index"])
        if len(choices) != len(labels):
            raise ModelError("the model server left out labels")
        return [_echoed(choice, label, len(text)) for choice, label in zip(choices, labels, strict=True)]

    async def _label_id(self, label: str) -> int:
        if label not in self._labels:
            self._labels[label] = single_token(label, await self._tokens(label))
        return self._labels[label]

    async def _tokens(self, text: str) -> list[int]:
        answer = await self._server.post("/tokenize", {"content": text})
        return cast(list[int], answer["tokens"])


def estimate_tokens(text: str) -> int:
    """More tokens than any usual vocabulary makes of a text: a third of each word's letters, every other byte alone."""
    return sum(
        math.ceil(len(piece) / LETTERS_A_TOKEN) if piece.isascii() and piece.isalpha() else len(piece.encode())
        for piece in PIECES.findall(text)
    )


def _echoed(choice: Json, label: str, start: int) -> float:
    """The log-probability of a label that stands at ``start`` in an echoed text."""
    found = cast(Json, choice.get("logprobs") or {})
    values = cast(list[float | None], found.get("token_logprobs") or [])
    offsets = cast(list[int], found.get("text_offset") or [])
    if not values or len(values) != len(offsets):
        raise ModelError(UNSCORABLE)
    inside = [value for value, offset in zip(values, offsets, strict=True) if offset >= start]
    if len(inside) != 1 or offsets[-1] != start or inside[0] is None:
        raise ModelError(f"the label {label!r} is {len(inside)} tokens here; labels must be single tokens")
    return min(0.0, float(inside[0]))


def _choose(listed: Json, served: Served) -> ServedModel:
    entries = cast(list[Json], listed.get("data") or [])
    names = [str(entry.get("id", "")) for entry in entries]
    if not entries:
        raise ModelMissingError(f"the model server at {served.url} serves no model: load one there")
    if served.model and served.model not in names:
        raise ModelMissingError(
            f"the model server at {served.url} does not serve {served.model!r}: "
            f"load it there, or set SHOPFLOOR_MODEL_NAME to one of {', '.join(names)}",
            matches=names,
        )
    entry = entries[names.index(served.model)] if served.model else entries[0]
    meta = cast(Json, entry.get("meta") or {})
    told = {key: meta.get(key) for key in ("n_params", "n_vocab", "n_embd", "n_ctx_train")}
    return ServedModel(
        id=str(entry["id"]),
        dialect=DIALECTS.get(str(entry.get("owned_by")), "plain"),
        context=int(meta.get("n_ctx") or entry.get("max_model_len") or served.context),
        quantisation=str(meta.get("ftype") or "unknown"),
        weights_mb=float(meta.get("size") or 0) / 1e6,
        said=json.dumps([told, entry.get("root")], sort_keys=True),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
