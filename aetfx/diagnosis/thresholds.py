"""Every number that a verdict depends on, with its reason; each can be overridden in the study.

`diagnosis: {thresholds: {least_gain: 0.3}}` in a study file replaces one of them by name. Where a
reason names a section it is that of docs/method.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from aetfx.errors import StudyError, nearest


@dataclass(frozen=True)
class Thresholds:
    """Starting values of the method, all dimensionless unless named otherwise."""

    # Naming (section 4)
    least_gain: float = 0.25  # below this, healthy models improve too: twice the width gains 20 %
    least_lower_bound: float = 0.10  # lower bound of the gain for changes that do not help healthy models
    least_lower_bound_dear: float = 0.20  # ... and for those that do, because they cost more: epochs, width, batch
    least_lower_bound_good: float = 0.67  # ... and below the target: a healthy LSTM gains 56 % from 4 times the epochs
    least_lower_bound_behind: float = 0.40  # ... there, far behind PCA: healthy ones gain 40 % from 2x the epochs
    least_lower_bound_plain: float = 0.25  # ... at equal cost or from an unusual setting: no healthy model gains that
    least_lower_bound_plain_behind: float = 0.20  # ... far behind PCA: a healthy sparse code gains 17 % surely
    least_drop: float = 0.03  # absolute drop of the score for changes that help healthy models as well
    least_drop_strict: float = 0.01  # ... and for others, far behind PCA, or sure at equal cost: 0.01 -> 0.005 is none
    improvement_lower_bound: float = 0.05  # worth a mention, not a fault
    most_of_it: float = 0.7  # of ln(before / after): a fix that does as much goes before more units or epochs
    level: float = 0.05  # one-sided error level, halved at each step of the chain
    score_floor: float = 1e-6  # ln(score) of a perfect reconstruction
    # Screening
    screen_gain: float = 0.15  # a leader must gain this much in one seed to be confirmed
    sure_gain: float = 0.40  # a milder variant than the best must gain this much to stand for its cause
    alike: float = 2.0  # times the leader's screened score: no interval is that wide
    most_candidates: float = 3  # confirmed at once: each costs as much as the baseline
    most_steps: float = 4  # length of the chain of compound faults
    early_rejection_gain: float = 0.10  # after two pairs below this, the rest is not trained
    # Rows (section 2)
    few_rows: float = 400  # held-out rows below which re-splits replace seeds
    # Admission (section 3)
    settled_gain: float = 0.10  # what two other learning rates must gain each where the loss is calm or has settled
    still_falling: float = 0.06  # relative fall of the train loss over the last fifth of the epochs
    steep_fall: float = 0.20  # ... that leaves no doubt: at that rate four times the epochs may not be enough
    at_the_mean: float = 0.90  # a train score above this has learnt next to nothing
    worse_than_mean: float = 1.5  # ... and above this is led elsewhere: a divergence leads to the mean (1) at most
    ordinary: float = 1e6  # a loss that breaks on values below this is at fault itself: its square is far from overflow
    rare_variance: float = 0.25  # share of the variance in columns of one value for the most part: MAE gives that one
    sparse_ones: float = 0.10  # share of ones below which binary rows are sparse
    large_sd: float = 10.0  # sd as fed above which values are large
    tiny_sd: float = 0.1  # ... and below which they are tiny
    range_ratio: float = 30.0  # scales this unlike are a table; digits 1.0, diabetes 1.05, wine 401
    outside_share: float = 0.01  # share of values outside the output range
    out_of_reach: float = 0.25  # ... that no other change makes up for: half of what is standardised is negative
    silent_share: float = 0.25  # of what is lost on train rows, in outputs that give all of them one end of their range
    shared_part: float = 0.5  # of the variance of all values, that lies between the means of the columns
    nearly_still: float = 0.1  # of the median column's sd: scaled by itself, such a column would be blown up
    far_mean: float = 3.0  # |mean| in sd that marks uncentred data
    pca_far: float = 1.5  # times PCA's score at the same code width: a symptom, whatever the target (section 1)
    pca_close: float = 1.1  # PCA within 10 % of the model, or better
    overfit_ratio: float = 1.5  # eval score over train score
    by_heart: float = 3.8  # ... that a good score does not excuse: healthy programs have up to 3.2, few rows 4.6 on
    repeated_layers: int = 4  # hidden layers that repeat the width of the one before: deeper than two a side
    closed_gap: float = 0.5  # of the gap between held-out and train score: a smaller model does what rows would
    oscillation: float = 0.05  # median relative step of the loss between late epochs that keeps changing sign
    rise: float = 1.10  # last loss over the lowest one
    constant_weight: float = 0.02  # of the squared values as fed in (nearly) constant columns: one column in fifty
    constant_undue: float = 3.0  # times the weight that the score gives them
    shift_auc: float = 0.6  # lower bound; 0.5 is chance, a mean 0.36 sd away in one normal column gives 0.6
    usual_rate_low: float = 1e-4  # Adam's usual learning rates
    usual_rate_high: float = 1e-2
    hardly_moved: float = 0.05  # change of a kernel against its size when drawn; training changes it by about its size
    watch_patience: float = 3  # ends of epochs in a row at which the loss must look unsteady while it is being watched
    range_test_share: float = 1 / 3  # a rate below this share of the best one is low
    least_reach: float = 1.0  # learning rate times updates: how far Adam can move a weight
    small_batch: float = 4
    least_batch: float = 8
    batch_norm_batch: float = 8  # batch norm needs this many rows for its statistics
    large_batch_share: float = 0.25  # of the train rows
    good_batch: float = 32
    dead_share: float = 0.25  # of a layer's units that answer the same to every row
    dead_spread: float = 1e-6  # of a unit's spread before training: below it does not answer any more
    far_from_fan: float = (
        5.0  # times off the usual initialisers; Keras's normal of sd 0.05 is 4 off at 30 -> 16, no harm
    )
    silenced_share: float = 0.75  # of a penalised layer's units
    silenced_spread: float = 1e-3  # of their spread before training
    usual_kl_weight: float = 1.0  # of the evidence lower bound (Kingma and Welling 2014); more is unusual
    inactive_share: float = 0.75  # of a variational code's units
    inactive_variance: float = 0.01  # over rows, of a unit's mean; Burda et al. (2016), section 5.2
    some_dropout: float = 0.1  # between layers, from here on it is tried without where there is no overfitting
    no_overfit_ratio: float = 1.2  # eval score over train score, up to which there is no overfitting to cure
    strong_noise: float = 0.4  # dropout or noise from here on is tried without, however good the train rows are
    usual_updates: float = 1000.0  # a training of fewer is short
    shrunk: float = 0.01  # sd of a kernel against that before training
    # Code width (section 5)
    doubling_gain: float = 0.25  # gain that the first doubling of the code must bring
    mostly_lost: float = 0.5  # ... or from this score on both together,
    doubling_part: float = 0.10  # ... if each brings this
    spectrum_ratio: float = 2.0  # next k eigenvalues against the rest; flat = 1
    code_advantage: float = 0.5  # 4x code must leave less than this share of any other single fix

    @classmethod
    def with_overrides(cls, overrides: Mapping[str, float]) -> Thresholds:
        """Returns the thresholds with some replaced by name.

        Raises:
          StudyError: there is no threshold of that name.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in overrides:
            if name not in names:
                raise StudyError(f"diagnosis.thresholds: unknown key '{name}'.{nearest(name, names)}")
        return cls(**overrides)
