"""A model served by Ollama.

The ``ollama`` client manages models: finding, pulling, and creating one with an adapter. Generating and embedding go
over the same HTTP interface directly, because the client can't send ``truncate: false``, and without it Ollama cuts a
prompt that is too long without a word. Ollama names the twenty most likely tokens at most: a label beyond them is given
the mean probability of all other tokens. Its embeddings have length 1.
"""

import contextlib
import copy
import hashlib
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx
import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ConfigError, ContextOverflowError, ModelError, ModelMissingError
from shopfloor.local_models.adapting import Adapters
from shopfloor.local_models.http_server import HttpServer
from shopfloor.local_models.meter import Meter
from shopfloor.local_models.openai_compatible import estimate_tokens
from shopfloor.local_models.openai_wire import Json
from shopfloor.local_models.runtime import ModelInfo, RuntimeStats
from shopfloor.local_models.streaming import Ask, Piece, StreamingRuntime

if TYPE_CHECKING:
    from ollama import AsyncClient

    from shopfloor.local_models.adapter_file import AdapterFile

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:11434"
OLDEST = (0, 12, 11)  # the first that gives log-probabilities; `truncate` is a little older
TOP = 20
CHOSEN = 0.9  # where a server gives no log-probabilities, the constrained choice is reported with this share
VOCABULARY = 32_000  # where the model does not say
KEEP_ALIVE = "30m"
NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """Which model, where. ``tag`` is Ollama's name of it, ``context`` in tokens."""

    url: str
    tag: str
    context: int
    timeout_s: float
    profile: str


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a download is; ``share`` of the part it is at, 0 to 1."""

    status: str
    share: float


class OllamaRuntime(StreamingRuntime):
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`."""

    slots = 1  # to warm: what it keeps of prompts is Ollama's own business

    def __init__(self, server: HttpServer, model: OllamaModel, info: ModelInfo, facts: "_Facts") -> None:
        super().__init__(info, model.timeout_s)
        self._server = server
        self._model = model
        self._tag = model.tag  # the base's, or that of the model made of it and an adapter
        self._by_agent: dict[str, tuple[str, str]] | None = None  # tag and adapter, on a side
        self._facts = facts
        self._labels: dict[str, int] = {}

    @classmethod
    async def open(cls, model: OllamaModel) -> "OllamaRuntime":
        """Find the model.

        Raises:
            ConfigError: the ``ollama`` client is not installed, or the address is none.
            ModelMissingError: Ollama does not have the model.
            ModelError: Ollama does not run, or is too old.
        """
        model = replace(model, tag=full_tag(model.tag))
        server = _server(model.url)
        try:
            await _check_version(server)
            info, facts = await _describe(model)
        except ModelError:
            await server.close()
            raise
        return cls(server, model, info, facts)

    async def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        if ask.options.grammar is not None:
            raise ModelError("Ollama takes no grammar: ask under a JSON schema instead")
        options = ask.options
        body = self._body(num_predict=options.max_tokens, temperature=options.temperature, seed=options.seed)
        body["messages"] = [{"role": message.role, "content": message.content} for message in ask.messages]
        body["stream"] = True
        if options.stop:
            body["options"]["stop"] = list(options.stop)
        if ask.schema is not None:
            body["format"] = ask.schema
        if self._facts.thinks:
            body["think"] = False
        lines = self._server.lines("/api/chat", body)
        try:
            async for line in lines:
                if line.strip():
                    yield self._piece(cast(Json, json.loads(line)))
        finally:
            await lines.aclose()

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L); see the module on rare ones."""
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        return await self._measured("score", self._score([prefix + prompt for prompt in prompts], labels))

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The model's embeddings, scaled to length 1 by Ollama, shape (len(texts), width)."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        answer = await self._measured("embed", self._embed(list(texts)))
        return np.array(answer["embeddings"], dtype=np.float32)

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text, as Ollama counts when it embeds it; estimated on the high side beyond the context."""
        try:
            return int((await self._embed([text])).get("prompt_eval_count", 0))
        except ContextOverflowError:
            return estimate_tokens(text)

    async def stats(self) -> RuntimeStats:
        """Counters, latencies, and the memory Ollama holds for the model."""
        listed = cast(list[Json], (await self._server.get("/api/ps")).get("models") or [])
        size = sum(int(entry.get("size") or 0) for entry in listed if entry.get("name") == self._tag)
        return replace(await super().stats(), memory_mb=size / 1e6)

    async def use_adapter(self, adapter: "AdapterFile | None") -> None:
        """Answer with an adapter from now on, or with the base alone; requests under way keep what they started with.

        Raises:
            ModelError: Ollama refuses the adapter; nothing changes.
        """
        tag = self._model.tag if adapter is None else await self._made_with(adapter)
        await self._load(tag)
        self._tag = tag
        self._info = replace(self._info, adapter=adapter.identity if adapter is not None else None)

    async def beside(self, adapters: Adapters) -> "OllamaRuntime":
        """A side over the same Ollama, with a model of its own for each adapter; closing it closes nothing.

        Raises:
            ModelError: Ollama refuses an adapter; nothing changes.
        """
        by_agent = {agent: (await self._made_with(one), one.identity) for agent, one in adapters.items()}
        for tag in dict.fromkeys(tag for tag, _ in by_agent.values()):
            await self._load(tag)
        side = copy.copy(self)
        side._by_agent, side._meter = by_agent, Meter()
        return side

    def for_agent(self, agent: str) -> "OllamaRuntime":
        """The model as one agent has it."""
        if self._by_agent is None:
            return self
        view = copy.copy(self)
        view._tag, name = self._by_agent.get(agent, (self._model.tag, None))
        view._info = replace(self._info, adapter=name)
        return view

    async def close(self) -> None:
        """Close the connections; Ollama goes on. Idempotent."""
        if self._by_agent is None:
            await self._server.close()

    async def _made_with(self, adapter: "AdapterFile") -> str:
        """The tag of a model made of the base and an adapter."""
        tag = f"{self._model.tag.partition(':')[0]}-shopfloor:{adapter.sha256[:12]}"
        async with _manager(self._model.url) as client:
            digest = await _asked(self._server, client.create_blob(adapter.path))
            made = client.create(model=tag, from_=self._model.tag, adapters={adapter.path.name: digest})
            await _asked(self._server, made)
        return tag

    async def _load(self, tag: str) -> None:
        """Have Ollama load a model before anything is switched to it."""
        await self._server.post("/api/generate", {"model": tag, "keep_alive": KEEP_ALIVE})

    def _body(self, **options: object) -> Json:
        # No penalty on repeated words, as with the other runtimes: names of products are repeated with good reason.
        settled = {"num_ctx": self._model.context, "repeat_penalty": 1.0, **options}
        return {
            "model": self._tag,
            "options": settled,
            "keep_alive": KEEP_ALIVE,
            "truncate": False,
            "shift": False,
        }

    def _piece(self, event: Json) -> Piece:
        if "error" in event:
            raise self._server.failure(500, json.dumps(event))
        message = cast(Json, event.get("message") or {})
        duration = event.get("eval_duration")
        return Piece(
            text=str(message.get("content") or ""),
            finish=event.get("done_reason"),
            prompt_tokens=event.get("prompt_eval_count"),
            completion_tokens=event.get("eval_count"),
            decode_s=None if duration is None else float(duration) / NANOSECONDS,
        )

    async def _embed(self, texts: list[str]) -> Json:
        body: Json = {
            "model": self._tag,
            "input": texts,
            "truncate": False,
            "keep_alive": KEEP_ALIVE,
            "options": {"num_ctx": self._model.context},
        }
        return await self._server.post("/api/embed", body)

    async def _score(self, texts: list[str], labels: Sequence[str]) -> NDArray[np.float32]:
        for label in labels:
            if (count := await self._label_tokens(label)) != 1:
                raise ModelError(f"the label {label!r} is {count} tokens; labels must be single tokens")
        return np.array([await self._score_one(text, labels) for text in texts], dtype=np.float32)

    async def _score_one(self, text: str, labels: Sequence[str]) -> list[float]:
        body = self._body(num_predict=1, temperature=0, seed=0)
        answer = await self._server.post(
            "/api/generate",
            {**body, "prompt": text, "raw": True, "stream": False, "logprobs": True, "top_logprobs": TOP},
        )
        given = cast(list[Json], answer.get("logprobs") or [])
        if not given:
            return await self._choice(text, labels)
        named = {str(entry["token"]): float(entry["logprob"]) for entry in cast(list[Json], given[0]["top_logprobs"])}
        rest = rest_of(list(named.values()), self._facts.vocabulary)
        return [min(0.0, named.get(label, rest)) for label in labels]

    async def _choice(self, text: str, labels: Sequence[str]) -> list[float]:
        """One label by constrained generation, where the server gives no log-probabilities."""
        words = {label.strip(): place for place, label in enumerate(labels)}
        if len(words) != len(labels) or "" in words:
            raise ModelError("this Ollama gives no log-probabilities, and without them labels must differ as words")
        body = self._body(num_predict=32, temperature=0, seed=0)
        body |= {"prompt": text, "raw": True, "stream": False, "format": {"enum": list(words)}}
        answer = await self._server.post("/api/generate", body)
        try:
            chosen = words[str(json.loads(str(answer["response"])))]
        except (KeyError, ValueError) as error:
            raise ModelError("Ollama did not keep to the labels") from error
        other = math.log((1 - CHOSEN) / max(1, len(labels) - 1))
        return [math.log(CHOSEN) if place == chosen else other for place in range(len(labels))]

    async def _label_tokens(self, label: str) -> int:
        if label not in self._labels:
            # Beside another token, because some vocabularies put a start or a space before a text of its own.
            self._labels[label] = await self.count_tokens("a" + label) - await self.count_tokens("a")
        return self._labels[label]


async def pull(url: str, tag: str) -> AsyncIterator[PullProgress]:
    """Let Ollama download a model.

    Raises:
        ConfigError: the ``ollama`` client is not installed.
        ModelError: Ollama does not run, or can't get the model.
    """
    server = _server(url)
    async with _manager(url) as client:
        parts = await _asked(server, client.pull(full_tag(tag), stream=True))
        iterator = aiter(parts)
        while (part := await _asked(server, anext(iterator, None))) is not None:
            yield PullProgress(part.status or "", (part.completed or 0) / (part.total or 1))


def full_tag(tag: str) -> str:
    """A tag with its version, as Ollama lists it."""
    return tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"


def rest_of(known: Sequence[float], vocabulary: int) -> float:
    """The mean log-probability of the tokens that are not among the known, most likely ones; never above the least of them."""
    left = max(1e-9, 1.0 - sum(math.exp(value) for value in known))
    return min([math.log(left / max(1, vocabulary - len(known))), *known])


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is asked of a model once."""

    vocabulary: int
    thinks: bool


def _server(url: str) -> HttpServer:
    return HttpServer(url, what="Ollama", start_hint="start it with `ollama serve`, or set SHOPFLOOR_RUNTIME=embedded")


@contextlib.asynccontextmanager
async def _manager(url: str) -> "AsyncGenerator[AsyncClient]":
    try:
        from ollama import AsyncClient
    except ImportError as error:
        raise ConfigError("the Ollama client is not installed: run `pip install 'shopfloor[ollama]'`") from error
    client = AsyncClient(host=url)
    try:
        yield client
    finally:
        await client.close()


async def _asked(server: HttpServer, answer: Awaitable[T]) -> T:
    """Await the client, with its errors turned into ours."""
    from ollama import ResponseError

    try:
        return await answer
    except ResponseError as error:
        raise server.failure(error.status_code, str(error.error)) from error
    except (ConnectionError, httpx.HTTPError) as error:
        raise server.unreachable(error) from error


async def _check_version(server: HttpServer) -> None:
    text = str((await server.get("/api/version")).get("version", ""))
    numbers = tuple(int(part) for part in text.split("-")[0].split(".") if part.isdigit())
    if numbers and numbers < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise ModelError(f"Ollama {text} cuts long prompts without a word: update it to {oldest} or newer")


async def _describe(model: OllamaModel) -> tuple[ModelInfo, _Facts]:
    server = _server(model.url)
    async with _manager(model.url) as client:
        listed = (await _asked(server, client.list())).models
        digests = {str(entry.model): str(entry.digest or "") for entry in listed}
        if model.tag not in digests:
            raise ModelMissingError(
                f"Ollama does not have {model.tag}: get it with `shopfloor models pull {model.tag}`",
                matches=tuple(digests),
            )
        shown = await _asked(server, client.show(model.tag))
    meta: Mapping[str, Any] = shown.modelinfo or {}
    lines = (shown.license or "").strip().splitlines()
    details = shown.details
    info = ModelInfo(
        name=model.tag,
        source_hash=_hex(digests[model.tag]),
        form_hash=_hex(digests[model.tag]),
        quantisation=(details.quantization_level if details is not None else None) or "unknown",
        runtime="ollama",
        profile=model.profile,
        licence=str(meta.get("general.license") or (lines[0] if lines else "unknown")),
        context=model.context,
    )
    vocabulary = meta.get(f"{meta.get('general.architecture')}.vocab_size") or VOCABULARY
    return info, _Facts(int(vocabulary), "thinking" in (shown.capabilities or []))


def _hex(digest: str) -> str:
    digest = digest.removeprefix("sha256:")
    return digest if len(digest) == 64 else hashlib.sha256(digest.encode()).hexdigest()
