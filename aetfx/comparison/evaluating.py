"""What a comparison leaves for its configurations as `aetfx evaluate` would: the same sums, over rows in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from aetfx.comparison.lab import Lab
from aetfx.comparison.sweep import Candidate
from aetfx.data.padding import without_padding
from aetfx.data.split import row_hash
from aetfx.evaluation.api import Evaluation
from aetfx.evaluation.blessing import bless
from aetfx.evaluation.entries import find_entries
from aetfx.evaluation.predictors import load
from aetfx.evaluation.record import Configuration, Figures, make_record, make_table
from aetfx.evaluation.samples import collect, sample_size
from aetfx.evaluation.slices import Slicer, check_named, make_slicer
from aetfx.evaluation.tally import Plan, Tally
from aetfx.models.reading import Architecture, layer_outputs, read_architecture
from aetfx.study import Study, Thresholds
from aetfx.training.trial import Trial
from aetfx.validation.statistics import QUANTILES, summarize

SPLIT = "held_out"
_MOST_ROWS = 1 << 16  # taken in at a time: their bootstrap weights take 100 MB
_EXTREMES, _RANDOM = 20, 200

# what a model is fed, (n, *shape), to its reconstructions on the scale of what they are compared with
Answers = Callable[[np.ndarray], Iterator[np.ndarray]]


def open_slices(study: Study, lab: Lab) -> Slicer:
    """Reads the slices of a study, and checks its thresholds, before anything is trained for it.

    Raises:
      StudyError: a slice cannot be read, or a threshold is for none of them.
      ModelError: the model to compare with is missing.
    """
    limits = study.evaluation.thresholds
    if limits.against is not None:
        find_entries([limits.against])
    train = lab.split().train
    asked = [*study.evaluation.slices, *limits.slices]
    slicer = make_slicer(asked, lab.names, train.reshape(len(train), -1))
    check_named(list(limits.slices), slicer, "evaluation.thresholds.slices")
    return slicer


def evaluate_candidates(
    lab: Lab,
    study: Study,
    candidates: Sequence[Candidate],
    slicer: Slicer,
    references: Sequence[tuple[str, float]],
) -> Evaluation:
    """Evaluates the configurations of a sweep on its held-out rows.

    Args:
      lab: which has trained them.
      study: says how many seeds and which thresholds.
      candidates: the baseline first.
      slicer: from `open_slices`.
      references: names and scores.
    """
    seeds = tuple(lab.seed + i for i in range(study.sweep.seeds))
    configurations: list[Configuration] = []
    trials: list[list[Trial]] = []
    answers: list[Answers] = []
    for candidate in candidates:
        entered = Configuration(candidate.identity, candidate.name, candidate.settings, seeds)
        if not candidate.finished:
            reason = candidate.failed or f"dropped at epoch {candidate.dropped_at}"
            configurations.append(dataclasses.replace(entered, failed=reason))
            continue
        mine = [lab.trial(candidate.recipe, seed=seed) for seed in seeds]
        places = tuple(range(len(answers), len(answers) + len(mine)))
        codes = lab.architecture(mine[0]).code_width
        configurations.append(dataclasses.replace(entered, predictors=places, codes=codes))
        trials.append(mine)
        answers += [_of_trial(lab, trial) for trial in mine]
    limits = study.evaluation.thresholds
    against = None
    if limits.against is not None:
        (entry,) = find_entries([limits.against])[:1]
        predictor = load(entry.seeds[0].path, lab.shape)
        width = predictor.architecture.code_width if predictor.architecture is not None else None
        against = Configuration(entry.identity, entry.name, predictors=(len(answers),), codes=width)
        configurations.append(against)
        answers.append(predictor.answers)
    owners = [i for i, c in enumerate(c for c in configurations if c.failed is None) for _ in c.predictors]
    plan = Plan(
        lab.scorer(),
        tuple(owners),
        slicer,
        seed=lab.seed,
        extremes=_EXTREMES,
        sample=sample_size(int(np.prod(lab.shape)), _RANDOM),
    )
    plan.check()
    tally, inputs_of, n_outside = _tallied(lab, candidates[0], plan, answers)
    figures = Figures(tally, tuple(configurations))
    record = make_record(
        figures,
        study_name=study.name,
        n_train=len(lab.fed_from(candidates[0].recipe)[0]),
        n_quarantined=0,
        n_outside=n_outside,
        references=references,
    )
    architectures = [read_architecture(mine[0].model, lab.shape) for mine in trials]  # with each model's own names

    def answer(truth: np.ndarray, number: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        fed = inputs_of(truth)
        restored = next(answers[plan.leads[number]](fed))
        if number >= len(trials):
            return restored, predictor.codes(fed)
        return restored, _codes(trials[number][0], architectures[number], fed)

    going = [i for i, c in enumerate(configurations) if c.failed is None]
    samples = collect(tally, going, len(configurations), answer, _RANDOM)
    first = next((mine[0] for mine in trials if mine[0].recipe is candidates[0].built), None)
    samples |= column_quantiles(lab, {} if first is None else {"before": first})
    blessing = None
    if limits != Thresholds():
        blessing = bless(figures, limits, against)
        record["thresholds"] = {"blessed": blessing["blessed"], "reasons": blessing["reasons"]}
    return Evaluation(record, make_table(figures, SPLIT), samples, blessing)


def column_quantiles(lab: Lab, trials: Mapping[str, Trial]) -> dict[str, np.ndarray]:
    """Returns how the columns of the train rows are spread before and after preprocessing, to be looked at.

    Args:
      lab: has the rows.
      trials: those that got them, by the word that their arrays end in.

    Returns:
      `quantile_levels` (Q,), `quantiles_raw` and one `quantiles_fed_...` for each trial (Q, D); padding is left out.
    """

    def quantiles(values: np.ndarray) -> np.ndarray:
        there = without_padding(values.reshape(len(values), -1), lab.padding, lab.shape)
        return summarize(there, lab.names).quantiles

    rows = lab.split().train
    found = {"quantile_levels": np.array(QUANTILES), "quantiles_raw": quantiles(rows)}
    for when, trial in trials.items():
        found[f"quantiles_fed_{when}"] = quantiles(trial.preprocessing.apply(rows))
    return found


def _of_trial(lab: Lab, trial: Trial) -> Answers:
    back = lab.judging(trial.recipe, "held_out", 0)[2]

    def answers(fed: np.ndarray) -> Iterator[np.ndarray]:
        for drawn in trial.draws(fed):
            yield back(drawn)

    return answers


def _tallied(
    lab: Lab, first: Candidate, plan: Plan, answers: Sequence[Answers]
) -> tuple[Tally, Callable[[np.ndarray], np.ndarray], int]:
    """Adds up the held-out rows that verdicts rest on.

    Returns:
      The sums, what finds the inputs that belong to kept rows, and how many rows lie outside the fences.
    """
    inputs, truth, _ = lab.judging(first.recipe, "held_out", 0)
    n_all, chosen = len(truth), plan.scorer.chosen_rows(truth, lab.judged_rows)
    if chosen is not None:
        inputs, truth = inputs[chosen], truth[chosen]
    numbers = _numbers(lab)
    numbers = numbers if chosen is None else numbers[chosen]
    keys = np.empty(len(truth), np.uint64)
    tally = Tally(plan)
    for start in range(0, len(truth), _MOST_ROWS):
        here = slice(start, start + _MOST_ROWS)
        keys[here] = row_hash(truth[here].reshape(len(truth[here]), -1), plan.seed, purpose=b"bootstrap")
        fed = inputs[here]
        tally.add(
            truth[here],
            (each(fed) for each in answers),
            keys=keys[here],
            places=lambda here=here: numbers[here],
        )
    places = {int(key): i for i, key in reversed(list(enumerate(keys)))}

    def inputs_of(kept: np.ndarray) -> np.ndarray:
        if inputs is truth:
            return kept
        found = row_hash(kept.reshape(len(kept), -1), plan.seed, purpose=b"bootstrap")
        return inputs[[places[int(key)] for key in found]]

    return tally, inputs_of, n_all - len(truth)


def _numbers(lab: Lab) -> np.ndarray:
    """Returns where the held-out rows stand among the rows that they come from, int64 (n,)."""
    _, select, confirm = lab.positions()
    return np.concatenate([select, confirm]).astype(np.int64)


def _codes(trial: Trial, architecture: Architecture, rows: np.ndarray) -> np.ndarray | None:
    code = architecture.code
    if code is None:
        return None
    found = layer_outputs(trial.model, trial.preprocessing.apply(rows), only=code.last).get(code.last)
    return None if found is None else np.asarray(found, np.float32).reshape(len(rows), -1)
