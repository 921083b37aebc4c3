"""The case at one step of the chain: the recipe under suspicion, its trial, and what can be seen in them.

Everything here is looked at, nothing is trained except the short range test; each figure is computed
when a cause asks for it, and once.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aetfx.comparison import reference
from aetfx.comparison.lab import Lab
from aetfx.diagnosis.curvature import curved_share
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.evaluation import baselines
from aetfx.models.probing import KernelFacts, kernels, unit_spread
from aetfx.models.reading import Architecture, read_architecture
from aetfx.models.rewriting import can_rewrite
from aetfx.models.variational import Heads, adds_losses, find_heads, inactive_units
from aetfx.training.feed import updates_per_epoch
from aetfx.training.numerics import FirstNonFinite, first_non_finite
from aetfx.training.range_test import range_test
from aetfx.training.recipe import Recipe
from aetfx.training.trial import Trial
from aetfx.validation.findings import Finding
from aetfx.validation.statistics import ColumnStatistics, range_ratio, summarize
from aetfx.words import percent

_PROBE_ROWS = 512
_FEW_ROWS = 8


@dataclass
class Case:
    """What is known before the experiments of one step.

    Attributes:
      lab: rows, splits, score, trials.
      recipe: the user's recipe, or the one that the chain has reached.
      trial: its first trial, on the main split.
      thresholds: the numbers of the method.
      target: score that counts as good.
      findings: what validation found in the raw data.
      fixed: codes that the chain has already mended.
      step: 1 for the user's own recipe.
    """

    lab: Lab
    recipe: Recipe
    trial: Trial
    thresholds: Thresholds
    target: float
    findings: list[Finding]
    fixed: frozenset[str] = frozenset()
    step: int = 1

    @cached_property
    def architecture(self) -> Architecture:
        return read_architecture(self.trial.model, self.lab.shape)

    @cached_property
    def initial_model(self) -> Any:
        """The model as it was before its first update: the same seed draws the same weights."""
        import keras

        keras.utils.set_random_seed(self.trial.seed)
        return self.recipe.source.build()

    @cached_property
    def initial_kernels(self) -> list[KernelFacts]:
        """The kernels before the first update, under the layers' names in `architecture`."""
        names = self._names_of_initial
        found = kernels(self.initial_model, self._initial_architecture)
        return [dataclasses.replace(kernel, layer=names[kernel.layer]) for kernel in found]

    @property
    def trained_kernels(self) -> list[KernelFacts]:
        return kernels(self.trial.model, self.architecture)

    @cached_property
    def spread(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """How far the answers of each unit are apart over some train rows, before training and after it."""
        rows = self.trial.preprocessing.apply(self.lab.split().train[:_PROBE_ROWS])
        before = unit_spread(self.initial_model, self._initial_architecture, rows)
        names = self._names_of_initial
        after = unit_spread(self.trial.model, self.architecture, rows)
        return {names[name]: spread for name, spread in before.items()}, after

    def silent_units(self, share: float) -> dict[str, np.ndarray]:
        """Units of each layer whose spread training brought down to a share of what it was: bool (units,)."""
        before, after = self.spread
        return {name: (before[name] > 0) & (spread <= share * before[name]) for name, spread in after.items()}

    @cached_property
    def _initial_architecture(self) -> Architecture:
        return read_architecture(self.initial_model, self.lab.shape)

    @property
    def _names_of_initial(self) -> dict[str, str]:
        """Each build of a subclass counts its layers' names up: they correspond by their order."""
        pairs = zip(self._initial_architecture.layers, self.architecture.layers, strict=True)
        return {before.name: after.name for before, after in pairs}

    @cached_property
    def rewritable(self) -> bool:
        """Whether layers can be changed."""
        return can_rewrite(self.recipe.source.blueprint, self.architecture)

    @cached_property
    def fed_cells(self) -> np.ndarray:
        """Train rows as the core model sees them, (n, D) float64; cells that are not scored are NaN."""
        return reference.fed_cells(self.lab, self.trial.preprocessing)

    @cached_property
    def statistics(self) -> ColumnStatistics:
        """Statistics of the scored train cells as fed."""
        return summarize(self.fed_cells, self.lab.names)

    @property
    def is_table(self) -> bool:
        return self.lab.scorer().features == "table"

    @property
    def is_binary(self) -> bool:
        return self.lab.scorer().metric == "deviance"

    @cached_property
    def range_ratio(self) -> float:
        """How unlike the columns are as fed."""
        return range_ratio(self.statistics.ranges)

    @cached_property
    def level(self) -> tuple[float, float]:
        """Mean and sd of the values as fed: over all values of a tensor, of the median column of a table."""
        statistics = self.statistics
        if not self.is_table:
            cells = self.fed_cells[np.isfinite(self.fed_cells)]
            return (float(cells.mean()), float(cells.std())) if cells.size else (0.0, 0.0)
        spread = np.where(statistics.sd > 0, statistics.sd, np.nan)
        if not np.isfinite(spread).any():
            return 0.0, 0.0
        return float(np.nanmedian(statistics.mean)), float(np.nanmedian(spread))

    @cached_property
    def outside_share(self) -> float:
        """Share of the targets as fed that the output activation cannot give."""
        cells = self.fed_cells[np.isfinite(self.fed_cells)]
        output = self.architecture.output_range
        if not cells.size:
            return 0.0
        slack = 1e-6 * max(1.0, float(np.abs(cells).max()))
        return float(((cells < output.low - slack) | (cells > output.high + slack)).mean())

    @cached_property
    def train_score(self) -> float:
        return self.lab.score(self.trial, "train").value

    @cached_property
    def select_score(self) -> float:
        return self.lab.score(self.trial, "select").value

    @property
    def overfit_ratio(self) -> float:
        return self.select_score / max(self.train_score, self.thresholds.score_floor)

    @property
    def at_the_mean(self) -> bool:
        """Whether the model has learnt next to nothing even on its train rows."""
        return self.train_score > self.thresholds.at_the_mean

    @cached_property
    def fall(self) -> float:
        """Relative fall of the train loss over the last fifth of the epochs (medians of a few epochs)."""
        losses = self.trial.losses[np.isfinite(self.trial.losses)]
        if len(losses) < 3:
            return float((losses[0] - losses[-1]) / max(abs(losses[0]), 1e-12)) if len(losses) > 1 else 1.0
        width = max(1, len(losses) // 20)
        start = max(0, int(round(len(losses) * 0.8)) - 1)
        before = float(np.median(losses[max(0, start - width + 1) : start + 1]))
        after = float(np.median(losses[-width:]))
        return (before - after) / max(abs(before), 1e-12)

    @property
    def fall_in_words(self) -> str:
        return f"fell {percent(self.fall, 1)} over the last fifth of the epochs"

    @property
    def still_falling(self) -> bool:
        return self.trial.diverged is False and (self.fall > self.thresholds.still_falling or self.at_the_mean)

    @cached_property
    def unsteady(self) -> str | None:
        """Says in which way the loss is unsteady: NaN, risen, or jumping; None where it is not.

        A loss that wobbles while the train rows come back all but perfectly is no fault: calm, it could not do better
        by as much as a cause must.
        """
        losses = self.trial.losses
        if self.trial.diverged:
            return f"the loss became NaN or infinite at epoch {len(losses)}"
        if len(losses) < 4 or self.train_score <= self.thresholds.least_drop:
            return None
        lowest, last = float(losses.min()), float(np.median(losses[-max(1, len(losses) // 20) :]))
        if last > lowest + (self.thresholds.rise - 1) * abs(lowest):
            return f"the loss rose from {lowest:.4g} to {last:.4g}"
        late = losses[-max(4, len(losses) // 3) :]
        steps = np.diff(late) / np.maximum(np.abs(late[:-1]), 1e-12)
        turns = float((np.sign(steps[1:]) != np.sign(steps[:-1])).mean())
        size = float(np.median(np.abs(steps)))
        if size > self.thresholds.oscillation and turns > 0.4:
            return f"the loss jumps by {percent(size)} from epoch to epoch"
        return None

    @cached_property
    def heads(self) -> Heads | None:
        """Mean and spread of the code of a variational model, else None."""
        return find_heads(self.trial.model, self.lab.shape)

    @cached_property
    def inactive_units(self) -> tuple[int, int] | None:
        """How many units of a variational code do not depend on the row, and how many there are."""
        if self.heads is None or self.trial.diverged:
            return None
        fed = self.trial.preprocessing.apply(self.lab.split().train[: 4 * _PROBE_ROWS])
        return inactive_units(self.heads.code_means(self.trial.model, fed), self.thresholds.inactive_variance)

    @cached_property
    def adds_losses(self) -> bool:
        """Whether layers of the model add to its loss, beside penalties on weights."""
        fed = self.trial.preprocessing.apply(self.lab.split().train[:_FEW_ROWS])
        return adds_losses(self.recipe.source.build(), fed)

    @property
    def pca_is_reference(self) -> bool:
        """Whether PCA says what a code of that width can do: not where codes are drawn (METHOD section 1)."""
        return self.heads is None and not self.trial.stochastic

    @cached_property
    def non_finite(self) -> FirstNonFinite | None:
        """Where the first value that is not a number came from, in a training that diverged; costs at most one more."""
        if not self.trial.diverged:
            return None
        try:
            return first_non_finite(self.trial, self.lab.split().train)
        except Exception:  # a user's layer may run in a graph only; what is missing then is one sentence
            return None

    @property
    def numerics(self) -> tuple[str, ...]:
        """The same as a sentence of evidence; () where there is none."""
        return (self.non_finite.sentence,) if self.non_finite is not None else ()

    @cached_property
    def pca(self) -> float | None:
        """Score of PCA at the code's width; None where PCA is no reference."""
        k = self.architecture.code_width
        n, width = self.fed_cells.shape
        if k is None or k > min(n, width) / 2:
            return None
        return self.pca_at(k)

    def pca_at(self, k: int) -> float | None:
        """Score of PCA with k components, fitted on the preprocessed train rows (METHOD section 1)."""
        if not self.pca_is_reference:
            return None
        return reference.pca_score(self.lab, self.trial.preprocessing, k, cells=self.fed_cells)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Eigenvalues of the covariance of the train rows as fed, descending."""
        return baselines.pca_spectrum(self._pca_rows)

    @cached_property
    def is_noise(self) -> bool:
        """Whether the rows as fed look like independent noise of equal variance."""
        n, width = self.fed_cells.shape
        return bool(baselines.looks_like_noise(self.spectrum, n, width))

    @cached_property
    def curved(self) -> float:
        """Share of the PCA residual that squares and products of the codes explain on rows not fitted on."""
        k = min(self.architecture.code_width or 1, 12)
        return curved_share(self._pca_rows, k, seed=self.lab.seed)

    @cached_property
    def best_rate(self) -> tuple[float, dict[float, float]]:
        """Learning rate that a range test likes best, and the loss that each rate reached."""
        base = self.recipe.learning_rate
        factors = (1 / 30, 1 / 10, 1 / 3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
        rates = [base * f for f in factors if 1e-7 <= base * f <= 1.0] or [base]
        losses = range_test(
            self.recipe,
            self.lab.split().train,
            self.trial.preprocessing,
            rates,
            seed=self.lab.seed,
            workshop=self.lab.workshop,
        )
        least = min(losses.values())
        if not math.isfinite(least):
            return rates[0], losses
        return min(rate for rate, loss in losses.items() if loss <= least + 0.02 * abs(least)), losses

    @property
    def usual_rate(self) -> bool:
        """Whether the learning rate is in the usual range of an adaptive optimizer."""
        t = self.thresholds
        adaptive = self.recipe.optimizer_name in ("adam", "adamw", "nadam", "adamax", "rmsprop", "lion")
        return not adaptive or t.usual_rate_low <= self.recipe.learning_rate <= t.usual_rate_high

    @property
    def large_batch(self) -> bool:
        """Whether a batch holds so many of the train rows that updates are few."""
        t = self.thresholds
        return self.recipe.batch_size >= max(self.n_train * t.large_batch_share, t.good_batch + 1)

    @property
    def updates(self) -> int:
        """Optimizer updates of the whole training."""
        return self.recipe.epochs * updates_per_epoch(self.n_train, self.recipe.batch_size)

    @property
    def n_train(self) -> int:
        return len(self.lab.split().train)

    def found(self, code: str) -> list[Finding]:
        """Findings of the train split whose code is `code` or finer."""
        return [f for f in self.findings if (f.code == code or f.code.startswith(code + "."))]

    @cached_property
    def _pca_rows(self) -> np.ndarray:
        return reference.without_empty_rows(self.fed_cells)
