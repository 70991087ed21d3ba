"""A sparse matrix of sums, row by row: what goes with what. Memory grows with what was seen, never with rows squared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sparse:
    """Columns and values of each row: those of row i stand from ``starts[i]`` to ``starts[i + 1]``."""

    starts: Ints
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    width: int

    @classmethod
    def summed(cls, rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> Self:
        """From (row, column, value) triples in any order; those of one place are added up."""
        key = rows * shape[1] + columns
        order = np.argsort(key, kind="stable")
        key = key[order]
        begins = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.zeros(0, np.int64)
        sums = np.add.reduceat(values[order], begins) if len(begins) else np.zeros(0)
        places = key[begins]
        starts = np.searchsorted(places, np.arange(shape[0] + 1) * shape[1])
        return cls(starts.astype(np.int64), (places % shape[1]).astype(np.int32), sums.astype(np.float32), shape[1])

    def row(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Columns and values of one row."""
        part = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return self.columns[part], self.values[part]

    def mixed(self, rows: Sequence[int] | Ints, weights: Sequence[float] | Floats) -> Floats:
        """The weighted sum of some rows, shape (width,)."""
        out = np.zeros(self.width, dtype=np.float64)
        for number, weight in zip(rows, weights, strict=True):
            columns, values = self.row(int(number))
            out[columns] += float(weight) * values
        return out
