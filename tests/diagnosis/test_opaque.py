"""aetfx.diagnosis.opaque and models that cannot take every change: the rest is tried, and what was not is said."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import aetfx
from aetfx.diagnosis.causes import REGISTRY
from aetfx.diagnosis.screen import plan, screen
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from tests.diagnosis.test_causes import PLANE, open_case
from tests.models import vaes

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(300, 6))


class LargeBatches(keras.Model):
    """A step that does not take the smaller batches that are tried against one too large."""

    def __init__(self):
        super().__init__()
        self.code, self.out = keras.layers.Dense(2), keras.layers.Dense(8)

    def call(self, rows):
        return self.out(self.code(rows))

    def train_step(self, data):
        tf.debugging.Assert(tf.reduce_all(tf.shape(data[0])[0] != [8, 32]), ["no 8 or 32 rows"])
        return super().train_step(data)


def test_a_change_that_the_users_code_cannot_take_breaks_off_alone():
    model = LargeBatches()
    model(np.zeros((1, 8), "float32"))
    model.compile("adam", "mse")
    study = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 3, "batch_size": 60}}, where="test")
    case = open_case(recipe_from_model(model, study, (8,))[0], PLANE)
    codes = ("optimizer.batch_size", "optimizer.learning_rate_too_low")
    experiments = [item for code in codes for item in REGISTRY[code].experiments(case)]
    planned = plan(case, experiments, allowance=100.0)
    tried = screen(case, planned)
    assert {item.experiment.code for item in tried} == {"optimizer.learning_rate_too_low"}
    assert set(planned.broken) == {"optimizer.batch_size"}
    assert "no 8 or 32 rows" in planned.broken["optimizer.batch_size"]


def opaque():
    model = vaes.Opaque(units=3)
    model.compile(keras.optimizers.Adam(1e-6), "mse")
    return model


def test_a_model_that_only_its_function_can_build_is_diagnosed(tmp_path):
    diagnosis = aetfx.diagnose(opaque, ROWS, epochs=8, batch_size=16, budget=20, out=tmp_path / "run")
    assert diagnosis.causes[0].code.startswith("optimizer.")
    [said] = [s for s in diagnosis.record["statements"] if "cannot be rewritten" in s]
    assert said.startswith("This model's layers cannot be rewritten, because the model cannot describe itself")
    assert "no config" in said
    [said] = [s for s in diagnosis.record["statements"] if "could not be saved whole" in s]
    assert "fixed/weights.npz" in said
    assert diagnosis.record["fixed"]["path"] == "fixed/weights.npz"
    with np.load(tmp_path / "run" / "fixed" / "weights.npz") as kept:
        for mine, theirs in zip(diagnosis.fixed_model.get_weights(), kept.values(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert diagnosis.fixed_model.predict(ROWS[:4], verbose=0).shape == (4, 6)


def test_a_sign_that_no_experiment_can_follow_is_a_suspicion(tmp_path):
    def dead():
        first = keras.layers.Dense(3, "relu", bias_initializer=keras.initializers.Constant(-60.0))
        model = vaes.Opaque(3, first)
        model.compile(keras.optimizers.Adam(1e-3), "mse")
        return model

    diagnosis = aetfx.diagnose(dead, ROWS, epochs=4, batch_size=16, budget=40, out=tmp_path / "run")
    assert diagnosis.status == "inconclusive"
    found = {item["code"]: item["evidence"] for item in diagnosis.suspected}
    assert "answer the same to every row" in found["model.dead_units"][0]
    assert "cannot be changed for it" in found["model.dead_units"][-1]
    assert "model.dead_units" not in {item["code"] for item in diagnosis.record["ruled_out"]}
