"""Training with plain Keras, and an own NumPy account of METHOD section 1's score; nothing here knows aetfx.

The score is the fraction of variance unexplained: pooled over the cells of tensors, the mean over columns of tables;
of deviance for binary rows. 1 = no better than the train mean, 0 = perfect; capped at 4.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.program import Case, Data, Program

CAP = 4.0
UNLIKE = 30.0  # range ratio above which columns are in unlike units
LEAST_DIFFERING = 0.05  # part of the rows that must differ from the median of a table's column
MARGIN = 1e-3  # of probabilities


def is_table(rows: np.ndarray) -> bool:
    """Whether flat rows have columns in unlike units."""
    rows = np.asarray(rows, np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2:
        return False
    low, high = np.nanpercentile(rows, [1, 99], axis=0)
    ranges = np.where(high > low, high - low, np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0))
    ranges = ranges[ranges > 0]
    return max(np.percentile(ranges, 90) / np.percentile(ranges, 10), ranges.max() / np.median(ranges)) > UNLIKE


def known_cells(rows: np.ndarray) -> np.ndarray:
    """Returns which cells are finite and hold no value that stands for "missing": one exact value in 0.5 % to half of
    the rows, beyond all others of its column and farther from them than their 1-99 % range. Columns with fewer than ten
    other values are codes, whose levels are no marks, but for a rare one that is five ranges off three or more, or a
    third one that three columns or more hold among yes and no, in a tenth of the rows at most, below 0 or above 2."""
    known = np.isfinite(rows)
    flat, out = rows.reshape(len(rows), -1).astype(np.float64), known.reshape(len(rows), -1)
    third = np.unique(flat[np.isfinite(flat) & (flat != 0) & (flat != 1)])
    if len(third) == 1 and not 0 <= third[0] <= 2:
        holds = (flat == third[0]).mean(axis=0)
        if (holds > 0).sum() >= 3 and holds.max() <= 0.1:
            out &= flat != third[0]
            return known
    for j in range(flat.shape[1]):
        column = flat[:, j]
        values, counts = np.unique(column[np.isfinite(column)], return_counts=True)
        for value in values[(counts >= 0.005 * len(column)) & (counts > 2) & (counts < 0.5 * len(column))]:
            rest = column[(column != value) & np.isfinite(column)]
            gap = max(rest.min() - value, value - rest.max())
            levels = len(np.unique(rest))
            ranges = 1 if levels >= 10 else 5 if levels >= 3 and len(rest) > 0.9 * len(column) else np.inf
            if gap > ranges * np.ptp(np.percentile(rest, [1, 99])) > 0:
                out[:, j] &= column != value
    return known


def is_squeezed(rows: np.ndarray, known: np.ndarray) -> bool:
    """Whether columns with a few gross cells have a third of the others' range or less.

    Gross are marks, and cells eight 5-95 % ranges off. Such rows were scaled with these cells in; pooled over columns
    their score would not see the rest of them any more.
    """
    if rows.ndim != 2:
        return False
    low, high = np.nanpercentile(known, [5, 95], axis=0)
    with np.errstate(invalid="ignore"):
        inside = (known >= low - 8 * (high - low)) & (known <= high + 8 * (high - low))
    share = (np.isfinite(rows) & ~inside).mean(axis=0)
    gross = (share > 0) & (share <= 0.1) & (high > low)
    inner = np.where(inside, known, np.nan)
    ranges = np.nanmax(inner, axis=0) - np.nanmin(inner, axis=0)
    others = ~gross & (ranges > 0)
    return bool(gross.any() and others.any() and 3 * np.median(ranges[gross]) <= np.median(ranges[others]))


def scored_columns(train: np.ndarray, *, table: bool) -> np.ndarray:
    """Returns which cells of a row vary enough in the train rows to be scored, bool (D,)."""
    flat = np.asarray(train, np.float64).reshape(len(train), -1)
    empty = ~np.isfinite(flat)
    middle = np.array([np.median(column[~gone]) if not gone.all() else 0.0
                       for column, gone in zip(flat.T, empty.T, strict=True)])  # fmt: skip
    differs = (np.abs(flat - middle) > 1e-7 * np.abs(middle)) & ~empty
    share = differs.sum(axis=0) / np.maximum((~empty).sum(axis=0), 1)
    return share >= LEAST_DIFFERING if table and not _is_binary(flat[:, share > 0]) else share > 0


def _is_binary(rows: np.ndarray) -> bool:
    return bool(np.isin(rows, (0.0, 1.0)).all())


def score(
    truth: np.ndarray,
    guess: np.ndarray,
    train_mean: np.ndarray,
    *,
    table: bool,
    scored: np.ndarray | None = None,
    whole: np.ndarray | None = None,
) -> float:
    """Scores predictions (n, ...) of fresh rows in the units of `truth`, over the `scored` cells (D,) of a row, and of
    these over those that are `whole`, bool (n, ...)."""
    truth = np.asarray(truth, np.float64).reshape(len(truth), -1)
    guess = np.asarray(guess, np.float64).reshape(len(guess), -1)
    mean = np.broadcast_to(np.asarray(train_mean, np.float64).reshape(1, -1), truth.shape)
    if not np.isfinite(guess).all():
        return CAP
    if whole is not None:  # a cell that counts for nothing is one that is given back, and was foreseen
        whole = whole.reshape(len(whole), -1)
        guess, mean = np.where(whole, guess, truth), np.where(whole, mean, truth)
    if scored is not None:
        truth, guess, mean = truth[:, scored], guess[:, scored], mean[:, scored]
    if _is_binary(truth):
        return min(CAP, _deviance(truth, guess) / _deviance(truth, mean))
    error, spread = np.square(guess - truth).mean(axis=0), np.square(truth - mean).mean(axis=0)
    if table:
        return float(np.minimum(error[spread > 0] / spread[spread > 0], CAP).mean())
    return float(min(CAP, error.sum() / spread.sum()))


def _deviance(truth: np.ndarray, p: np.ndarray) -> float:
    p = np.clip(p, MARGIN, 1 - MARGIN)
    return float(-(truth * np.log(p) + (1 - truth) * np.log1p(-p)).sum())


def judge(data: Data, predicted: np.ndarray) -> float:
    """Scores what a model gives back for `x_fresh`, in original units: the same yardstick for good and faulty."""
    return score(data.truth, data.restore(predicted), data.train_mean, table=data.table, scored=data.scored)


def judge_as_given(data: Data, predicted: np.ndarray) -> float:
    """Scores what a model gives back for `as_held_out`, in the units of the train rows: what a tool can promise that
    sees only the user's arrays. Rows that were scaled unlike those are brought to their scale first."""
    known = np.where(known_cells(data.x_train), data.x_train, np.nan)
    table = is_table(known) or is_squeezed(data.x_train, known)
    truth, mean = data.y_fresh, data.fed_mean
    if is_scaled_apart(data):
        assert data.feed is not None
        truth, mean, predicted = data.feed(data.truth), data.feed(data.train_mean), data.feed(data.restore(predicted))
    scored = scored_columns(known, table=table)
    return score(truth, predicted, mean, table=table, scored=scored, whole=_judged(data))


def is_scaled_apart(data: Data) -> bool:
    """Whether the held-out rows were scaled unlike the train rows."""
    if data.feed is None:
        return False
    same = data.feed(data.truth)
    return not np.allclose(np.where(np.isfinite(same), same, data.y_fresh), data.y_fresh, rtol=1e-3, atol=1e-3)


def _judged(data: Data) -> np.ndarray | None:
    """Returns which cells of the held-out rows are judged, None for all: not those that marks stand for; of rows with
    other damage, which their other cells cannot be read through, none while half of the rows have no such damage."""
    if data.x_worn is None or data.whole is None:
        return None
    known = known_cells(np.concatenate([data.x_train, data.x_worn]))[len(data.x_train) :]
    gross = (~data.whole & known).reshape(len(known), -1).any(axis=1)
    kept = data.whole.copy()
    if gross.mean() <= 0.5:
        kept[gross] = False
    return kept


def scores(
    model: Any,
    data: Data,
    draws: int,
    changed: Data | None = None,
    restore: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> dict[str, float]:
    """Returns the score of undamaged fresh rows in original units (`score`), and of rows like the user's (`as_given`).

    Args:
      draws: how often the model is asked; scores are averaged.
      changed: the rows as a fix feeds them, and `restore` takes what is given back to the units of `data`.
    """
    fed = changed or data

    def mean(judged: Callable[[Data, np.ndarray], float], rows: np.ndarray) -> float:
        answers = (restore(np.asarray(model.predict_on_batch(rows))) for _ in range(draws))
        return round(float(np.mean([judged(data, answer) for answer in answers])), 5)

    return {"score": mean(judge, fed.x_fresh), "as_given": mean(judge_as_given, fed.as_held_out)}


def targets(data: Data) -> np.ndarray:
    """Returns what the model is trained to give back."""
    return data.x_train if data.y_train is None else data.y_train


def plain_fit(program: Program, case: Case, data: Data, seed: int) -> tuple[Any, float]:
    """Builds and fits a case as its user does; returns the model and the wall seconds of the fit (T)."""
    import keras

    keras.utils.set_random_seed(seed)
    model = program.build(case)
    begun = time.perf_counter()
    model.fit(data.x_train, targets(data), verbose=0, **program.fit(case))
    return model, time.perf_counter() - begun


class Bench:
    """Trains cases of one program one after another, and scores them on the fresh rows.

    Cases that differ in rows, seed, learning rate or initial weights only are trained in one and the same compiled
    model, whose weights and optimizer are set to those of a fresh one. Without convolutions the steps of all epochs run
    in one XLA program around the model's own `train_step`: the same updates as `model.fit`, 40 times faster for 1,360
    steps of a 64-48-12-48-64 network, 15 times for an LSTM. Convolutions gain nothing and go through `model.fit`.
    """

    def __init__(self, program: Program):
        self.program = program
        self._models: dict[str, tuple[Any, list[np.ndarray], Any]] = {}

    def measure(self, case: Case, data: Data, seed: int) -> dict[str, float]:
        """Returns the score, the score in the user's units, and the processor seconds of the training."""
        import keras

        keras.utils.set_random_seed(seed)
        model, run = self._model(case)
        cpu = time.process_time()
        train(model, run, data, self.program.fit(case), seed)
        cpu = time.process_time() - cpu
        return {**scores(model, data, self.program.draws), "cpu_s": round(cpu, 2)}

    def _model(self, case: Case) -> tuple[Any, Any]:
        fresh = self.program.build(case)
        fixed = {name: value for name, value in case.build.items() if name not in ("learning_rate", "initializer")}
        key = repr(sorted(fixed.items()))
        if key not in self._models:
            fresh.optimizer.build(fresh.trainable_variables)
            start = [np.array(variable) for variable in fresh.optimizer.variables]
            self._models[key] = fresh, start, compiled_loop(fresh) if without_convolutions(fresh) else None
            return fresh, self._models[key][2]
        model, start, run = self._models[key]
        model.set_weights(fresh.get_weights())
        for variable, value in zip(model.optimizer.variables, start, strict=True):
            variable.assign(value)
        model.optimizer.learning_rate.assign(float(fresh.optimizer.learning_rate))
        return model, run


def train(model: Any, run: Any, data: Data, fit: dict[str, Any], seed: int) -> None:
    """Fits a model, in its compiled loop where it has one."""
    if run is None:
        model.fit(data.x_train, targets(data), verbose=0, **fit)
        return
    rows = np.tile(np.arange(len(data.x_train), dtype=np.int32), (fit["epochs"], 1))
    order = np.random.default_rng(seed).permuted(rows, axis=1)
    run(data.x_train, targets(data), order, fit["batch_size"])


def without_convolutions(model: Any) -> bool:
    """Whether a model gains from the compiled loop: XLA's convolutions are slow on a processor."""
    found = model._flatten_layers(include_self=False, recursive=True)
    return not any("Conv" in type(layer).__name__ for layer in found)


def compiled_loop(model: Any) -> Any:
    """Returns `run(x, y, order, batch_size)`, which makes one update for each batch of each row of `order`."""
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def loop(x: Any, y: Any, order: Any, batch_size: int) -> Any:
        full = order.shape[1] // batch_size

        def update(rows: Any) -> None:
            model.train_step((tf.gather(x, rows), tf.gather(y, rows)))

        def epoch(number: Any) -> Any:
            rows = order[number]

            def step(i: Any) -> Any:
                update(tf.slice(rows, [i * batch_size], [batch_size]))
                return i + 1

            tf.while_loop(lambda i: i < full, step, [tf.constant(0)])
            if full * batch_size < order.shape[1]:
                update(rows[full * batch_size :])
            return number + 1

        return tf.while_loop(lambda number: number < order.shape[0], epoch, [tf.constant(0)])

    return lambda x, y, order, size: loop(tf.constant(x), tf.constant(y), tf.constant(order), min(size, len(x)))
