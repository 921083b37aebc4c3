"""aetfx.diagnosis.repair.apply: each kind of change on models whose names, weights and code are the user's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.diagnosis.repair.apply import apply
from aetfx.diagnosis.repair.diff import describe, diff
from aetfx.diagnosis.repair.recipes import Side
from aetfx.errors import ModelError
from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import set_activations
from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(200, 6))
STUDY = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 20, "batch_size": 16}})


def own_loss(y, p):
    return keras.ops.mean(keras.ops.square(y - p), axis=-1)


def dense(loss="mse"):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8), layers.Dense(2), layers.Dense(6)])
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def normalised():
    norm = layers.Normalization()
    norm.adapt(ROWS.astype("float32") * 3 + 1)
    model = keras.Sequential([keras.Input((6,)), norm, layers.Dense(2), layers.Dense(6)])
    model.compile("adam", "mse")
    return model


def sides(make, spec=None, activation=None, **changes):
    """The recipe of a model, and one with another preprocessing, activation of hidden layers, or settings."""
    before, _ = recipe_from_model(make(), STUDY, (6,))
    if activation is not None:
        architecture = read_architecture(before.source.build(), (6,))
        names = {layer.name for layer in architecture.hidden}
        blueprint = set_activations(before.source.blueprint, architecture, activation, names)
        changes["source"] = before.source.with_blueprint(blueprint)
    after = before.changed(preprocessing=spec or {}, **changes)
    return [
        Side(recipe, fit_rows(recipe.preprocessing, ROWS), tuple(before.source.frozen), {})
        for recipe in (before, after)
    ]


def test_a_change_of_layers_takes_the_names_of_the_users_model():
    first, second = sides(dense, activation="elu")
    theirs = dense()
    repair = apply(first, second, theirs, seed=0)
    assert [layer.name for layer in repair.model.layers] == [layer.name for layer in theirs.layers]
    assert repair.model.layers[0].activation is keras.activations.elu
    assert theirs.layers[0].activation is keras.activations.linear
    assert float(repair.model.optimizer.learning_rate) == pytest.approx(0.01)
    text = diff(first, second, [])
    assert "+  " in text
    assert 'Dense(8, activation="elu")' in text


def test_weights_that_no_training_sets_come_from_the_users_model():
    first, second = sides(normalised)
    theirs = normalised()
    repair = apply(first, second, theirs, seed=0)
    np.testing.assert_array_equal(repair.model.layers[0].get_weights()[0], theirs.layers[0].get_weights()[0])
    assert not np.array_equal(repair.model.layers[1].get_weights()[0], theirs.layers[1].get_weights()[0])
    with pytest.raises(ModelError, match=r"keeps weights that no training sets.* Give your model: diagnosis.apply"):
        apply(first, second, None, seed=0)


def test_missing_cells_stay_out_of_the_loss():
    rows = ROWS.copy()
    rows[RNG.random(rows.shape) < 0.1] = np.nan
    first, second = sides(dense, {"missing": "median"}, masked_loss=True)
    repair = apply(first, second, dense, seed=0)
    assert np.isfinite(repair.prepare(rows)).all()
    np.testing.assert_array_equal(np.isnan(repair.targets(rows)), np.isnan(rows))
    fixed = repair.fit(rows, verbose=0)
    assert np.isfinite(fixed.predict(rows, verbose=0)).all()
    assert np.isfinite(repair.model.history.history["loss"][-1])


def test_early_stopping_holds_rows_out_and_keeps_the_best_epoch():
    first, second = sides(dense, early_stopping=True)
    repair = apply(first, second, dense, seed=0)
    fixed = repair.fit(ROWS, verbose=0, epochs=5)
    history = repair.model.history.history
    assert len(history["val_loss"]) == 5
    assert fixed is repair.model, "nothing is prepared here"
    given = apply(first, second, dense, seed=0)
    given.fit(ROWS[:150], ROWS[150:], verbose=0, epochs=3)
    kept = given.model.evaluate(ROWS[150:].astype("float32"), ROWS[150:].astype("float32"), verbose=0)
    assert kept == pytest.approx(min(given.model.history.history["val_loss"]), rel=1e-4)


def test_a_loss_of_the_users_own_is_kept():
    first, second = sides(lambda: dense(own_loss), {"scaling": "standard"})
    repair = apply(first, second, dense(own_loss), seed=0)
    repair.fit(ROWS, verbose=0, epochs=1)
    assert "loss: own_loss" in describe(first.recipe)
