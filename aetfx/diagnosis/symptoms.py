"""What a loss curve and a few settings show by themselves: pure functions, for a finished training or a running one.

A symptom is cheap and proves nothing; it admits causes, whose experiments prove them.
"""

from __future__ import annotations

import numpy as np

from aetfx.diagnosis.thresholds import Thresholds
from aetfx.words import percent

_LEAST_EPOCHS = 4  # fewer are no curve
_ADAPTIVE = ("adam", "adamw", "nadam", "adamax", "rmsprop", "lion")


def fall(losses: np.ndarray) -> float:
    """Returns the relative fall of a loss over the last fifth of its epochs (medians of a few epochs).

    Args:
      losses: float64 (epochs,); values that are not finite are left out.

    >>> round(fall(np.linspace(1.0, 0.1, 10)), 2)
    0.67
    """
    losses = losses[np.isfinite(losses)]
    if len(losses) < 3:
        return float((losses[0] - losses[-1]) / max(abs(losses[0]), 1e-12)) if len(losses) > 1 else 1.0
    width = max(1, len(losses) // 20)
    start = max(0, int(round(len(losses) * 0.8)) - 1)
    before = float(np.median(losses[max(0, start - width + 1) : start + 1]))
    after = float(np.median(losses[-width:]))
    return (before - after) / max(abs(before), 1e-12)


def rising(losses: np.ndarray, thresholds: Thresholds) -> str | None:
    """Says how far a finite loss rose above its lowest value; None where it did not.

    >>> rising(np.array([1.0, 0.5, 0.4, 0.6]), Thresholds())
    'the loss rose from 0.4 to 0.6'
    """
    if len(losses) < _LEAST_EPOCHS:
        return None
    lowest, last = float(losses.min()), float(np.median(losses[-max(1, len(losses) // 20) :]))
    if last > lowest + (thresholds.rise - 1) * abs(lowest):
        return f"the loss rose from {lowest:.4g} to {last:.4g}"
    return None


def oscillating(losses: np.ndarray, thresholds: Thresholds) -> str | None:
    """Says how far a finite loss jumps up and down between its late epochs; None where it does not.

    >>> oscillating(np.array([1.0, 0.5, 0.6, 0.5, 0.6, 0.5]), Thresholds())
    'the loss jumps by 17 % from epoch to epoch'
    """
    if len(losses) < _LEAST_EPOCHS:
        return None
    late = losses[-max(_LEAST_EPOCHS, len(losses) // 3) :]
    steps = np.diff(late) / np.maximum(np.abs(late[:-1]), 1e-12)
    turns = float((np.sign(steps[1:]) != np.sign(steps[:-1])).mean())
    size = float(np.median(np.abs(steps)))
    if size > thresholds.oscillation and turns > 0.4:
        return f"the loss jumps by {percent(size)} from epoch to epoch"
    return None


def usual_rate(optimizer: str, rate: float, thresholds: Thresholds) -> bool:
    """Whether a learning rate is in the usual range of an adaptive optimizer; of others there is none.

    Args:
      optimizer: its class name in lower case.
      rate: the learning rate, or the initial one of a schedule.
    """
    return optimizer not in _ADAPTIVE or thresholds.usual_rate_low <= rate <= thresholds.usual_rate_high


def large_batch(batch_size: int, n_rows: int, thresholds: Thresholds) -> bool:
    """Whether a batch holds so many of the train rows that updates are few."""
    return batch_size >= max(n_rows * thresholds.large_batch_share, thresholds.good_batch + 1)


def off_scale(mean: float, sd: float, minimum: float, maximum: float, thresholds: Thresholds) -> bool:
    """Whether values as fed look as if nobody had scaled them: far from 0, large or tiny, or positive beyond 2."""
    t = thresholds
    return abs(mean) > t.far_mean * sd or not t.tiny_sd <= sd <= t.large_sd or (minimum >= 0 and maximum > 2)
