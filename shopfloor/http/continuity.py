"""Finds the thread of a conversation that a client sends whole, without a thread id.

Chat pages for OpenAI's protocol and LangServe's chat playground keep the conversation themselves and send all of it with
every message. What such a client sends is its past, word for word as it was answered, and one new message: the past
names the thread. Each past is used up when it is found, so two strangers whose conversations began with the same words
never end up in one thread.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shopfloor.http.identity import Caller, identify
from shopfloor.store.database import connect

CONVERSATIONS_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class Said:
    """Something said in a conversation."""

    role: Literal["user", "assistant"]
    text: str


class Continuity:
    """Remembers which thread each answered conversation belongs to; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._threads: OrderedDict[bytes, Caller] = OrderedDict()

    def find(self, user_id: str | None, thread_id: str | None, past: Sequence[Said]) -> Caller:
        """The caller of a conversation: by its thread id, else by its past, else somebody new."""
        if thread_id is None and past:
            known = self._threads.pop(_key(user_id, past), None)
            if known is not None:
                return known
        return identify(user_id, thread_id)

    def keep(self, user_id: str | None, said: Sequence[Said], caller: Caller) -> None:
        """Remember a conversation, its last answer included."""
        self._threads[_key(user_id, said)] = caller
        if len(self._threads) > CONVERSATIONS_KEPT:
            self._threads.popitem(last=False)

    async def forget(self, state_path: Path) -> None:
        """Drop what belongs to a thread that is no longer there: somebody was forgotten."""
        threads = {caller.thread_id for caller in self._threads.values()}
        gone = threads - await asyncio.to_thread(_present, state_path, threads)
        for key in [key for key, caller in self._threads.items() if caller.thread_id in gone]:
            del self._threads[key]


def _present(state_path: Path, threads: set[str]) -> set[str]:
    if not threads or not state_path.is_file():
        return set()
    with closing(connect(state_path, read_only=True)) as state:
        rows = state.execute(
            "SELECT thread_id FROM threads WHERE thread_id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(threads)),),
        )
        return {str(row["thread_id"]) for row in rows}


def _key(user_id: str | None, said: Sequence[Said]) -> bytes:
    digest = hashlib.sha256((user_id or "").encode())
    for one in said:
        digest.update(f"\x00{one.role}\x00{' '.join(one.text.split())}".encode())
    return digest.digest()
