"""aetfx.models.forward: a traced pass gives what the model gives, whatever its weights become."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.models.draws import is_stochastic
from aetfx.models.forward import forward

keras = pytest.importorskip("keras")
layers = keras.layers
ROWS = np.random.default_rng(0).normal(size=(7, 5, 2)).astype("float32")


def recurrent(*more):
    parts = [layers.Masking(0.0), layers.Bidirectional(layers.GRU(4)), *more, layers.RepeatVector(5)]
    return keras.Sequential([keras.Input((5, 2)), *parts, layers.LSTM(3, return_sequences=True), layers.Dense(2)])


def test_a_recurrent_model_is_traced_once_and_follows_its_weights():
    model = recurrent()
    through = forward(model, (5, 2))
    for rows in (ROWS, ROWS[:3]):
        np.testing.assert_allclose(through(rows), model(rows), rtol=1e-5, atol=1e-6)
    assert through.experimental_get_tracing_count() == 1
    before = np.asarray(through(ROWS))
    model.set_weights([1.5 * weight for weight in model.get_weights()])
    np.testing.assert_allclose(through(ROWS), model(ROWS), rtol=1e-5, atol=1e-6)
    assert np.abs(np.asarray(through(ROWS)) - before).max() > 1e-3


@keras.saving.register_keras_serializable("test_forward")
class Drawn(layers.Layer):
    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs))


def drawn(inputs):
    return inputs + keras.random.normal(keras.ops.shape(inputs))


@pytest.mark.parametrize(
    ("layer", "draws"),
    [(layers.Dropout(0.5), False), (Drawn(), True), (layers.Lambda(drawn, output_shape=(8,)), True)],
    ids=["only while training", "own layer", "own function"],
)
def test_what_draws_goes_on_doing_so(layer, draws):
    model = recurrent(layer)
    assert is_stochastic(model, ROWS) == draws
    through = forward(model, (5, 2))
    assert np.array_equal(through(ROWS), through(ROWS)) != draws
