"""From the rows of a data set to the arrays of a program: split, damage, scale, as a user's script does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.plain import is_table, scored_columns
from benchmarks.diagnosis.program import Data

Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class Scaler:
    """Column-wise or pooled scaling fitted on train rows.

    Args:
      kind: "standard" or "minmax" per column, "bare" for (x - mean) / sd without a guard against sd = 0, "pooled" for
        one mean and sd of all values, "none", or a number by which all values are divided.
      rows: to fit on; empty cells are left out.
    """

    def __init__(self, kind: str | float, rows: np.ndarray):
        self.shift: Any = 0.0
        self.factor: Any = 1.0
        if kind in ("standard", "bare"):
            self.shift, spread = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
            self.factor = np.where(spread > 0, spread, 1.0) if kind == "standard" else spread
        elif kind == "minmax":
            self.shift, spread = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
            self.factor = np.where(spread > 0, spread, 1.0)
        elif kind == "pooled":
            self.shift, self.factor = np.nanmean(rows), np.nanstd(rows)
        elif kind != "none":
            self.factor = float(kind)

    def apply(self, rows: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return ((rows - self.shift) / self.factor).astype("float32")

    def restore(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows, np.float64) * self.factor + self.shift


def prepare(
    rows: np.ndarray,
    *,
    scaler: str | float = "none",
    eval_scaler: str | float | None = None,
    damage: Damage | None = None,
    val: bool = True,
    n_train: int | None = None,
    train_first: Callable[[np.ndarray], np.ndarray] | None = None,
    noise: float = 0.0,
    target: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Data:
    """Splits rows 60 : 20 : 20 into train, val and fresh ones (80 : 20 without `val`) and scales them.

    Args:
      rows: (n, ...) in original units.
      scaler: see `Scaler`; fitted on the damaged train rows, as a user would who does not know of the damage.
      eval_scaler: another one for val and fresh rows, fitted on those rows themselves.
      damage: changes train and val rows, in original units.
      val: False where the user leaves the split to the trainer.
      n_train: keep so many train rows.
      train_first: orders the rows by this key before the split, so that train and the rest differ.
      noise: sd of the noise on the inputs (as fed) of a denoising program; targets stay clean.
      target: makes `y_train` and `y_val` from `x_train` and `x_val` as fed.
    """
    rng = np.random.default_rng(20240)
    rows = rng.permutation(np.asarray(rows, np.float64))
    n = len(rows)
    cut, end = int(0.6 * n), int(0.8 * n)
    if train_first is not None:
        # Fresh rows are like val: both are drawn from the end.
        rows = rows[np.argsort(train_first(rows), kind="stable")]
        rows[cut:] = rng.permutation(rows[cut:])
    clean, held, fresh = rows[:cut], rows[cut:end], rows[end:]
    if not val:
        clean, held = rows[:end], rows[:0]
    if n_train is not None:
        clean = clean[:n_train]
    table = is_table(clean)
    train = clean if damage is None else damage(clean.copy(), rng)
    held = held if damage is None or not val else damage(held.copy(), rng)
    if train.shape[1:] != clean.shape[1:]:  # a damage that adds columns adds them to all rows
        fresh = damage(fresh.copy(), rng)
        clean = train
    worn = None if damage is None or len(fresh) == 0 else damage(fresh.copy(), np.random.default_rng(20241))
    if worn is not None and (worn.shape != fresh.shape or np.array_equal(worn, fresh)):
        worn = None
    fitted = Scaler(scaler, train)
    other = fitted if eval_scaler is None else Scaler(eval_scaler, np.concatenate([held, fresh]))
    x_train, x_val, x_fresh = fitted.apply(train), other.apply(held), other.apply(fresh)
    x_worn = None if worn is None else other.apply(worn)
    y_train, y_val, y_fresh = None, None, x_fresh
    if noise:
        y_train, y_val = x_train, x_val
        x_train, x_val, x_fresh = (
            (x + noise * rng.normal(size=x.shape)).astype("float32") for x in (x_train, x_val, x_fresh)
        )
        if worn is not None:
            x_worn = np.where(worn == fresh, x_fresh, x_worn + (x_fresh - y_fresh)).astype("float32")
    if target is not None:
        y_train, y_val = target(x_train), target(x_val)
    return Data(
        x_train=x_train,
        x_val=x_val if val else None,
        x_fresh=x_fresh,
        y_fresh=y_fresh,
        truth=fresh,
        train_mean=clean.mean(axis=0),
        fed_mean=other.apply(clean.mean(axis=0)),
        restore=other.restore,
        table=table,
        scored=scored_columns(clean, table=table),
        y_train=y_train,
        y_val=y_val if val else None,
        x_worn=x_worn,
        whole=None if worn is None else worn == fresh,
        feed=fitted.apply,
    )
