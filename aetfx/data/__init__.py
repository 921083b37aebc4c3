"""Where rows come from: sources, rows in memory, splits. Knows nothing of models.

`open_source` reads files shard by shard, `load` and `rows_from` bring rows into memory,
`aetfx.data.split` says which rows are held out.
"""

from aetfx.data.rows import Rows, load, rows_from, write_array
from aetfx.data.sources import open_source
from aetfx.data.sources.base import Batch, Quarantined, Shard, Source

__all__ = ["Batch", "Quarantined", "Rows", "Shard", "Source", "load", "open_source", "rows_from", "write_array"]
