"""Turns examples into batches: tokens once, lengths alike together, an order that only the seed decides."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shopfloor.errors import InputError
from shopfloor.finetune.lora.job import Example

POOL = 8  # batches sorted by length together: little padding, and the order stays random enough


@dataclass(frozen=True, slots=True)
class Tokenised:
    """An example in tokens; the last ``answer`` of ``tokens`` are to be learned."""

    tokens: tuple[int, ...]
    answer: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Dataset:
    """All examples in tokens, and how many were too long."""

    rows: tuple[Tokenised, ...]
    left_out: int


def tokenise(examples: Sequence[Example], encode: Callable[[str], list[int]], max_tokens: int) -> Dataset:
    """Encode prompt and completion apart, so that the border between them is a border of tokens in serving too.

    Raises:
        InputError: every example is too long.
    """
    rows: list[Tokenised] = []
    for example in examples:
        prompt, answer = encode(example.prompt), encode(example.completion)
        if len(prompt) + len(answer) <= max_tokens and answer:
            rows.append(Tokenised((*prompt, *answer), len(answer), example.weight))
    if not rows:
        raise InputError(f"no example fits into {max_tokens} tokens: raise the recipe's max_tokens")
    return Dataset(tuple(rows), len(examples) - len(rows))


def order(rows: Sequence[Tokenised], batch: int, epochs: float, seed: int) -> list[list[int]]:
    """Every batch of the run as row numbers; the same for the same seed, so a resumed run goes on where it was."""
    steps = max(1, round(len(rows) * epochs / batch))
    batches: list[list[int]] = []
    epoch = 0
    while len(batches) < steps:
        chance = random.Random(f"{seed} {epoch}")
        numbers = list(range(len(rows)))
        chance.shuffle(numbers)
        batches.extend(_alike(rows, numbers, batch, chance))
        epoch += 1
    return batches[:steps]


def _alike(rows: Sequence[Tokenised], numbers: Sequence[int], batch: int, chance: random.Random) -> list[list[int]]:
    batches: list[list[int]] = []
    for start in range(0, len(numbers), batch * POOL):
        pool = sorted(numbers[start : start + batch * POOL], key=lambda number: len(rows[number].tokens))
        batches.extend(pool[at : at + batch] for at in range(0, len(pool), batch))
    chance.shuffle(batches)
    return batches
