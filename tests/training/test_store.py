"""aetfx.training.store, logs and range_test: what is kept of a trial, what TensorBoard shows, which rate is sane."""

from __future__ import annotations

import json
import math
import resource
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study

keras = pytest.importorskip("keras")

from aetfx.training import logs  # noqa: E402
from aetfx.training.build import recipe_from_study  # noqa: E402
from aetfx.training.range_test import range_test  # noqa: E402
from aetfx.training.store import TrialStore, configuration_folder  # noqa: E402
from aetfx.training.trial import train  # noqa: E402
from aetfx.training.workshop import Workshop  # noqa: E402

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(80, 2)) @ RNG.normal(size=(2, 4))) * [1, 100, 5, 1] + 7


@pytest.fixture(scope="module")
def workshop():
    return Workshop()


def recipe(**training):
    study = parse_study(
        {
            "data": {"train": "x.csv"},
            "model": {"hidden": [6], "bottleneck": 2},
            "training": {"epochs": 3, "batch_size": 20, "learning_rate": 0.01, **training},
            "preprocessing": {"scaling": "standard"},
        }
    )
    return recipe_from_study(study, (4,)).changed(name="learning_rate=0.01")


@pytest.fixture(scope="module")
def trial(workshop):
    made = recipe()
    return train(
        made, ROWS, fit_rows(made.preprocessing, ROWS), seed=4, workshop=workshop,
        score=lambda predict: float(np.square(predict(ROWS) - ROWS).mean()), score_at=[1, 3],
    )  # fmt: skip


@pytest.fixture
def store(tmp_path, trial):
    kept = TrialStore(tmp_path)
    kept.save(trial, score=0.5)
    return kept


def load(store, trial):
    return store.load(trial.recipe, trial.seed, 0, trial.preprocessing)


def test_a_stored_trial_is_the_same_trial(store, trial):
    again = load(store, trial)
    np.testing.assert_array_equal(again.predict(ROWS), trial.predict(ROWS))
    np.testing.assert_array_equal(again.losses, trial.losses)
    assert again.scores == trial.scores
    assert (again.best_epoch, again.diverged) == (None, False)


def test_the_folder_is_what_the_design_says(store, trial):
    folder = store.directory / "configurations" / f"learning_rate=0.01-{trial.recipe.identity[:8]}" / "seed-4"
    assert {path.name for path in folder.iterdir()} == {"weights.npz", "model.keras", "history.parquet", "trial.json"}
    history = pq.read_table(folder / "history.parquet").to_pydict()
    assert history["epoch"] == [1, 2, 3]
    np.testing.assert_array_equal(history["loss"], trial.losses)
    assert [history["score"][0], history["score"][2]] == [trial.scores[1], trial.scores[3]]
    assert history["score"][1] is None


def test_the_stored_model_takes_and_gives_raw_rows(store, trial):
    path = next(store.directory.rglob("model.keras"))
    whole = keras.models.load_model(path)
    np.testing.assert_allclose(whole.predict(ROWS, verbose=0), trial.predict(ROWS), rtol=1e-5, atol=1e-5)


def test_an_interrupted_trial_is_trained_again(store, trial):
    (store.folder(trial.recipe, trial.seed) / "trial.json").unlink()
    assert load(store, trial) is None


def test_another_recipe_seed_or_split_is_another_trial(store, trial):
    assert store.load(trial.recipe.changed(epochs=4), trial.seed, 0, trial.preprocessing) is None
    assert store.load(trial.recipe, 5, 0, trial.preprocessing) is None
    assert store.load(trial.recipe, trial.seed, 1, trial.preprocessing) is None


def test_a_diverged_trial_is_kept_too(tmp_path, trial, workshop):
    made = recipe(optimizer="sgd", learning_rate=1e6)
    bad = train(made, ROWS, fit_rows(made.preprocessing, ROWS), seed=4, workshop=workshop)
    assert bad.diverged
    kept = TrialStore(tmp_path)
    kept.save(bad, score=4.0)
    again = kept.load(made, 4, 0, bad.preprocessing)
    assert again.diverged
    np.testing.assert_array_equal(again.losses, bad.losses)


def test_a_preprocessing_is_fitted_once_and_comes_back_to_the_last_bit(tmp_path):
    rows = RNG.normal(size=(50, 4)) * [1, 1e-9, 1e9, 3]
    rows[::5, 1] = np.nan
    rows[3, 3] = -999
    spec = {"scaling": "standard", "missing": "mean", "outliers": "clip"}
    fitted = fit_rows(spec, rows, sentinels={3: (-999.0,)})
    first = TrialStore(tmp_path).preprocessing(["key", 1], lambda: fitted)
    again = TrialStore(tmp_path).preprocessing(["key", 1], lambda: pytest.fail("was fitted before"))
    for kept in (first, again):
        np.testing.assert_array_equal(kept.apply(rows), fitted.apply(rows))
        assert kept.to_config() == fitted.to_config()
    other = fit_rows({"scaling": "minmax"}, rows[:9, :1])
    assert TrialStore(tmp_path).preprocessing(["key", 2], lambda: other) is other


def test_a_preprocessing_that_was_changed_by_hand_is_fitted_again(tmp_path, trial):
    TrialStore(tmp_path).preprocessing("key", lambda: trial.preprocessing)
    [path] = (tmp_path / "preprocessing").iterdir()
    kept = json.loads(path.read_text())
    kept["fitted"]["center"]["each"][0] += 1
    path.write_text(json.dumps(kept))
    assert TrialStore(tmp_path).preprocessing("key", lambda: trial.preprocessing) is trial.preprocessing


def test_a_trial_that_was_preprocessed_otherwise_is_another(store, trial):
    other = fit_rows(trial.recipe.preprocessing, ROWS[1:])
    assert store.load(trial.recipe, trial.seed, 0, other) is None


def test_without_a_directory_nothing_is_kept(trial):
    store = TrialStore(None)
    store.save(trial, score=0.5)
    assert load(store, trial) is None


def test_folder_names_are_plain():
    name = configuration_folder(recipe().changed(name="loss=bce,output=sigmoid / a\\b: *" + "x" * 99))
    assert "/" not in name
    assert len(name) < 80
    assert name.startswith("loss=bce_output=sigmoid_a_b_")


# TensorBoard.


def events(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()


def scalars(found, tag):
    from tensorboard.util import tensor_util

    return {event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in found.Tensors(tag)}


def test_tensorboard_gets_loss_score_and_settings(store, trial):
    from tensorboard.plugins.hparams import plugin_data_pb2

    folder = store.directory / "tensorboard" / configuration_folder(trial.recipe) / "seed-4"
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1, "one writer each"
    found = events(folder)
    assert scalars(found, "loss") == pytest.approx(dict(enumerate(trial.losses, start=1)), rel=1e-6)
    assert scalars(found, "score") == pytest.approx({1: trial.scores[1], 3: 0.5}, rel=1e-6)
    content = found.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    shown = {name: value.string_value or value.number_value for name, value in info.hparams.items()}
    assert shown["learning_rate"] == 0.01
    assert shown["batch_size"] == 20
    assert shown["loss"] == "mse"
    assert shown["optimizer"] == "adam"
    assert shown["scaling"] == "standard"
    assert shown["configuration"] == "learning_rate=0.01"
    assert shown["seed"] == 4


def test_writing_a_trial_again_replaces_its_events(store, trial):
    folder = store.directory / "tensorboard" / configuration_folder(trial.recipe) / "seed-4"
    logs.write_trial(folder, trial, 0.25)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1
    assert scalars(events(folder), "score")[3] == 0.25


def test_damaged_weights_are_noticed_and_not_used(store, trial):
    path = store.folder(trial.recipe, 4) / "weights.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"weights.npz is damaged or missing, so that this trial is trained again"):
        assert store.load(trial.recipe, 4, 0, trial.preprocessing) is None


def test_hparams_name_the_metric(tmp_path):
    from tensorboard.plugins.hparams import plugin_data_pb2

    logs.write_hparams_config(tmp_path)
    logs.write_hparams_config(tmp_path)
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1
    content = events(tmp_path).PluginTagToContent("hparams")["_hparams_/experiment"]
    experiment = plugin_data_pb2.HParamsPluginData.FromString(content).experiment
    assert [info.name.tag for info in experiment.metric_infos] == ["score"]


def test_a_full_disk_leaves_no_half_event_file(tmp_path, trial):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(Exception, match="File too large"):
            logs.write_trial(tmp_path / "run", trial, 0.5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "run").exists()
    logs.write_trial(tmp_path / "run", trial, 0.5)
    assert scalars(events(tmp_path / "run"), "score")[3] == 0.5
    shutil.rmtree(tmp_path / "run")


# The range test.


def test_a_sane_rate_does_best(workshop):
    made = recipe(epochs=10)
    rates = [1e-6, 1e-2, 30.0]
    found = range_test(made, ROWS, fit_rows(made.preprocessing, ROWS), rates, seed=0, workshop=workshop)
    assert list(found) == rates
    assert found[1e-2] < 0.8 * found[1e-6]
    assert found[1e-2] < 0.8 * found[30.0]
    again = range_test(made, ROWS, fit_rows(made.preprocessing, ROWS), rates[::-1], seed=0, workshop=workshop)
    assert again == found, "no rate depends on what was tried before it"


def test_a_rate_that_diverges_is_infinite(workshop):
    made = recipe(optimizer="sgd")
    found = range_test(made, ROWS, fit_rows(made.preprocessing, ROWS), [1e-2, 1e6], seed=0, workshop=workshop)
    assert math.isinf(found[1e6])
    assert math.isfinite(found[1e-2])
