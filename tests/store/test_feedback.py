"""Reactions join to the answer they are about, repeat without doubling, and belong to one user."""

import asyncio

import pytest

from shopfloor.errors import AccessError, InputError, NotFoundError
from shopfloor.store.database import Database
from shopfloor.store.feedback import NO_AGENT, FeedbackStore, NewFeedback
from shopfloor.store.traces import NewAnswer, NewTurn, Shown, TraceStore


@pytest.fixture
async def store(state: Database, catalogue: Database) -> FeedbackStore:
    """Two answers for u1 (the later shows A2 first) and one stock answer for u2."""
    traces = TraceStore(state)
    answers = [
        ("t1", "old", "recommendation", "u1", [Shown("A1", 1), Shown("A2", 2)]),
        ("t2", "new", "recommendation", "u1", [Shown("A2", 1), Shown("A3", 2)]),
        ("t3", "stock", "inventory", "u2", [Shown("A1", 1)]),
    ]
    for trace_id, answer_id, agent, user_id, shown in answers:
        await traces.start_turn(NewTurn(trace_id, f"th-{user_id}", user_id, "rest", "hello"))
        await traces.save_answer(NewAnswer(trace_id, agent, user_id, "Here.", shown=shown, answer_id=answer_id))
    await traces.start_turn(NewTurn("chat", "th-u1", "u1", "rest", "thanks"))
    return FeedbackStore(state, catalogue)


async def count(state: Database) -> int:
    return await state.read(lambda connection: int(connection.execute("SELECT count(*) FROM feedback").fetchone()[0]))


async def test_by_answer_and_product(store: FeedbackStore) -> None:
    stored = await store.add(NewFeedback(user_id="u1", recommendation_id="old", product_id="A2", rating=5))
    assert (stored.agent, stored.trace_id, stored.answer_id) == ("recommendation", "t1", "old")
    assert (stored.sku, stored.position, stored.duplicate) == ("A2", 2, False)


async def test_by_answer_alone_is_about_the_whole_list(store: FeedbackStore) -> None:
    stored = await store.add(NewFeedback(user_id="u1", recommendation_id="new", rating=2))
    assert (stored.sku, stored.position) == (None, None)


async def test_by_answer_of_one_product_is_about_that_product(store: FeedbackStore) -> None:
    stored = await store.add(NewFeedback(user_id="u2", recommendation_id="stock", rating=4))
    assert (stored.agent, stored.sku, stored.position) == ("inventory", "A1", 1)


async def test_a_sku_joins_to_the_latest_answer_that_showed_it(store: FeedbackStore) -> None:
    stored = await store.add(NewFeedback(user_id="u1", recommendation_id="A2", rating=5, action="purchased"))
    assert (stored.answer_id, stored.position, stored.trace_id) == ("new", 1, "t2")
    earlier = await store.add(NewFeedback(user_id="u1", product_id="A1", action="clicked"))
    assert (earlier.answer_id, earlier.position) == ("old", 1)


async def test_a_known_sku_that_joins_to_nothing_is_kept_apart(store: FeedbackStore) -> None:
    for user_id in (None, "u2"):
        stored = await store.add(NewFeedback(user_id=user_id, product_id="A2", rating=4))
        assert (stored.trace_id, stored.agent, stored.sku) == (None, NO_AGENT, "A2")
    totals = await store.totals()
    assert (totals[NO_AGENT].count, totals[NO_AGENT].usable, totals[NO_AGENT].mean_rating) == (2, 0, 4.0)


async def test_a_variant_means_its_product(store: FeedbackStore) -> None:
    stored = await store.add(NewFeedback(user_id="u1", product_id="A3-S", action="returned"))
    assert (stored.sku, stored.answer_id) == ("A3", "new")


async def test_by_trace_with_one_product_or_a_named_one(store: FeedbackStore) -> None:
    one = await store.add(NewFeedback(user_id="u2", trace_id="t3", rating=3))
    assert (one.answer_id, one.sku, one.position) == ("stock", "A1", 1)
    named = await store.add(NewFeedback(user_id="u1", trace_id="t2", product_id="A3", rating=3))
    assert (named.sku, named.position) == ("A3", 2)
    whole = await store.add(NewFeedback(user_id="u1", trace_id="t2", rating=1))
    assert (whole.answer_id, whole.sku) == ("new", None)
    chat = await store.add(NewFeedback(user_id="u1", trace_id="chat", rating=5))
    assert (chat.agent, chat.answer_id) == ("supervisor", None)


async def test_unknown_things_offer_the_nearest(store: FeedbackStore, state: Database) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.add(NewFeedback(user_id="u1", recommendation_id="A11", rating=5))
    assert "A1" in caught.value.matches
    with pytest.raises(NotFoundError):
        await store.add(NewFeedback(user_id="u1", trace_id="absent", rating=5))
    with pytest.raises(NotFoundError) as elsewhere:
        await store.add(NewFeedback(user_id="u1", recommendation_id="old", product_id="A3", rating=5))
    assert elsewhere.value.matches == ("A1", "A2")
    with pytest.raises(InputError):
        await store.add(NewFeedback(user_id="u1", recommendation_id="old", trace_id="t2", rating=5))
    with pytest.raises(InputError):
        await store.add(NewFeedback(user_id="u1", product_id="A1"))
    assert await count(state) == 0


async def test_nobody_rates_another_users_answer(store: FeedbackStore, state: Database) -> None:
    with pytest.raises(AccessError):
        await store.add(NewFeedback(user_id="u2", recommendation_id="old", rating=1))
    with pytest.raises(AccessError):
        await store.add(NewFeedback(user_id="u2", trace_id="t1", rating=1))
    assert await count(state) == 0


async def test_who_knows_the_answers_id_but_gives_no_name_is_its_user(store: FeedbackStore) -> None:
    stored = await store.add(NewFeedback(recommendation_id="old", product_id="A1", rating=4))
    assert stored.user_id == "u1"


async def test_a_later_action_joins_the_rating(store: FeedbackStore, state: Database) -> None:
    first = await store.add(NewFeedback(user_id="u1", recommendation_id="new", product_id="A2", rating=4))
    second = await store.add(NewFeedback(user_id="u1", product_id="A2", action="purchased", comment="sturdy"))
    assert second.feedback_id == first.feedback_id
    assert (second.rating, second.action, second.comment) == (4, "purchased", "sturdy")
    assert second.updated_at > second.created_at
    changed = await store.add(NewFeedback(user_id="u1", product_id="A2", rating=2))
    assert (changed.rating, changed.action) == (2, "purchased")
    assert await count(state) == 1


async def test_the_same_key_changes_nothing(store: FeedbackStore, state: Database) -> None:
    new = NewFeedback(user_id="u1", product_id="A2", rating=4, idempotency_key="k1")
    first = await store.add(new)
    await store.add(NewFeedback(user_id="u1", product_id="A2", rating=2, idempotency_key="k2"))
    again = await store.add(new)
    assert (again.feedback_id, again.duplicate, again.rating) == (first.feedback_id, True, 2)
    other = await store.add(NewFeedback(user_id="u2", product_id="A2", rating=5, idempotency_key="k1"))
    assert (other.duplicate, other.feedback_id == first.feedback_id) == (False, False)
    assert await count(state) == 2


async def test_the_same_reaction_sent_many_times_at_once_is_one(store: FeedbackStore, state: Database) -> None:
    new = NewFeedback(user_id="u1", product_id="A2", rating=4, idempotency_key="k")
    stored = await asyncio.gather(*(store.add(new) for _ in range(20)))
    assert len({item.feedback_id for item in stored}) == 1
    assert sum(not item.duplicate for item in stored) == 1
    assert await count(state) == 1


@pytest.mark.parametrize("correction", ["it is oak, not pine", {"sku": "A1", "why": "asked for oak"}])
async def test_a_correction_is_a_text_or_an_object(store: FeedbackStore, correction: str | dict[str, str]) -> None:
    stored = await store.add(NewFeedback(user_id="u1", recommendation_id="old", correction=correction))
    assert stored.correction == correction
    assert await store.get(stored.feedback_id) == stored


async def test_a_product_the_shop_dropped_can_still_be_rated(
    store: FeedbackStore, state: Database, catalogue: Database
) -> None:
    await catalogue.write(lambda connection: connection.execute("DELETE FROM products WHERE sku = 'A2'"))
    stored = await store.add(NewFeedback(user_id="u1", product_id="A2", action="returned"))
    assert stored.answer_id == "new"
    with pytest.raises(NotFoundError):
        await store.add(NewFeedback(user_id="u2", product_id="A2", rating=1))
