"""Reads Parquet files through pyarrow, which has no types of its own: the few calls used are typed here."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

from shopfloor.errors import ImportRejectedError
from shopfloor.store.importer.readers import BATCH_ROWS, BadRow, Row


class _Column(Protocol):
    def to_pylist(self) -> list[object]: ...


class _Batch(Protocol):
    columns: Sequence[_Column]


class _Schema(Protocol):
    names: Sequence[str]


class _Metadata(Protocol):
    num_rows: int


class _File(AbstractContextManager["_File"], Protocol):
    schema_arrow: _Schema
    metadata: _Metadata

    def iter_batches(self, *, batch_size: int, use_threads: bool) -> Iterator[_Batch]: ...


class _Parquet(Protocol):
    def ParquetFile(self, path: Path) -> _File: ...


class ParquetSource:
    """A Parquet file; the line of a row is its number."""

    def __init__(self, path: Path) -> None:
        # pyarrow takes 0.3 s and 60 MB: only a shop with Parquet files pays for it.
        self._parquet = cast(_Parquet, importlib.import_module("pyarrow.parquet"))
        self._failures = _failures()
        self._path = path
        self.label = path.name
        try:
            with self._parquet.ParquetFile(path) as file:
                self.columns: Sequence[str] = list(file.schema_arrow.names)
                self.total: int | None = int(file.metadata.num_rows)
        except self._failures as error:
            raise ImportRejectedError(f"{path.name} is not a readable Parquet file ({error}).") from error

    def rows(self) -> Iterator[Row | BadRow]:
        """Rows, 10,000 at a time."""
        line = 0
        try:
            with self._parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                    for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        line += 1
                        yield Row(line, cells)
        except self._failures as error:
            raise ImportRejectedError(f"{self.label} is damaged after row {line} ({error}).") from error


def _failures() -> tuple[type[Exception], ...]:
    arrow = importlib.import_module("pyarrow")
    return (cast("type[Exception]", arrow.ArrowException), OSError)
