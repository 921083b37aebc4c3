"""A model with several inputs through a whole diagnosis: one part at fault, the other not, and a condition."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import yaml

import aetfx
from aetfx.diagnosis.api import diagnose_study, plan_study
from aetfx.errors import DataError, StudyError
from aetfx.report.console import print_diagnosis
from aetfx.study import load_study

keras = pytest.importorskip("keras")


def data(n=300, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 3))
    pixels = 8 + 3 * np.tanh(factors @ rng.normal(size=(3, 16))) + 0.05 * rng.normal(size=(n, 16))
    table = factors @ np.random.default_rng(1).normal(size=(3, 5)) + 0.05 * rng.normal(size=(n, 5))
    return {
        "pixels": pixels.reshape(n, 4, 4).astype("float32"),
        "table": (table / table.std(axis=0)).astype("float32"),
        "hint": factors[:, :1].astype("float32"),
    }


def model():
    layers = keras.layers
    pixels, table, hint = (
        keras.Input(shape, name=name) for name, shape in {"pixels": (4, 4), "table": (5,), "hint": (1,)}.items()
    )
    both = layers.Concatenate()([layers.Flatten()(pixels), table, hint])
    code = layers.Dense(3, name="code")(layers.Dense(24, "relu")(both))
    hidden = layers.Dense(24, "relu")(code)
    drawn = layers.Reshape((4, 4))(layers.Dense(16, "sigmoid", name="draw")(hidden))  # pixels run from 4 to 12
    made = keras.Model(
        {"pixels": pixels, "table": table, "hint": hint}, {"pixels": drawn, "table": layers.Dense(5)(hidden)}
    )
    made.compile(keras.optimizers.Adam(0.01), "mse")
    return made


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "parts"
    return aetfx.diagnose(model(), data(), epochs=40, batch_size=16, budget=14, out=directory)


def test_the_part_at_fault_is_seen(found, capsys):
    first = found.causes[0]
    fits = {"data.scaling", "model.output_activation"}
    assert first.code in fits
    if first.code == "data.scaling":  # x_train is a dictionary, which no short code scales
        assert first.keras.startswith("repair = diagnosis.apply(model)")
    parts = {part["name"]: part for part in found.record["parts"]}
    assert parts["pixels"]["score"] > 1.5
    assert parts["pixels"]["score_after"] < 0.3
    assert parts["table"]["score"] < 0.3
    assert (parts["hint"]["scored"], parts["hint"]["score"]) == (False, None)
    assert "lie outside what a sigmoid output can give" in " ".join(first.evidence)
    print_diagnosis(found.record, None)
    assert "hint: given, not scored" in " ".join(capsys.readouterr().out.split())
    assert "hint: given, not scored" in (found.directory / "report.html").read_text()


def test_the_repaired_model_takes_and_gives_the_users_structure(found):
    rows = data(seed=0)
    restored = found.fixed_model.predict(rows, verbose=0)
    assert set(restored) == {"pixels", "table"}
    for name, values in restored.items():
        assert values.shape == rows[name].shape
        assert np.square(values - rows[name]).mean() < 0.5 * rows[name].var()
    loaded = keras.models.load_model(found.directory / "fixed" / "model.keras")
    np.testing.assert_allclose(loaded.predict(rows, verbose=0)["table"], restored["table"], rtol=1e-5, atol=1e-6)


def test_another_process_reads_the_repair_back(found):
    script = f"""
import aetfx, numpy as np
run = aetfx.load_run({str(found.directory)!r})
zeros = {{"pixels": np.zeros((2, 4, 4)), "table": np.zeros((2, 5)), "hint": np.zeros((2, 1))}}
for model in (run.fixed_model, run.apply().fit(zeros, epochs=1, verbose=0)):
    restored = model.predict(zeros, verbose=0)
    print(sorted(restored), restored["pixels"].shape)
try:
    run.repro()
except aetfx.errors.ModelError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["['pixels', 'table'] (2, 4, 4)"] * 2
    assert lines[2].startswith("the model has several inputs: a script cannot show that")


def test_parts_of_x_val_must_be_those_of_x_train():
    other = {name: values[:50] for name, values in reversed(data().items())}
    with pytest.raises(DataError, match="x_val: its parts differ"):
        aetfx.diagnose(model(), data(), other, epochs=1)


def multi():
    """The factory that the study names."""
    return model()


@pytest.mark.slow
def test_a_study_names_a_file_for_each_input(tmp_path):
    rows = data()
    for name, values in rows.items():
        np.save(tmp_path / f"{name}.npy", values)
    np.save(tmp_path / "few.npy", rows["hint"][:7])
    paths = {"pixels": "pixels.npy", "table": "table.npy", "hint": "hint.npy"}
    tree = {
        "data": {"train": paths},
        "model": {"factory": "tests.diagnosis.test_parts:multi"},
        "training": {"epochs": 8, "batch_size": 16},
        "diagnosis": {"budget": 1.0},
    }

    def study(**sections):
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(tree | sections, sort_keys=False))
        return load_study(tmp_path / "study.yaml")

    of_study = diagnose_study(study(), tmp_path / "run")
    of_arrays = aetfx.diagnose(model(), rows, epochs=8, batch_size=16, budget=1.0)
    for name in ("pixels", "table"):
        mine, theirs = ({p["name"]: p["score"] for p in found.record["parts"]}[name] for found in (of_study, of_arrays))
        assert mine == pytest.approx(theirs, rel=1e-6)
    assert str(tmp_path / "table.npy") in (tmp_path / "run" / "study.yaml").read_text()
    assert plan_study(study())["unit_seconds"] > 0
    for sections, said in (
        ({"model": {}}, r"data.train names several inputs \(pixels, table, hint\), which the dense family has not"),
        (
            {"data": {"train": paths, "eval": "pixels.npy"}},
            "data.eval must name a path for each of pixels, table, hint",
        ),
        (
            {"data": {"train": paths, "eval": {"table": "table.npy", "pixels": "pixels.npy"}}},
            "Give both the same inputs",
        ),
        ({"data": {"train": paths, "features": "table"}}, "data.features cannot choose among several inputs"),
        ({"data": {"train": {"pixels": "pixels.npy"}}}, "data.train must be a path or a glob, or one for each input"),
    ):
        with pytest.raises(StudyError, match=said):
            study(**sections)
    with pytest.raises(DataError, match=r"data.train: its parts have different numbers of rows \('pixels' 300"):
        diagnose_study(study(data={"train": paths | {"hint": "few.npy"}}), tmp_path / "other")


def test_configurations_of_a_study_with_several_inputs_are_compared(tmp_path):
    for name, values in data(n=120).items():
        np.save(tmp_path / f"{name}.npy", values)
    tree = {
        "data": {"train": {name: f"{name}.npy" for name in ("pixels", "table", "hint")}},
        "model": {"factory": "tests.diagnosis.test_parts:multi"},
        "training": {"epochs": 5, "batch_size": 16, "loss": "mae"},
        "compare": {"preprocessing.scaling": ["standard"]},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    found = aetfx.compare(tmp_path / "study.yaml", out=tmp_path / "run")
    scores = {row["name"]: row["score"] for row in found["rows"]}
    assert scores["scaling=standard"] < scores["baseline"]
