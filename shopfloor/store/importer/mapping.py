"""Which column of a file holds which field, and the reading of one row by that plan."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopfloor.errors import ImportRejectedError
from shopfloor.store.importer import values
from shopfloor.store.importer.readers import Row, Source
from shopfloor.store.importer.report import FileReport, IssueLog
from shopfloor.store.importer.tables import TABLES, Field, Table, Value

Record = dict[str, Value]
ATTRIBUTES_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each field is (index of its column).

    ``present``: fields that the file has a column for; ``extra`` columns become attributes, ``unused`` ones nothing.
    """

    table: Table
    fields: tuple[tuple[Field, int], ...]
    extra: tuple[tuple[str, int], ...]
    price_index: int | None
    present: frozenset[str]
    unused: tuple[str, ...]


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Every key must be ``table.field``.

    Raises:
        ImportRejectedError: naming the key and what there is.
    """
    tables = {table.name: table for table in TABLES}
    for key in mapping:
        table_name, _, column = key.partition(".")
        table = tables.get(table_name)
        if table is None:
            raise ImportRejectedError(f"--map {key}: there is no table '{table_name}'; there are {', '.join(tables)}.")
        known = {name for field in table.fields for name in (field.name, *field.also)}
        if column not in known:
            names = ", ".join(sorted(field.name for field in table.fields))
            raise ImportRejectedError(f"--map {key}: {table_name} has no column '{column}'; it has {names}.")


def make_plan(table: Table, source: Source, mapping: Mapping[str, str]) -> Plan:
    """Match the file's columns with the table's fields: mapped ones, then same names, then known other names.

    Raises:
        ImportRejectedError: a mapped column is absent, or a required field has no column.
    """
    columns = list(source.columns)
    taken: dict[str, int] = {}
    for field in table.fields:
        wanted = next((mapping[f"{table.name}.{name}"] for name in (field.name, *field.also)
                       if f"{table.name}.{name}" in mapping), None)  # fmt: skip
        if wanted is not None:
            if wanted not in columns:
                raise ImportRejectedError(
                    f"{source.label} has no column '{wanted}' for {table.name}.{field.name}; "
                    f"it has {', '.join(columns)}."
                )
            taken[field.name] = columns.index(wanted)
    _take_by_name(table, columns, taken)
    missing = next((field.name for field in table.fields if field.required and field.name not in taken), None)
    if missing is not None:
        raise ImportRejectedError(
            f"{source.label} has no column for '{missing}' (it has {', '.join(columns)}); "
            f"name it with --map {table.name}.{missing}=COLUMN."
        )
    used = set(taken.values())
    extra = tuple((name, index) for index, name in enumerate(columns) if index not in used and name)
    fields = tuple((field, taken[field.name]) for field in table.fields if field.name in taken)
    present = frozenset(taken)
    keeps_extra = table.attributes and not (table.name == "variants" and "options" in present)
    unused = () if keeps_extra else tuple(name for name, _ in extra)
    return Plan(table, fields, extra if keeps_extra else (), taken.get("price"), present, unused)


def read_record(plan: Plan, row: Row, file: FileReport, log: IssueLog) -> Record | None:
    """The row's fields, or None when it was rejected (and said so in ``log``)."""
    cells = row.cells
    record: Record = {}
    for field, index in plan.fields:
        try:
            value = field.read(cells[index])
        except ValueError as error:
            log.reject(file, row.line, f"{field.name} {error}")
            return None
        if value is None and field.required:
            log.reject(file, row.line, f"{field.name} is missing")
            return None
        if field.limit is not None and isinstance(value, str) and len(value) > field.limit:
            log.change(file, row.line, f"{field.name} had {len(value)} characters and was cut to {field.limit}")
            value = value[: field.limit].rstrip()
        record[field.name] = value
    if plan.table.attributes:
        attributes = _attributes(plan, cells)
        if len(attributes) > ATTRIBUTES_LIMIT:
            log.reject(file, row.line, f"has more than {ATTRIBUTES_LIMIT:,} characters in further columns")
            return None
        record["attributes"] = attributes
    return record


def _attributes(plan: Plan, cells: Sequence[object]) -> str:
    found = {name: values.attribute(cells[index]) for name, index in plan.extra}
    return values.dump({name: value for name, value in found.items() if value is not None})


def _take_by_name(table: Table, columns: Sequence[str], taken: dict[str, int]) -> None:
    by_name: dict[str, int] = {}
    for index, column in enumerate(columns):
        by_name.setdefault(_plain(column), index)
    used = set(taken.values())
    for exact in (True, False):
        for field in table.fields:
            if field.name in taken:
                continue
            names = (field.name,) if exact else field.also
            index = next((by_name[name] for name in names if by_name.get(name, -1) not in used | {-1}), None)
            if index is not None:
                taken[field.name] = index
                used.add(index)


def _plain(column: str) -> str:
    """``ProductCode`` and ``Product code`` both as ``product_code``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
