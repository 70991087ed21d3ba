"""The encoder's vectors: right shape, repeatable, independent of their neighbours, never cut."""

import asyncio

import numpy as np

from shopfloor.local_models.encoder import WINDOW_BYTES, Encoder


async def test_vectors_have_one_row_a_text(encoder: Encoder) -> None:
    vectors = await encoder.embed(["a blue jacket", "is it in Berlin?", ""])
    assert vectors.shape == (3, encoder.width)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert (await encoder.embed([])).shape == (0, encoder.width)


async def test_vector_does_not_depend_on_the_batch(encoder: Encoder) -> None:
    texts = [f"message number {index} about {'shoes ' * (1 + index * index)}" for index in range(9)]
    alone = np.concatenate([await encoder.embed([text]) for text in texts])
    encoder._cache.clear()
    together = await encoder.embed(texts)
    assert np.abs(alone - together).max() < 0.02 * np.abs(alone).max()


async def test_near_texts_are_nearer(encoder: Encoder) -> None:
    vectors = await encoder.embed(["do you have it in size M?", "is it there in size L?", "thank you, goodbye"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2]


async def test_the_end_of_a_long_text_counts(encoder: Encoder) -> None:
    long = "warm winter coats and boots " * (WINDOW_BYTES // 9)
    one, other = await encoder.embed([long, long + "refund " * 80])
    assert not np.allclose(one, other)


async def test_any_unicode_is_embedded(encoder: Encoder) -> None:
    texts = ["中" * 700, "🧥" * 400, "é" * 900, "\ud800 broken", "tab\t\n", "\0"]
    assert np.isfinite(await encoder.embed(texts)).all()


async def test_many_callers_at_once(encoder: Encoder) -> None:
    texts = [f"caller {index} asks {'once more ' * index}" for index in range(12)]
    results = await asyncio.gather(*(encoder.embed([text]) for text in texts))
    encoder._cache.clear()
    alone = np.concatenate([await encoder.embed([text]) for text in texts])
    assert np.abs(np.concatenate(results) - alone).max() < 0.02 * np.abs(alone).max()
