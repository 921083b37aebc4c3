"""Tests of aetfx.models.probing: figures of kernels and units, on models whose answers are known by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from aetfx.models.probing import kernels, unit_spread
from aetfx.models.reading import read_architecture

INITIALIZERS = ["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"]


def dense(*layers, width=4):
    model = keras.Sequential([keras.Input((width,)), *layers])
    return model, read_architecture(model, (width,))


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(784, 16), (16, 784), (300, 300)])
def test_every_usual_initializer_is_usual(name, shape):
    model, architecture = dense(
        keras.layers.Dense(shape[1], kernel_initializer=name), keras.layers.Dense(shape[0]), width=shape[0]
    )
    found = kernels(model, architecture)[0]
    values = np.asarray(model.layers[0].kernel)
    assert (found.fan_in, found.fan_out) == shape
    assert found.sd == pytest.approx(values.std(), rel=1e-5)
    low, high = found.usual_sd
    assert 0.9 * low < found.sd < 1.1 * high


def test_fans_of_convolutions_count_the_field():
    layers = [keras.layers.Conv2D(8, 3, padding="same"), keras.layers.Conv2D(2, 5, padding="same")]
    model = keras.Sequential([keras.Input((6, 6, 2)), *layers])
    first, second = kernels(model, read_architecture(model, (6, 6, 2)))
    assert (first.fan_in, first.fan_out) == (9 * 2, 9 * 8)
    assert (second.fan_in, second.fan_out) == (25 * 8, 25 * 2)


def test_frozen_layers_are_left_out():
    model, architecture = dense(keras.layers.Dense(3, trainable=False), keras.layers.Dense(4))
    assert [kernel.layer for kernel in kernels(model, architecture)] == [model.layers[-1].name]


def test_the_spread_of_units_is_numpys():
    model, architecture = dense(keras.layers.Dense(4, "relu", name="first"), keras.layers.Dense(4, name="last"))
    model.get_layer("first").set_weights([np.eye(4), np.array([0, 0, -100, 5])])
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    spread = unit_spread(model, architecture, rows)
    assert list(spread) == ["first"]
    expected = np.maximum(rows + np.array([0, 0, -100, 5]), 0).std(axis=0)
    np.testing.assert_allclose(spread["first"], expected, rtol=1e-5)
    assert spread["first"][2] == 0


def test_the_activation_behind_a_layer_belongs_to_it():
    layers = [keras.layers.Dense(3, name="first"), keras.layers.ReLU(), keras.layers.Dense(4)]
    model, architecture = dense(*layers)
    model.get_layer("first").set_weights([np.eye(4)[:, :3], np.array([-100, 0, 0])])
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    spread = unit_spread(model, architecture, rows)["first"]
    assert spread[0] == 0
    assert (spread[1:] > 0).all()


def test_kernels_inside_wrappers_are_seen():
    layers = [keras.layers.Bidirectional(keras.layers.GRU(3), name="both"), keras.layers.Dense(4)]
    model = keras.Sequential([keras.Input((5, 4)), *layers])
    first, _ = kernels(model, read_architecture(model, (5, 4)))
    assert (first.layer, first.fan_in, first.fan_out) == ("both", 4, 9)
    assert first.sd == pytest.approx(np.asarray(model.get_layer("both").forward_layer.cell.kernel).std(), rel=1e-5)
