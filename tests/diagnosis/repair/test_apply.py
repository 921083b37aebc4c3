"""aetfx.diagnosis.repair.apply: each kind of change on models whose names, weights and code are the user's own."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.data.parts import pack
from aetfx.diagnosis.repair.apply import apply
from aetfx.diagnosis.repair.diff import describe, diff
from aetfx.diagnosis.repair.recipes import Side
from aetfx.errors import DataError, ModelError
from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import set_activations
from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from tests.models import vaes

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


def applied(first, second, model, **facts):
    """The repair, with what the run knows of its rows."""
    return apply(first, second, facts, model, seed=0)


def sides(make, spec=None, activation=None, rows=ROWS, parts=None, **changes):
    """The recipe of a model, and one with another preprocessing, activation of hidden layers, or settings."""
    before, _ = recipe_from_model(make() if parts is not None else make, STUDY, rows.shape[1:], parts)
    if activation is not None:
        architecture = read_architecture(before.source.build(), (6,))
        names = {layer.name for layer in architecture.hidden}
        blueprint = set_activations(before.source.blueprint, architecture, activation, names)
        changes["source"] = before.source.with_blueprint(blueprint)
    after = before.changed(preprocessing=spec or {}, **changes)
    return [
        Side(recipe, fit_rows(recipe.preprocessing, rows), tuple(before.source.frozen), {})
        for recipe in (before, after)
    ]


def test_a_change_of_layers_takes_the_names_of_the_users_model():
    first, second = sides(dense, activation="elu")
    theirs = dense()
    repair = applied(first, second, theirs)
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
    repair = applied(first, second, theirs)
    np.testing.assert_array_equal(repair.model.layers[0].get_weights()[0], theirs.layers[0].get_weights()[0])
    assert not np.array_equal(repair.model.layers[1].get_weights()[0], theirs.layers[1].get_weights()[0])
    with pytest.raises(ModelError, match=r"keeps weights that no training sets.* Give your model: diagnosis.apply"):
        applied(first, second, None)


def test_missing_cells_stay_out_of_the_loss():
    rows = ROWS.copy()
    rows[RNG.random(rows.shape) < 0.1] = np.nan
    first, second = sides(dense, {"missing": "median"}, masked_loss=True)
    repair = applied(first, second, dense)
    assert np.isfinite(repair.prepare(rows)).all()
    np.testing.assert_array_equal(np.isnan(repair.targets(rows)), np.isnan(rows))
    fixed = repair.fit(rows, verbose=0)
    assert np.isfinite(fixed.predict(rows, verbose=0)).all()
    assert np.isfinite(repair.model.history.history["loss"][-1])


def test_early_stopping_holds_rows_out_and_keeps_the_best_epoch():
    first, second = sides(dense, early_stopping=True)
    repair = applied(first, second, dense)
    fixed = repair.fit(ROWS, verbose=0, epochs=5)
    history = repair.model.history.history
    assert len(history["val_loss"]) == 5
    assert fixed is repair.model, "nothing is prepared here"
    given = applied(first, second, dense)
    given.fit(ROWS[:150], ROWS[150:], verbose=0, epochs=3)
    kept = given.model.evaluate(ROWS[150:].astype("float32"), ROWS[150:].astype("float32"), verbose=0)
    assert kept == pytest.approx(min(given.model.history.history["val_loss"]), rel=1e-4)


def test_a_loss_of_the_users_own_is_kept():
    first, second = sides(lambda: dense(own_loss), {"scaling": "standard"})
    repair = applied(first, second, dense(own_loss))
    repair.fit(ROWS, verbose=0, epochs=1)
    assert "loss: own_loss" in describe(first.recipe)


def test_targets_of_their_own_are_trained_on_and_missed():
    noisy = ROWS + RNG.normal(size=ROWS.shape)
    first, second = sides(dense, {"scaling": "standard"}, rows=noisy)
    targets = {"train": "y.npy", "eval": None, "scored": True}
    repair = applied(first, second, dense, targets=targets)
    assert repair.asks_targets
    fixed = repair.fit(noisy, y=np.zeros_like(noisy), x_val=noisy, y_val=np.zeros_like(noisy), verbose=0, epochs=60)
    assert np.abs(fixed.predict(noisy, verbose=0)).mean() < 0.1 * np.abs(noisy).mean(), "zeros were asked back"
    assert "val_loss" in repair.model.history.history
    with pytest.raises(DataError, match="y: missing. The model was diagnosed with targets of its own"):
        repair.fit(noisy)
    with pytest.raises(DataError, match="y: 9 targets for the 200 rows of x"):
        repair.fit(noisy, y=noisy[:9])
    # Where the repair is to ask the rows themselves back, nothing else is wanted.
    first, second = sides(dense, rows=noisy, target="input")
    repair = applied(first, second, dense, targets=targets)
    repair.fit(noisy, verbose=0, epochs=1)


def test_several_inputs_are_taken_and_given_as_the_users_model_does():
    data = {"left": ROWS[:, :4] * 100, "right": ROWS[:, 4:]}
    flat, parts = pack(data, "x")

    def make():
        left, right = keras.Input((4,), name="left"), keras.Input((2,), name="right")
        code = layers.Dense(2)(layers.Concatenate()([left, right]))
        model = keras.Model(
            {"left": left, "right": right}, {"left": layers.Dense(4)(code), "right": layers.Dense(2)(code)}
        )
        model.compile(keras.optimizers.Adam(0.01), "mse")
        return model

    first, second = sides(make, {"scaling": "standard"}, rows=flat, parts=parts)
    repair = applied(first, second, make(), parts=dataclasses.asdict(parts))
    fixed = repair.fit(data, verbose=0, epochs=60)
    restored = fixed.predict(data, verbose=0)
    assert set(restored) == {"left", "right"}
    assert np.square(restored["left"] - data["left"]).mean() < 0.3 * data["left"].var()
    by_hand = repair.restore(repair.model.predict(repair.prepare(data), verbose=0))
    np.testing.assert_allclose(by_hand["right"], restored["right"], rtol=1e-4, atol=1e-4)
    with pytest.raises(DataError, match="x: its parts are"):
        repair.fit({"left": ROWS, "right": ROWS})
    with pytest.raises(ModelError, match="this is not the model that was diagnosed"):
        applied(first, second, lambda: _wider(make), parts=dataclasses.asdict(parts))


def _wider(make):
    model = make()
    left, right = keras.Input((4,), name="left"), keras.Input((2,), name="right")
    code = layers.Dense(3)(layers.Concatenate()([left, right]))
    wider = keras.Model({"left": left, "right": right}, {"left": layers.Dense(4)(code), "right": layers.Dense(2)(code)})
    wider.compile(model.optimizer.__class__(0.01), "mse")
    return wider


@pytest.mark.parametrize("kind", [vaes.VAE, vaes.Pairs])
def test_a_model_that_trains_itself_is_fed_as_it_wants(kind):
    def make():
        return vaes.keras_example(kind, rate=0.01)

    first, second = sides(make, {"scaling": "standard"}, rows=ROWS * 50, early_stopping=True)
    repair = applied(first, second, make)
    fixed = repair.fit(ROWS * 50, verbose=0, epochs=10)
    restored = fixed.predict(ROWS * 50, verbose=0)
    assert np.square(restored - ROWS * 50).mean() < np.var(ROWS * 50)


@pytest.mark.parametrize("make", [vaes.opaque, vaes.adversarial])
def test_a_model_that_cannot_describe_itself_is_made_by_its_function(make):
    first, second = sides(make, {"scaling": "standard"})
    with pytest.raises(ModelError, match="Give that function: diagnosis.apply"):
        applied(first, second, None)
    with pytest.raises(ModelError, match="Give the function that makes it"):
        applied(first, second, make())
    fixed = applied(first, second, make).fit(ROWS, verbose=0, epochs=3)
    assert fixed.predict(ROWS, verbose=0).shape == ROWS.shape


def test_rows_of_another_shape_are_refused():
    first, second = sides(dense, {"scaling": "standard"})
    with pytest.raises(DataError, match=r"x: rows of shape \(4,\), but those that were diagnosed have \(6,\)"):
        applied(first, second, dense).fit(ROWS[:, :4])
