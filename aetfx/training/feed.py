"""Batches for `fit`: shuffled by seed, the same for every configuration that shares seed and batch size.

With several replicas a batch that cannot be split evenly would be split unevenly, and each replica's mean would
count the same. The rows of such a batch are repeated, all of them equally often, until it can be: its means are those
of one device, in the loss, in penalties on activities and in batch normalisation. A last batch costs little by that;
where every batch is repeated, replicas save less time than they could (`aetfx.training.workshop` tells).

A model with a training step of its own gets no weights: it is trained on one device (`aetfx.training.step`), and
where it is fed rows alone there are no targets either.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from aetfx.training.disk_feed import READERS, DiskFeed, disk_batches
from aetfx.training.execution import Execution, executions, shuffled

Feed = np.ndarray | DiskFeed

_MOST_STEPS_AT_ONCE = 256  # so that a huge epoch still reports progress and can be interrupted


def run_epochs(
    model: Any,
    x: Feed,
    y: Feed,
    *,
    batch_size: int,
    seed: int,
    epochs: int,
    first: int = 0,
    done: int = 0,
    replicas: int = 1,
    feeding: str = "pairs",
    execution: Execution | None = None,
    callbacks: Sequence[Any] = (),
) -> list[Any]:
    """Fits a model that is compiled with `steps_at_once`, ceil(n / batch_size) updates an epoch.

    Args:
      model: compiled.
      x, y, batch_size, seed, replicas, feeding: see `batches`.
      epochs: the last one.
      first: epochs that were trained before.
      done: updates of the next epoch that were; a multiple of `steps_at_once`.
      execution: the model's own programs for rows in memory; None leaves the loop to Keras.
      callbacks: of Keras.

    Returns:
      The `History` of each call of `fit`.
    """
    import keras
    import tensorflow as tf

    updates = updates_per_epoch(len(x), batch_size)
    if execution is not None and isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return _run_programs(
            model, x, y, execution, callbacks, batch_size=batch_size, seed=seed, first=first, done=done, epochs=epochs
        )
    settings: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "replicas": replicas, "feeding": feeding}
    if updates <= _MOST_STEPS_AT_ONCE:  # an epoch is one call, and one iterator serves them all
        data = batches(x, y, **settings, first=first)
        return [_fit(model, data, first, epochs, updates, callbacks)] if first < epochs else []
    # `fit` runs whole executions of an endless data set (Keras 3.15: 4 x 256 updates where 938 were asked for); it
    # stops in time only where the data end.
    number = tf.Variable(0, dtype=tf.int64, trainable=False)
    told = [keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: number.assign(epoch)), *callbacks]
    found = []
    if done:
        rest = batches(x, y, **settings, epoch=number, skip=done)
        found.append(_fit(model, rest, first, first + 1, None, told))
        first += 1
    if first < epochs and not model.stop_training:
        found.append(_fit(model, batches(x, y, **settings, epoch=number), first, epochs, None, told))
    return found


def run_parts(
    model: Any,
    x: Feed,
    y: Feed,
    *,
    batch_size: int,
    seed: int,
    parts: int,
    updates: int,
    replicas: int = 1,
    feeding: str = "pairs",
    execution: Execution | None = None,
) -> Any:
    """Fits a model for parts of equally many updates, which need not be epochs, and returns their `History`.

    Args:
      updates: of a part; a multiple of the model's `steps_per_execution`.
      others: see `run_epochs`.
    """
    if execution is not None and isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        with _programs(model, execution, x, y, batch_size, seed):
            return _fit(model, _counted(0), 0, parts, updates, ())
    data = batches(x, y, batch_size=batch_size, seed=seed, replicas=replicas, feeding=feeding)
    return _fit(model, data, 0, parts, updates, ())


def _run_programs(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    execution: Execution,
    callbacks: Sequence[Any],
    *,
    batch_size: int,
    seed: int,
    first: int,
    done: int,
    epochs: int,
) -> list[Any]:
    """Fits as `run_epochs` does, with whole executions as programs."""
    updates, at_once = updates_per_epoch(len(x), batch_size), model.steps_per_execution
    an_epoch = executions(len(x), at_once * batch_size)
    found = []
    with _programs(model, execution, x, y, batch_size, seed):
        if done:
            rest = _counted(first * an_epoch + done // at_once)
            found.append(_fit(model, rest, first, first + 1, updates - done, callbacks))
            first += 1
        if first < epochs and not (done and model.stop_training):
            found.append(_fit(model, _counted(first * an_epoch), first, epochs, updates, callbacks))
    return found


@contextlib.contextmanager
def _programs(
    model: Any, execution: Execution, x: np.ndarray, y: np.ndarray, batch_size: int, seed: int
) -> Iterator[None]:
    """Lets `fit` run programs of many updates, which take the rows themselves."""
    before = model.train_function
    model.train_function = execution.over(x, y, batch_size=batch_size, seed=seed)
    try:
        yield
    finally:
        model.train_function = before


def _counted(first: int) -> Any:
    """Returns an endless `tf.data.Dataset` of the numbers of executions."""
    import tensorflow as tf

    return tf.data.Dataset.counter(first).with_options(_untuned())


def _fit(model: Any, data: Any, first: int, epochs: int, length: int | None, callbacks: Sequence[Any]) -> Any:
    return model.fit(
        data,
        initial_epoch=first,
        epochs=epochs,
        steps_per_epoch=length,
        shuffle=False,  # the feed shuffles
        verbose=0,
        callbacks=[*callbacks],
    )


def batches(
    x: Feed,
    y: Feed,
    *,
    batch_size: int,
    seed: int,
    replicas: int = 1,
    feeding: str = "pairs",
    first: int = 0,
    epoch: Any = None,
    skip: int = 0,
) -> Any:
    """Returns an endless `tf.data.Dataset` of epochs; one epoch is ceil(n / batch_size) batches.

    Args:
      x: rows as fed, float32 (n, *shape), in memory or on disk.
      y: targets of the same shape and kind; may be the same.
      batch_size: global batch.
      seed: decides the order of the rows.
      replicas: devices that share each batch.
      feeding: "pairs" of rows and targets, or "rows" alone.
      first: number of the first epoch.
      epoch: a variable (int64) with the number of the one epoch that is given; None for all of them.
      skip: batches to leave out at the beginning.
    """
    import tensorflow as tf

    n_rows = len(x)
    full, last = _batch_sizes(n_rows, batch_size)

    def repeated(rows: Any, asked: Any) -> Any:
        count = tf.shape(rows)[0]
        times = tf.where(count == full, repeats(full, replicas), repeats(last, replicas))
        index = tf.tile(tf.range(count), [times])
        return tf.gather(rows, index), tf.gather(asked, index), tf.fill([count * times], 1 / tf.cast(times, tf.float32))

    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        found = _memory_batches(x, y, batch_size=batch_size, seed=seed, first=first, epoch=epoch)
    else:
        assert isinstance(x, DiskFeed)
        assert isinstance(y, DiskFeed)
        found = disk_batches(x, y, batch_size=batch_size, seed=seed, first=first, epoch=epoch)
    if epoch is not None:
        found = found.apply(tf.data.experimental.assert_cardinality(updates_per_epoch(n_rows, batch_size)))
    found = found.skip(skip) if skip else found
    if needs_padding(n_rows, batch_size, replicas):
        found = found.map(repeated)
    elif feeding == "rows":
        found = found.map(lambda rows, asked: rows)
    in_memory = isinstance(x, np.ndarray)
    options = _untuned() if in_memory else tf.data.Options()
    options.deterministic = True
    # For rows in memory one thread is enough, and starting a pool for each iterator is what costs.
    options.threading.private_threadpool_size = 1 if in_memory else READERS
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return found.prefetch(2).with_options(options)


def _untuned() -> Any:
    """Returns options without autotuning, which has nothing to tune of rows in memory.

    An iterator that ends may wait for its tuner to wake up, which sleeps 10 ms, 20 ms, 40 ms and so on: one training in
    four took up to twice its time (TensorFlow 2.16).
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _memory_batches(x: np.ndarray, y: np.ndarray, *, batch_size: int, seed: int, first: int, epoch: Any) -> Any:
    """Returns an endless data set of batches (rows, targets) of arrays; see `batches`."""
    import tensorflow as tf

    inputs = tf.constant(x)
    targets = inputs if y is x else tf.constant(y)

    def gather(index: Any) -> Any:
        rows = tf.gather(inputs, index)
        return rows, rows if y is x else tf.gather(targets, index)

    def of_epoch(number: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(shuffled(len(x), seed, number)).batch(batch_size)

    # Not `Dataset.shuffle`: its order also depends on how the data set is distributed and on earlier iterators.
    if epoch is None:
        return tf.data.Dataset.counter(first).flat_map(of_epoch).map(gather)
    return tf.data.Dataset.range(1).flat_map(lambda _: of_epoch(epoch.read_value())).map(gather)


def needs_padding(n_rows: int, batch_size: int, replicas: int) -> bool:
    """Whether some batch of an epoch cannot be split evenly over the replicas."""
    return any(repeats(size, replicas) > 1 for size in _batch_sizes(n_rows, batch_size))


def _batch_sizes(n_rows: int, batch_size: int) -> tuple[int, int]:
    """Returns the sizes of all batches of an epoch but the last, and of the last."""
    full = min(batch_size, n_rows)
    return full, n_rows % full or full


def repeats(size: int, replicas: int) -> int:
    """Returns how often each row of a batch must stand there for the replicas to get equally many.

    >>> repeats(16, 4), repeats(10, 4), repeats(5, 4)
    (1, 2, 4)
    """
    return replicas // math.gcd(size, replicas)


def steps_at_once(n_rows: int, batch_size: int) -> int:
    """Returns how many updates one call into TensorFlow runs: an epoch, or an even part of a long one."""
    updates = updates_per_epoch(n_rows, batch_size)
    return math.ceil(updates / math.ceil(updates / _MOST_STEPS_AT_ONCE))


def updates_per_epoch(n_rows: int, batch_size: int) -> int:
    """Number of optimizer updates in one epoch."""
    return math.ceil(n_rows / batch_size)
