"""The score ladder: from predicting the mean, over the model as it is, down each confirmed change, to PCA."""

from __future__ import annotations

from typing import Any

from aetfx.figures import rungs
from aetfx.figures.theme import LIGHT, figure, percent, short
from aetfx.figures.words import is_foreseen, mended, more_rows


def ladder(diagnosis: dict[str, Any]) -> dict[str, Any] | None:
    """Draws the baseline's score, one rung per confirmed cause, and the mean and PCA as references.

    Args:
      diagnosis: the content of `diagnosis.json`; needs `baseline.score`, uses `causes` and `fixed`.
    """
    steps = _rungs(diagnosis)
    if not steps:
        return None
    values = [step["value"] for step in steps]
    for step in steps:
        step["interval"] = rungs.whole(step.get("interval"))
    bounds = [step["interval"] for step in steps]
    places = list(range(len(steps)))
    bars = rungs.bars(
        values,
        places,
        bounds,
        [LIGHT[step["role"]] for step in steps],
        widths=[0.2 if step["role"] == "muted" else 0.4 for step in steps],
    )
    stressed = {i for i, step in enumerate(steps) if step["role"] != "muted"}
    annotations = rungs.labels([step["name"] for step in steps], places, bold=stressed)
    for place, step in zip(places, steps, strict=True):
        end = max(step["value"], step["interval"][1] if step.get("interval") else 0)
        note = f"  {step['note']}" if step.get("note") else ""
        number = short(step["value"])
        annotations.append(
            {
                "x": end,
                "y": place,
                "xanchor": "left",
                "xshift": 7,
                "text": (f"<b>{number}</b>" if place in stressed else number) + note,
                "showarrow": False,
                "font": {"size": 15 if place in stressed else 12, "color": LIGHT["ink"]},
            }
        )
    reach = max([*values, *(b[1] for b in bounds if b)])
    return figure(
        bars,
        title="Score",
        caption="0 is perfect; 1 is no better than predicting the mean.",
        height=34 + round(62 * len(steps)),
        margin={"l": 8, "r": 30, "t": 0, "b": 30},
        xaxis={"range": [0, reach * 1.13], "nticks": 6},
        yaxis=rungs.y_axis(len(steps)),
        annotations=annotations,
    )


def _rungs(diagnosis: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns name, value, role and, where known, interval and note of each rung, top first."""
    baseline = diagnosis.get("baseline") or {}
    causes = [cause for cause in diagnosis.get("causes") or [] if cause.get("score_after") is not None]
    start = causes[0].get("score_before") if causes else None
    start = baseline.get("score") if start is None else start
    if start is None:
        return []
    mean = baseline.get("mean_score")
    steps: list[dict[str, Any]] = [
        {"name": "Predicting the mean", "value": 1.0 if mean is None else mean, "role": "muted"}
    ]
    # The baseline's own interval belongs to its own score, which may differ from that of the paired seeds.
    near = baseline.get("score") is not None and abs(start - baseline["score"]) < 1e-9
    role = "before" if causes or diagnosis.get("status") in ("faulty", "inconclusive") else "after"
    steps.append(
        {"name": "As it is", "value": start, "role": role, "interval": baseline.get("score_interval") if near else None}
    )
    fixed = diagnosis.get("fixed") or {}
    tried = mended(causes)
    for cause in causes:
        last = tried[-1:] == [cause] and fixed.get("score") == cause["score_after"]
        # More rows are told of for the recipe of their own step, and what is mended beside them is measured without.
        first = cause is causes[0] or tried[:1] == [cause]
        steps.append(
            {
                "name": ("with " if first else "then " if cause in tried else "or with ") + _change(diagnosis, cause),
                "value": cause["score_after"],
                "role": "after",
                "interval": fixed.get("interval") if last else None,
                "note": f"{percent(cause.get('gain'))} less",
            }
        )
    # PCA on the rows as the shown model gets them; on unscaled rows it keeps the large columns only.
    pca = fixed.get("pca_score") if fixed else baseline.get("pca_score")
    if pca is not None:
        steps.append({"name": "PCA with the same code width", "value": pca, "role": "muted"})
    return steps


def _change(diagnosis: dict[str, Any], cause: dict[str, Any]) -> str:
    """Names what was changed, or how many rows would be."""
    if cause.get("verdict") == "supported":
        foreseen = " (foreseen)" if is_foreseen(diagnosis, cause) else ""
        return f"{more_rows(diagnosis, cause)} the rows{foreseen}"
    return str(cause.get("experiment_name") or cause.get("code"))
