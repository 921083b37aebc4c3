"""aetfx.training.whole: what a user takes home works on raw rows, and is kept as far as Keras can."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from aetfx.training.store import TrialStore
from aetfx.training.trial import train
from aetfx.training.whole import Wrapped, raw_model, save_raw
from tests.models import vaes, zoo

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 6)) * [1, 3, 1, 1, 0.5, 1]


class WithNumPy(zoo.Subclass):
    """Computes outside of TensorFlow: cannot be traced."""

    def call(self, inputs):
        return self.decoder(self.encoder(np.asarray(inputs)))


def trial_of(model, **changes):
    study = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 1, "batch_size": 16}}, where="test")
    recipe = recipe_from_model(model, study, (6,))[0].changed(**changes)
    return train(recipe, ROWS, fit_rows(recipe.preprocessing, ROWS), seed=0)


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_a_vae_without_call_becomes_a_model_of_raw_rows(tmp_path, scaling):
    trial = trial_of(vaes.keras_example(), preprocessing={} if scaling == "none" else {"scaling": scaling})
    whole = raw_model(trial.model, trial.preprocessing)
    first, second = (whole.predict(ROWS, verbose=0) for _ in range(2))
    assert first.shape == ROWS.shape
    assert not np.array_equal(first, second), "it still draws"
    path, because = save_raw(whole, tmp_path)
    assert (path.name, because) == ("model.keras", "")
    loaded = keras.models.load_model(path, custom_objects={"Sampling": vaes.Sampling})
    assert loaded.predict(ROWS, verbose=0).shape == ROWS.shape
    for mine, theirs in zip(loaded.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_what_cannot_be_saved_is_kept_as_weights_and_says_why(tmp_path):
    trial = trial_of(vaes.opaque)
    whole = raw_model(trial.model, trial.preprocessing)
    path, because = save_raw(whole, tmp_path)
    assert path.name == "weights.npz"
    assert "no config" in because
    with np.load(path) as kept:
        for mine, theirs in zip(whole.get_weights(), kept.values(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.npz"], "nothing half written"


def test_a_trial_of_an_opaque_model_is_loaded_again(tmp_path):
    trial = trial_of(vaes.opaque)
    store = TrialStore(tmp_path)
    store.save(trial, score=1.0)
    again = store.load(trial.recipe, 0, 0, trial.preprocessing)
    np.testing.assert_array_equal(again.predict(ROWS), trial.predict(ROWS))


def test_a_model_that_cannot_be_traced_is_wrapped():
    trial = trial_of(vaes.opaque, preprocessing={"scaling": "standard"})
    trial.model = WithNumPy(code=2)
    trial.model(ROWS.astype("float32"))
    whole = raw_model(trial.model, trial.preprocessing)
    assert isinstance(whole, Wrapped)
    np.testing.assert_allclose(whole.predict(ROWS, verbose=0), trial.predict(ROWS), rtol=1e-4, atol=1e-4)
