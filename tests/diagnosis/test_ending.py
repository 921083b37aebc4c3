"""aetfx.diagnosis.engine, ended early or without experiments: what was measured so far is kept and told as such."""

from __future__ import annotations

import time

import numpy as np
import pytest

import aetfx
from aetfx.diagnosis.api import diagnose_study
from aetfx.errors import StudyError
from aetfx.study import parse_study

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(600, 3)) @ RNG.normal(size=(3, 8)) + 0.1 * RNG.normal(size=(600, 8))


def study(tmp_path, **diagnosis):
    """Standardised rows behind a sigmoid output, which gives 0 to 1 only."""
    np.save(tmp_path / "rows.npy", ROWS)
    tree = {
        "data": {"train": str(tmp_path / "rows.npy")},
        "model": {"hidden": [16], "bottleneck": 3, "output_activation": "sigmoid"},
        "training": {"epochs": 30},
        "diagnosis": diagnosis,
    }
    return parse_study(tree)


class InterruptedAfter:
    """A progress that interrupts, as Ctrl-C does, when a named variant has been trained to its end."""

    def __init__(self, name: str):
        self.name, self.seen = name, False

    def update(self, doing: str, done: float, total: float) -> None:
        if self.seen and doing != self.name:
            raise KeyboardInterrupt
        self.seen |= doing == self.name


def model():
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3), keras.layers.Dense(16, "relu")]
    made = keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(8, "sigmoid")])
    made.compile("adam", "mse")
    return made


def test_an_interrupt_in_a_notebook_leaves_what_was_measured():
    found = aetfx.diagnose(model, ROWS, epochs=30, progress=InterruptedAfter("output_activation=linear"))
    assert found.record["truncated"]
    assert found.status == "inconclusive"
    [first, *_] = found.suspected
    assert first["code"] == "model.output_activation"
    assert first["gain"] > 0.5
    assert first["gain_interval"] is None, "one training has no interval"
    assert "ended before" in " ".join(found.record["statements"])
    assert "ended" in repr(found)


def test_an_interrupt_before_the_first_training_ended_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        aetfx.diagnose(model, ROWS, epochs=30, progress=InterruptedAfter("validating the data on Beam"))


def test_too_little_time_for_one_training_is_an_error_that_says_so(tmp_path):
    with pytest.raises(StudyError, match="max_seconds: 0.001 seconds ended before the model was trained once"):
        diagnose_study(study(tmp_path, max_seconds=0.001), tmp_path / "run")


@pytest.mark.slow
def test_what_helps_beside_a_cause_is_told_where_the_budget_ends_before_it_is_confirmed(tmp_path):
    found = diagnose_study(study(tmp_path, budget=6), tmp_path / "run")
    assert [cause.code for cause in found.causes] == ["model.output_activation"]
    [more] = found.suspected
    assert more["code"] == "optimizer.learning_rate_too_low"
    assert more["gain"] > 0.5
    assert "the budget did not allow more" in more["evidence"][-1]


@pytest.mark.slow
def test_a_further_cause_that_is_plain_is_confirmed_where_nobody_set_the_budget(tmp_path, monkeypatch):
    for name, value in (("_BUDGET", 6.0), ("_RESPLIT_BUDGET", 6.0), ("_LEAST_BUDGET_SECONDS", 0.0)):
        monkeypatch.setattr(f"aetfx.diagnosis.session.{name}", value)
    found = diagnose_study(study(tmp_path), tmp_path / "run")
    first, second = found.causes
    assert first.code == "model.output_activation"
    assert second.code in ("optimizer.learning_rate_too_low", "optimizer.undertrained")
    assert found.record["cost"]["training_multiple"] > 6


@pytest.mark.slow
def test_at_the_mean_what_has_a_sign_is_tried_to_its_end_where_nobody_set_the_budget(monkeypatch):
    """A tenth of this penalty still shrinks all weights to nothing; the next variant does not fit the budget."""

    def penalised():
        made = [
            keras.layers.Dense(units, activation, kernel_regularizer=keras.regularizers.L1(3.0))
            for units, activation in ((16, "relu"), (3, None), (16, "relu"), (8, None))
        ]
        model = keras.Sequential([keras.Input((8,)), *made])
        model.compile("adam", "mse")
        return model

    for name, value in (("_BUDGET", 8.0), ("_RESPLIT_BUDGET", 8.0), ("_LEAST_BUDGET_SECONDS", 0.0)):
        monkeypatch.setattr(f"aetfx.diagnosis.session.{name}", value)

    def tried(found):
        return {item["name"] for item in found.record["experiments"] if item["code"] == "model.regularization"}

    found = aetfx.diagnose(penalised, ROWS, epochs=30)
    assert found.causes[0].code == "model.regularization"
    kept_to = aetfx.diagnose(penalised, ROWS, epochs=30, budget=8.0)
    assert tried(kept_to) < tried(found)


@pytest.mark.slow
def test_the_clock_ends_a_diagnosis_and_more_time_completes_it(tmp_path):
    """The first trials are kept, so that the second time begins where the first ended."""
    started = time.monotonic()
    whole = diagnose_study(study(tmp_path), tmp_path / "whole")
    seconds = time.monotonic() - started
    codes = [cause.code for cause in whole.causes]
    assert codes == ["model.output_activation", "optimizer.undertrained"]
    for part in (2, 3, 5, 8):  # the first diagnosis pays for the imports, the later ones do not
        run = tmp_path / f"run{part}"
        short = diagnose_study(study(tmp_path, max_seconds=seconds / part), run)
        named = [cause.code for cause in short.causes]
        assert named == codes[: len(named)], "what was verified in time is kept, and nothing else is named"
        if named != codes:
            break
    assert named != codes
    assert short.record["truncated"]
    again = diagnose_study(study(tmp_path), run)
    assert again.record["causes"] == whole.record["causes"]


def test_without_experiments_signs_are_told_and_nothing_is_named(tmp_path):
    found = diagnose_study(study(tmp_path, experiments=False), tmp_path / "run")
    assert found.record["trials"] == 1
    assert found.status == "inconclusive"
    assert not found.causes
    assert found.suspected[0]["code"] == "model.output_activation"
    assert found.suspected[0]["gain"] is None
    codes = [item["code"] for item in found.suspected]
    assert "optimizer.learning_rate_too_high" not in codes, "tried without a sign, so there is none to tell"
    assert "nothing was verified" in found.record["next"]
