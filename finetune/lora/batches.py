"""Turns examples into batches: tokens once, lengths alike together, an order that only the seed decides.

What is read at once is one packed sequence without padding: the start that all its rows have in common, such as an
instruction, stands there once, and each row's own tokens see that start and themselves. Loss and gradients are those of the
rows read one by one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shopfloor.errors import InputError
from shopfloor.finetune.lora.job import Example

TOKENS_A_ROW = 64  # what a row of ``together`` may take up in a packed sequence
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


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows in one sequence: the common start, then what each has of its own, without its last token, which nothing follows.

    ``owners``: the row of each token, -1 for the common start; ``places``: its position in its row; ``learned``: the number of
    a token in the sequence, the token that should follow it, and how much that counts.
    """

    tokens: tuple[int, ...]
    places: tuple[int, ...]
    owners: tuple[int, ...]
    learned: tuple[tuple[int, int, float], ...]


def pack(rows: Sequence[Tokenised]) -> Packed:
    """Put rows into one sequence."""
    start = common_start(rows)
    tokens, owners, places = list(rows[0].tokens[:start]), [-1] * start, list(range(start))
    learned: list[tuple[int, int, float]] = []
    for owner, row in enumerate(rows):
        offset = len(tokens) - start  # from a place in the row to one in the sequence
        for place in range(len(row.tokens) - row.answer, len(row.tokens)):
            before = place - 1  # the state before a token predicts it
            learned.append((before if before < start else before + offset, row.tokens[place], row.weight))
        own = row.tokens[start:-1]
        tokens += own
        owners += [owner] * len(own)
        places += range(start, start + len(own))
    return Packed(tuple(tokens), tuple(places), tuple(owners), tuple(learned))


def read_at_once(rows: Sequence[Tokenised], together: int) -> list[list[Tokenised]]:
    """Parts of a batch that are packed: as many rows as fit into the tokens of ``together`` rows, one at least."""
    start, room = common_start(rows), together * TOKENS_A_ROW
    parts: list[list[Tokenised]] = []
    used = 0
    for row in rows:
        own = len(row.tokens) - start
        if not parts or used + own > room:
            parts.append([])
            used = start
        parts[-1].append(row)
        used += own
    return parts


def common_start(rows: Sequence[Tokenised]) -> int:
    """How many tokens all prompts begin with alike."""
    prompts = [row.tokens[: len(row.tokens) - row.answer] for row in rows]
    first, last = min(prompts), max(prompts)
    pairs = zip(first, last, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(first), len(last)))


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
