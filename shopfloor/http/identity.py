"""Who is asking and in which conversation, where the caller leaves one of them out."""

import hashlib
import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and a thread, both always there."""

    user_id: str
    thread_id: str


def identify(user_id: str | None, thread_id: str | None) -> Caller:
    """Fill in what the caller left out.

    Without a thread a new one begins. Without a user it belongs to a guest who is known by the thread alone: whoever
    knows a guest's thread id may go on with it, and nobody can reach a named user's thread that way.
    """
    thread = thread_id or uuid.uuid4().hex
    return Caller(user_id or f"guest-{hashlib.sha256(thread.encode()).hexdigest()[:24]}", thread)
