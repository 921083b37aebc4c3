"""Training seen over the epochs: the loss of each configuration, and its score on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.figures.theme import LIGHT, figure, guide, numbers, text

_MOST = 24  # other configurations drawn; more lines hide each other
_POINTS = 300  # per line


def loss_curves(histories: dict[str, Any], diagnosis: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Draws training losses, each divided by its first value, because losses on unlike scales cannot be compared.

    Args:
      histories: the content of `histories.json`: name -> {"code", "loss": per epoch, "score": [[epoch, score]]}.
      diagnosis: says which configurations are the baseline's fixes.
    """
    lines = {}
    for name, entry in (histories or {}).items():
        loss = np.asarray([np.nan if v is None else v for v in entry.get("loss") or []], float)
        if len(loss) and np.isfinite(loss[0]) and loss[0] > 0:
            relative = np.where(loss > 0, loss / loss[0], np.nan)  # a loss at or below 0 has no place on a log axis
            lines[name] = (np.arange(1, len(loss) + 1), relative)
    values = np.concatenate([line for _, line in lines.values()]) if lines else np.ones(1)
    ticks = _ticks(float(np.nanmin(values)), float(np.nanmax(values)))
    return _draw(
        lines,
        histories,
        diagnosis,
        title="Training loss",
        caption="Relative to the first epoch. Losses on unlike scales cannot be compared; scores can.",
        yaxis={"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]},
    )


def score_curves(histories: dict[str, Any], diagnosis: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Draws the held-out score over the epochs; scores of all configurations can be compared.

    Args: as `loss_curves`.
    """
    lines = {}
    for name, entry in (histories or {}).items():
        pairs = [(e, s) for e, s in entry.get("score") or [] if s is not None and np.isfinite(s)]
        if pairs:
            epochs, scores = np.asarray(pairs, float).T
            lines[name] = (epochs, scores)
    pooled = np.concatenate([scores for _, scores in lines.values()]) if lines else np.ones(1)
    top, bottom = min(max(float(pooled.max()), 1.0), 4.2), max(float(pooled.min()), 1e-4)
    ticks = _ticks(bottom, top)
    yaxis: dict[str, Any] = {"range": [0, top * 1.06]}
    if top / bottom > 12:  # a fix that leaves a tenth of the error would lie flat on a linear axis
        yaxis = {
            "type": "log",
            "range": [float(np.log10(bottom / 1.3)), float(np.log10(top * 1.2))],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
        }
    made = _draw(
        lines,
        histories,
        diagnosis,
        title="Score on held-out rows",
        caption="The same rows and units for every configuration.",
        yaxis=yaxis,
    )
    if made:
        made["layout"]["shapes"] = [guide(y=1)]
    return made


def _draw(
    lines: dict[str, Any], histories: dict[str, Any], diagnosis: dict[str, Any] | None, **layout: Any
) -> dict[str, Any] | None:
    if not lines:
        return None
    fixes = [cause.get("experiment_name") for cause in (diagnosis or {}).get("causes") or []]
    found_fixes = [name for name in fixes if name in lines]
    baseline = next((name for name in lines if is_baseline(name, histories[name])), None)
    others = [name for name in lines if name != baseline and name not in found_fixes][:_MOST]
    traces = []
    for index, name in enumerate(others):
        traces.append(
            _line(lines[name], name, "faint", 1.2)
            | {"legendgroup": "others", "showlegend": index == 0, "name": "other experiments"}
        )
    if baseline is not None:
        traces.append(_line(lines[baseline], "as it is", "before", 2.6))
    for name in found_fixes:
        last = name == found_fixes[-1]
        traces.append(_line(lines[name], name, "after", 2.6 if last else 1.6) | ({} if last else _DASHED))
    return figure(
        traces,
        height=340,
        showlegend=True,
        margin={"l": 8, "r": 16, "t": 34, "b": 44},
        xaxis={"title": {"text": "epoch", "standoff": 8}, "nticks": 7},
        **layout,
    )


def _ticks(low: float, high: float) -> list[float]:
    """Returns at most a handful of round values between `low` and `high` for a logarithmic axis."""
    for steps in ((1, 2, 5), (1,)):
        ticks = [float(f"{step}e{power}") for power in range(-12, 13) for step in steps]
        ticks = [tick for tick in ticks if low * 0.98 <= tick <= high * 1.02]
        if len(ticks) <= 7:
            break
    return ticks[:: max(1, -(-len(ticks) // 7))] or [float(f"{low:.2g}")]


_DASHED = {"line": {"color": LIGHT["after"], "width": 1.8, "dash": "dash"}}


def is_baseline(name: str, entry: dict[str, Any]) -> bool:
    """Whether a configuration is the user's own: it is named so, or no cause is behind it."""
    return name == "baseline" or entry.get("code") in (None, "", "baseline")


def _line(points: Any, name: str, role: str, width: float) -> dict[str, Any]:
    x, y = points
    if len(x) > _POINTS:
        keep = np.unique(np.linspace(0, len(x) - 1, _POINTS).round().astype(int))
        x, y = x[keep], y[keep]
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 8 else "lines+markers",
        "marker": {"size": 5},
        "x": numbers(x, 6),
        "y": numbers(y),
        "name": text(name, 40),
        "text": text(name),
        "line": {"color": LIGHT[role], "width": width},
        "hovertemplate": "%{text}<br>epoch %{x}: %{y:.3g}<extra></extra>",
    }
