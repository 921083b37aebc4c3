"""How two configurations compare: measured where the evaluation did, else estimated on the kept rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.tensorboard_plugin.payload import RANDOM

_DRAWS = 400
_LEAST_ROWS = 20


def measured(evaluation: dict[str, Any], a: str, b: str) -> dict[str, Any] | None:
    """Returns gain, low and high of `b` over `a` (1 - score of b / score of a); None where it was not measured."""
    for item in evaluation.get("paired") or []:
        if (item.get("a"), item.get("b")) == (a, b) and item.get("gain") is not None:
            return {key: item.get(key) for key in ("gain", "low", "high")}
        if (item.get("a"), item.get("b")) == (b, a) and item.get("gain") is not None:
            return {"gain": _turned(item["gain"]), "low": _turned(item.get("high")), "high": _turned(item.get("low"))}
    return None


def _turned(gain: float | None) -> float | None:
    """Words a gain of one over the other as that of the other over the one.

    >>> _turned(0.5), _turned(-1.0)
    (-1.0, 0.5)
    """
    return None if gain is None or gain >= 1 else 1 - 1 / (1 - gain)


def estimated(first: np.ndarray, second: np.ndarray, why: np.ndarray) -> dict[str, Any] | None:
    """Estimates the gain of the second over the first from the row errors of the random sample, by bootstrap.

    Args:
      first, second: error of each kept row, (n,).
      why: why each row is kept, (n,).

    Returns:
      gain, low, high, n_rows; None where too few rows were drawn at random.
    """
    there = ((why & RANDOM) > 0) & np.isfinite(first) & np.isfinite(second)
    n = int(there.sum())
    if n < _LEAST_ROWS or first[there].sum() <= 0:
        return None
    x, y = first[there].astype(float), second[there].astype(float)
    weights = np.random.default_rng(0).poisson(1.0, (_DRAWS, n))
    gains = 1 - (weights @ y) / np.maximum(weights @ x, 1e-12)
    low, high = np.quantile(gains, [0.025, 0.975])
    return {"gain": float(1 - y.sum() / x.sum()), "low": float(low), "high": float(high), "n_rows": n}
