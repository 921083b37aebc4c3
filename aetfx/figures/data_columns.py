"""Everything that a page draws of each column of the data: its histogram, its figures, and what was found in it.

Plain JSON, drawn alike by `report/validation.js` and by the dashboard.
"""

from __future__ import annotations

from typing import Any

from aetfx.figures.histograms import histogram
from aetfx.validation.checks.base import number
from aetfx.validation.files import Feature, ValidationFiles
from aetfx.validation.findings import SEVERITIES, rank
from aetfx.words import percent, replace_unprintable

UNFLAGGED = len(SEVERITIES)  # the severity of a column without findings
_FAR = 1.0  # axes beyond the end of a histogram's own, from where on an extreme value is marked


def data_columns(files: ValidationFiles, named: list[list[str]]) -> list[dict[str, Any]]:
    """Returns one entry per column: those of the worst finding first, then in the data's order.

    Args:
      files: what `validate` left.
      named: for each finding the columns that it is about (`aetfx.validation.members`).

    Returns:
      Per column `name`, `severity` (0 is an error, `UNFLAGGED` none), `found` (indices of findings), `facts` (per split
      a list of words), and where there are some `broken` (an anomaly), `plot` (`histograms.histogram` and its axis in
      words) and `top` (the most frequent values of text).
    """
    by_name: dict[str, dict[str, Feature]] = {}
    for split, features in files.features.items():
        for feature in features:
            by_name.setdefault(feature.name, {})[split] = feature
    found: dict[str, list[int]] = {}
    for index, names in enumerate(named):
        for name in names:
            found.setdefault(name, []).append(index)
    broken = {anomaly.feature: anomaly.title for anomaly in reversed(files.anomalies)}
    # The order in which findings name columns is the order in which they are shown; then those that break the schema.
    order = [name for name in found if name in by_name]
    order += [name for name in by_name if name in broken and name not in found]
    order += [name for name in by_name if name not in found and name not in broken]
    severity = [rank(item.get("severity")) for item in files.found]
    made = []
    for name in order:
        splits = by_name[name]
        here = found.get(name, [])
        column: dict[str, Any] = {
            "name": replace_unprintable(name),
            "severity": min([severity[index] for index in here], default=UNFLAGGED),
            "found": here,
            "facts": [_facts(splits.get(split)) for split in files.features],
        }
        if name in broken:
            column["broken"] = broken[name]
            column["severity"] = min(column["severity"], 1)
        numeric = [(split, f) for split, f in splits.items() if f.counts is not None]
        plot = histogram([(f.counts, f.quantiles) for _, f in numeric])  # type: ignore[misc]
        if plot is not None:
            drawn = dict(zip([split for split, f in numeric], plot.pop("bars"), strict=True))
            beyond = _FAR * (plot["high"] - plot["low"])
            constant = all(feature.constant for _, feature in numeric)  # its value is said below
            column["plot"] = plot | {
                "low": "" if constant else number(plot["low"]),
                "high": "" if constant else number(plot["high"]),
                "below": None if plot["below"] is None else number(plot["below"]),
                "above": None if plot["above"] is None else number(plot["above"]),
                "ends": [plot["low"], plot["high"]],
                "far": [
                    plot["below"] is not None and plot["low"] - plot["below"] > beyond,
                    plot["above"] is not None and plot["above"] - plot["high"] > beyond,
                ],
                "bars": [drawn.get(split, []) for split in files.features],
            }
        top = next((feature.top for feature in splits.values() if feature.top), ())
        if top:
            column["top"] = [[value[:40], count] for value, count in top[:5]]
        made.append(column)
    return made


def _facts(feature: Feature | None) -> list[str]:
    """What is said below a histogram of one split: its figures, then whatever is the matter with it."""
    if feature is None:
        return ["not there"]
    facts = []
    if feature.constant:
        facts.append(f"always {number(feature.minimum or 0.0)}")
    elif feature.mean is not None and feature.sd is not None:
        facts.append(f"mean {number(feature.mean)}, sd {number(feature.sd)}")
    elif not feature.top:
        facts.append("no finite value")
    if feature.missing:
        facts.append(f"{_share(feature.missing, feature.rows)} missing")
    if feature.infinite:
        facts.append(f"{feature.infinite:,} infinite")
    return facts


def _share(count: int, rows: int) -> str:
    """A share in percent; one that would round to nothing as the count itself."""
    return percent(count / rows, 1).replace(" ", "\u00a0") if count * 2000 >= rows > 0 else f"{count:,}"
