"""aetfx.training.numerics: the first value of a training that is not a number is traced to its place."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from aetfx.training.numerics import first_non_finite
from aetfx.training.trial import train
from tests.models import vaes

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(200, 6))


class Root(layers.Layer):
    """A root of what can become negative."""

    def call(self, inputs):
        return ops.sqrt(inputs + 1.5)


def log_of_output(y_true, y_pred):
    return -ops.mean(y_true * ops.log(y_pred), axis=-1)


def distance(y_true, y_pred):
    """Its gradient at zero is 0 times infinity."""
    return ops.mean(ops.square(y_true - y_pred), axis=-1) + ops.sqrt(
        ops.sum(ops.square(y_pred - ops.stop_gradient(y_pred)), axis=-1)
    )


def network(optimizer="adam", *middle, loss="mse", activation="tanh"):
    wide = layers.Dense(8, activation, name="wide")
    model = keras.Sequential(
        [keras.Input((6,)), wide, layers.Dense(2, name="code"), *middle, layers.Dense(6, name="out")]
    )
    model.compile(optimizer, loss)
    return model


def found(model, rows=ROWS, epochs=20):
    study = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": epochs, "batch_size": 16}}, where="test")
    recipe, _ = recipe_from_model(model, study, (6,))
    trial = train(recipe, rows, fit_rows({}, rows), seed=1)
    assert trial.diverged
    return trial, first_non_finite(trial, rows)


def test_a_layer_is_named_with_its_update_and_its_input():
    trial, first = found(network(keras.optimizers.SGD(0.3), Root(name="root")))
    assert (first.place, first.layer) == ("layer", "root")
    assert 1 < first.update <= len(trial.losses) * 13
    assert 1.5 < first.largest < 1e6, "what went into it was an ordinary number"
    assert f"in the output of layer 'root' at update {first.update}" in first.sentence


def test_the_update_may_be_epochs_away():
    trial, first = found(network(keras.optimizers.SGD(0.02), Root(name="root")), rows=ROWS * 2, epochs=60)
    assert len(trial.losses) > 1
    per_epoch = 13
    assert (len(trial.losses) - 1) * per_epoch < first.update <= len(trial.losses) * per_epoch + 1
    assert first.layer == "root"


def test_rows_that_are_no_numbers_come_before_any_layer():
    rows = ROWS.copy()
    rows[7, 2] = np.nan
    _, first = found(network(), rows=rows)
    assert first.place == "rows"
    assert "the rows as fed hold NaN or infinite cells" in first.sentence


@pytest.mark.parametrize(("loss", "place"), [(log_of_output, "loss"), (distance, "slope")])
def test_a_loss_and_its_gradient_are_told_from_layers(loss, place):
    _, first = found(network(loss=loss))
    assert (first.place, first.update) == (place, 1)
    assert "all layers give finite values" in first.sentence


def test_a_gradient_that_overflows_is_the_layers():
    _, first = found(network(activation="relu"), rows=ROWS * 1e19)
    assert first.place in ("gradient", "loss")
    assert first.largest > 1e18


def test_a_model_that_trains_itself():
    _, first = found(vaes.keras_example(rate=30.0), rows=ROWS * 50)
    assert first.place == "layer"
    assert first.layer.startswith("sampling"), "the exponential of a log-variance"
