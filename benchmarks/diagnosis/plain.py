"""Training with plain Keras, and an own NumPy account of METHOD section 1's score; nothing here knows aetfx.

The score is the fraction of variance unexplained: pooled over the cells of tensors, the mean over columns of tables;
of deviance for binary rows. 1 = no better than the train mean, 0 = perfect; capped at 4.
"""

from __future__ import annotations

import gc
import time
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


def score(truth: np.ndarray, guess: np.ndarray, train_mean: np.ndarray, *, table: bool) -> float:
    """Scores predictions (n, ...) of fresh rows in the units of `truth`."""
    truth = np.asarray(truth, np.float64).reshape(len(truth), -1)
    guess = np.asarray(guess, np.float64).reshape(len(guess), -1)
    mean = np.broadcast_to(np.asarray(train_mean, np.float64).reshape(1, -1), truth.shape)
    if not np.isfinite(guess).all():
        return CAP
    differs = (np.abs(truth - np.median(truth, axis=0)) > 1e-7).mean(axis=0)
    kept = differs >= (LEAST_DIFFERING if table else 1e-9)
    truth, guess, mean = truth[:, kept], guess[:, kept], mean[:, kept]
    if np.isin(truth, (0.0, 1.0)).all():
        return min(CAP, _deviance(truth, guess) / _deviance(truth, mean))
    error, spread = np.square(guess - truth).mean(axis=0), np.square(truth - mean).mean(axis=0)
    if table:
        return float(np.minimum(error / spread, CAP).mean())
    return float(min(CAP, error.sum() / spread.sum()))


def _deviance(truth: np.ndarray, p: np.ndarray) -> float:
    p = np.clip(p, MARGIN, 1 - MARGIN)
    return float(-(truth * np.log(p) + (1 - truth) * np.log1p(-p)).sum())


def judge(data: Data, predicted: np.ndarray) -> float:
    """Scores what a model gives back for `x_fresh`, in original units: the same yardstick for good and faulty."""
    return score(data.truth, data.restore(predicted), data.train_mean, table=data.table)


def judge_as_given(data: Data, predicted: np.ndarray) -> float:
    """Scores the same in the units that the user's arrays have: what a tool can promise that sees only those."""
    return score(data.y_fresh, predicted, data.fed_mean, table=is_table(data.x_train))


def train(model: Any, data: Data, fit: dict[str, Any], seed: int) -> tuple[float, float]:
    """Fits a freshly built model as the user does; returns wall and processor seconds."""
    import keras

    keras.utils.set_random_seed(seed)
    y = data.x_train if data.y_train is None else data.y_train
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(data.x_train, y, verbose=0, **fit)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(program: Program, case: Case, data: Data, seed: int) -> dict[str, float]:
    """Builds and trains a case once; returns its score, the score in the user's units, and seconds."""
    import keras

    keras.utils.set_random_seed(seed)
    model = program.build(case)
    wall, cpu = train(model, data, program.fit(case), seed)
    draws = [model.predict(data.x_fresh, verbose=0, batch_size=4096) for _ in range(program.draws)]
    result = {
        "score": round(float(np.mean([judge(data, predicted) for predicted in draws])), 5),
        "as_given": round(float(np.mean([judge_as_given(data, predicted) for predicted in draws])), 5),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
    }
    del model
    keras.backend.clear_session()
    gc.collect()
    return result
