"""One llama.cpp server inside this process (xllamacpp): starting it, calling it, reading its errors.

It batches continuously and releases the interpreter's lock. Results come to a callback in the calling thread, so every
call runs in a thread of its own and hands its events to the event loop. A call that nobody waits for any longer is
stopped from the callback; that is at the next token, or at the next piece of a long prompt.
"""

import ctypes
import http.client
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

import psutil

from shopfloor.errors import ContextOverflowError, ModelError
from shopfloor.local_models.workers import Call, Workers

if TYPE_CHECKING:
    from xllamacpp import CommonParams, Server

KvType = Literal["f16", "q8_0"]
Flash = Literal["auto", "on", "off"]
Json = dict[str, Any]  # a request or an answer of the server, as it goes over the wire
SPIN_COUNT = "20000"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How to load a model. ``context`` is in tokens for each slot; ``batch`` in tokens for each step.

    ``adapter`` is a LoRA in a GGUF file, applied to every request; of ``adapters`` a request names one by its place
    (:func:`lora_choice`), or none. ``kv`` is how keys and values are kept. ``copied``:
    the weights are read into memory, not mapped; that halves the memory of forms that the library lays out anew.
    """

    path: Path
    context: int
    slots: int
    threads: int
    batch: int
    adapter: Path | None = None
    kv: KvType = "f16"
    flash: Flash = "auto"
    copied: bool = False
    adapters: tuple[Path, ...] = ()


def usable_cores() -> int:
    """Physical cores this process may use: a second thread on the same core slows the arithmetic down."""
    process = psutil.Process()
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


class LlamaServer:
    """A loaded model. Its methods block: call them in a thread, or use ``start``."""

    def __init__(self, options: ServerOptions) -> None:
        """Load the model (blocking, 0.5 to 1 s).

        Raises:
            ModelError: llama.cpp can't load it.
        """
        self._key = secrets.token_hex(24)  # the server always listens on loopback: keep other processes out
        try:
            self._server = _new_server(options, self._key)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{options.path} can't be loaded ({error}): check the file, memory and SHOPFLOOR_MODEL"
            ) from error
        self._address = urlsplit(self._server.listening_address)
        self._workers = Workers(options.slots * 2 + 2)
        # Its main loop starts in a thread of its own, and closing it before then waits for ever: an answer is the proof.
        self.embed(["."])

    @property
    def bare(self) -> "Server":
        """The library's own server, for measuring against it."""
        return self._server

    def start(self, work: Callable[[Call], None], finished: Callable[[], None]) -> Call:
        """Run ``work`` in a thread; ``finished`` is called there at the end, whatever happened."""
        return self._workers.start(work, finished)

    def chat(self, body: Json, call: Call) -> None:
        """Stream a chat completion into ``call``."""
        self._guard(lambda: self._server.handle_chat_completions(body, lambda chunk: _forward(chunk, call)))

    def complete(self, body: Json) -> Json:
        """A raw completion."""
        return self._answer(lambda: self._server.handle_completions(body))

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Mean-pooled hidden states of the last layer, one a text, not normalised."""
        answer = self._answer(lambda: self._server.handle_embeddings({"input": texts, "embd_normalize": -1}))
        rows = sorted(answer["data"], key=lambda row: row["index"])
        return [row["embedding"] for row in rows]

    def tokens(self, text: str) -> list[int]:
        """Token ids of a raw text. The binding has no call for it, so this asks over loopback."""
        connection = http.client.HTTPConnection(self._address.hostname or "127.0.0.1", self._address.port, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request("POST", "/tokenize", json.dumps({"content": text}), headers)
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise ModelError(f"the local model can't count tokens (status {response.status})")
            return json.loads(response.read())["tokens"]
        except OSError as error:
            raise ModelError(f"the local model doesn't answer ({error}): restart the service") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Stop running calls and free the memory (blocking). Idempotent."""
        if self._workers.close():
            del self._server
            give_back_memory()

    def _answer(self, ask: Callable[[], Json | None]) -> Json:
        answer = self._guard(ask)
        if answer is None:
            raise ModelError("the local model gave no answer")
        return answer

    def _guard(self, ask: Callable[[], Json | None]) -> Json | None:
        try:
            answer = ask()
        except ValueError as error:  # the binding raises some refusals and returns others
            raise ModelError(f"the local model refused the request ({error})") from error
        if answer is not None and "error" in answer:
            raise read_error(answer)
        return answer


def give_back_memory() -> None:
    """Hand freed memory back to the system (some milliseconds).

    glibc keeps it for its threads: after 16 models opened and closed in turn under load 450 MB stayed resident, 402 MB
    after this, as after the first. Other C libraries give it back by themselves.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def lora_choice(place: int | None) -> Json:
    """The part of a request's body that picks one of ``ServerOptions.adapters``; all others are off for it."""
    return {} if place is None else {"lora": [{"id": place, "scale": 1.0}]}


def read_error(answer: Json) -> ModelError:
    """The server's error object as ours."""
    found = answer["error"]
    error = cast(Json, found) if isinstance(found, dict) else {"message": found}
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return ContextOverflowError(
            f"the prompt has {error.get('n_prompt_tokens')} tokens, the model's context holds {error.get('n_ctx')}: "
            "shorten it or raise SHOPFLOOR_MODEL_CTX"
        )
    if "physical batch size" in message or "too large to process" in message:
        return ContextOverflowError("the text is too long to embed at once: embed it in parts")
    return ModelError(f"the local model refused the request ({message})")


def _forward(chunk: Json | None, call: Call) -> bool:
    if chunk is None:
        return call.stopped
    return call.put(read_error(chunk) if "error" in chunk else chunk)


def _new_server(options: ServerOptions, key: str) -> "Server":
    """Load the library and, with it, the model.

    The library's threads wait for one another by spinning. With another busy program on the machine a shorter spin halves
    the time of a short step (encoder, one busy program beside two cores: 24 against 44 ms), and costs nothing on an idle
    one. OpenMP reads the variable once, when it is loaded.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    try:
        from xllamacpp import CommonAdapterLoraInfo, CommonParams, Server, llama_pooling_type
    except ImportError as error:
        hint = "install it (Debian: `apt install libgomp1`)" if "libgomp" in str(error) else "run `shopfloor doctor`"
        raise ModelError(f"the model library xllamacpp can't be loaded ({error}): {hint}") from error
    parameters = CommonParams()
    _fill(parameters, options, key)
    parameters.pooling_type = llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # At the scale 0 an adapter is loaded, and off until a request names it.
    scales = [(options.adapter, 1.0)] if options.adapter is not None else [(path, 0.0) for path in options.adapters]
    if scales:
        parameters.lora_adapters = [CommonAdapterLoraInfo(str(path), scale) for path, scale in scales]
    return Server(parameters)


def _fill(parameters: "CommonParams", options: ServerOptions, key: str) -> None:
    parameters.model.path = str(options.path)
    parameters.n_ctx = options.context * options.slots  # it is shared out among the slots
    parameters.n_parallel = options.slots
    parameters.n_batch = parameters.n_ubatch = options.batch
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = options.threads
    parameters.embedding = True
    parameters.verbosity = -1
    parameters.port = 0
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.fit_params = False  # what fits was reckoned before; the library would load the header once more for it
    parameters.warmup = False  # the first embedding does the same
    _fill_tuning(parameters, options)
    parameters.cache_ram_mib = 0  # each slot keeps its own prefix; a second store beside them may grow to gigabytes


def _fill_tuning(parameters: "CommonParams", options: ServerOptions) -> None:
    from xllamacpp import ggml_type, llama_flash_attn_type, llama_load_mode

    if options.kv == "q8_0":
        parameters.cache_type_k = parameters.cache_type_v = ggml_type.GGML_TYPE_Q8_0
    parameters.flash_attn_type = {
        "auto": llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_AUTO,
        "on": llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    }[options.flash]
    if options.copied:
        parameters.load_mode = llama_load_mode.LLAMA_LOAD_MODE_NONE
