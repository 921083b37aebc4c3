"""aetfx.models.arguments: a subclass is rewritten by the arguments of its constructor, which are found by trying."""

from __future__ import annotations

import numpy as np
import pytest

from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import (
    can_rewrite,
    scale_noise,
    set_activations,
    set_initializers,
    set_kernel_penalty,
    set_widths,
)
from aetfx.models.serial import describe_model

keras = pytest.importorskip("keras")
layers = keras.layers


@keras.saving.register_keras_serializable("test_arguments")
class Described(keras.Model):
    """Its layers stand in no description; its arguments do."""

    def __init__(self, sizes=(16, 4), activation="relu", ends=None, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"sizes": list(sizes), "activation": activation, "ends": ends or {"output": "sigmoid"},
                         "dropout": dropout}  # fmt: skip
        self.first = layers.Dense(sizes[0], activation)
        self.drop = layers.Dropout(dropout)
        self.code = layers.Dense(sizes[1])
        self.second = layers.Dense(sizes[0], activation)
        self.last = layers.Dense(10, self.settings["ends"]["output"])

    def call(self, rows, training=None):
        return self.last(self.second(self.code(self.drop(self.first(rows), training=training))))

    def get_config(self):
        return {**super().get_config(), **self.settings}


class Kept(keras.Model):
    """Leaves its description to Keras and keeps its arguments as attributes; one of them sets all activations."""

    def __init__(self, units=6, activation="tanh"):
        super().__init__()
        self.units, self.activation = units, activation
        self.inner = layers.Dense(units, activation)
        self.outer = layers.Dense(10, activation)

    def call(self, rows):
        return self.outer(self.inner(rows))


@keras.saving.register_keras_serializable("test_arguments")
class Started(keras.Model):
    """Its weights start from an initialiser that is described by a dictionary."""

    def __init__(self, initializer, **kwargs):
        super().__init__(**kwargs)
        self.initializer = initializer
        self.code = layers.Dense(4, "silu", kernel_initializer=initializer)
        self.last = layers.Dense(10, kernel_initializer=initializer)

    def call(self, rows):
        return self.last(self.code(rows))

    def get_config(self):
        return {**super().get_config(), "initializer": self.initializer}


def described(model):
    model(np.zeros((1, 10), "float32"))
    source = describe_model(model, (10,))
    return source, read_architecture(source.build(), (10,))


def read(source, blueprint):
    changed = source.with_blueprint(blueprint)
    return changed, read_architecture(changed.build(), (10,))


def test_names_are_the_same_whenever_a_model_is_built():
    source, first = described(Described())
    assert [layer.name for layer in first.layers] == ["dense", "dense_1", "dense_2", "dense_3"]
    assert read_architecture(source.build(), (10,)).layers == first.layers
    assert layers.Dense(1).name != "dense", "outside, Keras goes on counting"


def test_what_arguments_set_can_be_rewritten():
    source, before = described(Described())
    assert can_rewrite(source.blueprint, before)
    hidden = {layer.name for layer in before.hidden}
    linear, after = read(source, set_activations(source.blueprint, before, "linear", {before.output.name}))
    assert [layer.activation for layer in after.layers] == ["relu", "linear", "relu", "linear"]
    assert linear.blueprint["config"]["ends"] == {"output": "linear"}
    _, after = read(source, set_activations(source.blueprint, before, "elu", hidden))
    assert [layer.activation for layer in after.layers] == ["elu", "linear", "elu", "sigmoid"]
    wide, after = read(source, set_widths(source.blueprint, dict.fromkeys(hidden, 32)))
    assert after.widths == "10-32-4-32-10"
    assert wide.blueprint["config"]["sizes"] == [32, 4]
    quiet, _ = read(source, scale_noise(source.blueprint, 0.25))
    assert quiet.blueprint["config"]["dropout"] == 0.125


def test_changes_add_up_and_what_no_argument_sets_stays():
    source, before = described(Described())
    wide, after = read(source, set_widths(source.blueprint, {before.code.name: 8}))
    both, after = read(wide, set_activations(wide.blueprint, after, "linear", {after.output.name}))
    assert after.widths == "10-16-8-16-10"
    assert after.output.activation == "linear"
    assert both.identity != wide.identity != source.identity
    penalised = source.with_blueprint(set_kernel_penalty(source.blueprint, {"dense"}, 0.1))
    assert penalised.identity == source.identity, "an experiment that changes nothing is not tried"


def test_an_argument_that_would_change_more_than_was_asked_for_stays():
    source, before = described(Kept())
    assert can_rewrite(source.blueprint, before)
    _, after = read(source, set_widths(source.blueprint, {before.code.name: 12}))
    assert after.widths == "10-12-10"
    one = source.with_blueprint(set_activations(source.blueprint, before, "linear", {before.output.name}))
    assert one.identity == source.identity, "the hidden layer would have become linear too"
    both, after = read(source, set_activations(source.blueprint, before, "linear", {"dense", "dense_1"}))
    assert both.blueprint["config"]["activation"] == "linear"
    assert {layer.activation for layer in after.layers} == {"linear"}


def test_an_initialiser_that_is_a_dictionary_is_rewritten():
    wide = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
    source, _ = described(Started(wide))
    usual = source.with_blueprint(set_initializers(source.blueprint, {"dense": "he_normal", "dense_1": "he_normal"}))
    assert usual.identity != source.identity
    before, after = (np.std(made.build().layers[0].kernel) for made in (source, usual))
    assert after < 0.6 < before


def test_layers_that_stand_in_the_description_need_no_stand_ins():
    model = keras.Sequential([keras.Input((10,)), layers.Dense(4), layers.Dense(10)])
    assert "stand_ins" not in describe_model(model, (10,)).blueprint
