"""aetfx.diagnosis.labels: figures against scikit-learn, and labels that stay with their rows through a diagnosis."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import yaml
from keras import layers
from sklearn.datasets import load_wine
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

import aetfx
from aetfx.diagnosis.api import diagnose_study
from aetfx.diagnosis.labels import auc, balanced_accuracy, check_labels
from aetfx.errors import DataError, StudyError
from aetfx.figures import words
from aetfx.study import load_study

RNG = np.random.default_rng(0)


def build(n_columns=13):
    model = keras.Sequential(
        [
            keras.Input((n_columns,)),
            layers.Dense(12, "relu"),
            layers.Dense(4),
            layers.Dense(12, "relu"),
            layers.Dense(n_columns),
        ]
    )
    model.compile("adam", "mse")
    return model


def test_the_probe_is_ridge_with_balanced_classes():
    codes = RNG.normal(size=(300, 5)) * [1, 10, 0.1, 1, 1]
    labels = np.array(["a", "b", "c"])[np.clip(np.digitize(codes[:, 0] + 0.3 * RNG.normal(size=300), [0.5, 1.5]), 0, 2)]
    scaler = StandardScaler().fit(codes[:200])
    known = RidgeClassifier(alpha=1.0, class_weight="balanced").fit(scaler.transform(codes[:200]), labels[:200])
    theirs = balanced_accuracy_score(labels[200:], known.predict(scaler.transform(codes[200:])))
    ours = balanced_accuracy(codes[:200], labels[:200], codes[200:], labels[200:])
    assert ours == pytest.approx(theirs, abs=1e-12)
    assert 0.5 < ours < 1


def test_codes_that_tell_nothing_are_chance():
    labels = np.array([0, 1] * 50)
    constant = np.ones((100, 2))
    assert balanced_accuracy(constant, labels, constant, labels) == pytest.approx(0.5)
    assert balanced_accuracy(constant * np.nan, labels, constant, labels) == 0.5


def test_auc_counts_ties_half_and_infinite_errors_as_worst():
    scores = np.round(RNG.normal(size=200), 1)
    odd = RNG.random(200) < 0.3
    assert auc(scores + odd, odd) == pytest.approx(roc_auc_score(odd, scores + odd))
    assert auc(np.array([1.0, np.inf, np.nan]), np.array([False, True, True])) == 1.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1, 2, 3], None, 4, None), "labels: must be one label for each of the 4 rows of x_train"),
        (([0, 1], None, 2, 3), "labels_val is missing, the labels of x_val"),
        (([0, 1], [0, 1], 2, None), "labels_val was given without x_val"),
        (([0, 0], [0, 0, 0], 2, 3), "all rows have the same label"),
        (([0, np.nan], None, 2, None), "1 labels are NaN"),
        ((None, [1, 2, 3], 2, 3), "they must be 0 .normal. and 1 .anomalous."),
        (([[1, 2]], None, 1, None), r"shape \(1, 2\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(arguments, said):
    with pytest.raises(DataError, match=said):
        check_labels(*arguments)


def test_without_labels_there_is_nothing():
    assert check_labels(None, None, 5, 5) is None
    assert words.labels_line({}) == ""


def test_a_wrong_number_of_labels_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(DataError, match="labels: must be one label"):
        aetfx.diagnose(build(), load_wine().data, epochs=2, labels=[0, 1], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_wines_are_told_apart_better_once_scaling_is_mended(tmp_path):
    rows, kinds = load_wine(return_X_y=True)
    order = RNG.permutation(len(rows))
    rows, kinds = rows[order], kinds[order]
    names = np.array(["barolo", "grignolino", "barbera"])[kinds]
    diagnosis = aetfx.diagnose(
        build(), rows[:120], rows[120:], epochs=40, batch_size=16, budget=8, labels=names[:120], labels_val=names[120:],
        out=tmp_path / "run",
    )  # fmt: skip
    found = diagnosis.record["labels"]
    assert found["kind"] == "probe"
    assert found["trainings"] >= 3
    assert found["after"] > found["before"] + 0.05
    assert found["after"] > 0.8, "rows and labels must have stayed together"
    line = words.labels_line(diagnosis.record)
    assert line.startswith("balanced accuracy of a linear probe of the codes: 0.")
    assert line in repr(diagnosis)
    assert line in diagnosis._repr_html_()
    assert line in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
def test_rows_that_the_split_holds_out_keep_their_labels():
    """Labels that the first column decides: any mix-up of rows would bring the probe down to chance."""
    hidden = RNG.normal(size=(500, 2))
    rows = hidden @ RNG.normal(size=(2, 6)) + 0.05 * RNG.normal(size=(500, 6))
    diagnosis = aetfx.diagnose(build(6), rows, epochs=30, batch_size=16, budget=1.0, labels=hidden[:, 0] > 0)
    assert diagnosis.record["labels"]["before"] > 0.9


@pytest.mark.slow
def test_anomalies_are_found_by_their_error():
    hidden = RNG.normal(size=(400, 2))
    mix = RNG.normal(size=(2, 6))
    rows = hidden @ mix + 0.05 * RNG.normal(size=(400, 6))
    odd = RNG.random(100) < 0.3
    held = rows[300:].copy()
    held[odd] = RNG.permuted(held[odd], axis=1)
    diagnosis = aetfx.diagnose(
        build(6), rows[:300], held, epochs=40, batch_size=16, budget=1.0, labels_val=odd.astype(int)
    )
    found = diagnosis.record["labels"]
    assert found["kind"] == "anomaly_auc"
    assert found["before"] > 0.8
    assert "AUC of anomalies found by their error: 0." in repr(diagnosis)


@pytest.mark.slow
def test_a_study_names_files_of_labels_and_what_is_wrong_with_them(tmp_path):
    hidden = RNG.normal(size=(500, 2))
    np.save(tmp_path / "rows.npy", hidden @ RNG.normal(size=(2, 6)) + 0.05 * RNG.normal(size=(500, 6)))
    (tmp_path / "kinds.csv").write_text("kind\n" + "\n".join(str(int(first > 0)) for first in hidden[:, 0]) + "\n")
    (tmp_path / "few.csv").write_text("kind\n0\n1\n")
    tree = {
        "data": {"train": "rows.npy", "labels": "kinds.csv"},
        "model": {"hidden": [12], "bottleneck": 3},
        "training": {"epochs": 20, "batch_size": 16},
        "diagnosis": {"budget": 1.0},
    }

    def study(**changes):
        (tmp_path / "study.yaml").write_text(yaml.safe_dump({**tree, "data": {**tree["data"], **changes}}))
        return load_study(tmp_path / "study.yaml")

    diagnosis = diagnose_study(study(), tmp_path / "run")
    assert diagnosis.record["labels"]["before"] > 0.9
    assert str(tmp_path / "kinds.csv") in (tmp_path / "run" / "study.yaml").read_text(), "fit to be run from anywhere"
    for changes, said in (
        ({"labels": "few.csv"}, "data.labels: must be one label for each of the 500 rows of data.train"),
        ({"labels": "rows.npy"}, "labels are one number for each row, but it holds 6 columns of numbers"),
        ({"labels": "none.csv"}, "none.csv"),
    ):
        with pytest.raises(DataError, match=said):
            diagnose_study(study(**changes), tmp_path / "other")
    for changes, said in (
        ({"eval": "rows.npy"}, "data.labels needs data.eval_labels"),
        ({"eval_labels": "kinds.csv"}, "data.eval_labels goes with a path in data.eval"),
    ):
        with pytest.raises(StudyError, match=said):
            study(**changes)
    assert not (tmp_path / "other").exists()
