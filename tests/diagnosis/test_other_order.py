"""Of two fixes the one that leaves the other something to show goes first (aetfx.diagnosis.other_order)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aetfx.diagnosis import engine
from aetfx.diagnosis.causes import REGISTRY
from aetfx.diagnosis.confirm import Candidate, Confirmation
from aetfx.diagnosis.engine import Outcome, Step
from aetfx.diagnosis.other_order import better_first
from aetfx.diagnosis.possible import admit
from aetfx.evaluation.paired import gain_over_resplits
from tests.diagnosis.test_causes import PLANE, make_case

CODES = ("data.scaling", "model.output_activation")


@pytest.fixture(scope="module")
def opened():
    """Columns of very unlike ranges, around 0, behind a ReLU: 0 to 1, all can be given back, and is not."""
    rows = (PLANE - PLANE.mean(axis=0)) * 10.0 ** np.linspace(-2, 2, 8)
    return make_case(rows, output="relu", activation="tanh", rate=1e-2, epochs=40)


def verified(experiment, gain):
    after = [1 - gain, 1 - gain - 0.001]
    return Candidate(
        experiment, gain, [1.0, 1.0], after, gain_over_resplits([1.0, 1.0], after, test_train_ratio=0.3),
        decision="verified",
    )  # fmt: skip


@pytest.fixture(scope="module")
def fixes(opened):
    scaled = next(e for e in REGISTRY["data.scaling"].experiments(opened) if "minmax" in e.recipe.name)
    return verified(scaled, 0.5), verified(REGISTRY["model.output_activation"].experiments(opened)[0], 0.4)


def after(opened, candidate):
    recipe = candidate.experiment.recipe
    return dataclasses.replace(
        opened, recipe=recipe, trial=opened.lab.trial(recipe), fixed=frozenset({candidate.experiment.code}), step=2
    )


def test_a_fix_that_hid_the_other_fault_gives_way_to_that_of_the_fault(opened, fixes):
    scaled, linear = fixes
    end = after(opened, scaled)
    assert end.select_score > 0.5
    assert better_first(opened, scaled, [linear], end, 100.0) is linear
    assert better_first(opened, scaled, [linear], end, 0.5) is None, "nothing is left to spend"


def test_the_order_stays_where_the_other_one_ends_no_better(opened, fixes):
    scaled, linear = fixes
    changed = after(opened, linear)
    both = verified(REGISTRY["data.scaling"].experiments(changed)[0], 0.9)
    end = after(changed, both)
    assert end.select_score < 0.5
    assert better_first(opened, linear, [scaled], end, 100.0) is None


def test_the_chain_goes_back_and_keeps_nothing_of_the_order_it_left(opened, fixes):
    scaled, linear = fixes

    def step(case):
        confirmation = Confirmation(case.lab, case.recipe, case.thresholds, case.step, {})
        return Step(case, {code: admit(case, code) for code in CODES}, confirmation)

    first, last = step(opened), step(after(opened, scaled))
    first.candidates, first.named = [scaled, linear], scaled
    outcome = Outcome(steps=[first, last], suspected=[{"code": "optimizer.undertrained"}])
    engine._collect(first, outcome)
    assert [cause.code for cause in outcome.causes] == ["data.scaling"]
    assert engine._turn(outcome, budget=100.0, strict=False)
    assert [cause.code for cause in outcome.causes] == ["model.output_activation"]
    assert (outcome.steps, outcome.suspected) == ([first], [])
    assert outcome.recipe == linear.experiment.recipe
    assert not engine._turn(outcome, budget=100.0, strict=False), "there is no further step to go back from"
