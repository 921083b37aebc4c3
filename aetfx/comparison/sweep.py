"""A sweep: configurations chosen, trained with the same seeds, and where asked for dropped early.

Terms: a *rung* is an epoch at which configurations are compared by their score on the select rows, and the worse of
them dropped (successive halving: Jamieson and Talwalkar 2016; synchronous, so that the same study drops the same).
A dropped one has a checkpoint and no more; one that goes on does so from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aetfx.comparison.choosing import chooser
from aetfx.comparison.lab import Lab
from aetfx.comparison.pool import Job
from aetfx.errors import ModelError
from aetfx.study import Study
from aetfx.training.progress import Board, Standing
from aetfx.training.recipe import Recipe

_KEEP = 3  # one in so many goes on from a rung; the rungs are a ninth and a third of the epochs
_LEAST_LEFT = 2  # configurations that are trained to the end


@dataclass
class Candidate:
    """One configuration of a sweep.

    Attributes:
      name: see `Recipe`; the baseline comes first.
      built: its recipe; None where no model could be built, which has then failed.
      rungs: epoch to score on the select rows.
      failed: why it could not be trained; "" where it could.
      dropped_at: the rung behind which it was not trained on; None where it was.
      scores: on the select rows, of the seeds with which it was trained to the end.
      settings: the value of each compared key.
    """

    name: str
    built: Recipe | None
    rungs: dict[int, float] = field(default_factory=dict)
    failed: str = ""
    dropped_at: int | None = None
    scores: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return not self.failed and self.dropped_at is None

    @property
    def identity(self) -> str:
        return self.name if self.built is None else self.built.identity

    @property
    def recipe(self) -> Recipe:
        assert self.built is not None
        return self.built


def sweep(study: Study, lab: Lab, build: Callable[[str, Study], Recipe]) -> list[Candidate]:
    """Chooses and trains the configurations of a study; those that are not dropped with all seeds.

    Args:
      study: with `compare` and `sweep`.
      lab: trains.
      build: makes the recipe of one configuration.

    Returns:
      All of them, the baseline first.
    """
    asked = chooser(study)
    found: dict[str, Candidate] = {}
    if isinstance(lab.progress, Board):
        lab.on_part = _Standings(lab.progress, found, study.sweep.seeds).part
    _add(found, study, {}, build, lab)
    seeds = [lab.seed + i for i in range(study.sweep.seeds)]
    while values := asked.ask():
        batch = [_add(found, study, given, build, lab) for given in values]
        lab.planned = _cost(lab, study, [c.built for c in found.values() if c.built is not None])
        if study.sweep.choose != "grid":
            first = list({id(candidate): candidate for candidate in batch if candidate.built is not None}.values())
            if first:
                _train(lab, first, seeds[:1], _first_rung(study, first))
        asked.tell([_score(lab, candidate, study) for candidate in batch])
    left = list(found.values())
    if study.sweep.halving:
        left = _halved(lab, left, seeds[0])
    _train(lab, left, seeds, None)
    return list(found.values())


def _cost(lab: Lab, study: Study, recipes: Sequence[Recipe]) -> float:
    """Returns what a sweep will cost, where configurations that are not yet drawn cost as much as those that are."""
    count = len(recipes) if study.sweep.choose == "grid" else max(len(recipes), study.sweep.configurations + 1)
    each, total, before = sum(map(lab.cost, recipes)) / len(recipes), 0.0, 0.0
    for epoch in rungs(max(recipe.epochs for recipe in recipes)) if study.sweep.halving else ():
        until = sum(lab.cost(recipe, min(epoch, recipe.epochs)) for recipe in recipes) / len(recipes)
        total += count * (until - before)
        count, before = min(count, _n_kept(count) + 1), until  # the baseline beside those that are kept
    return total + count * (study.sweep.seeds * each - before)


def _n_kept(count: int) -> int:
    return max(_LEAST_LEFT, math.ceil(count / _KEEP))


class _Standings:
    """Keeps which part of each configuration is trained, and shows it.

    Args:
      board: where.
      candidates: by identity; more may come.
      seeds: of each that is trained to the end.
    """

    def __init__(self, board: Board, candidates: dict[str, Candidate], seeds: int):
        self.board, self.candidates, self.seeds = board, candidates, seeds
        self.parts: dict[str, dict[int, float]] = {}

    def part(self, recipe: Recipe, seed: int, part: float) -> None:
        self.parts.setdefault(recipe.identity, {})[seed] = part
        self.board.show([self._standing(candidate) for candidate in self.candidates.values()])

    def _standing(self, candidate: Candidate) -> Standing:
        done = sum(self.parts.get(candidate.identity, {}).values()) / self.seeds
        if candidate.scores:
            done = max(done, len(candidate.scores) / self.seeds)
        known = [*candidate.rungs.values()][-1:] if not candidate.scores else candidate.scores
        ended = "failed" if candidate.failed else "dropped" if candidate.dropped_at is not None else ""
        if not ended and len(candidate.scores) == self.seeds:
            ended = "trained"
        return Standing(candidate.name, min(done, 1.0), sum(known) / len(known) if known else None, ended)


def rungs(epochs: int) -> list[int]:
    """Returns the epochs at which configurations are dropped.

    >>> rungs(90), rungs(10), rungs(2)
    ([10, 30], [2, 4], [1])
    """
    found = {math.ceil(epochs / _KEEP**2), math.ceil(epochs / _KEEP)}
    return sorted(epoch for epoch in found if epoch < epochs)


def _add(
    found: dict[str, Candidate], study: Study, values: dict, build: Callable[[str, Study], Recipe], lab: Lab
) -> Candidate:
    """Returns the candidate with some values, making it where it is new: values that train the same are one."""
    name, alternative = study.alternative(values)
    tree = alternative.to_tree()
    settings = {key: tree[key.split(".")[0]].get(key.split(".")[1]) for key in study.compare}
    try:
        candidate = Candidate(name, build(name, alternative), settings=settings)
    except ModelError as error:
        if study.sweep.choose == "grid":  # all are known before the first is trained, so that the study can be mended
            raise ModelError(f"{name}: {error}") from error
        candidate = Candidate(name, None, failed=str(error), settings=settings)
    return found.setdefault(candidate.identity, candidate)


def _first_rung(study: Study, candidates: Sequence[Candidate]) -> int | None:
    """Returns the epoch until which all are trained at first; None for to the end."""
    if not study.sweep.halving:
        return None
    return min((rungs(epochs) or [epochs])[0] for epochs in _epochs(candidates))


def _epochs(candidates: Sequence[Candidate]) -> list[int]:
    return [candidate.built.epochs for candidate in candidates if candidate.built is not None]


def _score(lab: Lab, candidate: Candidate, study: Study) -> float | None:
    """Returns the score by which a chooser learns."""
    if study.sweep.choose == "grid" or candidate.failed:
        return None
    if candidate.rungs:
        return candidate.rungs[min(candidate.rungs)]
    return lab.score(lab.trial(candidate.recipe, seed=lab.seed), "select").value


def _halved(lab: Lab, candidates: list[Candidate], seed: int) -> list[Candidate]:
    """Trains to each rung and drops; returns who is left. The baseline always is."""
    baseline, left = candidates[0], list(candidates)
    for epoch in rungs(max(_epochs(candidates))):
        _train(lab, left, [seed], epoch)
        ranked = sorted((c for c in left if not c.failed), key=lambda candidate: candidate.rungs.get(epoch, math.inf))
        kept = ranked[: _n_kept(len(left))]
        for candidate in ranked:
            if candidate not in kept and candidate is not baseline:
                candidate.dropped_at = epoch
        left = [candidate for candidate in left if candidate.finished]
    return left


def _train(lab: Lab, candidates: Sequence[Candidate], seeds: Sequence[int], until: int | None) -> None:
    """Trains candidates to the end, or one seed of each to an epoch; one that fails is marked and stops no other."""
    going = [candidate for candidate in candidates if candidate.finished]
    lab.prepare(Job(candidate.recipe, seed, until=until) for candidate in going for seed in seeds)
    for candidate in going:
        try:
            if until is not None:
                [seed] = seeds
                candidate.rungs[until] = lab.rung(candidate.recipe, seed, until)
                continue
            candidate.scores = []
            for seed in seeds:
                trial = lab.trial(candidate.recipe, seed=seed)
                candidate.scores.append(lab.score(trial, "select").value)
                if trial.diverged:
                    candidate.failed = f"its loss became NaN or infinite in epoch {len(trial.losses)}"
        except (ModelError, MemoryError) as error:
            candidate.failed = str(error) or "out of memory"
