"""Rows as fed that are read from disk, block by block, while the model trains.

Each epoch takes the blocks in an order of its own, a few dozen at a time, so that rows from all files meet in one
buffer; the rows of a buffer are then shuffled. What a batch holds is decided by seed and epoch alone, and never by
which thread was first, so that an interrupted training goes on with the rows that it would have had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aetfx.data.shards import BLOCK_BYTES, DiskRows
from aetfx.preprocessing.fit import Preprocessing

_BUFFER_BYTES = 32 << 20
READERS = 2  # buffers that are read ahead side by side


@dataclass(frozen=True)
class DiskFeed:
    """Rows as fed, float32, in the order of their source.

    Attributes:
      rows: raw, on disk.
      preprocessing: fitted.
      impute: whether missing cells are filled.
    """

    rows: DiskRows
    preprocessing: Preprocessing
    impute: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows.shape

    def __getitem__(self, chosen: slice) -> np.ndarray:
        """Returns the first rows."""
        if chosen.start or chosen.step or chosen.stop is None:
            raise ValueError("only the first rows of a feed from disk can be had")
        return self.prepare(self.rows.head(chosen.stop))

    def prepare(self, raw: np.ndarray) -> np.ndarray:
        """Brings raw rows into the form that the model is fed."""
        if self.preprocessing.identity and raw.dtype == np.float32:
            return raw
        return self.preprocessing.apply(raw, impute=self.impute).astype(np.float32, copy=False)


def disk_batches(x: DiskFeed, y: DiskFeed, *, batch_size: int, seed: int, first: int = 0, epoch: Any = None) -> Any:
    """Returns an endless `tf.data.Dataset` of batches (rows, targets); one epoch is ceil(n / batch_size) of them.

    Args:
      x: rows as fed.
      y: targets; may be the same feed.
      batch_size: global batch.
      seed: decides the order of the rows.
      first: number of the first epoch.
      epoch: a variable (int64) with the number of the one epoch that is given; None for all of them.
    """
    import tensorflow as tf

    blocks_at_once = max(1, _BUFFER_BYTES // BLOCK_BYTES)
    n_blocks = len(x.rows.blocks)

    def buffer(number: np.ndarray, place: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = np.random.default_rng([seed, int(number), int(place)])
        rows = np.concatenate([x.rows.read(int(block)) for block in chosen])
        mixed = order.permutation(len(rows))
        fed = x.prepare(rows[mixed])
        if y is x:
            return fed, fed[:0]
        asked = rows if y.rows is x.rows else np.concatenate([y.rows.read(int(block)) for block in chosen])
        return fed, y.prepare(asked[mixed])

    def one_epoch(number: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(tf.range(n_blocks), seed=tf.stack([seed, number]))
        groups = tf.data.Dataset.from_tensor_slices(order).batch(blocks_at_once).enumerate()

        def read(place: Any, chosen: Any) -> Any:
            rows, asked = tf.numpy_function(buffer, [number, place, chosen], (tf.float32, tf.float32))
            rows = tf.ensure_shape(rows, (None, *x.shape[1:]))
            return (rows, rows) if y is x else (rows, tf.ensure_shape(asked, (None, *y.shape[1:])))

        return groups.map(read, num_parallel_calls=READERS, deterministic=True).rebatch(batch_size)

    if epoch is None:
        return tf.data.Dataset.counter(first).flat_map(one_epoch)
    return tf.data.Dataset.range(1).flat_map(lambda _: one_epoch(epoch.read_value()))
