"""The laboratory: rows in their splits, the score, and every training that an experiment needs.

A *unit* of cost is one training as the user wrote it (T). Costs are computed from updates and
parameters, not from a clock, so that the same study makes the same plan on every machine.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from aetfx.data.split import halve, held_out
from aetfx.evaluation.score import Score, Scorer
from aetfx.preprocessing.fit import Preprocessing, fit_rows
from aetfx.training.feed import updates_per_epoch
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.training.store import TrialStore
from aetfx.training.trial import Trial, train
from aetfx.training.workshop import Workshop

# A small model's training on two slow cores: start-up, Python and TensorFlow per update, arithmetic.
_START_SECONDS = 0.7
_UPDATE_SECONDS = 0.7e-3
_FLOPS_PER_SECOND = 6e9


@dataclass(frozen=True)
class Split:
    """Rows of one way of holding out. All arrays are raw rows (n, *shape)."""

    train: np.ndarray
    select: np.ndarray
    confirm: np.ndarray

    @property
    def held_out(self) -> np.ndarray:
        return np.concatenate([self.select, self.confirm])


@dataclass
class Lab:
    """Trains recipes on splits, once each, and scores them.

    Attributes:
      rows: all rows where eval is a fraction of them, else the train rows.
      eval_rows: the user's own eval rows, or None.
      fraction: held-out fraction, where eval_rows is None.
      seed: of the splits and of the first trial.
      features, declared_shape, sentinels, fences, names: see `Scorer.fit`.
      judge: "inliers" where outliers were found in the data, else None (all rows).
      store: keeps trials over interruptions.
    """

    rows: np.ndarray
    eval_rows: np.ndarray | None
    fraction: float
    seed: int
    features: str
    declared_shape: bool
    names: tuple[str, ...]
    sentinels: dict[int, tuple[float, ...]]
    fences: tuple[np.ndarray, np.ndarray] | None
    judge: str | None
    store: TrialStore
    workshop: Workshop | None = None
    progress: Progress | None = None
    unit_seconds: float = 1.0
    spent: float = 0.0
    planned: float = 0.0
    trained: int = 0
    _splits: dict[int, Split] = field(default_factory=dict)
    _scorers: dict[int, Scorer] = field(default_factory=dict)
    _fitted: dict[tuple[int, str], Preprocessing] = field(default_factory=dict)
    _hashes: dict[int, str] = field(default_factory=dict)
    trials: dict[tuple[str, int, int], Trial] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.rows.shape[1:])

    @property
    def resplits(self) -> bool:
        """Whether eval is a fraction of the same rows, so that rows may change sides."""
        return self.eval_rows is None

    def split(self, index: int = 0) -> Split:
        """Returns split `index`; 0 is the main one, others exist where eval is a fraction."""
        if index not in self._splits:
            kept, select, confirm = self.positions(index)
            train_rows = self.rows if self.eval_rows is not None else self.rows[kept]  # all of them: no copy
            out = self.rows if self.eval_rows is None else self.eval_rows
            self._splits[index] = Split(train_rows, out[select], out[confirm])
        return self._splits[index]

    def positions(self, index: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns where the train, select and confirm rows of a split stand.

        Train rows are counted in `rows`, the others in `eval_rows` where there are some, else in `rows` too.
        """
        seed = self.seed + 1000 * index
        if self.eval_rows is not None:
            kept, out = np.arange(len(self.rows)), np.arange(len(self.eval_rows))
            half = halve(self.eval_rows, seed)
        else:
            mask = held_out(self.rows, self.fraction, seed)
            kept, out = np.flatnonzero(~mask), np.flatnonzero(mask)
            half = halve(self.rows[mask], seed)
        return kept, out[~half], out[half]

    def scorer(self, index: int = 0) -> Scorer:
        """Returns the score as fixed on the train rows of a split."""
        if index not in self._scorers:
            features = self.features if index == 0 else self.scorer(0).features
            self._scorers[index] = Scorer.fit(
                self.split(index).train,
                features=features,
                declared_shape=self.declared_shape,
                sentinels=self.sentinels,
                fences=self.fences,
                names=self.names,
            )
        return self._scorers[index]

    def preprocessing(self, recipe: Recipe, index: int = 0) -> Preprocessing:
        """Returns the recipe's preprocessing, fitted on the train rows of a split."""
        spec = dict(recipe.preprocessing)
        key = (index, repr(sorted(spec.items())))
        if key not in self._fitted:
            scope = spec.pop("scope", "column")
            fit = functools.partial(
                fit_rows,
                spec,
                self.split(index).train,
                scope=scope,
                sentinels=self.sentinels,
                fences=self.fences,
                names=self.names,
            )
            fences = None if self.fences is None else [part.tolist() for part in self.fences]
            sentinels = sorted(self.sentinels.items())
            known = [spec, scope, list(self.names), sentinels, fences, self._rows_hash(index)]
            self._fitted[key] = self.store.preprocessing(known, fit)
        return self._fitted[key]

    def trial(self, recipe: Recipe, *, seed: int | None = None, index: int = 0, score_at: Iterable[int] = ()) -> Trial:
        """Returns the trial of a recipe, training it where that has not been done."""
        seed = self.seed if seed is None else seed
        key = (recipe.identity, seed, index)
        if key in self.trials and set(score_at) <= set(self.trials[key].scores):
            return self.trials[key]
        cost = self.cost(recipe)
        preprocessing = self.preprocessing(recipe, index)
        stored = self.store.load(recipe, seed, index, preprocessing, self._rows_hash(index))
        if stored is not None and set(score_at) <= set(stored.scores):
            trial = stored
        else:
            trial = train(
                recipe,
                self.split(index).train,
                preprocessing,
                seed=seed,
                workshop=self.workshop,
                score=lambda predictor: self._select_score(predictor, index),
                score_at=score_at,
                on_epoch=self._teller(recipe, cost),
            )
            self.trained += 1
            self.store.save(trial, index, score=self.score(trial, "select", index).value, rows=self._rows_hash(index))
        self.spent += cost
        self._tell(recipe.name, self.spent)
        self.trials[key] = trial
        return trial

    def score_of_prefix(self, recipe: Recipe) -> float | None:
        """Returns the select score of a recipe read off a longer trial that is the same up to its last epoch."""
        for (_, seed, index), trial in self.trials.items():
            same = seed == self.seed and index == 0 and recipe.epochs in trial.scores
            if (
                same
                and not recipe.early_stopping
                and trial.recipe.changed(epochs=recipe.epochs).identity == recipe.identity
            ):
                return trial.scores[recipe.epochs]
        return None

    def cost(self, recipe: Recipe, epochs: int | None = None) -> float:
        """Returns the nominal cost of a trial in units of the user's own training."""
        return self.nominal_seconds(recipe, epochs) / self.unit_seconds

    def nominal_seconds(self, recipe: Recipe, epochs: int | None = None) -> float:
        """Returns what a trial would take on the reference machine, from updates and parameters."""
        n_rows = len(self.split(0).train)
        updates = (epochs or recipe.epochs) * updates_per_epoch(n_rows, recipe.batch_size)
        parameters = self.store.parameters(recipe)
        flops = 6.0 * parameters * min(recipe.batch_size, n_rows)
        return _START_SECONDS + updates * (_UPDATE_SECONDS + flops / _FLOPS_PER_SECOND)

    def score(self, trial: Trial, on: str = "select", index: int = 0) -> Score:
        """Scores a trial on the `train`, `select`, `confirm` or `held_out` rows of a split."""
        rows = getattr(self.split(index), on)
        if on == "train" and len(rows) > 4096:
            rows = rows[:4096]
        return self.scorer(index).score(rows, trial.predict(rows), rows=self.judge)

    def _rows_hash(self, index: int) -> str:
        """Returns a hash of what a split's trials are trained and scored on: data that changed make them worthless."""
        if index not in self._hashes:
            digest = hashlib.blake2b(repr((self.scorer(index).features, self.judge)).encode(), digest_size=8)
            for rows in (self.split(index).train, self.split(index).select):
                digest.update(np.ascontiguousarray(rows).tobytes())
            self._hashes[index] = digest.hexdigest()
        return self._hashes[index]

    def _select_score(self, predictor: Callable[[np.ndarray], np.ndarray], index: int) -> float:
        rows = self.split(index).select
        return self.scorer(index).score(rows, predictor(rows), rows=self.judge).value

    def _teller(self, recipe: Recipe, cost: float) -> Callable[[int], None]:
        last = [time.monotonic()]

        def tell(epoch: int) -> None:
            if time.monotonic() - last[0] > 0.2:
                last[0] = time.monotonic()
                self._tell(recipe.name, self.spent + cost * epoch / recipe.epochs)

        return tell

    def _tell(self, doing: str, done: float) -> None:
        if self.progress is not None:
            self.progress.update(doing, done, max(self.planned, done))
