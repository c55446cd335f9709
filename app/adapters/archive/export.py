"""Ledger rows or usage groups as JSON, CSV or Parquet.

Parquet is written by arro3 (Apache's Rust implementation; two wheels of 12 MB together, no further
dependencies), an extra: pyarrow is 55 MB, and every other small writer is new or needs pandas.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from importlib import import_module
from itertools import islice
from typing import IO, Any, Final

import msgspec
from msgspec import structs

from app.adapters.archive.csv_cell import cell
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import UsageGroup, UsageSums

_BATCH: Final = 10_000
#: Of Parquet's integers.
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_FLOATS: Final = frozenset({"at", "started_at", "duration", "time_to_first_token"})
_BOOLEANS: Final = frozenset({"stream"})

Record = Mapping[str, Any]


class Format(StrEnum):
    """What can be written; a closed set."""

    JSON = "json"  # one array
    CSV = "csv"
    PARQUET = "parquet"


class ParquetUnavailable(Exception):
    """No Parquet writer is installed."""

    def __init__(self) -> None:
        super().__init__(
            "Parquet needs the packages arro3-core and arro3-io: pip install 'spillgate[parquet]', "
            "or ask for csv or json"
        )


class Table(msgspec.Struct, frozen=True):
    """Records with these columns, in this order; all that are not whole numbers are named so."""

    columns: tuple[str, ...]
    texts: frozenset[str]
    records: Iterable[Record]


def rows_table(rows: Iterable[LedgerRow]) -> Table:
    """Rows as records. `month` is added; `flags` are joined by spaces, `tags` a JSON object."""
    numbers = {each.name for each in structs.fields(LedgerRow) if each.type in {int, int | None}}
    columns = (*LedgerRow.__struct_fields__, "month")
    texts = frozenset(columns) - numbers - _FLOATS - _BOOLEANS
    return Table(columns, texts, (row_record(row) for row in rows))


def groups_table(groups: Sequence[UsageGroup], group_by: Sequence[str]) -> Table:
    """Groups as records: their values, then their sums."""
    sums = tuple(each.name for each in fields(UsageSums))
    records = ({**group.values, **asdict(group.usage)} for group in groups)
    return Table((*group_by, *sums), frozenset(group_by), records)


def export(table: Table, form: Format, target: IO[bytes]) -> int:
    """Write the table as it is read, in bounded memory; how many records it had.

    Raises ParquetUnavailable before anything is written or read.
    """
    writers = {Format.JSON: _json, Format.CSV: _csv, Format.PARQUET: _parquet}
    return writers[form](table, target)


def row_record(row: LedgerRow) -> dict[str, Any]:
    """A row's values by column; see `rows_table`."""
    tags = msgspec.json.encode(row.tags).decode()
    values = {**structs.asdict(row), "kind": row.kind.value, "month": row.month}
    return {**values, "flags": " ".join(row.flags), "tags": tags}


def _json(table: Table, target: IO[bytes]) -> int:
    written = 0
    for record in table.records:
        target.write(b"[\n" if written == 0 else b",\n")
        target.write(msgspec.json.encode(_nested(record)))
        written += 1
    target.write(b"\n]\n" if written else b"[]\n")
    return written


def _nested(record: Record) -> Record:
    """JSON has lists and objects where tables have text."""
    if "tags" not in record or "flags" not in record:
        return record
    flags = record["flags"].split()
    return {**record, "flags": flags, "tags": msgspec.Raw(record["tags"].encode())}


def _csv(table: Table, target: IO[bytes]) -> int:
    """RFC 4180, UTF-8, with a header; no cell is a formula: tags are the callers' own."""
    text = io.TextIOWrapper(target, "utf-8", newline="", write_through=True)
    written = 0
    try:
        writer = csv.writer(text)
        writer.writerow(map(cell, table.columns))
        for record in table.records:
            writer.writerow([cell(record[name]) for name in table.columns])
            written += 1
    finally:
        text.detach()
    return written


def _parquet(table: Table, target: IO[bytes]) -> int:
    core, files = _arro3()
    schema = core.Schema([core.Field(name, _type(core, table, name)) for name in table.columns])
    count = _Count()
    batches = _record_batches(core, schema, table, count)
    reader = core.RecordBatchReader.from_batches(schema, batches)
    files.write_parquet(reader, target, compression="zstd(3)")
    return count.records


@dataclass(slots=True)
class _Count:
    records: int = 0


def _record_batches(core: Any, schema: Any, table: Table, count: _Count) -> Iterator[Any]:
    records = iter(table.records)
    while batch := list(islice(records, _BATCH)):
        count.records += len(batch)
        columns = [
            core.Array([_fitting(record[name]) for record in batch], type=schema.field(name).type)
            for name in table.columns
        ]
        yield core.RecordBatch.from_arrays(columns, schema=schema)


def _fitting(value: Any) -> Any:
    """The value; the nearest integer of 64 bits where a defective upstream told of more."""
    return min(_MOST, max(_LEAST, value)) if type(value) is int else value


def _type(core: Any, table: Table, name: str) -> Any:
    if name in table.texts:
        return core.DataType.string()
    if name in _FLOATS:
        return core.DataType.float64()
    return core.DataType.bool() if name in _BOOLEANS else core.DataType.int64()


def _arro3() -> tuple[Any, Any]:
    """The packages, imported by name: they are an extra."""
    try:
        return import_module("arro3.core"), import_module("arro3.io")
    except ImportError:
        raise ParquetUnavailable from None
