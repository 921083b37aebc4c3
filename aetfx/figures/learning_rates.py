"""Loss against learning rate after the same few updates: low rates crawl, high ones diverge, between lies a valley."""

from __future__ import annotations

from typing import Any

from aetfx.figures.theme import LIGHT, figure, guide, numbers


def learning_rates(found: dict[str, Any]) -> dict[str, Any] | None:
    """Draws the loss that each rate reached, with the good range shaded, and the study's own and the best rate marked.

    Args:
      found: the content of `learning_rates.json`.
    """
    kept = [item for item in found["rates"] if item["loss"] is not None]
    if len(kept) < 2:
        return None
    diverged = [item["rate"] for item in found["rates"] if item["loss"] is None]
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [item["rate"] for item in kept],
        "y": numbers([item["loss"] for item in kept]),
        "line": {"color": LIGHT["after"], "width": 2.4},
        "marker": {"size": 8},
        "hovertemplate": "%{x:.3g}: loss %{y:.4g}<extra></extra>",
    }
    low, high = found["good"]
    shapes = [
        {"type": "rect", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1, "line": {"width": 0},
         "fillcolor": LIGHT["after_soft"], "layer": "below"},
        guide(x=found["current"], role="before"),
    ]  # fmt: skip
    positive = all(item["loss"] > 0 for item in kept)
    return figure(
        [trace],
        title="Loss against learning rate",
        caption="Each rate starts from the same weights and runs the same updates. Shaded: as good as the best one. "
        "The dotted line is the study's own rate."
        + (f" From {min(diverged):.3g} on the loss becomes infinite or NaN." if diverged else ""),
        height=420,
        margin={"l": 8, "r": 16, "t": 16, "b": 44},
        shapes=shapes,
        xaxis={"type": "log", "title": {"text": "learning rate", "standoff": 8}, "exponentformat": "power"},
        yaxis={"type": "log" if positive else "linear", "title": {"text": f"{found['loss_name']} at the end"}},
    )
