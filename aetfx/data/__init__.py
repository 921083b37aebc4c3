"""Where rows come from: sources, rows in memory, splits. Knows nothing of models.

`open_source` reads files shard by shard, `load` and `rows_from` bring rows into memory,
`aetfx.data.split` says which rows are held out. Each name is imported when it is first used (PEP 562): a
mistyped path is answered by `aetfx.data.files`, which needs neither NumPy nor Arrow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetfx.data.rows import Rows, load, rows_from, write_array
    from aetfx.data.sources import open_source
    from aetfx.data.sources.base import Batch, Quarantined, Shard, Source

_HOMES = {
    "Batch": "aetfx.data.sources.base",
    "Quarantined": "aetfx.data.sources.base",
    "Rows": "aetfx.data.rows",
    "Shard": "aetfx.data.sources.base",
    "Source": "aetfx.data.sources.base",
    "load": "aetfx.data.rows",
    "open_source": "aetfx.data.sources",
    "rows_from": "aetfx.data.rows",
    "write_array": "aetfx.data.rows",
}

__all__ = ["Batch", "Quarantined", "Rows", "Shard", "Source", "load", "open_source", "rows_from", "write_array"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aetfx.data' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
