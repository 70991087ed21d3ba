"""A GGUF model in llama-cpp-python's low-level interface: tokens, batches of several sequences, adapters, sampling.

Nothing here is thread-safe but ``tokens`` and ``piece``: one thread makes all other calls (see ``llama_cpp_engine``).
"""

import ctypes
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.local_models.libraries import library
from shopfloor.local_models.llama_server import SPIN_COUNT
from shopfloor.local_models.runtime import Message

MENDING = "run `bash scripts/env.sh llama-cpp` and serve from .venvs/llama-cpp, or set SHOPFLOOR_RUNTIME=embedded"
ALL_LAYERS = -1
LOOSE_CHARACTERS, CHARACTERS = r'char ::= [^"\\] |', r'char ::= [^"\\\x7F\x00-\x1F] |'


@dataclass(frozen=True, slots=True)
class Row:
    """One token of a batch; ``wanted`` asks for the logits after it."""

    token: int
    position: int
    sequence: int
    wanted: bool


class LlamaModel:
    """A loaded model with one context of ``sequences`` sequences. ``context`` is in tokens for each of them."""

    def __init__(self, path: Path, context: int, sequences: int, threads: int, batch: int) -> None:
        """Load it (blocking, about a second).

        Raises:
            ConfigError: llama-cpp-python is not installed.
            ModelError: llama.cpp can't load the file.
        """
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # see llama_server
        self._api = library("llama_cpp", "SHOPFLOOR_RUNTIME=llama-cpp", MENDING)
        logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
        api = self._api
        api.llama_backend_init()
        model_parameters = api.llama_model_default_params()
        model_parameters.n_gpu_layers = ALL_LAYERS
        self._model: Any = api.llama_model_load_from_file(os.fsencode(path), model_parameters)
        if not self._model:
            raise ModelError(f"{path} can't be loaded: check the file, memory and SHOPFLOOR_MODEL")
        self._vocab = api.llama_model_get_vocab(self._model)
        self.context = min(context, int(api.llama_model_n_ctx_train(self._model)) or context)
        self._context: Any = api.llama_init_from_model(
            self._model, self._parameters(self.context, sequences, threads, batch)
        )
        if not self._context:
            api.llama_model_free(self._model)
            raise ModelError(
                f"there is no room for {sequences} contexts of {context} tokens: lower SHOPFLOOR_MODEL_CTX or _SLOTS"
            )
        self._memory = api.llama_get_memory(self._context)
        self._batch: Any = api.llama_batch_init(batch, 0, 1)
        self.vocabulary = int(api.llama_vocab_n_tokens(self._vocab))
        self._width = int(api.llama_model_n_embd_out(self._model))
        self._states = False
        self._template = self._chat_template()

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; ``special`` puts what the model wants at the beginning of every text in front."""
        data = text.encode()
        room = len(data) + 8
        found = (self._api.llama_token * room)()
        count = self._api.llama_tokenize(self._vocab, data, len(data), found, room, special, True)
        if count < 0:
            raise ModelError("the local model can't read this text")
        return list(found[:count])

    def begin(self) -> int:
        """The token that stands for an empty text."""
        beginning = int(self._api.llama_vocab_bos(self._vocab))
        return beginning if beginning >= 0 else int(self._api.llama_vocab_eos(self._vocab))

    def chat_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a chat by the model's own template, up to where the answer begins."""
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text = str(self._template(messages=turns).prompt)
        beginning = self.piece(int(self._api.llama_vocab_bos(self._vocab)), special=True).decode("utf-8", "ignore")
        return self.tokens(text, special=not (beginning and text.startswith(beginning)))

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """The bytes of a token."""
        if token < 0:
            return b""
        room = 256
        buffer = ctypes.create_string_buffer(room)
        count = self._api.llama_token_to_piece(self._vocab, token, buffer, room, 0, special)
        return buffer.raw[: max(0, count)]

    def ends(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return bool(self._api.llama_vocab_is_eog(self._vocab, token))

    def keep(self, sequence: int, count: int) -> bool:
        """Forget a sequence's tokens from position ``count`` on; False: all of them had to go."""
        if count and self._api.llama_memory_seq_rm(self._memory, sequence, count, -1):
            return True
        self._api.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return count == 0

    def decode(self, rows: Sequence[Row], *, states: bool = False) -> list[NDArray[np.float32] | None]:
        """Evaluate a batch.

        Args:
            rows: the tokens; positions go on from what the sequences hold.
            states: give the last layer's hidden states of all rows, not the logits of those wanted.

        Returns:
            For each row its logits (vocabulary size) or its state (width); ``None`` where not wanted.

        Raises:
            ModelError: llama.cpp can't evaluate it; the sequences' caches are in an unknown state.
        """
        api = self._api
        if states != self._states:
            api.llama_set_embeddings(self._context, states)
            self._states = states
        batch = self._batch
        batch.n_tokens = len(rows)
        for place, row in enumerate(rows):
            batch.token[place], batch.pos[place] = row.token, row.position
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, row.sequence
            batch.logits[place] = states or row.wanted
        code = api.llama_decode(self._context, batch)
        if code != 0:
            raise ModelError(f"llama.cpp can't go on (code {code}): lower SHOPFLOOR_MODEL_CTX or SHOPFLOOR_MODEL_SLOTS")
        get, size = (
            (api.llama_get_embeddings_ith, self._width) if states else (api.llama_get_logits_ith, self.vocabulary)
        )
        return [
            np.ctypeslib.as_array(get(self._context, place), (size,)).copy() if states or row.wanted else None
            for place, row in enumerate(rows)
        ]

    def load_adapter(self, path: Path) -> Any:
        """Load a LoRA adapter beside the model (some 20 ms).

        Raises:
            ModelError: it does not fit.
        """
        adapter = self._api.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not adapter:
            raise ModelError(f"llama.cpp can't load the adapter {path}: was it trained on this model?")
        return adapter

    def use_adapter(self, adapter: Any) -> None:
        """Evaluate with an adapter from now on, or with none (``None``)."""
        api = self._api
        if adapter is None:
            code = api.llama_set_adapters_lora(self._context, None, 0, None)
        else:
            adapters, scales = (api.llama_adapter_lora_p_ctypes * 1)(adapter), (ctypes.c_float * 1)(1.0)
            code = api.llama_set_adapters_lora(self._context, adapters, 1, scales)
        if code != 0:
            raise ModelError("llama.cpp can't apply the adapter")

    def free_adapter(self, adapter: Any) -> None:
        """Give an adapter's memory back."""
        self._api.llama_adapter_lora_free(adapter)

    def sampler(self, temperature: float, seed: int, grammar: str | None) -> "Sampler":
        """What chooses tokens for one answer.

        Raises:
            ModelError: the grammar is none.
        """
        return Sampler(self._api, self._vocab, temperature, seed, grammar)

    def grammar_of(self, schema: str) -> str:
        """The grammar (GBNF) of a JSON schema.

        Raises:
            ModelError: the schema can't be made a grammar.
        """
        try:
            grammar = str(self._api.LlamaGrammar.from_json_schema(schema, verbose=False)._grammar)
        except (ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
            raise ModelError(f"the local model refused the JSON schema ({error})") from error
        return grammar.replace(LOOSE_CHARACTERS, CHARACTERS)  # it lets line breaks into strings, JSON does not

    def close(self) -> None:
        """Free the memory."""
        self._api.llama_batch_free(self._batch)
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

    def _parameters(self, context: int, sequences: int, threads: int, batch: int) -> Any:
        parameters = self._api.llama_context_default_params()
        parameters.n_ctx = context * sequences  # shared out among the sequences
        parameters.n_seq_max = sequences
        parameters.n_batch = parameters.n_ubatch = batch
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.pooling_type = self._api.LLAMA_POOLING_TYPE_NONE
        parameters.embeddings = False
        parameters.kv_unified = False
        parameters.swa_full = True  # a prefix stays usable in models whose attention slides
        parameters.no_perf = True
        return parameters

    def _chat_template(self) -> Any:
        formats = library("llama_cpp.llama_chat_format", "SHOPFLOOR_RUNTIME=llama-cpp", MENDING)
        named = self._api.llama_model_chat_template(self._model, None)
        template = named.decode() if named else formats.CHATML_CHAT_TEMPLATE
        ends = [self._api.llama_vocab_eos(self._vocab), self._api.llama_vocab_bos(self._vocab)]
        eos, bos = (self.piece(int(token), special=True).decode("utf-8", "ignore") for token in ends)
        return formats.Jinja2ChatFormatter(template=template, eos_token=eos, bos_token=bos)


class Sampler:
    """Chooses the next token: the most likely, or by temperature and seed; under a grammar where one is given."""

    KEPT = 40  # the same cuts as llama.cpp's server makes
    MASS = 0.95
    SMALLEST = 0.05

    def __init__(self, api: Any, vocab: Any, temperature: float, seed: int, grammar: str | None) -> None:
        self._api = api
        self._grammar: Any = None
        self._chain: Any = None
        if grammar is not None:
            self._grammar = api.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
            if not self._grammar:
                raise ModelError("the local model refused the request (the grammar can't be read)")
        if temperature > 0:
            self._chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
            for part in (
                api.llama_sampler_init_top_k(self.KEPT),
                api.llama_sampler_init_top_p(self.MASS, 1),
                api.llama_sampler_init_min_p(self.SMALLEST, 1),
                api.llama_sampler_init_temp(temperature),
                api.llama_sampler_init_dist(seed % 2**32),
            ):
                api.llama_sampler_chain_add(self._chain, part)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token's id; the grammar, if any, moves on by it."""
        token = self._pick(logits)
        if self._grammar is not None:
            # Asking the grammar of one token is quick, of a whole vocabulary slow: mostly one is enough.
            if not np.isfinite(self._masked(np.array([token]), logits[[token]])[0]):
                token = self._pick(self._masked(np.arange(len(logits)), logits))
            self._api.llama_sampler_accept(self._grammar, token)
        return token

    def free(self) -> None:
        """Give the memory back. Idempotent."""
        for sampler in (self._grammar, self._chain):
            if sampler:
                self._api.llama_sampler_free(sampler)
        self._grammar = self._chain = None

    def _pick(self, logits: NDArray[np.float32]) -> int:
        if self._chain is None:
            return int(logits.argmax())
        array, _data = self._array(np.arange(len(logits)), logits)
        self._api.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _masked(self, ids: NDArray[np.int64], logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits with minus infinity where the grammar forbids the token."""
        array, data = self._array(ids, logits)
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return data["logit"].copy()

    def _array(self, ids: NDArray[np.int64], logits: NDArray[np.float32]) -> tuple[Any, NDArray[Any]]:
        data = np.zeros(len(logits), dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        data["id"], data["logit"] = ids, logits
        pointer = data.ctypes.data_as(self._api.llama_token_data_p)
        return self._api.llama_token_data_array(data=pointer, size=len(logits), selected=-1, sorted=False), data
