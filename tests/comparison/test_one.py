"""One configuration alone: trained as in a comparison, exported, and its preprocessing as a graph
(aetfx.comparison.one, aetfx.training.export, aetfx.preprocessing.transform_graph)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aetfx.comparison.one import fit_preprocessing, train_study
from aetfx.errors import ModelError
from aetfx.preprocessing.transform_graph import Column, write_transform_graph
from aetfx.study import parse_study
from aetfx.training.export import export_model

RNG = np.random.default_rng(2)
CODE = RNG.normal(size=(300, 2))
ROWS = (CODE @ RNG.normal(size=(2, 4)) + 5) * [1, 10, 100, 1000]
ROWS[::11, 2] = np.nan


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    pd.DataFrame(ROWS, columns=["a", "b", "c", "d"]).to_csv(path, index=False)
    return parse_study(
        {
            "data": {"train": str(path), "eval": 0.3},
            "preprocessing": {"scaling": "standard", "missing": "mean"},
            "model": {"hidden": [8], "bottleneck": 2},
            "training": {"epochs": 3, "processes": 1},
            "compare": {"model.bottleneck": [2, 3]},
        }
    )


@pytest.fixture(scope="module")
def trained(study, tmp_path_factory):
    return train_study(study, tmp_path_factory.mktemp("run"), seeds=2)


def test_a_model_for_each_seed_and_none_of_the_alternatives(trained):
    assert [path.parent.name for path in trained.models] == ["seed-0", "seed-1"]
    assert len({path.parent.parent for path in trained.models}) == 1
    assert trained.score == pytest.approx(np.mean(trained.scores))


def test_the_served_model_needs_neither_keras_nor_aetfx(trained, tmp_path):
    import tensorflow as tf

    served = tf.saved_model.load(str(export_model(trained.models[0], tmp_path)))
    import keras

    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    rows = tf.constant(ROWS[:20])
    given = served.serve(rows)
    assert given.dtype == tf.float64
    np.testing.assert_allclose(given, model.predict(ROWS[:20], verbose=0), rtol=1e-6)
    assert np.isfinite(given).all()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["Format-Serving", "model.keras"]


def test_the_graph_prepares_rows_as_the_model_does(study, trained, tmp_path):
    import tensorflow as tf

    fitted = fit_preprocessing(study, tmp_path / "run")
    assert fitted.to_config() == trained.preprocessing.to_config()
    columns = [Column(name) for name in "abcd"]
    write_transform_graph(fitted, columns, tmp_path / "graph")
    graph = tf.saved_model.load(str(tmp_path / "graph" / "transform_fn"))
    rows = ROWS.astype(np.float32)
    given = graph.transform_fn({name: tf.constant(rows[:, j : j + 1]) for j, name in enumerate("abcd")})
    np.testing.assert_allclose(np.hstack([given[name] for name in "abcd"]), fitted.apply(rows), rtol=1e-6)
    given = np.hstack([given[name] for name in "abcd"])
    assert given.mean(0) == pytest.approx(np.zeros(4), abs=0.2)


def test_a_diverged_model_is_refused(study, tmp_path):
    with pytest.raises(ModelError, match=r"became NaN or infinite in epoch \d\. Run `aetfx diagnose`"):
        train_study(study.with_changes({"training.learning_rate": 1e30, "training.optimizer": "sgd"}), tmp_path)
