"""The laboratory: rows in their splits, the score, and every training that an experiment needs.

A *unit* of cost is one training as the user wrote it (T). Costs are computed from updates and
parameters, not from a clock, so that the same study makes the same plan on every machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from aetfx.comparison.pool import Job, Pool, helpers_for, is_worth_it
from aetfx.comparison.row_changes import EvalMap, alignments, changed, is_aligned, on_train, unchanged
from aetfx.comparison.splits import Part, Split, positions, split_rows
from aetfx.data.parts import Parts
from aetfx.data.shards import DiskRows
from aetfx.data.targets import SAME, Relation
from aetfx.errors import ModelError
from aetfx.evaluation.columns import inside
from aetfx.evaluation.score import Score, Scorer, mean_score
from aetfx.evaluation.separation import Separation
from aetfx.models.reading import Architecture, read_architecture
from aetfx.preprocessing.fit import Preprocessing, fit_rows
from aetfx.training.checkpoint import Checkpoints
from aetfx.training.feed import updates_per_epoch
from aetfx.training.progress import Progress
from aetfx.training.recipe import Recipe
from aetfx.training.store import TrialStore
from aetfx.training.telemetry import Kind
from aetfx.training.trial import OutOfTime, Trial, train
from aetfx.training.workshop import Workshop

# A small model's training on two slow cores: start-up, Python and TensorFlow per update, arithmetic.
_START_SECONDS = 0.7
_EPOCH_SECONDS = 5e-3
_UPDATE_SECONDS = 0.7e-3
_STEP_SECONDS = 0.1e-3  # of a recurrent layer, forward and back
_FLOPS_PER_SECOND = 6e9
# Compiling the programs of a dense autoencoder takes up to a second more of processor time than TensorFlow's own
# tracing, and saves nine tenths of a small model's updates. Nominal seconds, so that the same study trains the same
# way on every machine.
_JIT_FROM_SECONDS = 1.5
_MOST_TRAIN_ROWS = 4096  # scored to see how well the train rows come back


@dataclass
class Lab:
    """Trains recipes on splits, once each, and scores them.

    Attributes:
      rows: all rows where eval is a fraction of them, else the train rows.
      eval_rows: the user's own eval rows, or None.
      fraction: held-out fraction, where eval_rows is None.
      seed: of the splits and of the first trial.
      features, declared_shape, sentinels, fences, names: see `Scorer.fit`.
      padding: value of the padded steps at the end of sequences, or None.
      parts: of flat rows that hold several inputs, or None.
      judge: what scores rest on where outliers were found in the data: "inliers", the rows inside the fences, or
        "cells", all rows but not their cells outside (gross cells that are few, and in most rows); else None, all.
      store: keeps trials over interruptions.
      lost: trials that killed their process, and the signal.
      on_part: told which part of the training of a recipe with a seed is done, a few times a second.
      targets, eval_targets: what `fit` asks back for `rows` and `eval_rows`; None asks the rows themselves.
      disk, disk_targets: all train rows, and what is asked back for them, where `rows` is a sample of them; None where
        `rows` are all.
      relation: of the targets to their inputs.
      processes: how many train at a time, this one included; None for as many as there are cores.
      deadline: of `time.monotonic`, after which no training is begun or gone on with; None for never.
      checkpoint_seconds: the least time between two checkpoints of a trial; 0 for one after each epoch.
      telemetry: whether trials read the figures of `aetfx.training.telemetry`; see `train`.
      reserve: whether half of the user's own eval rows is set aside for experiments (`comparison.splits`).
      separation: how well the user's own eval rows are told from the train rows; None where eval is a fraction.
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
    padding: float | None = None
    parts: Parts | None = None
    progress: Progress | None = None
    on_part: Callable[[Recipe, int, float], None] | None = None
    targets: np.ndarray | None = None
    eval_targets: np.ndarray | None = None
    disk: DiskRows | None = None
    disk_targets: DiskRows | None = None
    relation: Relation = SAME
    reserve: bool = False
    processes: int | None = None
    deadline: float | None = None
    checkpoint_seconds: float = 15.0
    telemetry: Kind = False
    separation: Separation | None = None
    unit_seconds: float = 1.0
    spent: float = 0.0
    planned: float = 0.0
    trained: int = 0
    _splits: dict[tuple[int, str], Split] = field(default_factory=dict)
    _scorers: dict[int, Scorer] = field(default_factory=dict)
    _fitted: dict[tuple[int, str], Preprocessing] = field(default_factory=dict)
    _hashes: dict[tuple[int, str, str], str] = field(default_factory=dict)
    trials: dict[tuple[str, int, int], Trial] = field(default_factory=dict)
    lost: dict[tuple[str, int, int], int] = field(default_factory=dict)
    _architectures: dict[str, Architecture] = field(default_factory=dict)
    _paid: dict[tuple[str, int, int], float] = field(default_factory=dict)  # of `spent`, for rungs
    _pool: Pool | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.rows.shape[1:])

    @property
    def scores_inputs(self) -> bool:
        """Whether reconstructions are compared with the inputs, although other targets were given by mistake."""
        return self.relation.asks_inputs

    @property
    def resplits(self) -> bool:
        """Whether eval is a fraction of the same rows, so that rows may change sides."""
        return self.eval_rows is None

    def split(self, index: int = 0, change: str = "") -> Split:
        """Returns split `index`; 0 is the main one, others exist where eval is a fraction.

        Args:
          index: of the split.
          change: of its rows, as a recipe names it (`comparison.row_changes`).
        """
        key = (index, change)
        if key not in self._splits:
            if change:
                self._splits[key] = changed(self.split(index), change, self.seed)
            else:
                evaluation = None if self.eval_rows is None else Part.of(self.eval_rows, self.eval_targets)
                rows = Part.of(self.rows, self.targets)
                self._splits[key] = split_rows(
                    rows, evaluation, self.fraction, self.seed + 1000 * index, reserve=self.reserve
                )
        return self._splits[key]

    def trained_on(self, recipe: Recipe, index: int = 0) -> Part:
        """Returns the train rows of a recipe and what its `fit` asks back for them."""
        part = self.split(index, recipe.rows).part("train")
        return part if recipe.target == "given" else Part(part.inputs, self.truth_of(part))

    def fed_from(self, recipe: Recipe, index: int = 0) -> tuple[np.ndarray | DiskRows, np.ndarray | DiskRows]:
        """Returns what a recipe trains on and what its `fit` asks back: `trained_on`, or all of it from disk."""
        if self.disk is None or recipe.rows or recipe.target not in ("given", "input"):
            part = self.trained_on(recipe, index)
            return part.inputs, part.targets
        asks_rows = recipe.target == "input" or self.disk_targets is None
        return self.disk, self.disk if asks_rows else self.disk_targets  # type: ignore[return-value]

    def judged_on(self, recipe: Recipe, on: str = "select", index: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Returns the inputs that a recipe is scored on, and what should come back for them, all cells of it."""
        part = self.split(index, recipe.rows).part(on)
        if on == "train":
            part = part[slice(0, _MOST_TRAIN_ROWS)]
        return part.inputs, self.truth_of(part)

    @property
    def judged_rows(self) -> str | None:
        """Which rows are judged, as for `Scorer.score`."""
        return "inliers" if self.judge == "inliers" else None

    def judged_cells(self, truth: np.ndarray) -> np.ndarray:
        """Returns rows (n, *shape) with NaN in the cells that are not judged."""
        if self.judge != "cells" or self.fences is None:
            return truth
        kept = inside(truth.reshape(len(truth), -1), self.fences).reshape(truth.shape)
        return np.where(kept, truth, np.asarray(np.nan, truth.dtype if truth.dtype.kind == "f" else np.float64))

    def truth_of(self, part: Part) -> np.ndarray:
        """Returns what reconstructions of some rows are compared with: targets scaled and turned as their inputs."""
        return part.inputs if self.scores_inputs else self.relation.meant(part.targets, part.inputs)

    @functools.cached_property
    def alignments(self) -> tuple[EvalMap | None, EvalMap | None]:
        """Maps of the user's own eval inputs and targets to train's scale or order, where these are others."""
        return (None, None) if self.eval_rows is None else alignments(self.split())

    def compared(
        self, recipe: Recipe, predict: Callable[[np.ndarray], np.ndarray], on: str = "select", index: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what should come back and what does, (n, *shape) each.

        Eval rows on another scale than train's are fed as they are, and both sides are then brought to train's
        scale: the train mean, which the score measures by, means nothing on any other.
        """
        inputs, truth, back = self.judging(recipe, on, index)
        return truth, back(predict(inputs))

    def judging(
        self, recipe: Recipe, on: str, index: int
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Returns inputs, what should come back, and what brings a reconstruction to the scale of that."""
        inputs, truth = self.judged_on(recipe, on, index)
        back = self._back(unaligned=on != "train" and not is_aligned(recipe.rows))
        return inputs, self.judged_cells(back(truth)), back

    def _back(self, *, unaligned: bool) -> Callable[[np.ndarray], np.ndarray]:
        """Returns what brings rows that come back to the scale of train: of eval rows that are as they were given."""
        like_inputs = self.scores_inputs or self.relation.asks_others
        back = self.alignments[0 if like_inputs else 1] if unaligned else None
        return unchanged if back is None else back

    def positions(self, index: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns where the train, select and confirm rows of a split stand.

        Train rows are counted in `rows`, the others in `eval_rows` where there are some, else in `rows` too.
        """
        found = positions(self.rows, self.eval_rows, self.fraction, self.seed + 1000 * index, reserve=self.reserve)
        return found["train"], found["select"], found["confirm"]

    def scorer(self, index: int = 0) -> Scorer:
        """Returns the score as fixed on the train rows of a split."""
        if index not in self._scorers:
            features = self.features if index == 0 or self.parts is not None else self.scorer(0).features
            train = self.truth_of(self.split(index).part("train"))
            self._scorers[index] = Scorer.fit(
                train,
                features=features,
                declared_shape=self.declared_shape,
                sentinels=self.sentinels,
                fences=self.fences,
                names=self.names,
                padding=self.padding,
                parts=self.parts,
                held_out=self._held_out(index),
            )
        return self._scorers[index]

    def _held_out(self, index: int) -> Iterator[np.ndarray]:
        """Yields what should come back for the rows that are scored, on the scale of train where that is known."""
        back = self._back(unaligned=True)
        for on in ("select", "confirm"):
            yield back(self.truth_of(self.split(index).part(on)))

    def preprocessing(self, recipe: Recipe, index: int = 0) -> Preprocessing:
        """Returns the recipe's preprocessing, fitted on the train rows of a split."""
        spec = dict(recipe.preprocessing)
        key = (index, repr([recipe.rows, sorted(spec.items())]))
        if key not in self._fitted:
            scope = spec.pop("scope", "column")
            fit = functools.partial(
                fit_rows,
                spec,
                self.trained_on(recipe, index).inputs,
                scope=scope,
                sentinels=self.sentinels,
                fences=self.fences,
                names=self.names,
                padding=self.padding,
                pools=self.pools(),
            )
            fences = None if self.fences is None else [part.tolist() for part in self.fences]
            sentinels = sorted(self.sentinels.items())
            known = [spec, scope, list(self.names), sentinels, fences, self._rows_hash(recipe, index)]
            known += [] if self.padding is None else [self.padding]
            known += [] if self.parts is None else [repr(self.parts)]
            self._fitted[key] = self.store.preprocessing(known, fit)
        return self._fitted[key]

    def pools(self) -> np.ndarray | None:
        """Returns which columns a pooled scale is shared by: all, or for rows of several parts the groups of the score.

        Columns that are not scored belong to their part where that is pooled, else each is scaled by itself.
        """
        if self.parts is None:
            return None
        scorer, pools = self.scorer(0), np.arange(int(np.prod(self.shape)), dtype=np.int64)
        for part in self.parts.parts:
            groups = np.unique(scorer.group[part.columns][scorer.group[part.columns] >= 0])
            if (part.declared_shape and not len(groups)) or len(groups) == 1:
                pools[part.columns] = part.start
        return pools

    def trial(self, recipe: Recipe, *, seed: int | None = None, index: int = 0, score_at: Iterable[int] = ()) -> Trial:
        """Returns the trial of a recipe, training it where that has not been done.

        Raises:
          OutOfTime: it would have to be trained, and the deadline is over.
        """
        seed = self.seed if seed is None else seed
        key = (recipe.identity, seed, index)
        if key in self.trials and set(score_at) <= set(self.trials[key].scores):
            return self.trials[key]
        twin = self._trained_alike(recipe, score_at)
        if twin.identity != recipe.identity:
            trial = dataclasses.replace(self.trial(twin, seed=seed, index=index), recipe=recipe, scores={})
            self.trials[key] = trial
            return trial
        stored = self._stored(recipe, seed, index)
        if stored is not None and set(score_at) <= set(stored.scores):
            trial = stored
        else:
            trial = self._trained(recipe, seed, index, score_at, None)
        self.spent += self.cost(recipe) - self._paid.pop(key, 0.0)
        self._tell(recipe.name, self.spent)
        self.trials[key] = trial
        return trial

    def best_trial(self, recipe: Recipe) -> Trial:
        """Returns that trial of a recipe, of those trained so far on the first split, with the lowest select score."""
        self.trial(recipe)
        trained = [trial for (name, _, index), trial in self.trials.items() if name == recipe.identity and index == 0]
        return min(trained, key=lambda trial: (self.score(trial, "select").value, trial.seed))

    def rung(self, recipe: Recipe, seed: int, until: int) -> float:
        """Trains a recipe until an epoch, and returns its score on the select rows; infinite where it diverged before.

        Where patience ended it before, that is the score it ended with. What is left of the training goes on from
        there, in `rung` or in `trial`. A recipe of fewer epochs is trained to its end.
        """
        until = min(until, recipe.epochs)
        score = self._at_rung(recipe, seed, until)
        key, cost = (recipe.identity, seed, 0), self.cost(recipe, until)
        if (more := cost - self._paid.get(key, 0.0)) > 0:
            self.spent, self._paid[key] = self.spent + more, cost
        self._tell(recipe.name, self.spent)
        return score

    def _at_rung(self, recipe: Recipe, seed: int, until: int) -> float:
        checkpoints = self._checkpoints(recipe, seed, 0)
        begun = checkpoints.latest({until}) if checkpoints is not None else None
        if begun is not None and until in begun.scores:
            return begun.scores[until]
        trial = self._stored(recipe, seed, 0)
        if trial is None or (until not in trial.scores and len(trial.losses) >= until):  # trained without being asked
            trial = self._trained(recipe, seed, 0, (until,), until)
        if until in trial.scores:
            return trial.scores[until]
        return math.inf if trial.diverged else self.score(trial, "select").value

    def do(self, job: Job) -> None:
        """Trains one job, to its end or to its rung."""
        if job.until is None:
            self.trial(job.recipe, seed=job.seed, index=job.index, score_at=job.score_at)
        else:
            self.rung(job.recipe, job.seed, job.until)

    def _stored(self, recipe: Recipe, seed: int, index: int) -> Trial | None:
        return self.store.load(recipe, seed, index, self.preprocessing(recipe, index), self._rows_hash(recipe, index))

    def _checkpoints(self, recipe: Recipe, seed: int, index: int) -> Checkpoints | None:
        preprocessing, rows = self.preprocessing(recipe, index), self._rows_hash(recipe, index)
        return self.store.checkpoints(recipe, seed, index, preprocessing, rows, self.checkpoint_seconds)

    def _trained(self, recipe: Recipe, seed: int, index: int, score_at: Iterable[int], until: int | None) -> Trial:
        """Trains a recipe, to its end or until an epoch; one that ended is kept."""
        self._check_time()
        if signal := self.lost.get((recipe.identity, seed, index)):
            raise ModelError(
                f"training '{recipe.name}' stopped: its process was killed twice (signal {signal}), as happens where "
                "memory runs out. Make the model or the batch smaller, or train with training.processes: 1."
            )
        rows, targets = self.fed_from(recipe, index)
        checkpoints = self._checkpoints(recipe, seed, index)
        trial = train(
            recipe,
            rows,
            self.preprocessing(recipe, index),
            seed=seed,
            targets=targets,
            workshop=self.workshop,
            score=lambda predictor: self._select_score(recipe, predictor, index),
            score_at=score_at,
            on_epoch=self._teller(recipe, seed, self.cost(recipe)),
            checkpoints=checkpoints,
            until=until,
            telemetry=self.telemetry,
            jit=self.jit(recipe),
        )
        self.trained += 1
        if not trial.paused:
            rows = self._rows_hash(recipe, index)
            self.store.save(trial, index, score=self.score(trial, "select", index).value, rows=rows)
            if checkpoints is not None:
                checkpoints.clear()
        return trial

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Trains what has not been trained yet, side by side where cores allow; `trial` then has it at once.

        Args:
          jobs: trials that will be asked for. One that breaks off does so again, aloud, when it is asked for.

        Raises:
          OutOfTime: the deadline is over.
        """
        wanted: dict[tuple[str, int, int], Job] = {}
        for asked in jobs:
            job = dataclasses.replace(asked, recipe=self._trained_alike(asked.recipe, asked.score_at))
            key = (job.recipe.identity, job.seed, job.index)
            known = self.trials.get(key) if job.until is None else None
            if key not in wanted and (known is None or not set(job.score_at) <= set(known.scores)):
                wanted[key] = job
        missing = [job for job in wanted.values() if not self._is_stored(job)]
        if not is_worth_it(self, missing) or not self._open_pool():
            return
        assert self._pool is not None
        start = self.spent

        def tell(done: dict[int, float]) -> None:
            self._check_time()
            mean = sum(self.cost(job.recipe, job.epochs) for job in missing) / len(missing)
            self._tell(f"{len(missing)} variants", max(self.spent, start + sum(done.values()) * mean))
            if self.on_part is not None:
                for job in missing:
                    if id(job) in done:
                        self.on_part(job.recipe, job.seed, done[id(job)])

        dearest_first = sorted(missing, key=lambda job: -self.cost(job.recipe, job.epochs))

        def here(job: Job) -> None:
            with contextlib.suppress(ModelError):
                self.do(job)

        self._pool.run(dearest_first, here, tell)
        for job in missing:
            if id(job) in self._pool.lost:
                self.lost[(job.recipe.identity, job.seed, job.index)] = self._pool.lost[id(job)]

    def close(self) -> None:
        """Ends the processes that trained beside this one."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def for_helper(self) -> Lab:
        """Returns a laboratory for another process: the same rows and score, nothing that lives in this one."""
        return dataclasses.replace(
            self, workshop=None, progress=None, on_part=None, deadline=None, processes=1, trials={}, _pool=None,
            _splits={}, _scorers={}, _fitted={}, _hashes={}, _paid={},
            _architectures={},
        )  # fmt: skip

    def _is_stored(self, job: Job) -> bool:
        preprocessing = self.preprocessing(job.recipe, job.index)
        return self.store.holds(job.recipe, job.seed, job.index, preprocessing, self._rows_hash(job.recipe, job.index))

    def _trained_alike(self, recipe: Recipe, score_at: Iterable[int]) -> Recipe:
        """Returns the recipe whose training this is, where only the rows that it is judged on differ; else itself."""
        if recipe.early_stopping or set(score_at):  # the judged rows have a say in the training, or are asked for
            return recipe
        return recipe.changed(rows=on_train(recipe.rows))

    def _open_pool(self) -> bool:
        if self._pool is not None and not self._pool.alive:
            self.close()
        if self._pool is None and (count := helpers_for(self)):
            try:
                self._pool = Pool(self, count)
            except Exception:  # something of the user's own that cannot leave this process: it trains alone
                self.processes = 1
        return self._pool is not None

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
        """Returns what a trial would take on the reference machine, from updates and arithmetic."""
        n_rows = len(self.fed_from(recipe)[0])
        updates = (epochs or recipe.epochs) * updates_per_epoch(n_rows, recipe.batch_size)
        multiplications, steps = self.store.work(recipe)
        flops = 6.0 * multiplications * min(recipe.batch_size, n_rows)
        each = _UPDATE_SECONDS + steps * _STEP_SECONDS + flops / _FLOPS_PER_SECOND
        return _START_SECONDS + (epochs or recipe.epochs) * _EPOCH_SECONDS + updates * each

    def jit(self, recipe: Recipe) -> bool:
        """Whether a recipe is long enough for XLA to compile it, if it can."""
        return self.nominal_seconds(recipe) >= _JIT_FROM_SECONDS

    def architecture(self, trial: Trial) -> Architecture:
        """Returns what a trial's model is made of, read once for all trials of one model.

        Of a subclass each copy names its layers anew: the names are those of the first trial that was asked about.
        """
        key = trial.recipe.source.identity
        if key not in self._architectures:
            self._architectures[key] = read_architecture(trial.model, self.shape)
        return self._architectures[key]

    def score(self, trial: Trial, on: str = "select", index: int = 0) -> Score:
        """Scores a trial on the `train`, `select`, `confirm` or `held_out` rows of a split.

        A stochastic model's score is the mean of the scores of its draws.
        """
        inputs, truth, back = self.judging(trial.recipe, on, index)
        scorer = self.scorer(index)
        return mean_score([scorer.score(truth, back(drawn), rows=self.judged_rows) for drawn in trial.draws(inputs)])

    def _rows_hash(self, recipe: Recipe, index: int) -> str:
        """Returns a hash of what a trial is trained and scored on: data that changed make it worthless."""
        key = (index, recipe.rows, recipe.target)
        if key not in self._hashes:
            about = (
                self.scorer(index).features,
                self.judge,
                *(repr(x) for x in (self.padding, self.parts) if x is not None),
            )
            about += tuple(rows.digest for rows in (self.disk, self.disk_targets) if rows is not None)
            digest = hashlib.blake2b(repr(about).encode(), digest_size=8)
            train = self.trained_on(recipe, index)
            arrays = [train.inputs, *self.judged_on(recipe, "select", index)]
            if train.targets is not train.inputs:
                arrays.append(train.targets)
            for rows in {id(array): array for array in arrays}.values():
                digest.update(np.ascontiguousarray(rows).tobytes())
            self._hashes[key] = digest.hexdigest()
        return self._hashes[key]

    def _select_score(self, recipe: Recipe, predictor: Callable[[np.ndarray], np.ndarray], index: int) -> float:
        truth, predicted = self.compared(recipe, predictor, "select", index)
        return self.scorer(index).score(truth, predicted, rows=self.judged_rows).value

    def _teller(self, recipe: Recipe, seed: int, cost: float) -> Callable[[int], None]:
        last = [time.monotonic()]

        def tell(epoch: int) -> None:
            if epoch < recipe.epochs:
                self._check_time()
            if time.monotonic() - last[0] > 0.2:
                last[0] = time.monotonic()
                self._tell(recipe.name, self.spent + cost * epoch / recipe.epochs)
                if self.on_part is not None:
                    self.on_part(recipe, seed, epoch / recipe.epochs)

        return tell

    def _check_time(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTime

    def _tell(self, doing: str, done: float) -> None:
        if self.progress is not None:
            self.progress.update(doing, done, max(self.planned, done))
