"""aetfx.models.work: what a row costs, counted by hand."""

from __future__ import annotations

import pytest

from aetfx.errors import ModelError
from aetfx.models.work import multiplications

keras = pytest.importorskip("keras")
layers = keras.layers


@pytest.mark.parametrize(
    ("shape", "stack", "expected", "steps"),
    [
        ((10,), [layers.Dense(4), layers.Dense(10)], 10 * 4 + 4 * 10, 0),
        ((8, 8, 1), [layers.Conv2D(3, 3, strides=2, padding="same")], 4 * 4 * 9 * 3, 0),
        ((4, 4, 3), [layers.Conv2DTranspose(2, 3, strides=2, padding="same")], 4 * 4 * 9 * 3 * 2, 0),
        ((12, 5), [layers.LSTM(6)], 12 * (5 * 24 + 6 * 24), 12),
        ((12, 5), [layers.TimeDistributed(layers.Dense(7))], 12 * 5 * 7, 0),
        ((12, 5), [layers.Dense(7)], 12 * 5 * 7, 0),
    ],
)
def test_kernels_count_once_at_each_position(shape, stack, expected, steps):
    model = keras.Sequential([keras.Input(shape), *stack])
    assert multiplications(model, shape) == (expected, steps)


def test_a_model_whose_widths_do_not_meet_is_refused():
    """Keras's attention is built whatever comes in."""
    rows = keras.Input((4, 3))
    model = keras.Model(rows, keras.layers.Attention()([rows, keras.layers.Dense(2)(rows)]))
    with pytest.raises(ModelError, match=r"cannot be called with a row of shape \(4, 3\)"):
        multiplications(model, (4, 3))
