"""aetfx.models.passing: what a model makes of rows, with or without a `call`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.errors import ModelError
from aetfx.models.load import check_shapes
from aetfx.models.passing import halves, has_call, reconstruct, what_is_decoded
from tests.models import vaes, zoo

ROWS = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def test_a_model_without_call_decodes_what_it_encodes():
    model = vaes.keras_example()
    assert not has_call(model)
    assert halves(model) == (model.encoder, model.decoder)
    state = model.encoder.layers[-1].seed_generator.state
    state.assign([4, 0])
    drawn = model.encoder(ROWS)[2]
    state.assign([4, 0])
    np.testing.assert_allclose(reconstruct(model, ROWS), model.decoder(drawn), rtol=1e-6)


def test_two_outputs_are_decoded_from_the_mean():
    encoder, decoder = vaes.make_encoder(draws=False), vaes.make_decoder()
    mean, log_var = encoder(ROWS)
    np.testing.assert_array_equal(what_is_decoded([mean, log_var], decoder), mean)


def test_one_output_of_twice_the_width_is_mean_and_spread():
    decoder = vaes.make_decoder()
    both = np.arange(20, dtype="float32").reshape(5, 4)
    np.testing.assert_array_equal(what_is_decoded(both, decoder), both[:, :2])
    np.testing.assert_array_equal(what_is_decoded(both[:, :2], decoder), both[:, :2])


class Tuple(zoo.Subclass):
    def call(self, inputs):
        code = self.encoder(inputs)
        return code, self.decoder(code)


def test_of_several_outputs_the_one_like_the_rows_counts():
    model = Tuple(code=3)
    assert reconstruct(model, ROWS).shape == (5, 6)
    check_shapes(model, (6,))


def test_a_model_that_cannot_be_called_at_all_is_refused():
    class Nothing(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)

    with pytest.raises(ModelError, match="Nothing has no call.*Give it a call"):
        check_shapes(Nothing(), (6,))
