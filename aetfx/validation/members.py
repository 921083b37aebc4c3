"""Which columns each finding is about.

The evidence of a finding names a few columns, the worst; the statistics tell the others where the finding's code says
what to look for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aetfx.validation.files import Feature, ValidationFiles

# How the statistics of a column tell that a finding of this code is about it.
_SIGNS: dict[str, Callable[[Feature], bool]] = {
    "data.missing": lambda feature: feature.missing + feature.infinite > 0,
    "data.constant_features": lambda feature: feature.constant or feature.mean is None,
}


def members(files: ValidationFiles) -> list[list[str]]:
    """Returns for each finding the columns that it is about, those in its evidence first."""
    found = []
    for item in files.found:
        names = dict.fromkeys(named(item))
        sign = _SIGNS.get(str(item.get("code")))
        count = (item.get("evidence") or {}).get("columns")
        # Two findings may share a code (NaN and infinite cells; constant and jittering columns): where the count
        # differs the sign is not the finding's own, and only what the evidence names is taken.
        if sign is not None and count != len(names):
            alike = [f.name for f in files.features.get(str(item.get("split")), []) if not f.top and sign(f)]
            if len(names.keys() | set(alike)) == count:
                names.update(dict.fromkeys(alike))
        found.append(list(names))
    return found


def named(item: dict[str, Any]) -> list[str]:
    """Returns the columns that a finding and its evidence name, in that order."""
    names = [item["feature"]] if item.get("feature") is not None else []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("column"), str):
                names.append(value["column"])
            for entry in value.values():
                walk(entry)
        elif isinstance(value, list):
            for entry in value:
                walk(entry)

    walk(item.get("evidence"))
    return list(dict.fromkeys(str(name) for name in names))
