"""A transformers model and its tokenizer: reading prompts, decoding token by token, scoring, embedding. All of it blocks.

Several threads may use one model. Each step holds a lock, because the active adapter is a state of the model as a whole;
between steps the threads take turns, and each keeps its own key-value cache.
"""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from shopfloor.errors import ContextOverflowError, ModelError, ModelMissingError
from shopfloor.local_models.hf_files import four_bits, library
from shopfloor.local_models.runtime import Message
from shopfloor.local_models.streaming import Ask, Piece

CHUNK = 128  # prompt tokens between two looks at whether anybody still waits
UNFINISHED = "\ufffd"

Put = Callable[[Piece], bool]  # hands a piece on; True when nobody waits any longer


class HfModel:
    """A loaded model; ``context`` in tokens."""

    def __init__(self, location: str, context: int, threads: int, *, four_bit: bool = False) -> None:
        """Load it (blocking, seconds).

        Args:
            location: a folder, or a repository that is downloaded or in the cache.
            context: the longest prompt and answer together, in tokens.
            threads: for a CPU.
            four_bit: NF4 weights, on CUDA.

        Raises:
            ConfigError: the libraries are not installed.
            ModelMissingError: the model is not there.
            ModelError: it can't be loaded.
        """
        self._torch, transformers = library("torch"), library("transformers")
        self.device = self._find_device()
        if self.device == "cpu":
            self._torch.set_num_threads(threads)
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(location)
            self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                location, attn_implementation="sdpa", device_map=self.device, **self._precision(four_bit)
            ).eval()
        except OSError as error:
            raise ModelMissingError(
                f"the model {location} is not there ({error}): check its name and the network"
            ) from error
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"transformers can't load {location} ({error}): check memory and the model") from error
        self.context = min(context, int(getattr(self._model.config, "max_position_embeddings", context)))
        self._lock = threading.Lock()
        self._grammar_tokenizer: Any = None

    @property
    def memory_mb(self) -> float:
        """Memory of the weights."""
        return float(self._model.get_memory_footprint()) / 1e6

    @property
    def precision(self) -> str:
        """The weights' number format, e.g. ``float32``."""
        return str(self._model.dtype).removeprefix("torch.")

    def tokens(self, text: str) -> list[int]:
        """Token ids of a raw text."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def load_adapter(self, name: str, folder: Path) -> None:
        """Add a PEFT adapter under a name; it is used by the calls that name it.

        Raises:
            ModelError: it can't be loaded, or does not fit.
        """
        peft = library("peft")
        try:
            with self._lock:
                if isinstance(self._model, peft.PeftModel):
                    self._model.load_adapter(str(folder), adapter_name=name)
                else:
                    self._model = peft.PeftModel.from_pretrained(self._model, str(folder), adapter_name=name).eval()
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            raise ModelError(
                f"the adapter {folder} can't be loaded ({error}): was it trained on this model?"
            ) from error

    def unload_adapter(self, name: str) -> None:
        """Give an adapter's memory back; no call may name it any more."""
        with self._lock:
            others = [other for other in self._model.peft_config if other != name]
            if others:
                self._model.set_adapter(others[0])  # the library expects one to be active
                self._model.delete_adapter(name)
            else:
                self._model = self._model.unload().eval()  # without the last one it is the plain model again

    def generate(self, ask: Ask, adapter: str | None, put: Put) -> None:
        """Answer a chat, piece by piece, until it ends or ``put`` says that nobody waits."""
        ids = self._chat_tokens(ask.messages)
        if len(ids) >= self.context:
            raise self._overflow(len(ids))
        put(Piece(prompt_tokens=len(ids)))
        chooser = _Chooser(self._torch, ask, self._matcher(ask))
        writer = _Writer(self._tokenizer, ask.options.stop)
        past, logits = self._read(ids, adapter, put)
        if logits is None:
            return
        finish = "length"
        limit = min(ask.options.max_tokens, self.context - len(ids))
        for count in range(1, limit + 1):
            token = chooser.choose(logits)
            if token in self._ends:
                finish = "stop"
                break
            text, stopped = writer.add(token)
            if put(Piece(text, completion_tokens=count)):
                return
            if stopped:
                finish = "stop"
                break
            if count < limit:
                past, logits = self._step([token], past, adapter)
        put(Piece(writer.rest(), finish=finish))

    def score(self, texts: Sequence[str], labels: Sequence[int], adapter: str | None, put: Put) -> NDArray[np.float32]:
        """Log-probabilities of the label tokens after each text, under the full softmax."""
        rows: list[NDArray[np.float32]] = []
        for text in texts:
            past_logits = self._read(self._fitting(text), adapter, put)[1]
            if past_logits is None:
                raise ModelError("the scoring was stopped")
            values = self._torch.log_softmax(past_logits.float(), dim=-1)
            rows.append(values[list(labels)].cpu().numpy())
        return np.array(rows, dtype=np.float32)

    def embed(self, texts: Sequence[str], adapter: str | None) -> NDArray[np.float32]:
        """Mean of the last layer's hidden states, one row a text."""
        rows: list[NDArray[np.float32]] = []
        for text in texts:
            ids = self._fitting(text)
            with self._lock, self._torch.inference_mode(), self._adapted(adapter):
                output = self._model(self._tensor(ids), output_hidden_states=True, use_cache=False)
            rows.append(output.hidden_states[-1][0].float().mean(dim=0).cpu().numpy())
        return np.array(rows, dtype=np.float32)

    @property
    def _ends(self) -> set[int]:
        given: Any = self._model.generation_config.eos_token_id
        ends = cast(list[int | None], given if isinstance(given, list) else [given])
        return {end for end in [*ends, cast(int | None, self._tokenizer.eos_token_id)] if end is not None}

    def _find_device(self) -> str:
        if self._torch.cuda.is_available():
            return "cuda"
        return "mps" if self._torch.backends.mps.is_available() else "cpu"

    def _precision(self, four_bit: bool) -> dict[str, Any]:
        dtype = {"cuda": self._torch.bfloat16, "mps": self._torch.float16}.get(self.device, self._torch.float32)
        if not (four_bit and self.device == "cuda"):
            return {"dtype": dtype}
        return {"dtype": dtype, "quantization_config": four_bits(dtype)}

    def _fitting(self, text: str) -> list[int]:
        ids = self.tokens(text) or [self._tokenizer.eos_token_id]
        if len(ids) >= self.context:
            raise self._overflow(len(ids))
        return ids

    def _overflow(self, count: int) -> ContextOverflowError:
        return ContextOverflowError(
            f"the prompt has {count} tokens, the model's context holds {self.context}: "
            "shorten it or raise SHOPFLOOR_MODEL_CTX"
        )

    def _chat_tokens(self, messages: Sequence[Message]) -> list[int]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return self.tokens(text)

    def _read(self, ids: list[int], adapter: str | None, put: Put) -> tuple[Any, Any]:
        """Read a prompt in chunks; no logits when nobody waits any longer."""
        past, logits = None, None
        for start in range(0, len(ids), CHUNK):
            if put(Piece()):
                return None, None
            past, logits = self._step(ids[start : start + CHUNK], past, adapter)
        return past, logits

    def _step(self, ids: list[int], past: Any, adapter: str | None) -> tuple[Any, Any]:
        try:
            with self._lock, self._torch.inference_mode(), self._adapted(adapter):
                output = self._model(self._tensor(ids), past_key_values=past, use_cache=True, logits_to_keep=1)
        except self._torch.OutOfMemoryError as error:
            raise ModelError("the GPU is out of memory: lower SHOPFLOOR_MODEL_CTX or SHOPFLOOR_MODEL_SLOTS") from error
        return output.past_key_values, output.logits[0, -1]

    def _adapted(self, adapter: str | None) -> "_Adapted":
        return _Adapted(self._model, adapter)

    def _tensor(self, ids: list[int]) -> Any:
        return self._torch.tensor([ids], device=self._model.device)

    def _matcher(self, ask: Ask) -> Any:
        if ask.schema is None and ask.options.grammar is None:
            return None
        guidance, bridge, gbnf = (library(name) for name in ("llguidance", "llguidance.hf", "llguidance.gbnf_to_lark"))
        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = bridge.from_tokenizer(self._tokenizer, n_vocab=self._model.config.vocab_size)
        matcher_of = guidance.LLMatcher
        if ask.schema is not None:
            rules = matcher_of.grammar_from_json_schema(_compact(ask.schema))
        else:
            try:
                rules = matcher_of.grammar_from_lark(gbnf.any_to_lark(ask.options.grammar))
            except gbnf.GbnfToLarkError as error:
                raise ModelError(f"the local model refused the request ({error})") from error
        matcher = matcher_of(self._grammar_tokenizer, rules)
        if matcher.is_error():
            raise ModelError(f"the local model refused the request ({matcher.get_error()})")
        return matcher


class _Adapted:
    """Makes one adapter active, or none, for a step under the model's lock."""

    def __init__(self, model: Any, adapter: str | None) -> None:
        self._model = model
        self._adapter = adapter
        self._disabled: Any = None

    def __enter__(self) -> None:
        if self._adapter is not None:
            self._model.set_adapter(self._adapter)
        elif hasattr(self._model, "disable_adapter"):
            self._disabled = self._model.disable_adapter()
            self._disabled.__enter__()

    def __exit__(self, *error: object) -> None:
        if self._disabled is not None:
            self._disabled.__exit__(*error)


class _Chooser:
    """Picks the next token: the most likely, or by temperature and seed; under a grammar where one is given."""

    def __init__(self, torch: Any, ask: Ask, matcher: Any) -> None:
        self._torch = torch
        self._temperature = ask.options.temperature
        self._random = torch.Generator().manual_seed(ask.options.seed)
        self._matcher = matcher

    def choose(self, logits: Any) -> int:
        """The next token's id."""
        scores = logits.float().cpu()
        if self._matcher is not None:
            bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
            allowed = np.unpackbits(bits, bitorder="little")[: scores.shape[0]].astype(bool)
            scores = scores.masked_fill(~self._torch.from_numpy(allowed), float("-inf"))
        if self._temperature <= 0:
            token = int(scores.argmax())
        else:
            shares = self._torch.softmax(scores / self._temperature, dim=-1)
            token = int(self._torch.multinomial(shares, 1, generator=self._random))
        if self._matcher is not None:
            self._matcher.consume_token(token)
        return token


class _Writer:
    """Turns tokens into text: whole characters only, and nothing of a stop text."""

    def __init__(self, tokenizer: Any, stops: tuple[str, ...]) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._ids: list[int] = []
        self._text = ""
        self._given = 0

    def add(self, token: int) -> tuple[str, bool]:
        """The text that is settled by a token, and whether a stop text was reached."""
        self._ids.append(token)
        self._text = str(self._tokenizer.decode(self._ids, skip_special_tokens=True))
        found = [place for stop in self._stops if (place := self._text.find(stop)) >= 0]
        if found:
            self._text = self._text[: min(found)]
            return self.rest(), True
        settled = len(self._text.rstrip(UNFINISHED))
        for stop in self._stops:  # the end may be the beginning of a stop text
            for length in range(1, len(stop)):
                if self._text.endswith(stop[:length]):
                    settled = min(settled, len(self._text) - length)
        return self._take(settled), False

    def rest(self) -> str:
        """What was held back."""
        return self._take(len(self._text.rstrip(UNFINISHED)))

    def _take(self, end: int) -> str:
        piece = self._text[self._given : end] if end > self._given else ""
        self._given = max(self._given, end)
        return piece


def _compact(schema: dict[str, JsonValue]) -> str:
    """The schema with free white space switched off: small models may fill their whole answer with it."""
    return json.dumps({**schema, "x-guidance": {"whitespace_flexible": False}})
