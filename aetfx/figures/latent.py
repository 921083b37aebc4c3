"""The code of held-out rows in two dimensions, coloured by how badly each row is reconstructed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aetfx.figures.theme import LIGHT, POINTS, figure, numbers, percent, short

_POINTS = 1200


def latent(samples: Mapping[str, Any], side: str) -> dict[str, Any] | None:
    """Draws the two leading directions of the code.

    Args:
      samples: the arrays of `samples.npz`; uses `latent_<side>` (n, 2), `latent_error_<side>` (n,) and
        `latent_explained_<side>` (2,), the share of the code's variance along each axis.
      side: `before` or `after`.
    """
    points = np.asarray(samples.get(f"latent_{side}", []), float)
    if points.ndim != 2 or points.shape[1] < 1 or not len(points):
        return None
    if points.shape[1] == 1:
        points = np.concatenate([points, np.zeros_like(points)], axis=1)
    errors = np.asarray(samples.get(f"latent_error_{side}", []), float).ravel()
    errors = errors if len(errors) == len(points) else np.full(len(points), np.nan)
    keep = np.unique(np.linspace(0, len(points) - 1, _POINTS).astype(int)) if len(points) > _POINTS else slice(None)
    points, errors = points[keep], errors[keep]
    low, high = _shared_range(samples)
    shares = np.asarray(samples.get(f"latent_explained_{side}", []), float).ravel()
    titles = [f"direction {i + 1}" + (f" ({percent(float(shares[i]))})" if i < len(shares) else "") for i in range(2)]
    ticks = np.log10([step * 10.0**power for power in range(-6, 4) for step in (1, 3)])
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    if len(ticks) > 6:  # whole powers of ten only, and not all of them
        ticks = np.arange(np.ceil(low), np.floor(high) + 1)
        ticks = ticks[:: max(1, -(-len(ticks) // 6))]
    if len(ticks) < 2:
        ticks = np.array([low, high])
    marker: dict[str, Any] = {"size": 6, "opacity": 0.85, "line": {"width": 0}, "color": LIGHT[side]}
    if np.isfinite(errors).any():
        marker |= {
            "color": numbers(np.log10(np.maximum(errors, 1e-6))),
            "cmin": low,
            "cmax": high,
            "colorscale": POINTS,
            "colorbar": {
                "thickness": 8,
                "outlinewidth": 0,
                "len": 0.9,
                "title": {"text": "row error", "side": "top", "font": {"size": 11}},
                "tickvals": numbers(ticks),
                "ticktext": [f"{10**tick:g}" if abs(tick) < 4 else short(10**tick) for tick in ticks],
                "tickfont": {"size": 10},
            },
        }
    alone = samples.get("latent_after") is None
    return figure(
        [
            {
                "type": "scatter",
                "mode": "markers",
                "x": numbers(points[:, 0]),
                "y": numbers(points[:, 1]),
                "marker": marker,
                "customdata": numbers(errors, 3),
                "hovertemplate": "row error %{customdata}<extra></extra>",
            }
        ],
        title="Code" if alone else f"Code, {side}",
        caption="",
        height=380,
        margin={"l": 8, "r": 8, "t": 10, "b": 44},
        xaxis={"title": {"text": titles[0], "standoff": 8}, "nticks": 5, "tickangle": 0},
        yaxis={"title": {"text": titles[1], "standoff": 6}, "nticks": 6},
    )


def _shared_range(samples: Mapping[str, Any]) -> tuple[float, float]:
    """Returns the log10 range of the row errors of both sides, so that one colour means one error in both."""
    both = [np.asarray(samples.get(f"latent_error_{side}", []), float).ravel() for side in ("before", "after")]
    pooled = np.concatenate(both)
    pooled = pooled[np.isfinite(pooled)]
    if not len(pooled):
        return 0.0, 1.0
    low, high = np.log10(np.maximum(np.quantile(pooled, [0.02, 0.98]), 1e-6))
    return float(low), float(high if high > low else low + 1)
