"""Every number that a finding depends on, with its reason; each can be overridden by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from aetfx.errors import StudyError, nearest


@dataclass(frozen=True)
class Thresholds:
    """Starting values. Sections are those of the method."""

    # Scaling (section 3)
    range_ratio: float = 30.0  # diabetes 1.05, digits 1.0; wine 401, breast cancer 8,040: wide room on both sides
    outside_share: float = 0.01  # of the values outside the output range: fewer are ordinary tails
    large_sd: float = 10.0  # values this large make plain SGD diverge; Adam copes
    tiny_sd: float = 0.1  # and these leave it standing still
    far_mean: float = 3.0  # mean in standard deviations from 0: the output has to learn an offset first
    counts_maximum: float = 2.0  # non-negative values beyond this are counts or pixels, not fractions
    # Missing (sections 1 and 3)
    sentinel_share: float = 0.005  # of the rows at one exact value far from all others
    least_repeats: int = 3  # equal cells far from all others: two happen by chance
    # Outliers (section 3)
    fence_reach: float = 8.0  # fence in standard deviations of the tail as extrapolated (see checks/outliers.py)
    inner_fence_reach: float = 5.0  # where outliers were found: 8 reaches 2,000 sd in a skewed column, 5 reaches 60
    fence_distinct: int = 21  # columns of fewer values are codes or grey levels (digits have 17), without outliers
    gross_outlier: float = 3.0  # times as far out as the fence: such a cell owns a squared error
    # Constant columns (section 8)
    jitter: float = 1e-6  # sd relative to the largest value: a stuck sensor or rounding, blown up by standardising
    # Output
    most_columns_shown: int = 5  # in the evidence of a finding that many columns share

    def replace(self, changes: Mapping[str, float] | None) -> Thresholds:
        """Returns a copy with values replaced by name.

        Raises:
          StudyError: a name is unknown.
        """
        names = {field.name for field in dataclasses.fields(self)}
        for name in changes or {}:
            if name not in names:
                raise StudyError(f"thresholds: unknown name '{name}'.{nearest(name, names)}")
        return dataclasses.replace(self, **(changes or {}))  # type: ignore[arg-type]
