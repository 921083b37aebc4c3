"""Batches for `fit`: shuffled by seed, the same for every configuration that shares seed and batch size.

With several replicas a last, smaller batch would be split unevenly and each replica's mean would
count the same. Such a batch is padded with rows of weight zero and its real rows are weighted up,
which makes the gradient equal to that of one device. Activity penalties and batch normalisation have
no weights: they see the padded rows, so that a last uneven batch moves their losses by about 1e-3.

A model with a training step of its own gets no weights: it is trained on one device (`aetfx.training.step`), and
where it is fed rows alone there are no targets either.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def batches(
    x: np.ndarray, y: np.ndarray, *, batch_size: int, seed: int, replicas: int = 1, feeding: str = "pairs"
) -> Any:
    """Returns an endless `tf.data.Dataset` of epochs; one epoch is ceil(n / batch_size) batches.

    Args:
      x: rows as fed, float32 (n, *shape), kept in memory.
      y: targets of the same shape; may be the same array.
      batch_size: global batch.
      seed: decides the order of the rows.
      replicas: devices that share each batch.
      feeding: "pairs" of rows and targets, or "rows" alone.
    """
    import tensorflow as tf

    n_rows = len(x)
    inputs = tf.constant(x)
    targets = inputs if y is x else tf.constant(y)
    pad = needs_padding(n_rows, batch_size, replicas)
    padded_size = math.ceil(min(batch_size, n_rows) / replicas) * replicas

    def gather(index: Any) -> Any:
        if not pad:
            rows = tf.gather(inputs, index)
            if feeding == "rows":
                return rows
            return rows, rows if y is x else tf.gather(targets, index)
        n_real = tf.shape(index)[0]
        index = tf.gather(index, tf.math.floormod(tf.range(padded_size), n_real))
        weight = tf.where(tf.range(padded_size) < n_real, tf.cast(padded_size / n_real, tf.float32), 0.0)
        return tf.gather(inputs, index), tf.gather(targets, index), weight

    def epoch(number: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(tf.range(n_rows), seed=tf.stack([seed, number]))
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    # Not `Dataset.shuffle`: its order also depends on how the data set is distributed and on earlier iterators.
    orders = tf.data.Dataset.counter().flat_map(epoch)
    options = tf.data.Options()
    options.deterministic = True
    # Rows are in memory: one thread is enough, and starting a pool for each iterator is what costs.
    options.threading.private_threadpool_size = 1
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return orders.map(gather).prefetch(2).with_options(options)


def needs_padding(n_rows: int, batch_size: int, replicas: int) -> bool:
    """Whether some batch of an epoch cannot be split evenly over the replicas."""
    batch_size = min(batch_size, n_rows)
    return replicas > 1 and (batch_size % replicas != 0 or (n_rows % batch_size) % replicas != 0)


def updates_per_epoch(n_rows: int, batch_size: int) -> int:
    """Number of optimizer updates in one epoch."""
    return math.ceil(n_rows / batch_size)
