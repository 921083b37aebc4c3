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
    skew: float = 0.5  # of quantiles, -1 to 1: below the exponential's 0.56
    skew_tail: float = 10.0  # 99th percentile over the median: the lognormal's (sigma 1)
    extreme_tail: float = 100.0  # the lognormal's (sigma 2): half of the values share a hundredth of the range
    skew_left: float = 0.7  # of the skewness, after a logarithm: it has to help visibly
    most_codes: int = 20  # different whole numbers in a column: more kinds are seldom told apart by number
    # Missing (sections 1 and 3)
    sentinel_share: float = 0.005  # of the rows at one exact value far from all others
    ordinary_columns: int = 16  # ... unless it lies in the 10-90 % range of so many others, as ink does
    ordinary_share: float = 0.1  # ... and of this share of them
    least_repeats: int = 3  # equal cells far from all others: two happen by chance
    mostly_missing: float = 0.5  # of a column: from here on more of it is filled in than was measured
    missing_run: float = 2.0  # times as long as by chance: see checks/missing_patterns.py
    block_share: float = 0.05  # of the rows inside outages: a state of its own to the model
    tied_share: float = 0.64  # of pairs of rows: means half a standard deviation apart, a medium effect (Cohen 1988)
    tied_phi: float = 0.3  # a medium effect too
    eval_missing_share: float = 0.01  # of a column in eval, where train has none: fewer hardly move a mean error
    eval_missing_times: float = 5.0  # as many as in train
    zero_level: float = 0.3  # of the median: smallest value above 0; 0.17 in a breast cancer column with true zeros
    common_zero_level: float = 0.1  # the same where zeros are many; gamma (2) and lognormal (sigma 1) columns lie below
    zero_step: float = 3.0  # times the mean step between the smallest values: counts and rounded amounts have 1
    # Outliers (section 3)
    fence_reach: float = 8.0  # fence in standard deviations of the tail as extrapolated (see checks/outliers.py)
    inner_fence_reach: float = 4.0  # where outliers were found: 8 reaches 1,400 sd in a skewed column, 4 reaches 25
    fence_distinct: int = 21  # columns of fewer values are codes or grey levels (digits have 17), without outliers
    gross_outlier: float = 3.0  # times as far out as the fence: such a cell owns a squared error
    row_reach: float = 3.5  # fence of a row's distance: three rows beyond it (see checks/outlying_rows.py)
    least_far_rows: float = 3.0
    lone_row_reach: float = 5.0  # ... or one or two rows beyond this
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
    category_share: float = 0.14  # of the rows; a coin's shares that far apart have the shift_distance of 0.1
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
