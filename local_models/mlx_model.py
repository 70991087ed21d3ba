"""A model in MLX and its tokenizer: reading prompts, decoding token by token, scoring, embedding, adapters by name.

All of it blocks, and is called from one thread (``tokens`` from any). Work comes as generators that give way after every
piece of a prompt and every token; each keeps its own key-value cache, and names the adapter it began with.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

import gguf
import numpy as np
from gguf.quants import dequantize
from numpy.typing import NDArray

from shopfloor.errors import ContextOverflowError, ModelError, ModelMissingError
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.gguf_file import GgufHeader
from shopfloor.local_models.libraries import library
from shopfloor.local_models.mlx_files import NAMES
from shopfloor.local_models.row_order import INTERLEAVED, halved, heads_of
from shopfloor.local_models.runtime import Message
from shopfloor.local_models.streaming import Ask, Piece
from shopfloor.local_models.text_writer import TextWriter
from shopfloor.local_models.turns import Steps
from shopfloor.local_models.workers import Call

CHUNK = 128  # prompt tokens a step
UNFINISHED = "\ufffd"
MENDING = "run `bash scripts/env.sh mlx` and serve from .venvs/mlx, or set SHOPFLOOR_RUNTIME=embedded"


class MlxModel:
    """A loaded model; ``context`` in tokens."""

    def __init__(self, location: str, context: int) -> None:
        """Load it (blocking, seconds).

        Args:
            location: a folder, or a repository that is downloaded or in the cache.
            context: the longest prompt and answer together, in tokens.

        Raises:
            ConfigError: the libraries are not installed.
            ModelMissingError: the model is not there.
            ModelError: it can't be loaded.
        """
        self._mx = library("mlx.core", "SHOPFLOOR_RUNTIME=mlx", MENDING)
        loader, caches = (library(name, "SHOPFLOOR_RUNTIME=mlx", MENDING) for name in ("mlx_lm", "mlx_lm.models.cache"))
        self._new_cache: Any = caches.make_prompt_cache
        try:
            loaded = loader.load(location)
        except (OSError, FileNotFoundError) as error:
            raise ModelMissingError(
                f"the model {location} is not there ({error}): check its name and the network"
            ) from error
        except (ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"MLX can't load {location} ({error}): check memory and the model") from error
        self._model: Any = loaded[0]
        self._tokenizer: Any = loaded[1]
        if not self._mx.metal.is_available():  # half precision is slow on a CPU
            self._model.set_dtype(self._mx.float32)
        self._mx.eval(self._model.parameters())
        self.context = min(context, int(getattr(self._model.args, "max_position_embeddings", None) or context))
        self._wrappers: dict[str, _Adapted] = {}
        self._grammar_tokenizer: Any = None

    @property
    def memory_mb(self) -> float:
        """Memory of all arrays."""
        return float(self._mx.get_active_memory()) / 1e6

    @property
    def precision(self) -> str:
        """The weights' number format, e.g. ``float32`` or ``4 bits``."""
        layer = self._model.layers[0].self_attn.o_proj
        bits = getattr(layer, "bits", None)
        return f"{bits} bits" if bits is not None else str(layer.weight.dtype).removeprefix("mlx.core.")

    def tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; ``special`` puts what the model wants at the beginning of every text in front."""
        return list(self._tokenizer._tokenizer(text, add_special_tokens=special)["input_ids"])

    def load_adapter(self, adapter: AdapterFile, base: GgufHeader) -> None:
        """Put a LoRA adapter (GGUF) beside the weights it changes; those calls that name its hash use it.

        Raises:
            ModelError: it changes weights that this model lacks.
        """
        parts = {
            str(tensor.name): dequantize(tensor.data, tensor.tensor_type)
            for tensor in gguf.GGUFReader(adapter.path).tensors
        }
        scale = adapter.alpha / adapter.rank if adapter.alpha else 1.0
        pairs: dict[str, tuple[Any, Any]] = {}
        for name in {name.removesuffix(".lora_a").removesuffix(".lora_b") for name in parts}:
            _, block, kind, _ = name.split(".") if name.count(".") == 3 else ("", "", name, "")
            if kind not in NAMES:
                raise ModelError(f"the adapter {adapter.path.name} changes {name}, which MLX does not adapt here")
            up = parts[f"{name}.lora_b"]
            if kind in INTERLEAVED.get(base.architecture, ()):
                up = halved(up, heads_of(base, kind))
            down = parts[f"{name}.lora_a"]
            pairs[f"{block}.{NAMES[kind]}"] = (self._mx.array(down.T), self._mx.array(scale * up.T))
        for place, pair in pairs.items():
            self._wrapper(place).pairs[adapter.sha256] = pair
        self._mx.eval([part for pair in pairs.values() for part in pair])

    def free_adapter(self, name: str) -> None:
        """Forget an adapter."""
        for wrapper in self._wrappers.values():
            wrapper.pairs.pop(name, None)

    def generate(self, ask: Ask, adapter: str | None, call: Call) -> Steps:
        """Answer a chat, piece by piece."""
        ids = self._chat_tokens(ask.messages)
        self._check_fits(ids, self.context - 1)
        call.put(Piece(prompt_tokens=len(ids)))
        chooser = _Chooser(ask, self._matcher(ask))
        writer, told = TextWriter(ask.options.stop), ""
        cache, answer = self._new_cache(self._model), list[int]()
        yield from self._read(ids[:-1], cache, adapter)
        finish, token = "length", ids[-1]
        for count in range(1, min(ask.options.max_tokens, self.context - len(ids)) + 1):
            token = chooser.choose(self._logits(token, cache, adapter))
            if token in self._tokenizer.eos_token_ids:
                finish = "stop"
                break
            answer.append(token)
            text = str(self._tokenizer.decode(answer, skip_special_tokens=True)).rstrip(UNFINISHED)
            settled, stopped = writer.add(text[len(told) :])
            told = text if len(text) > len(told) else told
            call.put(Piece(settled, completion_tokens=count))
            if stopped:
                finish = "stop"
                break
            yield
        call.put(Piece(writer.rest(), finish=finish))

    def score(self, texts: Sequence[str], labels: Sequence[int], adapter: str | None, call: Call) -> Steps:
        """Log-probabilities of the label tokens after each text, under the full softmax."""
        rows: list[NDArray[np.float32]] = []
        for text in texts:
            ids = self._ids(text)
            self._check_fits(ids, self.context - 1)
            cache = self._new_cache(self._model)
            yield from self._read(ids[:-1], cache, adapter)
            logits = self._logits(ids[-1], cache, adapter).astype(np.float64)
            highest = logits.max()
            total = highest + np.log(np.exp(logits - highest).sum())
            rows.append(np.minimum(logits[list(labels)] - total, 0.0).astype(np.float32))
            yield
        call.put(np.array(rows, dtype=np.float32))

    def embed(self, texts: Sequence[str], adapter: str | None, call: Call) -> Steps:
        """Mean-pooled hidden states of the last layer."""
        rows: list[NDArray[np.float32]] = []
        for text in texts:
            ids = self._ids(text)
            self._check_fits(ids, self.context)
            cache, total = self._new_cache(self._model), None
            for start in range(0, len(ids), CHUNK):
                self._use(adapter)
                part = ids[start : start + CHUNK]
                states = self._model.model(self._mx.array([part]), cache=cache)[0].astype(self._mx.float32).sum(axis=0)
                total = states if total is None else total + states
                self._mx.eval(total, [layer.state for layer in cache])
                yield
            rows.append(np.asarray(np.array(total) / len(ids), dtype=np.float32))
        call.put(np.array(rows, dtype=np.float32))

    def _read(self, ids: list[int], cache: Any, adapter: str | None) -> Steps:
        """Read a prompt's beginning; nothing is computed of its logits."""
        for start in range(0, len(ids), CHUNK):
            self._use(adapter)
            self._model(self._mx.array([ids[start : start + CHUNK]]), cache=cache)
            self._mx.eval([layer.state for layer in cache])
            yield

    def _logits(self, token: int, cache: Any, adapter: str | None) -> NDArray[np.float32]:
        self._use(adapter)
        logits = self._model(self._mx.array([[token]]), cache=cache)[0, -1]
        return np.array(logits.astype(self._mx.float32))

    def _use(self, adapter: str | None) -> None:
        for wrapper in self._wrappers.values():
            wrapper.pair = wrapper.pairs.get(adapter) if adapter is not None else None

    def _wrapper(self, place: str) -> "_Adapted":
        if place not in self._wrappers:
            block, group, name = place.split(".")
            parent = getattr(self._model.layers[int(block)], group)
            wrapper = _Adapted(getattr(parent, name))
            setattr(parent, name, wrapper)
            self._wrappers[place] = wrapper
        return self._wrappers[place]

    def _ids(self, text: str) -> list[int]:
        return self.tokens(text, special=True) or [min(self._tokenizer.eos_token_ids)]

    def _check_fits(self, ids: list[int], room: int) -> None:
        if len(ids) > room:
            raise ContextOverflowError(
                f"the prompt has {len(ids)} tokens, the model's context holds {self.context}: "
                "shorten it or raise SHOPFLOOR_MODEL_CTX"
            )

    def _chat_tokens(self, messages: Sequence[Message]) -> list[int]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return self.tokens(
            cast(str, self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        )

    def _matcher(self, ask: Ask) -> Any:
        """What allows tokens under the answer's schema or grammar, or ``None``."""
        if ask.schema is None and ask.options.grammar is None:
            return None
        guidance, bridge, gbnf = (
            library(name, "SHOPFLOOR_RUNTIME=mlx", MENDING)
            for name in ("llguidance", "llguidance.hf", "llguidance.gbnf_to_lark")
        )
        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = bridge.from_tokenizer(self._tokenizer._tokenizer)
        try:
            if ask.schema is not None:
                schema = json.dumps({**ask.schema, "x-guidance": {"whitespace_flexible": False}})
                rules = guidance.LLMatcher.grammar_from_json_schema(schema)
            else:
                rules = guidance.LLMatcher.grammar_from_lark(gbnf.any_to_lark(ask.options.grammar))
        except gbnf.GbnfToLarkError as error:
            raise ModelError(f"the local model refused the request ({error})") from error
        matcher = guidance.LLMatcher(self._grammar_tokenizer, rules)
        if matcher.is_error():
            raise ModelError(f"the local model refused the request ({matcher.get_error()})")
        return matcher


class _Adapted:
    """A linear layer and the adapters of it; ``pair`` is the one in use: (width, rank) and (rank, height), scaled."""

    def __init__(self, linear: Any) -> None:
        self._linear = linear
        self.pairs: dict[str, tuple[Any, Any]] = {}
        self.pair: tuple[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._linear, name)

    def __call__(self, values: Any) -> Any:
        plain = self._linear(values)
        if self.pair is None:
            return plain
        down, up = self.pair
        return plain + ((values @ down) @ up).astype(plain.dtype)


class _Chooser:
    """Picks the next token: the most likely, or by temperature and seed; under a grammar where one is given."""

    def __init__(self, ask: Ask, matcher: Any) -> None:
        self._temperature = ask.options.temperature
        self._random = np.random.default_rng(ask.options.seed)
        self._matcher = matcher

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token's id."""
        if self._matcher is not None:
            bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
            allowed = np.unpackbits(bits, bitorder="little")[: len(logits)].astype(bool)
            logits = np.where(allowed, logits[: len(allowed)], -np.inf)
        if self._temperature <= 0:
            token = int(logits.argmax())
        else:
            scaled = logits.astype(np.float64) / self._temperature
            shares = np.exp(scaled - scaled.max())
            token = int(self._random.choice(len(shares), p=shares / shares.sum()))
        if self._matcher is not None:
            self._matcher.consume_token(token)
        return token
