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
from aetfx.comparison.row_changes import EvalMap, is_aligned
from aetfx.comparison.splits import Part
from aetfx.diagnosis import symptoms
from aetfx.diagnosis.curvature import curved_share
from aetfx.diagnosis.thresholds import Thresholds
from aetfx.evaluation import baselines
from aetfx.evaluation.separation import Separation, told_apart
from aetfx.models.activations import CAN_DIE
from aetfx.models.passing import reconstruct
from aetfx.models.probing import KernelFacts, kernels, unit_spread
from aetfx.models.reading import Architecture, LayerFacts, read_architecture
from aetfx.models.rewriting import can_rewrite
from aetfx.models.variational import Heads, adds_losses, find_heads, inactive_units
from aetfx.training.feed import updates_per_epoch
from aetfx.training.numerics import FirstNonFinite, first_non_finite
from aetfx.training.range_test import range_test
from aetfx.training.recipe import Recipe
from aetfx.training.trial import Trial
from aetfx.validation.findings import Finding
from aetfx.validation.output_range import OutputRange
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
        rows = self.trial.preprocessing.apply(self.train_part.inputs[:_PROBE_ROWS])
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
    def separation(self) -> Separation | None:
        """How well the user's own eval rows are told from train rows, both as the recipe has them."""
        if not self.recipe.rows or self.lab.separation is None:
            return self.lab.separation
        split = self.lab.split(0, self.recipe.rows)
        return told_apart(split.train, split.evaluation().inputs, seed=self.lab.seed)

    @property
    def alignment(self) -> EvalMap | None:
        """The map that brings the user's eval rows, or their targets, to train's scale or order, if there is one."""
        of_inputs, of_targets = self.lab.alignments
        return None if is_aligned(self.recipe.rows) else of_inputs or of_targets

    @cached_property
    def fed_cells(self) -> np.ndarray:
        """Train rows as the core model sees them, (n, D) float64; cells that are not scored are NaN."""
        return reference.fed_cells(self.lab, self.trial.preprocessing)

    @property
    def dropped_columns(self) -> np.ndarray:
        """Which columns the recipe's preprocessing leaves out, bool (D,)."""
        dropped = self.trial.preprocessing.dropped
        return np.zeros(math.prod(self.lab.shape), bool) if dropped is None else ~np.isnan(dropped)

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
        return self.level_of(slice(None))

    def level_of(self, columns: slice) -> tuple[float, float]:
        """The same of some columns: those of one part of the rows."""
        statistics = self.statistics
        if not self.is_table and columns not in self.tables:
            fed = self.fed_cells[:, columns]
            cells = fed[np.isfinite(fed)]
            return (float(cells.mean()), float(cells.std())) if cells.size else (0.0, 0.0)
        sd = statistics.sd[columns]
        spread = np.where(sd > 0, sd, np.nan)
        if not np.isfinite(spread).any():
            return 0.0, 0.0
        return float(np.nanmedian(statistics.mean[columns])), float(np.nanmedian(spread))

    @cached_property
    def tables(self) -> list[slice]:
        """Columns that are scored one by one: all of a table, or those of the parts of rows that are tables."""
        if self.lab.parts is None:
            return [slice(None)] if self.is_table else []
        group = self.lab.scorer().group
        return [part.columns for part in self.lab.parts.scored if len(set(group[part.columns]) - {-1}) > 1]

    @cached_property
    def outside(self) -> list[tuple[float, LayerFacts, OutputRange, slice]]:
        """For each output the share of its targets as fed that its activation cannot give, the worst first.

        With the layer, what it can give, and the columns of its targets.
        """
        found = []
        for layer, output, columns in self.architecture.output_ranges:
            fed = self.fed_cells[:, columns]
            cells = fed[np.isfinite(fed)]
            slack = 1e-6 * max(1.0, float(np.abs(cells).max(initial=0.0)))
            beyond = (cells < output.low - slack) | (cells > output.high + slack)
            found.append((float(beyond.mean()) if cells.size else 0.0, layer, output, columns))
        return sorted(found, key=lambda item: -item[0])

    @property
    def outside_share(self) -> float:
        """Share of the targets as fed that the output activation cannot give; of several outputs the worst."""
        return self.outside[0][0] if self.outside else 0.0

    @property
    def worst_output(self) -> OutputRange:
        """What the output can give that misses most of its targets."""
        return self.outside[0][2] if self.outside else self.architecture.output_range

    @cached_property
    def silent_outputs(self) -> tuple[np.ndarray, float]:
        """Which outputs answer some train rows with an end of their range and nothing else, bool (D,).

        There an activation has no gradient. With their share of what is lost on the train rows, as it is scored.
        """
        fed = self.trial.preprocessing.apply(self.train_part.inputs[:_PROBE_ROWS])
        given = np.asarray(reconstruct(self.trial.model, fed)).reshape(len(fed), -1)
        silent = np.zeros(given.shape[1], bool)
        for layer, output, columns in self.architecture.output_ranges:
            if layer.activation in CAN_DIE:
                at_end = [(given[:, columns] == end).all(axis=0) for end in (output.low, output.high)]
                silent[columns] = at_end[0] | at_end[1]
        scorer = self.lab.scorer()
        lost = np.nan_to_num(self.lab.score(self.trial, "train").per_feature)
        lost *= np.nan_to_num(scorer.train_spread) if scorer.features == "tensor" else 1.0
        return silent, float(lost[silent].sum() / lost.sum()) if lost.any() else 0.0

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
        """Relative fall of the train loss over the last fifth of the epochs."""
        return symptoms.fall(self.trial.losses)

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
        if self.train_score <= self.thresholds.least_drop:
            return None
        return symptoms.rising(losses, self.thresholds) or symptoms.oscillating(losses, self.thresholds)

    def first_fed(self, n: int) -> np.ndarray:
        """The first n train rows of the split as fed, (n, *shape)."""
        return self.trial.preprocessing.apply(self.lab.split().train[:n])

    @cached_property
    def heads(self) -> Heads | None:
        """Mean and spread of the code of a variational model, else None."""
        return find_heads(self.trial.model, self.lab.shape)

    @cached_property
    def inactive_units(self) -> tuple[int, int] | None:
        """How many units of a variational code do not depend on the row, and how many there are."""
        if self.heads is None or self.trial.diverged:
            return None
        fed = self.first_fed(4 * _PROBE_ROWS)
        return inactive_units(self.heads.code_means(self.trial.model, fed), self.thresholds.inactive_variance)

    @cached_property
    def adds_losses(self) -> bool:
        """Whether layers of the model add to its loss, beside penalties on weights."""
        fed = self.first_fed(_FEW_ROWS)
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

    @property
    def pca(self) -> float | None:
        """Score of PCA at the code's width; None where PCA is no reference, as for recurrent models of sequences."""
        return self.pca_of_any_code if self.pca_is_reference else None

    @cached_property
    def pca_of_any_code(self) -> float | None:
        """The same, also where codes are drawn: such a model may well be worse, but is good where it is not."""
        k = self.architecture.code_width
        if k is None or k > min(self.fed_cells.shape) / 2 or self.is_denoising or self.is_recurrent:
            return None
        return self.pca_at(k)

    @cached_property
    def denoiser(self) -> float | None:
        """Score of the best linear map to the targets through a code as wide; None but for denoising."""
        k = self.architecture.code_width
        if k is None or not self.is_denoising or not self.pca_is_reference or self.is_recurrent:
            return None
        return reference.denoiser_score(self.lab, self.trial.preprocessing, k)

    @property
    def linear_reference(self) -> float | None:
        """What a linear code of this width does: PCA, or for denoising reduced-rank regression."""
        return self.denoiser if self.is_denoising else self.pca

    @property
    def far_behind_pca(self) -> bool:
        """Whether PCA with as many numbers does so much better that something must be wrong, whatever the target."""
        return self.pca is not None and self.select_score > self.thresholds.pca_far * self.pca

    @property
    def behind(self) -> bool:
        """The same, by as much as a fault must cost."""
        return (
            self.far_behind_pca and self.pca is not None and self.select_score - self.pca > self.thresholds.least_drop
        )

    @property
    def trains_behind(self) -> bool:
        """Whether even the rows that the model was trained on come back worse than PCA gives back others."""
        return self.behind and self.pca is not None and self.train_score > self.pca

    @property
    def is_good(self) -> bool:
        """Whether the score is good by itself: it meets the target, and PCA does not do far better."""
        return self.select_score <= self.target and not self.behind

    @property
    def by_heart(self) -> bool:
        """Whether the train rows come back so much better than others that a good score does not excuse it."""
        return self.overfit_ratio >= self.thresholds.by_heart

    @property
    def learnt(self) -> str | None:
        """In which way training has done all it can, so that neither epochs nor a higher rate are missing; else None.

        The train rows come back well, and far better than others do; or what was learnt in the second half of the
        epochs served the train rows alone.
        """
        if self.by_heart and self.train_score <= self.target:
            return f"the train rows are known by heart (score {self.train_score:.3f})"
        halfway = self.trial.scores.get(math.ceil(self.recipe.epochs / 2), math.inf)
        overfits = self.overfit_ratio > self.thresholds.overfit_ratio
        if not overfits or self.select_score < (1 - self.thresholds.still_falling) * halfway:
            return None
        return (
            f"only the train rows (score {self.train_score:.3f}) still got better: held-out rows came back with a "
            f"score of {halfway:.3f} after half of the epochs, and {self.select_score:.3f} at the end"
        )

    def pca_at(self, k: int) -> float | None:
        """Score of PCA with k components, fitted on the preprocessed train rows (METHOD section 1)."""
        return reference.pca_score(self.lab, self.trial.preprocessing, k, cells=self.fed_cells)

    @property
    def is_recurrent(self) -> bool:
        """Whether rows are sequences and the model recurrent: it may use its code anew at every step, as PCA cannot."""
        return self.architecture.over_time and self.architecture.is_recurrent

    @cached_property
    def sequence_scores(self) -> dict[str, float]:
        """Scores of repeating each held-out sequence's last value, and its mean; empty where rows are no sequences."""
        if not self.architecture.over_time:
            return {}
        scorer, held, judge = self.lab.scorer(), self.lab.split().held_out, self.lab.judged_rows
        return {
            "last_value_score": baselines.last_value_score(scorer, held, judge),
            "mean_sequence_score": baselines.mean_sequence_score(scorer, held, judge),
        }

    @cached_property
    def pca_curve(self) -> dict[int, float]:
        """Score of PCA by its number of components: powers of two, and half to four times the code's width."""
        k = self.architecture.code_width
        if k is None or self.pca is None:
            return {}
        most = min(self.fed_cells.shape) / 2
        widths = {2**i for i in range(int(math.log2(max(most, 1))) + 1)} | {k // 2, k, 2 * k, 4 * k}
        widths = {width for width in widths if 0 < width <= most}
        return reference.pca_scores(self.lab, self.trial.preprocessing, widths, cells=self.fed_cells)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Eigenvalues of the covariance of the train rows as fed, descending."""
        return baselines.pca_spectrum(self._pca_rows)

    @cached_property
    def is_noise(self) -> bool:
        """Whether the rows as fed look like independent noise of equal variance, which no narrower code can keep."""
        n, width = self.fed_cells.shape
        return (self.architecture.code_width or 0) < width and bool(baselines.looks_like_noise(self.spectrum, n, width))

    @cached_property
    def curved(self) -> float:
        """Share of the PCA residual that squares and products of the codes explain on rows not fitted on."""
        k = min(self.architecture.code_width or 1, 12)
        return curved_share(self._pca_rows, k, seed=self.lab.seed)

    @cached_property
    def best_rate(self) -> tuple[float, dict[float, float]]:
        """Learning rate that a range test likes best, and the loss that each rate reached."""
        assert len(self.trial.losses), "the range test trains: a plan, which must not, stops here"
        base = self.recipe.learning_rate
        factors = (1 / 30, 1 / 10, 1 / 3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
        rates = [base * f for f in factors if 1e-7 <= base * f <= 1.0] or [base]
        part = self.train_part
        losses = range_test(
            self.recipe,
            part.inputs,
            self.trial.preprocessing,
            rates,
            seed=self.lab.seed,
            targets=part.targets,
            workshop=self.lab.workshop,
            jit=self.lab.jit(self.recipe),
        )
        least = min(losses.values())
        if not math.isfinite(least):
            return rates[0], losses
        return min(rate for rate, loss in losses.items() if loss <= least + 0.02 * abs(least)), losses

    @property
    def scaling_kind(self) -> str:
        """The scaling that suits the outputs: minmax where they are bounded or probabilities, else standard."""
        bounded = any(output.bounded for _, output, _ in self.architecture.output_ranges)
        return "minmax" if bounded or self.recipe.loss_name == "bce" else "standard"

    @property
    def out_of_reach(self) -> bool:
        """Whether the outputs cannot give so many of the values as fed that no other change makes up for it."""
        return self.outside_share > self.thresholds.out_of_reach

    @property
    def rescaling_kind(self) -> str:
        """The scaling to be fitted anew without the cells that set the one that rows came with.

        Where an output cannot give the rows even as they came, that is a fault of its own, which the scaling that
        suits the output would mend, and hide.
        """
        return "standard" if self.out_of_reach and self.recipe.loss_name != "bce" else self.scaling_kind

    @property
    def squeezed(self) -> bool:
        """Whether rows came scaled by gross cells of some columns, which left the rest of these next to no range."""
        return self.lab.scorer().squeezed and self.recipe.preprocessing.get("scaling", "none") == "none"

    @property
    def usual_rate(self) -> bool:
        """Whether the learning rate is in the usual range of an adaptive optimizer."""
        return symptoms.usual_rate(self.recipe.optimizer_name, self.recipe.learning_rate, self.thresholds)

    @property
    def large_batch(self) -> bool:
        """Whether a batch holds so many of the train rows that updates are few."""
        return symptoms.large_batch(self.recipe.batch_size, self.n_train, self.thresholds)

    @property
    def updates(self) -> int:
        """Optimizer updates of the whole training."""
        return self.recipe.epochs * updates_per_epoch(self.n_train, self.recipe.batch_size)

    @property
    def n_train(self) -> int:
        return len(self.train_part)

    @property
    def train_part(self) -> Part:
        """The train rows of the recipe, with what is asked back for them."""
        return self.lab.trained_on(self.recipe)

    @property
    def is_denoising(self) -> bool:
        """Whether something else than the inputs is asked back, and scored."""
        part = self.train_part
        return part.targets is not part.inputs and not self.lab.scores_inputs

    def found(self, code: str) -> list[Finding]:
        """Findings of the train split whose code is `code` or finer."""
        return [f for f in self.findings if (f.code == code or f.code.startswith(code + "."))]

    @cached_property
    def _pca_rows(self) -> np.ndarray:
        return reference.without_empty_rows(self.fed_cells)
