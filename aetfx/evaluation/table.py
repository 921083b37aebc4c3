"""`evaluation.parquet`: scores in long form, one row per configuration, seed, split, slice, feature and metric."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aetfx.run import atomic

if TYPE_CHECKING:
    import pyarrow as pa


def schema() -> pa.Schema:
    """Returns the columns of DESIGN section 8."""
    import pyarrow as pa

    return pa.schema(
        [
            *((name, pa.string()) for name in ("configuration", "name")),
            ("seed", pa.int64()),
            *((name, pa.string()) for name in ("split", "slice", "feature", "metric")),
            *((name, pa.float64()) for name in ("value", "low", "high")),
            ("n_rows", pa.int64()),
        ]
    )


def as_table(records: Sequence[dict[str, Any]]) -> pa.Table:
    """Returns records as a table; what a record lacks is null."""
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=schema())


def join(*tables: pa.Table) -> pa.Table:
    """Returns tables below each other."""
    import pyarrow as pa

    return pa.concat_tables(tables)


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a table atomically."""
    import pyarrow.parquet as pq

    with atomic(path) as temporary:
        pq.write_table(table, temporary)


def write_records(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Writes records; what a record lacks is null."""
    write_table(path, as_table(records))
