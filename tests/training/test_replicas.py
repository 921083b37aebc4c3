"""Two replicas of the CPU train like one device: same losses, same scores (aetfx.training.strategy, feed, losses)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from aetfx.errors import StudyError

ROOT = Path(__file__).resolve().parents[2]

# Each case is trained once in a process with two logical CPUs and once here, on one.
CASES = """
import numpy as np, keras
from aetfx.models.serial import describe_model
from aetfx.preprocessing.fit import fit_rows
from aetfx.training.recipe import Recipe, plain_optimizer
from aetfx.training.trial import train
from aetfx.training.workshop import Workshop

rng = np.random.default_rng(0)
rows = rng.normal(size=(103, 3)) @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(103, 6))
holes = np.where(rng.random(rows.shape) < 0.1, np.nan, rows)


def recipe(batch, loss="mse", l2=None, spec=None, masked=False, optimizer="adam", extra=None):
    penalty = l2 and keras.regularizers.L2(l2)
    dense = lambda units, activation=None: keras.layers.Dense(units, activation, kernel_regularizer=penalty)
    layers = [keras.Input((6,)), dense(8, "relu"), *(extra() if extra else []), dense(3), dense(8, "relu"), dense(6)]
    source = describe_model(keras.Sequential(layers), (6,))
    return Recipe(source, plain_optimizer(optimizer), loss, 4, batch, spec or {}, masked)


CASES = {
    "even batches, batch norm": (rows[:96], dict(batch=16, extra=lambda: [keras.layers.BatchNormalization()])),
    "even batches, activity penalty": (rows[:96], dict(batch=16, extra=lambda: [
        keras.layers.Dense(8, activity_regularizer="l1")])),
    "one row left over, weight penalty": (rows[:97], dict(batch=16, l2=0.05)),
    "one row left over, activity penalty": (rows[:97], dict(batch=16, extra=lambda: [
        keras.layers.Dense(8, activity_regularizer=keras.regularizers.L1(0.01))])),
    "odd batch, batch norm": (rows, dict(batch=15, extra=lambda: [keras.layers.BatchNormalization()])),
    "odd batch, huber, momentum": (rows, dict(
        batch=15, loss="huber", optimizer=keras.optimizers.SGD(0.05, momentum=0.9))),
    "many batches, one row left over": (np.tile(rows, (12, 1))[:1201], dict(batch=4)),
    "odd batch, missing cells": (holes, dict(batch=15, spec={"missing": "median"}, masked=True)),
}


def trains_itself():
    from aetfx.study import parse_study
    from aetfx.training.build import recipe_from_model
    from tests.models import vaes
    study = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 4, "batch_size": 15}}, where="test")
    return recipe_from_model(vaes.keras_example(), study, (6,))[0]


def run(workshop):
    found = {}
    made = {name: (given, recipe(**settings)) for name, (given, settings) in CASES.items()}
    made["a step of its own"] = rows, trains_itself()
    for name, (given, made) in made.items():
        trial = train(made, given, fit_rows(made.preprocessing, given), seed=7, workshop=workshop)
        found[name] = {"losses": trial.losses.tolist(), "output": trial.predict(rows[:5]).ravel().tolist()}
    return found
"""

TWO = """
import json, sys
sys.path.insert(0, sys.argv[2])
from aetfx.training.strategy import prepare_devices
from aetfx.training.workshop import Workshop
strategy = prepare_devices("auto", 2)
assert strategy.num_replicas_in_sync == 2
exec(open(sys.argv[1]).read())
found = run(Workshop(strategy))
assert prepare_devices("auto", 2).num_replicas_in_sync == 2, "asking again is no fault"
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Name to losses and outputs: (with one device, with two)."""
    folder = tmp_path_factory.mktemp("replicas")
    (folder / "cases.py").write_text(CASES)
    with subprocess.Popen(
        [sys.executable, "-c", TWO, str(folder / "cases.py"), str(ROOT)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        names: dict = {}
        exec(CASES, names)
        one = names["run"](names["Workshop"]())
        out, said = process.communicate(timeout=240)
    assert process.returncode == 0, said[-3000:]
    return one, json.loads(out.splitlines()[-1])


@pytest.mark.parametrize(
    "case",
    [
        "even batches, batch norm",
        "even batches, activity penalty",
        "one row left over, weight penalty",
        "one row left over, activity penalty",
        "odd batch, batch norm",
        "odd batch, huber, momentum",
        "odd batch, missing cells",
        "a step of its own",
    ],
)
def test_two_replicas_give_the_losses_of_one(trained, case):
    one, two = trained[0][case], trained[1][case]
    assert len(one["losses"]) == 4
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-4)
    np.testing.assert_allclose(two["output"], one["output"], rtol=1e-3, atol=1e-4)


def test_batch_normalisation_that_cannot_be_synchronised_is_told():
    import keras

    from aetfx.models.serial import describe_model
    from aetfx.training.workshop import _synchronized

    def source(*extra):
        return describe_model(keras.Sequential([keras.Input((6,)), *extra, keras.layers.Dense(6)]), (6,))

    normalised = source(keras.layers.BatchNormalization())
    assert '"synchronized": true' in json.dumps(_synchronized(normalised).blueprint)
    penalised = keras.layers.Dense(4, activity_regularizer="l1")
    with pytest.warns(UserWarning, match="each replica takes the statistics of batch normalisation"):
        _synchronized(source(penalised, keras.layers.BatchNormalization()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _synchronized(source(penalised))


def test_more_replicas_than_were_set_up_are_refused():
    import tensorflow as tf

    from aetfx.training.strategy import prepare_devices

    tf.zeros(1)  # devices are fixed from here on
    with pytest.raises(StudyError, match="training.replicas is 3, but TensorFlow was already set up with fewer") as e:
        prepare_devices("auto", 3)
    assert "\n" not in str(e.value)
    assert prepare_devices("one_device", 3).num_replicas_in_sync == 1
    assert prepare_devices("auto", 1).num_replicas_in_sync == 1
