"""The format in which a run stands in an event file: the names of its tensors, and what binds them together.

All tensors of one writing carry the same *step*, the millisecond in which they were written. TensorBoard may hold
tensors of an older writing beside newer ones (it samples, and it reads while files are replaced), so that readers take
what carries the report's own step and call the rest not there yet.

Terms: C configurations, n rows that are kept as examples, D values of a row as it is kept (a large picture is kept
smaller, of a wide table the worst columns), S slices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

PLUGIN = "aetfx"
FOLDER = "aetfx"  # of the event file, below the log directory of a run
FORMAT = 1

REPORT = "aetfx/report"  # strings (1,): JSON with all that is small
FEATURES = "aetfx/features"  # float32 (C, D'): the score of each feature
TRUTH = "aetfx/truth"  # float32 (n, D)
SCALE = "aetfx/scale"  # float32 (2, D): centre and spread of each value
ERRORS = "aetfx/errors"  # float32 (C, n): error of each kept row, NaN or infinite where not finite
PLANES = "aetfx/planes"  # float32 (C, n, 2): the code's first two principal axes, NaN without a code
QUANTILES = "aetfx/quantiles"  # float32 (stages, levels, D''): of the columns before and after preprocessing

STAGES = ("raw", "fed_before", "fed_after")  # columns as they are, as the model got them, as the repaired one gets them
RANDOM, WORST, BEST, MEDIAN = 1, 2, 4, 8  # why a row is kept (bits)


def rows_tag(place: int) -> str:
    """Returns the tensor of a configuration's reconstructions: float16 (n, D), in units of `SCALE`.

    Raw values may be larger than float16 can say; a value is `centre + cell * spread`.
    """
    return f"aetfx/rows/{place}"


def plain(value: Any, digits: int = 5) -> Any:
    """Makes a value fit for JSON: `digits` significant digits, None in place of NaN and infinities.

    >>> plain({"a": (1.23456789, float("nan")), 2: True})
    {'a': [1.2346, None], '2': True}
    """
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), digits)
    return str(value)
