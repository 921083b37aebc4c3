"""aetfx.diagnosis.confirm: the figures behind a decision, checked against SciPy, and which rows and trials they use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from aetfx.diagnosis.causes import Experiment
from aetfx.diagnosis.confirm import Candidate, Confirmation
from aetfx.diagnosis.thresholds import Thresholds

T = Thresholds()
NOISE = np.array([0.03, -0.02, 0.01, -0.03, 0.02, 0.0, 0.01, -0.01])  # of ln(score), one per pair


@dataclass
class Recipe:
    """What confirming sees of a recipe."""

    identity: str
    early_stopping: bool = False


@dataclass
class TableLab:
    """Scores by recipe, one for each pair; 80 train rows, 20 held out, re-split by default."""

    scores: dict[str, np.ndarray]
    held: int = 20
    resplits: bool = True
    seed: int = 0
    judged_rows: None = None
    reserve: bool = False
    asked: list = field(default_factory=list)
    rows: str = ""

    def split(self, index=0):
        rows = np.random.default_rng(0).normal(size=(self.held, 3))
        return SimpleNamespace(train=np.zeros((4 * self.held, 3)), held_out=rows, confirm=rows[: self.held // 2])

    def compared(self, recipe, predict, on="select", index=0):
        rows = getattr(self.split(index), on)
        return rows, predict(rows)

    def prepare(self, jobs):
        self.wanted = [(job.seed, job.index) for job in jobs]

    def scorer(self, index=0):
        from aetfx.evaluation.score import Scorer

        return Scorer.fit(np.random.default_rng(0).normal(size=(200, 3)), features="table")

    def cost(self, recipe):
        return 1.0

    def trial(self, recipe, *, seed, index):
        self.asked.append((recipe.identity, seed, index))
        left = float(self.scores[recipe.identity][0]) ** 0.5
        return SimpleNamespace(recipe=recipe, seed=seed, predict=lambda rows: rows * (1 - left))

    def score(self, trial, rows, index):
        self.rows = rows
        return SimpleNamespace(value=float(self.scores[trial.recipe.identity][trial.seed - self.seed - 1]))


def around(level, phase=0, noise=1.0):
    """Eight scores around a level; another phase is noise that pairs do not share."""
    return level * np.exp(noise * np.roll(NOISE, phase))


def confirm(scores, *codes, step=1, **lab):
    """Runs a confirmation of one candidate per code; returns it and the candidates."""
    confirmation = Confirmation(TableLab(scores, **lab), Recipe("baseline"), T, step, {}, 0.0)
    found = [Candidate(Experiment(code, Recipe(code), remedy="Do.", keras="do"), screened=0.5) for code in codes]
    confirmation.run(found)
    return confirmation, found


SCALED = {"baseline": around(1.0), "data.scaling": around(0.4, phase=1)}


def test_resplits_use_the_corrected_resampled_t_test():
    confirmation, (found,) = confirm(SCALED, "data.scaling")
    d = np.log(found.before) - np.log(found.after)
    error = math.sqrt((1 / 5 + 20 / 80) * d.var(ddof=1))  # Nadeau and Bengio (2003), n_test / n_train = 20 / 80
    half = stats.t.ppf(0.975, 4) * error
    assert len(d) == 5
    assert found.gain.gain == pytest.approx(1 - math.exp(-d.mean()))
    assert found.gain.interval == pytest.approx((1 - math.exp(-d.mean() + half), 1 - math.exp(-d.mean() - half)))
    assert found.level == 0.025
    assert found.lower == pytest.approx(1 - math.exp(-d.mean() + stats.t.ppf(0.975, 4) * error))
    assert confirmation.lab.rows == "held_out", "re-splits draw the rows anew, so all of them count"


def test_early_stopping_has_seen_the_select_rows():
    table = TableLab(SCALED)
    stop = Candidate(Experiment("data.scaling", Recipe("data.scaling", True), remedy="Do.", keras="do"), 0.5)
    Confirmation(table, Recipe("baseline"), T, 1, {}, 0.0).run([stop])
    assert table.rows == "confirm"


def test_many_rows_are_confirmed_with_seeds_and_their_pooled_noise():
    confirmation, (found,) = confirm(SCALED, "data.scaling", held=1000)
    assert confirmation.pairs() == [(1, 0), (2, 0), (3, 0)]
    assert confirmation.lab.rows == "confirm"
    assert found.decision == "verified"
    pool = np.mean([np.log(found.before).var(ddof=1), np.log(found.after).var(ddof=1)])
    # The model of this table leaves a fixed share of each row, so that redrawn rows change no ratio.
    assert found.gain.standard_error == pytest.approx(math.sqrt(2 * pool / 3), rel=1e-3)
    assert found.gain.df == pytest.approx(4, rel=1e-2)


def test_more_pairs_can_settle_a_suspicion():
    noise = np.array([0.25, -0.3, 0.3, -0.2, 0.1, 0.0, 0.02, -0.01])
    _, (found,) = confirm({"baseline": np.ones(8), "data.scaling": 0.62 * np.exp(noise)}, "data.scaling")
    assert len(found.after) == 8
    assert found.decision == "verified"
    noise[5:] = noise[:3]
    _, (found,) = confirm({"baseline": np.ones(8), "data.scaling": 0.62 * np.exp(noise)}, "data.scaling")
    assert len(found.after) == 8
    assert found.decision == "suspected"


def test_holm_asks_more_of_the_best_of_several_and_each_step_halves_the_level():
    scores = {**SCALED, "loss.mismatch": around(0.3, phase=2)}
    _, found = confirm(scores, "data.scaling", "loss.mismatch")
    assert [c.decision for c in found] == ["verified", "verified"]
    assert sorted(c.level for c in found) == pytest.approx([0.0125, 0.025])
    _, (later,) = confirm(scores, "data.scaling", step=2)
    assert later.level == pytest.approx(0.0125)
    _, (last,) = confirm(scores, "data.scaling", step=3)
    assert last.level == pytest.approx(0.00625)


def test_all_candidates_share_the_baselines_trials():
    scores = {**SCALED, "loss.mismatch": around(0.99)}
    confirmation, _ = confirm(scores, "data.scaling", "loss.mismatch")
    pairs = [(i, i) for i in range(1, 6)]
    assert confirmation.pairs() == pairs
    assert [pair for name, *pair in confirmation.lab.asked if name == "baseline"] == [list(pair) for pair in pairs]
    assert [pair for name, *pair in confirmation.lab.asked if name == "data.scaling"] == [list(p) for p in pairs]
    assert list(confirmation.pools["loss.mismatch"]) == pairs[:2], "given up early"
    confirmation.measure_baseline()
    assert sum(name == "baseline" for name, *_ in confirmation.lab.asked) == 5, "it is measured already"
    assert confirmation.cost([]) == 0.0, "and costs nothing any more"


def test_the_detectable_gain_grows_with_the_noise():
    quiet, _ = confirm(SCALED, "data.scaling")
    loud, _ = confirm({name: np.exp(4 * np.log(scores)) for name, scores in SCALED.items()}, "data.scaling")
    assert T.least_gain <= quiet.detectable() < loud.detectable() < 1
    assert Confirmation(quiet.lab, Recipe("baseline"), T, 1, {}, 0.0).detectable() is None
