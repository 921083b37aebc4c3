"""The code of held-out rows in two dimensions, coloured by how badly each row is reconstructed."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aetfx.figures.errors import LEAST
from aetfx.figures.theme import LIGHT, POINTS, decades, figure, fixed_margin, numbers, percent, text, wide, worded

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
    shares = np.asarray(samples.get(f"latent_explained_{side}", []), float).ravel()
    alone = samples.get("latent_after") is None
    return plane(
        points,
        errors,
        title="Code" if alone else f"Code, {side}",
        words="row error",
        role=side,
        bounds=_shared_range(samples),
        shares=shares,
        log=True,
        customdata=numbers(errors, 3),
        hovertemplate="row error %{customdata}<extra></extra>",
    )


def plane(
    points: np.ndarray,
    values: np.ndarray,
    *,
    title: str,
    words: str,
    role: str,
    log: bool,
    bounds: tuple[float, float] | None = None,
    shares: Sequence[float] = (),
    **trace: Any,
) -> dict[str, Any]:
    """Draws points of the code in the plane, coloured by a value.

    Args:
      points: (n, 2).
      values: (n,); where none is finite, the points have the colour of `role`.
      title: of the figure.
      words: what the values are.
      role: a colour.
      log: whether the colours stand for powers of ten.
      bounds: the values (log10 where `log`) of the first and the last colour; by default the middle 96 % of them.
      shares: of the code's variance along each direction.
      **trace: more of the Plotly trace.
    """
    titles = [f"direction {i + 1}" + (f" ({percent(float(shares[i]))})" if i < len(shares) else "") for i in range(2)]
    marker: dict[str, Any] = {"size": 6, "opacity": 0.85, "line": {"width": 0}, "color": LIGHT[role]}
    shown = np.log10(np.maximum(values, LEAST)) if log else np.asarray(values, float)
    if np.isfinite(shown).any():
        low, high = bounds or _middle(shown)
        ticks = np.log10(decades(low, high)) if log else np.linspace(low, high, 4)
        marker |= {
            "color": numbers(np.clip(shown, low, high)),
            "cmin": low,
            "cmax": high,
            "colorscale": POINTS,
            "colorbar": {
                "thickness": 8,
                "outlinewidth": 0,
                "len": 0.9,
                "title": {"text": text(words, 24), "side": "top", "font": {"size": 11}},
                "tickvals": numbers(ticks),
                "ticktext": [worded(float(10**tick if log else tick)) for tick in ticks],
                "tickfont": {"size": 10},
            },
        }
    return figure(
        [
            {
                "type": "scatter",
                "mode": "markers",
                "x": numbers(points[:, 0]),
                "y": numbers(points[:, 1]),
                "marker": marker,
            }
            | trace
        ],
        title=title,
        caption="",
        height=380,
        margin=fixed_margin(_axis_words(points[:, 1]), r=_room_of(marker.get("colorbar")), t=10, b=44),
        xaxis={"title": {"text": titles[0], "standoff": 8}, "nticks": 5, "tickangle": 0, "automargin": False},
        yaxis={"title": {"text": titles[1], "standoff": 6}, "nticks": 6, "automargin": False},
    )


def _axis_words(values: np.ndarray) -> list[str]:
    """Returns labels as long as those of an axis over some values; Plotly shortens long numbers, as in 20k and 3μ."""
    finite = values[np.isfinite(values)]
    low, high = (1.1 * float(end) for end in (finite.min(initial=0), finite.max(initial=0)))
    digits = math.ceil(-math.log10((high - low) / 6)) if high > low else 1
    return [f"{end:.{max(digits, 0)}f}"[:8] for end in (low, high)]


def _room_of(colorbar: dict[str, Any] | None) -> int:
    """Returns the pixels that colours, their labels and their title take on the right."""
    if colorbar is None:
        return 12
    labels = colorbar["thickness"] + 6 + wide(colorbar["ticktext"], 10)
    return 22 + max(labels, wide([html.unescape(colorbar["title"]["text"])], 11))


def _middle(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values[np.isfinite(values)], [0.02, 0.98])
    return float(low), float(high if high > low else low + 1)


def _shared_range(samples: Mapping[str, Any]) -> tuple[float, float]:
    """Returns the log10 range of the row errors of both sides, so that one colour means one error in both."""
    both = [np.asarray(samples.get(f"latent_error_{side}", []), float).ravel() for side in ("before", "after")]
    pooled = np.concatenate(both)
    pooled = pooled[np.isfinite(pooled)]
    if not len(pooled):
        return 0.0, 1.0
    return _middle(np.log10(np.maximum(pooled, LEAST)))
