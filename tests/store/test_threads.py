"""The first user of a conversation owns it."""

import asyncio

import pytest

from shopfloor.errors import AccessError
from shopfloor.store.database import Database
from shopfloor.store.threads import ThreadStore


async def test_the_first_user_owns_the_thread(state: Database) -> None:
    threads = ThreadStore(state)
    assert await threads.check("t", "u1") is None
    first = await threads.claim("t", "u1")
    assert await threads.claim("t", "u1") == first
    assert await threads.check("t", "u1") == first
    for attempt in (threads.claim, threads.check):
        with pytest.raises(AccessError):
            await attempt("t", "u2")


async def test_of_two_who_come_together_one_owns_it(state: Database) -> None:
    threads = ThreadStore(state)
    users = [f"u{number}" for number in range(20)]
    results = await asyncio.gather(*(threads.claim("t", user) for user in users), return_exceptions=True)
    owners = [result for result in results if not isinstance(result, BaseException)]
    assert len(owners) == 1
    assert sum(isinstance(result, AccessError) for result in results) == 19


async def test_a_users_threads_newest_first(state: Database) -> None:
    threads = ThreadStore(state)
    for name in ("a", "b", "c"):
        await threads.claim(name, "u1")
    await threads.claim("d", "u2")
    assert [thread.thread_id for thread in await threads.of_user("u1")] == ["c", "b", "a"]
