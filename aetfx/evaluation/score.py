"""The score: which part of the data's variance a reconstruction leaves unexplained (METHOD §1).

A `Scorer` is chosen from the train rows once, before anything is trained, and is the same for all configurations
of a study. 0 is a perfect reconstruction, 1 is as good as predicting the train mean, `CAP` the worst value given.

  scorer = Scorer.fit(x_train, features="auto", declared_shape=False, sentinels=None, fences=None)
  scorer.score(x_held_out, model.predict(x_held_out)).value

Terms: n rows of shape `shape` are flattened to D columns. A *scored cell* is finite and not a sentinel; masked
cells count neither in the error nor in the denominator, and neither do the padded steps of a sequence. *Fences*
are bounds per column, fitted on train.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aetfx.data.parts import Part, Parts
from aetfx.errors import DataError, ModelError
from aetfx.evaluation import columns
from aetfx.evaluation.groups import group_columns
from aetfx.evaluation.interval import FLOOR, paired_row_variance, score_interval
from aetfx.evaluation.sums import CAP, RowSums, add_up, by_group, mean_over_groups

__all__ = ["CAP", "FLOOR", "Score", "Scorer", "mean_score", "paired_row_variance", "score_interval"]

PROBABILITY_MARGIN = 1e-3  # outputs and means are clipped to [margin, 1 - margin] for the deviance
# A held-out column whose mean denominator is below this part of its train variance has nothing to be scored against.
NEGLIGIBLE = 1e-9
LEAST_INSIDE = 0.5  # of the held-out rows inside the fences, for the score to rest on these alone


@dataclass(frozen=True)
class Score:
    """How well some rows were given back.

    Attributes:
      value: the score, each group capped at `CAP`; what everybody calls the score.
      raw: the same without a cap; infinite where a prediction is not finite.
      per_feature: float64 (D,), score per column, capped; NaN where excluded or nothing to be scored against.
      raw_per_feature: float64 (D,), the same without a cap.
      per_group: float64 (G,), capped score per group: one pooled, one per channel, or one per included column.
      diverged: some prediction of a scored cell is NaN or infinite; the score is then `CAP`.
      n_rows: rows that were scored.
      recall: for binary data the fraction of ones predicted above 0.5, else None.
      sums: per-row sums for bootstraps.
      per_part: score of each part of the rows by its name; empty for rows of one part.
    """

    value: float
    raw: float
    per_feature: np.ndarray
    raw_per_feature: np.ndarray
    per_group: np.ndarray
    diverged: bool
    n_rows: int
    recall: float | None
    sums: RowSums
    per_part: dict[str, float] = field(default_factory=dict)


def mean_score(scores: Sequence[Score]) -> Score:
    """Returns the mean of the scores of several draws of a stochastic model on the same rows (METHOD §1).

    It is not the score of the mean output: a model that answers the same row in many ways is no better for it.
    """
    if len(scores) == 1:
        return scores[0]
    first = scores[0]
    recalls = [score.recall for score in scores if score.recall is not None]

    def mean(name: str) -> np.ndarray:
        return np.asarray(np.mean([getattr(score, name) for score in scores], axis=0))

    return Score(
        value=float(mean("value")),
        raw=float(mean("raw")),
        per_feature=mean("per_feature"),
        raw_per_feature=mean("raw_per_feature"),
        per_group=mean("per_group"),
        diverged=any(score.diverged for score in scores),
        n_rows=first.n_rows,
        recall=float(np.mean(recalls)) if recalls else None,
        sums=dataclasses.replace(first.sums, error=np.mean([score.sums.error for score in scores], axis=0)),
    )


@dataclass(frozen=True)
class Scorer:
    """How rows of one study are scored. Make one with `Scorer.fit`.

    Attributes:
      features: "table" (mean over columns), "tensor" (pooled, or the mean over channels), or "parts" where parts of
        the rows differ in that.
      metric: "fvu" (fraction of variance unexplained) or "deviance" (fraction of Bernoulli deviance unexplained).
      shape: shape of one row.
      names: D column names.
      included: bool (D,), columns that are scored.
      excluded: names of the columns that are not.
      range_ratio: how unlike the scales of the columns are (METHOD §1), over scored cells inside the fences.
      channels: channels (last axis) are scored apart, because their scales are unlike.
      train_mean: float64 (D,), over scored cells inside the fences; NaN for columns without any.
      train_spread: float64 (D,), mean error of the train-mean prediction on the same cells.
      group: int (D,), the group of each column, -1 where excluded.
      sentinels: values per column that stand for "missing".
      fences: (low, high), float64 (D,) each, or None.
      padding: value of the padded steps at the end of sequences (`aetfx.data.padding`), or None.
      part_of_group: for rows of several parts, the part of each group; None for rows of one part.
      squeezed: some columns are far narrower than the others, inside the gross cells that set their scale.
    """

    features: str
    metric: str
    shape: tuple[int, ...]
    names: tuple[str, ...]
    included: np.ndarray
    excluded: tuple[str, ...]
    range_ratio: float
    channels: bool
    train_mean: np.ndarray
    train_spread: np.ndarray
    group: np.ndarray
    sentinels: dict[int, tuple[float, ...]]
    fences: tuple[np.ndarray, np.ndarray] | None
    padding: float | None = None
    part_of_group: tuple[str, ...] | None = None
    squeezed: bool = False

    @classmethod
    def fit(
        cls,
        x_train: np.ndarray,
        *,
        features: str = "auto",
        declared_shape: bool = False,
        sentinels: dict[int, tuple[float, ...]] | None = None,
        fences: tuple[np.ndarray, np.ndarray] | None = None,
        names: Sequence[str] | None = None,
        padding: float | None = None,
        parts: Parts | None = None,
        held_out: Iterable[np.ndarray] = (),
    ) -> Scorer:
        """Chooses the score from the train rows.

        Args:
          x_train: (n, *shape), raw units, any numeric dtype; NaN and infinite cells are allowed.
          features: "table", "tensor", or "auto": a tensor where the data declare a shape or the columns' scales
            are alike (range ratio <= 30, and no column squeezed by gross cells of its own).
          declared_shape: the rows came as tensors (images, sequences), not as columns.
          sentinels: flat column number to the values that stand for "missing".
          fences: (low, high), shape (D,) each; NaN or infinite where a column has none.
          names: D column names; by default "0", "1", ...
          padding: value of the padded steps at the end of rows (T, ...), which are not scored.
          parts: of flat rows that hold several inputs: each is scored as its own shape and scales ask for, and the
            score is the mean over those that the model gives back.
          held_out: rows that will be scored, (m, *shape) each, read only where the train rows are binary: these are
            scored as variance where others lie outside 0 to 1, where a deviance means nothing.

        Raises:
          DataError: no rows, or no column with variance.
        """
        if features not in ("auto", "table", "tensor"):
            raise ValueError(f"features must be auto, table or tensor but got {features!r}")
        if len(x_train) == 0:
            raise DataError("train: no rows to choose a score from. Give at least two rows.")
        shape = tuple(int(size) for size in x_train.shape[1:])
        flat = columns.as_rows(x_train)
        names = tuple(names) if names is not None else tuple(str(j) for j in range(flat.shape[1]))
        fences = columns.as_fences(fences)
        sentinels = {int(j): tuple(float(v) for v in values) for j, values in (sentinels or {}).items() if len(values)}
        kept = columns.kept_cells(flat, shape, sentinels, padding, fences)
        facts = columns.ColumnFacts.of(flat, kept)
        columnar = len(shape) == 1 and not declared_shape and parts is None  # such rows have no padding
        squeezed = columnar and facts.squeezed((np.isfinite(flat) & ~kept).any(axis=0))
        if squeezed and features == "auto":
            features = "table"
        scored = parts.scored if parts is not None else ()
        binary = facts.binary() if not scored else _all_binary(facts, scored)
        if binary:
            held = (
                (rows, columns.kept_cells(columns.as_rows(rows), shape, sentinels, padding, None)) for rows in held_out
            )
            binary = all(_from_0_to_1(rows, kept & facts.varies) for rows, kept in held)
        groups = group_columns(flat, kept, facts, shape, features, declared_shape, binary, scored)
        included = groups.included
        if not included.any():
            raise DataError(
                f"train: none of the {flat.shape[1]} columns varies enough to be scored (constant, or over 95 % of "
                f"the rows at one value). Check the file, or choose other columns with data.features."
            )
        mean = facts.mean
        if binary:
            clipped = np.clip(mean, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
            spread = -(mean * np.log(clipped) + (1 - mean) * np.log1p(-clipped))
        else:
            spread = facts.variance
        return cls(
            features=groups.features,
            metric="deviance" if binary else "fvu",
            shape=shape,
            names=names,
            included=included,
            excluded=tuple(name for name, kept_column in zip(names, included, strict=True) if not kept_column),
            range_ratio=facts.range_ratio,
            channels=groups.channels,
            train_mean=mean,
            train_spread=spread,
            group=groups.group,
            sentinels=sentinels,
            fences=fences,
            padding=padding,
            part_of_group=groups.parts,
            squeezed=squeezed,
        )

    @property
    def group_weights(self) -> np.ndarray | None:
        """Share of each group in the score, float64 (G,): all parts count the same, and in a part all groups do."""
        if self.part_of_group is None:
            return None
        names = list(self.part_of_group)
        return np.array([1 / names.count(name) for name in names]) / len(set(names))

    def mask(self, y: np.ndarray) -> np.ndarray:
        """Returns which cells are scored: finite, no sentinel, no padding, bool (n, D). `included` has no say in it."""
        flat = columns.flatten(y)
        kept, present = columns.scored_cells(flat, self.sentinels), columns.there(flat, self.padding, self.shape)
        return kept if present is None else kept & present

    def inlier_rows(self, y: np.ndarray) -> np.ndarray:
        """Returns the rows whose scored cells all lie inside the fences, bool (n,); all rows without fences."""
        if self.fences is None:
            return np.ones(len(y), dtype=bool)
        flat = columns.flatten(y)
        return (columns.inside(flat, self.fences) | ~self.mask(flat)).all(axis=1)

    def inlier_share(self, y: np.ndarray) -> float:
        """Returns how many of the scored cells of y (n, *shape) lie inside the fences, 0 to 1; 1 without fences."""
        if self.fences is None:
            return 1.0
        flat = columns.flatten(y)
        scored = self.mask(flat) & self.included
        return float(columns.inside(flat, self.fences)[scored].mean()) if scored.any() else 1.0

    def score(self, y_true: np.ndarray, y_pred: np.ndarray, *, rows: str | np.ndarray | None = None) -> Score:
        """Scores a reconstruction.

        Args:
          y_true: (n, *shape), raw units.
          y_pred: the same shape, raw units.
          rows: None for all rows, "inliers" for those inside the fences, or bool (n,).

        Raises:
          DataError: no scored cell is left.
          ModelError: the shapes differ.
        """
        y_true, y_pred = self._pair(y_true, y_pred)
        chosen = self.chosen_rows(y_true, rows)
        if chosen is not None:
            y_true, y_pred = y_true[chosen], y_pred[chosen]
        if len(y_true) == 0:
            raise DataError("no rows left to score. Give more held-out rows.")
        totals = add_up(
            y_true,
            y_pred,
            cells=self._cells,
            included=self.included,
            group=self.group,
            sentinels=self.sentinels,
            negligible=NEGLIGIBLE * self.train_spread,
            bits=self.metric == "deviance",
            padding=self.padding,
            weights=self.group_weights,
        )
        ratios = totals.sums.ratios()[0]
        if np.isnan(ratios).all():
            raise DataError(
                "no scored cell is left in the held-out rows: all are missing, or equal to the train mean. "
                "Hold out more rows, or check them."
            )
        per_group = np.minimum(ratios, CAP)
        return Score(
            value=CAP if totals.diverged else float(mean_over_groups(per_group[None], self.group_weights)[0]),
            raw=math.inf if totals.diverged else float(mean_over_groups(ratios[None], self.group_weights)[0]),
            per_feature=np.minimum(totals.per_column, CAP),
            raw_per_feature=totals.per_column,
            per_group=per_group,
            diverged=totals.diverged,
            n_rows=len(y_true),
            recall=totals.recall,
            sums=totals.sums,
            per_part=self._per_part(per_group),
        )

    def row_errors(self, y_true: np.ndarray, y_pred: np.ndarray, *, spread: np.ndarray | None = None) -> np.ndarray:
        """Returns the error of each row as a fraction of what the train mean leaves on average, float64 (n,).

        Over a group of columns it is `sum_j e_ij / sum_j v_j` over the scored cells of row i, with `v_j` the mean
        denominator of column j over these rows; the mean over groups follows. Without masked cells the mean over
        rows is the raw score. Infinite where a prediction is not finite, NaN where a row has no scored cell.

        Args:
          y_true, y_pred: (n, *shape), raw units.
          spread: float64 (D,), `v_j` from elsewhere. With `train_spread` the error of a row does not depend on the
            others, so that errors of different rows can be compared wherever they were computed.
        """
        y_true, y_pred = self._pair(y_true, y_pred)
        mask = self.mask(y_true)[:, self.included]
        truth, guess = (columns.flatten(y)[:, self.included] for y in (y_true, y_pred))
        error = self.errors(truth, guess)
        error = np.where(np.isfinite(error) & np.isfinite(guess), error, np.inf)
        if spread is None:
            v = np.where(mask, self.denominators(truth), 0.0).sum(axis=0) / np.maximum(mask.sum(axis=0), 1)
        else:
            v = spread[self.included]
        v = np.where(v > NEGLIGIBLE * self.train_spread[self.included], v, 0.0)
        mask = mask & (v > 0)
        return self.row_ratios(np.where(mask, error, 0.0), np.where(mask, v, 0.0))

    def row_ratios(self, error: np.ndarray, denominator: np.ndarray) -> np.ndarray:
        """Returns error over denominator of each row, each summed over a group, then the mean over groups, (n,).

        Args:
          error, denominator: float64 (n, C) of the C included columns, or already of the groups, (n, n_groups).
        """
        n_groups = self.n_groups
        group = self.group[self.included]
        top, bottom = (by_group(parts, group, n_groups) for parts in (error, denominator))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(bottom > 0, top / bottom, np.nan)
        return mean_over_groups(ratio, self.group_weights)

    def _pair(self, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        if tuple(y_true.shape[1:]) != self.shape:
            raise DataError(f"held-out rows have shape {y_true.shape[1:]} but the train rows have {self.shape}.")
        if y_pred.shape != y_true.shape:
            raise ModelError(
                f"the model gives back rows of shape {y_pred.shape[1:]} ({len(y_pred)} rows) for rows of shape "
                f"{y_true.shape[1:]} ({len(y_true)} rows). The output layer of an autoencoder must match its input."
            )
        return y_true, y_pred

    def chosen_rows(self, y_true: np.ndarray, rows: str | np.ndarray | None) -> np.ndarray | None:
        """Turns the `rows` argument of `score` into bool (n,), or None for all rows."""
        if rows is None or (isinstance(rows, str) and rows == "inliers" and self.fences is None):
            return None
        if isinstance(rows, str):
            if rows != "inliers":
                raise ValueError(f"rows must be None, 'inliers' or a bool array but got {rows!r}")
            return self.inlier_rows(y_true)
        return np.asarray(rows)

    def _per_part(self, per_group: np.ndarray) -> dict[str, float]:
        """Returns the mean over the groups of each part, NaN where nothing of it could be scored."""
        names = np.array(self.part_of_group or ())
        mine = {str(name): per_group[names == name][None] for name in dict.fromkeys(names)}
        return {name: float(mean_over_groups(ratios, None)[0]) for name, ratios in mine.items()}

    @property
    def n_groups(self) -> int:
        """Number of groups of columns that are scored together."""
        return int(self.group.max()) + 1

    def errors(self, truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
        """Returns the error of each cell of the included columns, float64 (n, C)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.square(guess - truth) if self.metric == "fvu" else _deviance(truth, guess)

    def denominators(self, truth: np.ndarray) -> np.ndarray:
        """Returns the error of the train-mean prediction in each cell of the included columns, float64 (n, C)."""
        return self._denominators(truth, self.included)

    def _denominators(self, truth: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        mean = self.train_mean[chosen]
        with np.errstate(over="ignore", invalid="ignore"):
            if self.metric == "fvu":
                return np.square(mean - truth)
            return _deviance(truth, np.broadcast_to(mean, truth.shape))

    def _cells(self, truth: np.ndarray, guess: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the error and the denominator of each cell for the `chosen` columns, float64."""
        return self.errors(truth, guess), self._denominators(truth, chosen)


def _deviance(truth: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Bernoulli deviance (half of it) per cell; NaN where the probability is."""
    p = np.clip(probability, PROBABILITY_MARGIN, 1 - PROBABILITY_MARGIN)
    return -(truth * np.log(p) + (1 - truth) * np.log1p(-p))


def _from_0_to_1(rows: np.ndarray, kept: np.ndarray) -> bool:
    """Whether the kept cells, bool (m, D), of rows are probabilities."""
    flat = columns.as_rows(rows)
    for block in columns.blocks(flat):
        cells = columns.flatten(flat[block])[kept[block]]
        if ((cells < -PROBABILITY_MARGIN) | (cells > 1 + PROBABILITY_MARGIN)).any():
            return False
    return True


def _all_binary(facts: columns.ColumnFacts, scored: Sequence[Part]) -> bool:
    chosen = np.zeros(len(facts.varies), dtype=bool)
    for part in scored:
        chosen[part.columns] = True
    varies = facts.varies & chosen
    return bool(varies.any() and facts.only_bits[varies].all())
