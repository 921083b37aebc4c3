"""Tests of aetfx.evaluation.api and of `aetfx evaluate`: real .keras files, real data files, real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import aetfx
from aetfx import cli
from aetfx.errors import DataError, ModelError, StudyError
from aetfx.evaluation.references import fit_pca
from aetfx.evaluation.score import Scorer

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(0)
NAMES = ["age", "sex", "x", "y", "z"]


def made_rows(n):
    codes = RNG.normal(size=(n, 2))
    rows = codes @ np.array([[1.0, 0, 2, 1, 0], [0, 1, 0, -1, 1]]) + 0.1 * RNG.normal(size=(n, 5))
    rows[:, 1] = RNG.integers(0, 2, n)
    return np.round(rows, 5)


WORKERS = {
    "processes": ("--direct_num_workers=2", "--direct_running_mode=multi_processing"),
    "portable": ("--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"),
}


TRAIN, EVAL = made_rows(400), made_rows(230)


@keras.saving.register_keras_serializable(package="tests")
class NanAbove(keras.layers.Layer):
    """Gives NaN for rows whose first value is above 1."""

    def call(self, rows):
        return keras.ops.where(rows[:, :1] > 1.0, np.float32(np.nan), rows)


def linear(width, seed=0, rows=TRAIN):
    """An autoencoder whose weights are principal components, slightly off."""
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kernel = directions[:width].T + 0.02 * np.random.default_rng(seed).normal(size=(5, width))
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(width, name="code"), keras.layers.Dense(5)])
    model.set_weights([kernel, -rows.mean(axis=0) @ kernel, directions[:width], rows.mean(axis=0)])
    return model


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    for name, rows in (("train", TRAIN), ("eval", EVAL)):
        table = pd.DataFrame(rows, columns=NAMES)
        table["site"] = np.where(np.arange(len(rows)) % 3 == 0, "A", "B")
        table.to_csv(folder / f"{name}.csv", index=False)
        for number, part in enumerate(np.array_split(table, 4)):
            part.to_csv(folder / f"{name}-part-{number}.csv", index=False)
    linear(3).save(folder / "three.keras")
    linear(1).save(folder / "one.keras")
    faulty = keras.Sequential([keras.Input((5,)), NanAbove(), keras.layers.Dense(5)])
    faulty.layers[-1].set_weights([np.eye(5), np.zeros(5)])
    faulty.save(folder / "faulty.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]).save(folder / "narrow.keras")
    (folder / "broken.keras").write_bytes(b"PK\x03\x04 cut short")
    return folder


@pytest.fixture(scope="module")
def found(place):
    models = [str(place / f"{name}.keras") for name in ("one", "three", "faulty", "narrow")]
    return aetfx.evaluate(
        models, str(place / "eval.csv"), train=str(place / "train.csv"), out=place / "run",
        slices=["sex", "site=A", "age@2"],
    )  # fmt: skip


def fvu(guess, rows=EVAL):
    """The score of a table of like scales, pooled, in NumPy."""
    return ((guess - rows) ** 2).sum() / ((TRAIN.mean(axis=0) - rows) ** 2).sum()


def test_scores_are_those_of_numpy(place, found):
    assert found.record["features"] == "tensor"  # five columns of like ranges
    for name in ("one", "three"):
        guess = keras.models.load_model(place / f"{name}.keras").predict(EVAL, verbose=0)
        assert found.scores[name] == pytest.approx(fvu(guess), rel=1e-6)
    site = np.arange(len(EVAL)) % 3 == 0
    table = pq.read_table(place / "run" / "evaluation.parquet").to_pandas()
    here = table[(table.name == "three") & table.feature.isna() & (table.metric == "fvu") & (table.seed == -1)]
    values = here.set_index("slice").value
    assert values["site=A"] == pytest.approx(fvu(guess[site], EVAL[site]), rel=1e-6)
    assert values["sex=1"] == pytest.approx(fvu(guess[EVAL[:, 1] == 1], EVAL[EVAL[:, 1] == 1]), rel=1e-6)
    middle = np.quantile(TRAIN[:, 0], 0.5, method="lower")
    low = EVAL[:, 0] <= middle
    assert values[f"age <= {middle:.6g}"] == pytest.approx(fvu(guess[low], EVAL[low]), rel=1e-6)


def test_record_holds_the_contract(place, found):
    record = json.loads((place / "run" / "evaluation.json").read_text())
    assert record["schema_version"] == 1
    assert record["names"] == NAMES
    assert record["rows"]["scored"] == 230
    assert record["rows"]["train"] == 400
    one, three, _, narrow = record["configurations"]
    assert (one["codes"], three["codes"]) == (1, 3)
    assert one["low"] < one["score"] < one["high"]
    assert "shape (4,)" in narrow["failed"]
    pair = record["paired"][0]
    assert (pair["a"], pair["b"]) == (one["id"], three["id"])
    assert pair["gain"] == pytest.approx(1 - three["score"] / one["score"])
    assert pair["low"] < pair["gain"] < pair["high"]
    assert record["references"][0] == {"name": "mean of the train rows", "score": 1.0}
    assert record["thresholds"] is None
    assert not (place / "run" / "blessing.json").exists()
    assert {file.name for file in (place / "run").iterdir()} == {
        "evaluation.json", "evaluation.parquet", "samples.npz", "tensorboard",
    }  # fmt: skip
    assert list((place / "run" / "tensorboard").glob("*/events.out.tfevents.*")), "the dashboard shows it"


def test_pca_is_a_reference_at_the_code_width(found):
    values = {reference["name"]: reference["score"] for reference in found.record["references"]}
    mean = TRAIN.mean(axis=0)
    _, _, directions = np.linalg.svd(TRAIN - mean, full_matrices=False)
    assert set(values) == {"mean of the train rows", "PCA, 1 number"}  # 3 of 5 compress nothing
    rebuilt = (EVAL - mean) @ directions[:1].T @ directions[:1] + mean
    assert values["PCA, 1 number"] == pytest.approx(fvu(rebuilt), rel=1e-6)


def test_pca_of_a_table_is_in_the_spread_of_its_columns():
    rows = TRAIN * [1, 1, 1000, 1, 0.01]
    scorer = Scorer.fit(rows, features="table")
    (pca,) = fit_pca(scorer, rows, [2]).values()
    standard = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    _, _, directions = np.linalg.svd(standard, full_matrices=False)
    rebuilt = standard @ directions[:2].T @ directions[:2] * rows.std(axis=0) + rows.mean(axis=0)
    assert next(pca.answers(rows)) == pytest.approx(rebuilt, rel=1e-6)


def test_rows_that_are_not_finite_are_counted(found):
    faulty = found.record["configurations"][2]
    bad = np.float32(EVAL[:, 0]) > 1
    assert 0 < bad.sum() < 100
    assert faulty["n_not_finite"] == bad.sum()
    spread = ((TRAIN.mean(axis=0) - EVAL) ** 2).sum(axis=1)
    assert faulty["score"] == pytest.approx(4 * spread[bad].sum() / spread.sum(), rel=1e-5)


def test_samples_show_what_all_make_of_the_same_rows(place, found):
    with np.load(place / "run" / "samples.npz", allow_pickle=False) as archive:
        samples = {name: archive[name] for name in archive.files}
    assert samples["schema"] == 2
    n = len(samples["key"])
    assert 200 <= n <= 230
    assert samples["truth"] == pytest.approx(EVAL[samples["place"] - 2].astype(np.float32))  # line 1 is the header
    assert samples["slices"].shape == (len(found.record["slices"]), n)
    assert samples["slices"][0].all()
    assert (samples["slices"][2] == (samples["truth"][:, 1] == 1)).all()
    model = keras.models.load_model(place / "three.keras")
    guess = model.predict(samples["truth"], verbose=0)
    assert samples["restored_1"] == pytest.approx(guess, rel=1e-4, abs=1e-5)
    errors = ((guess - samples["truth"]) ** 2).sum(axis=1) / TRAIN.var(axis=0).sum()
    assert samples["error"][1] == pytest.approx(errors, rel=1e-3, abs=1e-7)
    assert samples["error"].shape == (4, n)
    assert np.isinf(samples["error"][2]).any()
    assert np.isnan(samples["error"][3]).all()
    assert "restored_3" not in samples
    codes = keras.Model(model.inputs, model.get_layer("code").output).predict(samples["truth"], verbose=0)
    assert samples["code_1"] == pytest.approx(codes, rel=1e-4, abs=1e-5)
    assert samples["plane_1"].shape == (n, 2)
    whole = keras.models.load_model(place / "one.keras").predict(EVAL, verbose=0)
    order = np.argsort(((whole - EVAL) ** 2).sum(axis=1))
    kept = {bit: set(samples["place"][(samples["why"] & bit) > 0] - 2) for bit in (1, 2, 4, 8)}
    assert set(order[-20:]) <= kept[2]
    assert set(order[:20]) <= kept[4]
    assert set(order[109:121]) <= kept[8]
    assert len(kept[1]) == 200


def test_the_same_whatever_holds_the_rows_and_the_models(place, found):
    models = {"a": keras.models.load_model(place / "one.keras"), "b": str(place / "three.keras")}
    for data, train in ((pd.DataFrame(EVAL, columns=NAMES), pd.DataFrame(TRAIN, columns=NAMES)), (EVAL, TRAIN)):
        again = aetfx.evaluate(models, data, train=train)
        assert list(again.scores) == ["a", "b"]
        assert list(again.scores.values()) == pytest.approx([found.scores["one"], found.scores["three"]], rel=1e-9)
        assert again.record["paired"][0]["low"] == pytest.approx(found.record["paired"][0]["low"], rel=1e-6)


def test_without_train_rows_that_is_said(place):
    again = aetfx.evaluate(str(place / "one.keras"), str(place / "eval.csv"))
    assert again.record["rows"]["train"] is None
    assert "No train rows" in again.record["notes"][0]


def test_a_model_may_take_rows_in_another_shape(tmp_path):
    images = RNG.normal(size=(60, 4, 4))
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, use_bias=False)])
    model.set_weights([np.full((1, 1, 1, 1), 0.5)])
    found = aetfx.evaluate(model, images)
    expected = (0.25 * images**2).sum() / ((images - images.mean(axis=0)) ** 2).sum()
    assert next(iter(found.scores.values())) == pytest.approx(expected, rel=1e-6)


def test_features_say_what_is_scored_together():
    """One score per column or one for all, whatever the ranges look like: as in `compare`."""
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(5, use_bias=False)])
    model.set_weights([np.diag([0.9, 0.5, 0.5, 0.5, 0.1])])
    error, spread = ((model.predict(EVAL, verbose=0) - EVAL) ** 2).sum(axis=0), ((TRAIN.mean(axis=0) - EVAL) ** 2)
    for features, expected in (
        ("table", (error / spread.sum(axis=0)).mean()),
        ("tensor", error.sum() / spread.sum()),
    ):
        found = aetfx.evaluate(model, EVAL, train=TRAIN, features=features)
        assert found.record["features"] == features
        assert list(found.scores.values()) == pytest.approx([expected], rel=1e-6)


def test_rows_outside_the_fences_are_counted_and_not_scored(place):
    train, rows = np.clip(TRAIN, -7, 7), EVAL.copy()  # without the one cell of a tail that lies outside by itself
    train[7, 2] = 1e6
    rows[[3, 100], 1] = -1e7
    found = aetfx.evaluate(str(place / "three.keras"), rows, train=train)
    assert (found.record["rows"]["scored"], found.record["rows"]["outside_fences"]) == (228, 2)
    assert "2 rows hold cells far outside" in found.record["notes"][0]
    inside, mean = np.delete(EVAL, [3, 100], axis=0), np.delete(train, 7, axis=0).mean(axis=0)
    mean[[0, 1, 3, 4]] = train[:, [0, 1, 3, 4]].mean(axis=0)  # only the cell is left out of the mean
    guess = keras.models.load_model(place / "three.keras").predict(inside, verbose=0)
    expected = ((guess - inside) ** 2).sum() / ((mean - inside) ** 2).sum()
    assert found.scores["three"] == pytest.approx(expected, rel=1e-6)
    assert not {3, 100} & set(found.samples["place"])
    # Where next to none would be left to judge by, all rows are scored.
    shifted = aetfx.evaluate(str(place / "three.keras"), EVAL * 1e5, train=train)
    assert (shifted.record["rows"]["scored"], shifted.record["rows"]["outside_fences"]) == (230, 0)


def test_padded_steps_are_not_scored():
    sequences = 1 + RNG.normal(size=(120, 6, 2))
    padded = np.arange(6) > np.arange(120)[:, None] % 6
    sequences[padded] = 0
    model = keras.Sequential([keras.Input((6, 2)), keras.layers.Masking(0.0), keras.layers.Dense(2, use_bias=False)])
    model.set_weights([0.5 * np.eye(2)])
    there = ~padded
    mean = sequences.sum(axis=0) / there.sum(axis=0)[:, None]
    expected = ((0.5 * sequences[there]) ** 2).sum() / (((sequences - mean) ** 2)[there]).sum()
    assert list(aetfx.evaluate(model, sequences).scores.values()) == pytest.approx([expected], rel=1e-5)
    plain = keras.Sequential([keras.Input((6, 2)), keras.layers.Dense(2, use_bias=False)])
    plain.set_weights([0.5 * np.eye(2)])
    given = aetfx.evaluate(plain, sequences, padding=0.0)
    assert list(given.scores.values()) == pytest.approx([expected], rel=1e-5)


def of_two_inputs(share, both=True):
    """A model that gives back a part of its pictures, and of its table where `both`."""
    pixels, table = keras.Input((3, 3, 1), name="pixels"), keras.Input((4,), name="table")
    code = keras.layers.Concatenate(name="code")([keras.layers.Flatten()(pixels), table])
    back = {
        "pixels": keras.layers.Reshape((3, 3, 1))(keras.layers.Dense(9, use_bias=False)(code)),
        "table": keras.layers.Dense(4, use_bias=False)(code),
    }
    model = keras.Model({"pixels": pixels, "table": table}, back if both else back["pixels"])
    weights = [share * np.eye(13)[:, :9], share * np.eye(13)[:, 9:]]
    model.set_weights(weights if both else weights[:1])
    return model


def test_models_of_several_inputs(tmp_path):
    rows = {"pixels": RNG.random((150, 3, 3, 1)), "table": RNG.normal(size=(150, 4)) * [1, 1, 900, 900]}
    pixels, table = (
        (0.25 * values**2).sum(axis=0) / ((values - values.mean(axis=0)) ** 2).sum(axis=0) for values in rows.values()
    )
    spread = ((rows["pixels"] - rows["pixels"].mean(axis=0)) ** 2).sum(axis=0)
    of_pixels = (pixels * spread).sum() / spread.sum()  # pooled; the columns of the table each for itself
    both = of_two_inputs(0.5)
    found = aetfx.evaluate(both, rows, train=rows, slices=["`table,1` > 0"])
    assert list(found.scores.values()) == pytest.approx([(of_pixels + table.mean()) / 2], rel=1e-5)
    assert found.record["names"][-2:] == ["table,2", "table,3"]
    # From files, and a model to which the table is a condition: it is fed and not scored.
    for name, values in rows.items():
        np.save(tmp_path / f"{name}.npy", values)
    of_two_inputs(0.5, both=False).save(tmp_path / "one.keras")
    found = aetfx.evaluate([str(tmp_path / "one.keras"), both], {name: tmp_path / f"{name}.npy" for name in rows})
    assert list(found.scores.values()) == pytest.approx([of_pixels] * 2, rel=1e-5)
    found = aetfx.evaluate({"both": both, "one": str(tmp_path / "one.keras")}, rows)
    assert "does not give back 'table', which 'both' does" in found.record["configurations"][1]["failed"]
    with pytest.raises(ModelError, match=r"takes 2 inputs \('pixels' \(3, 3, 1\), 'table' \(4,\)\)"):
        aetfx.evaluate(both, rows["pixels"])
    with pytest.raises(DataError, match="the inputs pixels .* Give train and data the same columns"):
        aetfx.evaluate(both, rows, train={"pixels": rows["pixels"], "table": rows["table"][:, :1]})


def test_what_is_not_an_output_of_rows_says_so():
    rows = keras.Input((5,))
    model = keras.Model(rows, [keras.layers.Dense(3)(rows), keras.layers.Dense(4)(rows)])
    with pytest.raises(ModelError, match=r"'mine': has several outputs, and not one alone has the shape .* \(5,\)"):
        aetfx.evaluate({"mine": model}, EVAL)


def test_words_by_their_number_can_be_given_back():
    """Rows are probed with numbers that no embedding knows, and with zeros then."""
    model = keras.Sequential(
        [keras.Input((4,), dtype="int32"), keras.layers.Embedding(10, 3), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    assert 0 < next(iter(aetfx.evaluate(model, RNG.integers(0, 10, (80, 4))).scores.values())) <= 4
    with pytest.raises(DataError, match=r"fails on these rows: indices\[.*\] = \d+ is not in \[0, 10\)\.$"):
        aetfx.evaluate(model, RNG.integers(20, 30, (80, 4)))


def test_copies_of_a_model_are_told_apart(place, tmp_path):
    copy = tmp_path / "copy.keras"
    copy.write_bytes((place / "one.keras").read_bytes())
    found = aetfx.evaluate([str(place / "one.keras"), str(copy), str(copy)], EVAL, train=TRAIN, extremes=0)
    assert list(found.scores) == ["one", "copy"]
    first, second = found.record["configurations"]
    assert first["score"] == second["score"]
    assert first["id"] != second["id"]
    assert found.record["paired"][0]["gain"] == 0


def test_a_stochastic_model_is_scored_by_several_draws():
    class Noise(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seeds = keras.random.SeedGenerator(1)

        def call(self, rows):
            return rows + keras.random.normal(keras.ops.shape(rows), stddev=0.5, seed=self.seeds)

    rows = RNG.normal(size=(500, 6))
    with keras.saving.custom_object_scope({"Noise": Noise}):
        found = aetfx.evaluate(keras.Sequential([keras.Input((6,)), Noise()]), rows)
    assert next(iter(found.scores.values())) == pytest.approx(0.25 / rows.var(), rel=0.05)


@pytest.mark.parametrize(
    ("models", "kind", "said"),
    [
        (["missing.keras"], ModelError, "no such model file"),
        (["train.csv"], ModelError, "must be a .keras file"),
        (["broken.keras"], ModelError, "damaged"),
        (["narrow.keras"], ModelError, "takes rows of shape (4,), but the data have rows of shape (5,)"),
        (["empty"], aetfx.errors.RunError, "holds no trained model"),
        ([], ModelError, "no model is given"),
    ],
)
def test_what_cannot_be_evaluated_says_why(place, models, kind, said):
    (place / "empty").mkdir(exist_ok=True)
    with pytest.raises(kind) as raised:
        aetfx.evaluate([str(place / model) for model in models], str(place / "eval.csv"))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_lambda_layer_is_not_run(place):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Lambda(lambda rows: rows)])
    model.save(place / "lambda.keras")
    with pytest.raises(ModelError, match="would run code"):
        aetfx.evaluate(str(place / "lambda.keras"), str(place / "eval.csv"))


def test_train_rows_of_another_width_are_refused(place):
    with pytest.raises(DataError, match="same columns"):
        aetfx.evaluate(str(place / "one.keras"), EVAL, train=TRAIN[:, :4])


def test_a_threshold_of_no_single_slice_is_refused(place):
    with pytest.raises(StudyError, match="'age@2' is not the name of one slice|there is no"):
        aetfx.evaluate(
            str(place / "one.keras"), str(place / "eval.csv"), thresholds={"slices": {"age@2": 0.5}},
        )  # fmt: skip


@pytest.fixture
def aetfx_evaluate(place, capfd, monkeypatch):
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.chdir(place)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setattr(sys, "argv", ["aetfx", "evaluate", *arguments])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def study(place):
    def write(thresholds):
        path = place / "study.yaml"
        path.write_text(f"data: {{train: train.csv}}\nevaluation: {{slices: [sex], thresholds: {thresholds}}}\n")
        return path.name

    return write


def test_command_line_refuses_with_3_and_says_why(place, study, aetfx_evaluate):
    given = study("{score: 0.001, against: three.keras, at_most: 1.1}")
    code, out, said = aetfx_evaluate(
        "one.keras", "--data", "eval.csv", "--train", "train.csv", "--study", given, "--out", "no", "--json"
    )
    assert code == 3, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("aetfx: error: not blessed: its score is")
    assert "above 0.001" in last
    assert "of 'three'; at most 1.1 times" in last
    assert json.loads(out)["thresholds"]["blessed"] is False
    blessing = json.loads((place / "no" / "blessing.json").read_text())
    assert blessing["blessed"] is False
    assert blessing["name"] == "one"
    assert len(blessing["reasons"]) == 2


@pytest.mark.parametrize("workers", list(WORKERS))
def test_command_line_blesses_whoever_works(place, study, aetfx_evaluate, workers):
    given = study("{score: 0.9, slices: {sex=1: 0.95}, against: one.keras}")
    code, out, said = aetfx_evaluate(
        "three.keras", "--data", "eval-part-*.csv", "--train", "train.csv", "--study", given, "--out", workers,
        "--", *WORKERS[workers],
    )  # fmt: skip
    assert code == 0, said
    assert "Blessed" in out
    record = json.loads((place / workers / "evaluation.json").read_text())
    assert record["thresholds"] == {"blessed": True, "reasons": []}
    # The same file and the same rows in four, by one worker: the same counts and figures.
    alone = aetfx.evaluate(
        [str(place / "three.keras"), str(place / "one.keras")], str(place / "eval.csv"), train=str(place / "train.csv"),
        slices=["sex"],
    )  # fmt: skip
    for key in ("rows", "slices"):
        assert record[key] == alone.record[key]
    pair, expected = record["paired"][0], alone.record["paired"][0]
    assert [pair[key] for key in ("gain", "low", "high")] == pytest.approx(
        [expected[key] for key in ("gain", "low", "high")], rel=1e-9
    )
    table, expected = pq.read_table(place / workers / "evaluation.parquet").to_pandas(), alone.table.to_pandas()
    about = ["configuration", "seed", "slice", "feature", "metric", "n_rows"]
    assert table[about].equals(expected[about])
    for column in ("value", "low", "high"):
        assert table[column].to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-9, nan_ok=True)
    with np.load(place / workers / "samples.npz") as samples:
        assert (samples["key"] == alone.samples["key"]).all()
        assert (samples["why"] == alone.samples["why"]).all()


def test_several_files_need_names(place, aetfx_evaluate):
    code, _, said = aetfx_evaluate("one.keras", "--data", "eval-part-0.csv", "--data", "eval-part-1.csv")
    assert code == 2
    assert said == (
        "aetfx: error: --data is given 2 times. For a model of several inputs give NAME=FILE for each; quote a glob to "
        "give many files.\n"
    )


def test_help_and_mistakes_import_nothing_slow(place):
    for arguments, code in (
        (["--help"], 0),
        (["missing.keras", "--data", "eval.csv"], 2),
        (["one.keras", "--data", "missing.csv"], 2),
        (["one.keras"], 2),
    ):
        result = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "aetfx.cli", "evaluate", *arguments],
            cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert result.returncode == code, result.stderr[-500:]
        loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in result.stderr.splitlines() if "|" in line}
        assert not loaded & {"tensorflow", "keras", "apache_beam", "numpy", "pandas", "pyarrow"}
