"""aetfx.diagnosis.repair on a real run: wine's columns of unlike scales, diagnosed once, also read back elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_wine

import aetfx
from aetfx.errors import ModelError, RunError

ROOT = Path(__file__).resolve().parents[3]


class Doubled(keras.layers.Layer):
    """A layer of the user's own: it does nothing but must be known to load the model."""

    def call(self, inputs):
        return inputs * 2.0 / 2.0


def build(width=12):
    rows = keras.Input((13,))
    wide = keras.layers.Dense(width, "relu")(rows)
    code = Doubled()(keras.layers.Dense(4)(wide))
    model = keras.Model(rows, keras.layers.Dense(13)(keras.layers.Dense(12, "relu")(code)))
    model.compile("adam", "mse")
    return model


def fvu(truth, restored):
    return float(np.mean(((restored - truth) ** 2).mean(axis=0) / truth.var(axis=0)))


@pytest.fixture(scope="module")
def wine():
    rows = load_wine().data
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return rows[:130], rows[130:]


@pytest.fixture(scope="module")
def run(wine, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "wine"
    model = build()
    diagnosis = aetfx.diagnose(model, *wine, epochs=40, batch_size=16, budget=8, out=directory)
    assert [cause.code for cause in diagnosis.causes] == ["data.scaling"]
    return diagnosis, model, directory


def test_diff_shows_the_change_and_nothing_else(run):
    text = run[0].diff()
    changed = [line for line in text.splitlines() if re.match(r"[-+](?![-+])", line)]
    assert changed == ["-preprocessing: none", "+preprocessing:", "+  scaling: standard", "+  scope: column"]
    assert text.startswith("--- as diagnosed\n+++ repaired\n@@")
    assert "# 1. data.scaling: Scale the rows" in text
    assert text.rstrip().endswith(run[0].causes[0].keras.splitlines()[-1])


def test_the_applied_repair_trains_to_the_promised_score(run, wine):
    diagnosis, model, _ = run
    before = [weights.copy() for weights in model.get_weights()]
    repair = diagnosis.apply(model)
    assert repair.model is not model
    assert repair.model.optimizer.iterations == 0
    assert repair.fit_arguments == {"epochs": 40, "batch_size": 16}
    np.testing.assert_allclose(repair.prepare(wine[0]).std(axis=0), 1, rtol=1e-4)
    np.testing.assert_allclose(repair.restore(repair.prepare(wine[0])), wine[0], rtol=1e-5)
    keras.utils.set_random_seed(3)
    fixed = repair.fit(wine[0], verbose=0)
    assert fvu(wine[1], fixed.predict(wine[1], verbose=0)) < 0.75
    assert fvu(wine[1], model.predict(wine[1], verbose=0)) > 1
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_fit_takes_the_arguments_of_keras(run, wine):
    repair = run[0].apply(build)
    ends = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(logs))
    repair.fit(*wine, epochs=2, verbose=0, callbacks=[count])
    assert len(ends) == 2
    assert {"loss", "val_loss"} <= set(ends[0])


def test_another_model_is_refused_with_the_first_difference(run):
    with pytest.raises(
        ModelError, match=r'not the model .* had Dense\(12, activation="relu"\) where this has Dense\(9'
    ):
        run[0].apply(build(9))
    with pytest.raises(ModelError, match="keras.Model, or a function that returns one, but got str"):
        run[0].apply("model.keras")


def test_a_run_read_back_has_the_same_repair(run, wine):
    diagnosis, _, directory = run
    again = aetfx.load_run(directory)
    assert again.diff() == diagnosis.diff()
    assert again.repro() == diagnosis.repro()
    np.testing.assert_allclose(
        again.fixed_model.predict(wine[1], verbose=0), diagnosis.fixed_model.predict(wine[1], verbose=0), rtol=1e-5
    )


def test_a_process_that_does_not_know_the_layer_says_so(run, wine):
    _, _, directory = run
    script = (
        "import sys, aetfx, keras\n"
        "diagnosis = aetfx.load_run(sys.argv[1])\n"
        "print(diagnosis.diff().splitlines()[0])\n"
        "for ask in (lambda: diagnosis.fixed_model, diagnosis.apply):\n"
        "    try:\n        ask()\n    except aetfx.errors.ModelError as error:\n        print(error)\n"
        "class Doubled(keras.layers.Layer):\n    def call(self, inputs):\n        return inputs\n"
        "with keras.saving.custom_object_scope({'Doubled': Doubled}):\n"
        "    print(diagnosis.fixed_model.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    first, load, apply, name = done.stdout.splitlines()
    assert first == "--- as diagnosed"
    assert "import the module that defines them" in load
    assert "does not know" in apply
    assert "Doubled" in apply
    assert name.startswith("raw_")


def test_the_script_runs_without_aetfx_and_shows_the_fix(run, tmp_path):
    script = run[0].repro()
    assert "aetfx" not in script.replace("aetfx measured", "")
    (tmp_path / "repro.py").write_text(script)
    (tmp_path / "test_repair.py").write_text(
        "import keras\nclass Doubled(keras.layers.Layer):\n    def call(self, inputs):\n        return inputs\n"
    )
    # The layer is imported from where it lives; pytest calls this module otherwise than a user would.
    home = re.search(r"^from (\S+) import Doubled$", script, re.MULTILINE)
    assert home
    text = script.replace(home[0], "from test_repair import Doubled")
    (tmp_path / "repro.py").write_text(text)
    done = subprocess.run([sys.executable, "repro.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    scores = dict(line.split(": ") for line in done.stdout.splitlines() if ": " in line)
    assert float(scores["as_it_is"]) > 1.5
    assert float(scores["repaired"]) < 0.75
    assert len(text.splitlines()) < 70


def test_recipes_are_small_and_hold_each_side_once(run):
    content = json.loads((run[2] / "recipes.json").read_text())
    assert set(content["after"]) == {"preprocessing", "fitted", "name"}
    assert content["before"]["epochs"] == 40
    assert (run[2] / "recipes.json").stat().st_size < 20_000


def test_a_diagnosis_that_is_not_kept_has_the_repair_too(run, wine, tmp_path):
    diagnosis = run[0]
    files = {"recipes.json": (run[2] / "recipes.json").read_bytes()}
    loose = aetfx.Diagnosis(diagnosis.record, files=files, objects={"Doubled": Doubled})
    assert loose.diff() == diagnosis.diff()
    assert loose.apply().fit(wine[0], epochs=1, verbose=0).name.startswith("raw_")
    assert aetfx.load_run(loose.save(tmp_path / "kept")).diff() == diagnosis.diff()


def test_without_a_verified_cause_there_is_one_line(run):
    record = {**run[0].record, "causes": [], "status": "healthy", "fixed": None}
    healthy = aetfx.Diagnosis(record)
    assert healthy.diff() == "no change: no cause was verified (status: healthy)\n"
    assert healthy.fixed_model is None
    with pytest.raises(RunError, match="no recipes.json"):
        healthy.apply()
    content = json.loads((run[2] / "recipes.json").read_text())
    kept = aetfx.Diagnosis(record, files={"recipes.json": json.dumps({**content, "after": None}).encode()})
    for ask in (kept.apply, kept.repro):
        with pytest.raises(RunError, match="no cause was verified, so there is no repair"):
            ask()
