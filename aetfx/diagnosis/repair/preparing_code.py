"""Python lines that prepare rows as a recipe does, and score what comes back, with NumPy alone.

They are part of a script in which `train` and `held_out` are raw rows, and `asked` and `held_out_asked` what
`fit(x, y)` asks back for them, where that is something else (`rows_code`). What is fed becomes x and v, the targets
become y and w.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetfx.training.recipe import Recipe

_MOST_FENCES = 40  # columns whose fences are written down; those of more are computed in a simpler way
_FIGURES = {
    "standard": "np.nanmean(x{axis}), np.nanstd(x{axis})",
    "minmax": "np.nanmin(x{axis}), np.nanmax(x{axis}) - np.nanmin(x{axis})",
    "robust": "np.nanmedian(x{axis}), np.subtract(*np.nanquantile(x, [0.75, 0.25]{axis})) / 1.349",
}


def steps_of(recipe: Recipe) -> dict[str, str]:
    """Returns the steps of the preprocessing that do something."""
    return {key: value for key, value in recipe.preprocessing.items() if value != "none"}


def asks_targets(recipe: Recipe, rows: Mapping[str, Any]) -> bool:
    """Whether `fit` asks something else back than the rows."""
    return rows.get("targets") is not None and recipe.target != "input"


def has_gaps(recipe: Recipe) -> bool:
    """Whether cells of the targets are left out of the loss."""
    return recipe.masks_targets and bool(steps_of(recipe).keys() & {"missing", "constant"})


def preparing_lines(recipe: Recipe, rows: Mapping[str, Any]) -> list[str]:
    """Returns the preprocessing as lines that bind x and v to train and held-out rows as fed, y and w to targets.

    There is no w where the targets are the rows themselves, and y only where it has gaps that x has not.
    """
    spec = steps_of(recipe)
    if not spec.keys() & {"scaling", "missing", "outliers", "constant"}:
        return []
    asks, padded = asks_targets(recipe, rows), rows.get("padding") is not None
    names = {"x": "train", "v": "held_out"} | ({"y": "asked", "w": "held_out_asked"} if asks else {})
    by = "unpadded({})" if padded else "marked({})" if "missing" in spec and rows["sentinels"] else "{}"
    every = ", ".join(names)
    lines = [f"{every} = {', '.join(by.format(name) for name in names.values())}"]
    if "constant" in spec:
        lines += [
            "usual = np.nanmedian(x, axis=0)",
            "still = np.mean((x != usual) & ~np.isnan(x), axis=0) < 0.05  # columns that hardly ever change",
        ]
    if "outliers" in spec:
        if not rows["fences"]:
            lines += [
                "q1, q3 = np.nanquantile(x, [0.25, 0.75], axis=0)",
                "reach = np.where(q3 > q1, 3 * (q3 - q1), np.inf)  # Tukey's outer fences",
                "low, high = q1 - reach, q3 + reach",
            ]
        lines.append(f"{every} = (np.clip(a, low, high) for a in ({every}))")
    if "missing" in spec:
        how = {"zero": "np.zeros(x.shape[1:])"}.get(spec["missing"], f"np.nan{spec['missing']}(x, axis=0)")
        lines.append(f"fill = {how}")
    if "scaling" in spec:
        axis = "" if spec.get("scope") == "pooled" else ", axis=0"
        lines.append(f"center, scale = {_FIGURES[spec['scaling']].format(axis=axis)}")
        lines.append("scale = np.where(scale > 0, scale, 1)")
        scaled = f"{every}, fill" if "missing" in spec else every
        lines.append(f"{scaled} = ((a - center) / scale for a in ({scaled}))")
    fed = "x, v" if recipe.masks_targets else every
    if has_gaps(recipe) and not asks:
        lines.append("y = np.where(still, np.nan, x)" if "constant" in spec else "y = x")
    elif has_gaps(recipe) and "constant" in spec:
        lines.append("y, w = (np.where(still, np.nan, a) for a in (y, w))")
    if "missing" in spec:
        lines.append(f"{fed} = (np.where(np.isnan(a), fill, a) for a in ({fed}))")
    if "constant" in spec:
        lines.append(f"{fed} = (np.where(still, 0, a) for a in ({fed}))")
    if padded:
        lines.append(f"{every} = (np.where(np.isnan(a), {rows['padding']:g}, a) for a in ({every}))")
    return lines


def facts_lines(rows: Mapping[str, Any]) -> list[str]:
    """Returns what was found in the rows as lines: fences, and numbers that stand for "missing"."""
    lines = []
    if _has_fences(rows):
        for name, side, edge in (("low", 0, "-np.inf"), ("high", 1, "np.inf")):
            values = ", ".join(edge if value is None else f"{value:.6g}" for value in rows["fences"][side])
            lines.append(f"{name} = np.array([{values}]).reshape(train.shape[1:])")
    if rows["sentinels"]:
        marks = ", ".join(f"{column}: {values}" for column, values in rows["sentinels"])
        lines += [
            "",
            "",
            'def marked(x):  # numbers that stand for "missing" become NaN',
            "    flat = x.reshape(len(x), -1).copy()",
            f"    for column, values in {{{marks}}}.items():",
            "        flat[np.isin(flat[:, column], values), column] = np.nan",
            "    return flat.reshape(x.shape)",
        ]
    if rows.get("padding") is not None:
        lines += [
            "",
            "",
            "def unpadded(x):  # steps that only fill a sequence up become NaN",
            f"    same = (x == {rows['padding']:g}).reshape(*x.shape[:2], -1).all(axis=2)",
            "    steps = np.logical_and.accumulate(same[:, ::-1], axis=1)[:, ::-1]",
            "    return np.where(steps.reshape(*steps.shape, *[1] * (x.ndim - 2)), np.nan, x)",
        ]
    if _clips_by_rows(rows):
        lines += [
            "",
            "",
            "def tukey(x):  # outer fences",
            "    q1, q3 = np.nanquantile(x, [0.25, 0.75], axis=0)",
            "    reach = np.where(q3 > q1, 3 * (q3 - q1), np.inf)",
            "    return q1 - reach, q3 + reach",
            "",
            "",
            "low, high = tukey(train)",
        ]
    return lines


def ends_in_functions(rows: Mapping[str, Any]) -> bool:
    """Whether the facts end with a function, after which Python's style wants two empty lines."""
    return not _clips_by_rows(rows) and bool(rows["sentinels"] or rows.get("padding") is not None)


def _has_fences(rows: Mapping[str, Any]) -> bool:
    return bool(rows["fences"]) and len(rows["fences"][0]) <= _MOST_FENCES


def _clips_by_rows(rows: Mapping[str, Any]) -> bool:
    """Whether fences are known, but too many to be written down."""
    return bool(rows["fences"]) and not _has_fences(rows)


def scoring_lines(rows: Mapping[str, Any]) -> list[str]:
    """Returns a function of the reconstruction of the held-out rows that scores it as the diagnosis did."""
    targets = rows.get("targets")
    truth, known = ("held_out_asked", "asked") if targets is not None and targets["scored"] else ("held_out", "train")
    by = "unpadded" if rows.get("padding") is not None else "marked" if rows["sentinels"] else ""
    lines = [
        "def score(restored):  # fraction of variance unexplained: 0 is perfect, 1 is the mean of the train rows",
        f"    truth, known = {by}({truth}), {by}({known})" if by else f"    truth, known = {truth}, {known}",
    ]
    if rows["judge"] == "cells":
        lines.append("    truth = np.where((truth < low) | (truth > high), np.nan, truth)")
    elif rows["judge"] == "inliers":
        lines += [
            "    inside = ~((truth < low) | (truth > high)).reshape(len(truth), -1).any(axis=1)",
            "    truth, restored = truth[inside], restored[inside]",
        ]
    if rows["judge"]:
        lines.append("    known = np.clip(known, low, high)")
    lines.append("    error, spread = (truth - restored) ** 2, (truth - np.nanmean(known, axis=0)) ** 2")
    lines.append("    if not np.isfinite(restored).all():")
    lines.append("        return 4.0")
    if rows["features"] == "tensor":
        return [*lines, "    return min(4.0, np.nansum(error) / np.nansum(spread))"]
    if rows["excluded"]:
        lines.append(
            "    scored = np.mean(known != np.nanmedian(known, axis=0), axis=0) >= 0.05  # the rest hardly vary"
        )
        lines.append("    error, spread = error[:, scored], spread[:, scored]")
    return [*lines, "    return np.mean(np.minimum(np.nanmean(error, axis=0) / np.nanmean(spread, axis=0), 4))"]
