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
    near_constant: float = 0.999  # share of one value: standardised, each other cell is over 30 sd out
    # Rows and pairs of columns
    duplicate_share: float = 0.1  # of rows that repeat others: from here on they visibly weigh in a mean loss
    roomy: float = 1000.0  # possible rows (product of the columns' distinct values) per row: below, repeats are chance
    collinear: float = 0.999  # |r|: less than 0.2 % of one column is not in the other, below the noise of most sensors
    collinear_cells: float = 20.0  # cells off the commonest value: two pixels lit in the same few images prove nothing
    row_order: float = 0.1  # share of a column's variance between runs of rows; a linear drift by 1.2 sd has it
    rows_per_column: float = 5.0  # Gorsuch 1983's least for factor analysis (see checks/too_few_rows.py)
    # Two splits
    leak_share: float = 0.01  # of eval rows in train, beyond chance: fewer do not move a mean error
    leak_error_share: float = 0.1  # from here on the eval score is mostly a train score on those rows
    shift_distance: float = 0.1  # Jensen-Shannon distance (nats): a mean 0.28 sd away; PSI 0.08 ("stable" ends at 0.1)
    shift_wasserstein: float = 0.25  # in sd: half of a medium effect (Cohen 1988)
    large_psi: float = 0.25  # "the population has changed" (Siddiqi 2006)
    large_wasserstein: float = 0.5  # in sd: a medium effect (Cohen 1988)
    chance: float = 0.001  # that any column of a data set without fault reaches a noise floor
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
