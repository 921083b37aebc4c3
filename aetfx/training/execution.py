"""Many updates in one program: Keras's own training step together with the loop over the batches, with XLA.

Where only `steps_per_execution` is set, TensorFlow starts a program for each update and `tf.data` hands over each
batch; of small models that is most of the time. Here the data set only counts executions, and the program takes the
rows out of memory itself. Measured for a dense 64-64-4-64-64 model and batches of 64 (TensorFlow 2.16, processor time
per update): plain `fit` 1.3 ms, `steps_per_execution` 0.64 ms, with XLA for each step 0.43 ms, in one program 0.08 ms;
the last two come to the same weights, to the last bit.

On a CPU XLA's matrix products are slower than TensorFlow's. Where they are most of the work, XLA compiles the
optimizer's part alone, which TensorFlow would take through memory a dozen times: 784-128-16-128-784, batches of 64,
one process for each core: 2.0 ms in one program, 1.1 ms so (`docs/decisions/021-many-updates-in-one-program.md`).

Terms: an *execution* is one call into TensorFlow, of `steps_at_once` updates or what is left of an epoch.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aetfx.quiet import quiet_imports

# Multiplications of kernels in one pass of a batch from which TensorFlow's products are worth what it costs to start
# them. Of 35 dense models and batches the smaller ones took up to a third of the time in one program; from 3 to 4
# million on XLA shares its products among threads, which costs more than it brings beside other trainings.
_LARGE_PRODUCTS = 4_000_000


class Execution:
    """The programs of one model: of many whole batches, and of the smaller batch that may be left.

    Args:
      model: compiled with `steps_per_execution`, its optimizer built; of one device, fed with pairs.
      multiplications: of its kernels, in one pass of a whole batch (`aetfx.models.work`).
    """

    def __init__(self, model: Any, multiplications: int):
        import tensorflow as tf

        _start_compiler()
        whole = multiplications < _LARGE_PRODUCTS

        def update(inputs: Any, targets: Any, index: Any) -> None:
            rows = tf.gather(inputs, index)
            with contextlib.nullcontext() if whole else _compiled(model.optimizer):
                model.train_step((rows, rows if targets is None else tf.gather(targets, index)))

        def many(inputs: Any, targets: Any, order: Any, count: Any) -> None:
            def body(number: Any) -> list[Any]:
                update(inputs, targets, order[number])
                return [number + 1]

            tf.while_loop(lambda number: number < count, body, [0])

        self._model = model
        self._many = tf.function(many, jit_compile=whole or None, autograph=False)
        self._one = tf.function(update, jit_compile=whole or None, autograph=False)

    def over(self, x: np.ndarray, y: np.ndarray, *, batch_size: int, seed: int) -> Callable[[Any], dict[str, Any]]:
        """Returns what takes the place of a model's `train_function`, for an iterator over the numbers of executions.

        Args:
          x: rows as fed, float32 (n, *shape).
          y: targets of the same shape; may be the same array.
          batch_size: of an update.
          seed: decides the order of the rows.
        """
        import tensorflow as tf

        inputs = tf.constant(x)
        targets = None if y is x else tf.constant(y)
        at_once = self._model.steps_per_execution
        rows_at_once = at_once * batch_size
        an_epoch = executions(len(x), rows_at_once)
        known: tuple[int, Any] = -1, None

        def execute(iterator: Any) -> dict[str, Any]:
            nonlocal known
            epoch, part = divmod(int(next(iterator)), an_epoch)
            if known[0] != epoch:
                known = epoch, shuffled(len(x), seed, epoch)
            order = known[1][part * rows_at_once : (part + 1) * rows_at_once]
            count = len(order) // batch_size
            if count:  # always as many rows as in a full execution, so that this is compiled once
                whole = tf.pad(order[: count * batch_size], [[0, (at_once - count) * batch_size]])
                self._many(inputs, targets, tf.reshape(whole, (at_once, batch_size)), tf.constant(count))
            if len(order) % batch_size:
                self._one(inputs, targets, order[count * batch_size :])
            return dict(self._model.get_metrics_result())

        return execute


@functools.cache
def _start_compiler() -> None:
    """Starts XLA, which logs that it is there, whatever `TF_CPP_MIN_LOG_LEVEL` says (TensorFlow 2.16)."""
    import tensorflow as tf

    with quiet_imports():
        tf.function(lambda number: number + 1, jit_compile=True, autograph=False)(tf.constant(1))


@contextlib.contextmanager
def _compiled(optimizer: Any) -> Iterator[None]:
    """While a training step is traced: lets XLA compile the optimizer's part of it."""
    import tensorflow as tf

    plain = optimizer.apply

    def apply(gradients: Any, variables: Any) -> None:
        tf.function(lambda given: plain(given, variables), jit_compile=True, autograph=False)(list(gradients))

    optimizer.apply = apply
    try:
        yield
    finally:
        del optimizer.apply


def executions(n_rows: int, rows_at_once: int) -> int:
    """Returns how many executions make an epoch."""
    return math.ceil(n_rows / rows_at_once)


def shuffled(n_rows: int, seed: int, epoch: Any) -> Any:
    """Returns the order of the rows in an epoch, int32 (n,): of seed and epoch alone, whatever came before."""
    import tensorflow as tf

    return tf.random.experimental.stateless_shuffle(tf.range(n_rows), seed=tf.stack([seed, epoch]))
