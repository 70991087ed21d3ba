"""The embedded runtime: a GGUF model served inside this process by xllamacpp, on any CPU, with nothing to install."""

import asyncio
import copy
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shopfloor.errors import ModelError
from shopfloor.local_models.llama_server import Json, LlamaServer, ServerOptions, lora_choice
from shopfloor.local_models.openai_wire import llama_chat_body, read_piece
from shopfloor.local_models.runtime import ModelInfo
from shopfloor.local_models.scoring import score_prompt, single_token
from shopfloor.local_models.slots import SlotPool
from shopfloor.local_models.streaming import Ask, Piece, StreamingRuntime
from shopfloor.local_models.workers import Call

T = TypeVar("T")


class EmbeddedRuntime(StreamingRuntime):
    """Implements :class:`~shopfloor.local_models.runtime.Runtime`; make one with :meth:`open`.

    One base may carry several adapters: :meth:`for_agent` gives the model as one agent has it. Requests of different
    agents are served at once, and an adapter keeps to the slots whose prompts it has read. Embeddings are the base's,
    whatever the agent: heads are trained on them.
    """

    def __init__(
        self,
        server: LlamaServer,
        info: ModelInfo,
        slots: int,
        timeout_s: float,
        preparation: "subprocess.Popen[bytes] | None" = None,
        adapters: Mapping[str, tuple[int, str]] | None = None,
    ) -> None:
        super().__init__(info, timeout_s)
        self._adapters = dict(adapters or {})
        self._lora: int | None = None
        self._server = server
        self.slots = slots
        self._slots = SlotPool(slots)
        self._labels: dict[str, int] = {}
        self._preparation = preparation

    @classmethod
    async def open(
        cls,
        options: ServerOptions,
        info: ModelInfo,
        timeout_s: float,
        preparation: "subprocess.Popen[bytes] | None" = None,
        adapters: Mapping[str, tuple[int, str]] | None = None,
    ) -> "EmbeddedRuntime":
        """Load the model without holding up the event loop.

        Args:
            options: the file and how to load it.
            info: what to say of it.
            timeout_s: the longest any call may take, waiting included.
            preparation: a process that makes a faster form meanwhile; ended with the runtime.
            adapters: by agent, the place in ``options.adapters`` and the name of the adapter.

        Raises:
            ModelError: llama.cpp can't load it.
        """
        server = await asyncio.to_thread(LlamaServer, options)
        return cls(server, info, options.slots, timeout_s, preparation, adapters)

    def for_agent(self, agent: str) -> "EmbeddedRuntime":
        """The same loaded model with an agent's adapter, or without one; closing it closes the model."""
        lora, name = self._adapters.get(agent, (None, self._info.adapter))
        view = copy.copy(self)
        view._lora, view._info = lora, replace(self._info, adapter=name)
        return view

    async def _pieces(self, ask: Ask) -> AsyncGenerator[Piece]:
        slot = await self._slots.acquire("\n".join(message.content for message in ask.messages), self._owner)
        body = {**llama_chat_body(ask), "id_slot": slot, **lora_choice(self._lora)}
        call = self._server.start(lambda running: self._server.chat(body, running), lambda: self._slots.release(slot))
        try:
            async for event in call.events():
                yield read_piece(event)
        finally:
            call.stop()

    async def score(self, prompts: Sequence[str], labels: Sequence[str], *, prefix: str = "") -> NDArray[np.float32]:
        """Log-probabilities of single-token labels right after each prompt, shape (P, L)."""
        if not prompts or not labels:
            return np.zeros((len(prompts), len(labels)), dtype=np.float32)
        ids = [await self._label_id(label) for label in labels]
        texts = [prefix + prompt for prompt in prompts]

        def work(call: Call, slot: int) -> NDArray[np.float32]:
            rows: list[list[float]] = []
            for text in texts:
                if call.stopped:
                    raise ModelError("the scoring was stopped")
                rows.append(score_prompt(self._complete_raw, text, ids, slot))
            return np.array(rows, dtype=np.float32)

        return await self._run("score", texts[0], work)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Mean-pooled hidden states of the last layer, shape (len(texts), width)."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)

        def work(_call: Call, _slot: int) -> NDArray[np.float32]:
            return np.array(self._server.embed(list(texts)), dtype=np.float32)

        return await self._run("embed", "", work)

    async def count_tokens(self, text: str) -> int:
        """Tokens of a raw text."""
        return len(await asyncio.to_thread(self._server.tokens, text))

    async def forget_texts(self) -> None:
        """Empty every slot of the prompt it holds; a slot that is busy, as soon as it is free."""
        self._slots.forget()
        # A slot keeps its last prompt until it reads another: each reads a single token, from its beginning.
        body: Json = {"prompt": ".", "n_predict": 1, "cache_prompt": False}
        await asyncio.gather(
            *(
                asyncio.to_thread(self._server.complete, {**body, "id_slot": slot, **lora_choice(self._lora)})
                for slot in range(self.slots)
            )
        )

    async def close(self) -> None:
        """Stop what runs and free the memory. Idempotent."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._server.close()
        if self._preparation is not None:
            self._preparation.terminate()  # what it has not finished is begun anew at the next start
            self._preparation.wait()

    def _complete_raw(self, body: Json) -> Json:
        return self._server.complete({**body, **lora_choice(self._lora)})

    @property
    def _owner(self) -> str:
        return "" if self._lora is None else str(self._lora)

    async def _label_id(self, label: str) -> int:
        if label not in self._labels:
            self._labels[label] = single_token(label, await asyncio.to_thread(self._server.tokens, label))
        return self._labels[label]

    async def _run(self, kind: str, text: str, work: Callable[[Call, int], T]) -> T:
        """Run blocking work on a slot, with a time limit, a span and the counters."""
        return await self._measured(kind, self._on_slot(text, work))

    async def _on_slot(self, text: str, work: Callable[[Call, int], T]) -> T:
        results: list[T] = []
        slot = await self._slots.acquire(text, self._owner)
        call = self._server.start(
            lambda running: results.append(work(running, slot)), lambda: self._slots.release(slot)
        )
        try:
            async for _event in call.events():
                pass
        finally:
            call.stop()
        return results[0]
