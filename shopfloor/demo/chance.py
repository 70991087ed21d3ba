"""Seeded draws. Each purpose has a stream of its own, so that a change in one leaves the others alone."""

import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def stream(seed: int, purpose: str) -> Random:
    """A generator for one purpose; the same seed and purpose give the same numbers everywhere."""
    return Random(f"{seed}:{purpose}")


def pick(rng: Random, items: Sequence[T], weights: Sequence[float]) -> T | None:
    """One item by weight, or None when no weight is above zero."""
    total = math.fsum(weights)
    if total <= 0:
        return None
    mark = rng.random() * total
    for item, weight in zip(items, weights, strict=True):
        mark -= weight
        if mark < 0:
            return item
    return next(item for item, weight in zip(reversed(items), reversed(weights), strict=True) if weight > 0)


def poisson(rng: Random, mean: float) -> int:
    """A count with this mean (Knuth's method: for small means)."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
