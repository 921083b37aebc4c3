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
class Halved(keras.Model):
    """Some of its widths are computed from its arguments."""

    def __init__(self, hidden=9, code=2, ends=True, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"hidden": hidden, "code": code, "ends": ends}
        self.wide = [layers.Dense(hidden), layers.Dense(hidden)] if ends else []
        self.half = [layers.Dense(hidden // 2), layers.Dense(4 * code), layers.Dense(max(7, hidden // 2))]
        self.code = layers.Dense(code)
        self.last = layers.Dense(10)

    def call(self, rows):
        first, last = (self.wide[:1], self.wide[1:])
        for layer in [*first, self.half[0], self.code, *self.half[1:], *last]:
            rows = layer(rows)
        return self.last(rows)

    def get_config(self):
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable("test_arguments")
class Behind(keras.Model):
    """An argument decides which layer stands behind the others as their activation."""

    def __init__(self, activation="relu", **kwargs):
        super().__init__(**kwargs)
        self.activation = activation
        active = layers.ReLU(threshold=0.5) if activation == "relu" else layers.Activation(activation)
        self.inner = keras.Sequential([layers.Dense(6), active])
        self.outer = layers.Dense(10)

    def call(self, rows):
        return self.outer(self.inner(rows))

    def get_config(self):
        return {**super().get_config(), "activation": self.activation}


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


def test_widths_that_are_computed_from_arguments_follow_and_are_asked_for():
    source, before = described(Halved())
    assert before.widths == "10-9-4-2-8-7-9-10"
    first, half, code, times, _, last, _ = [layer.name for layer in before.layers]
    wide, after = read(source, set_widths(source.blueprint, {first: 18, last: 18, half: 8}))
    assert wide.blueprint["config"]["hidden"] == 18
    assert after.widths == "10-18-9-2-8-9-18-10", "what an argument gives itself is settled first"
    assert set_widths(wide.blueprint, {}) == wide.blueprint
    _, after = read(wide, set_widths(wide.blueprint, {first: 36, last: 36}))
    assert after.widths == "10-36-18-2-8-18-36-10"
    wider, after = read(source, set_widths(source.blueprint, {code: 3, times: 12}))
    assert after.widths == "10-9-4-3-12-7-9-10"
    assert wider.blueprint["config"]["code"] == 3
    alone = source.with_blueprint(set_widths(source.blueprint, {half: 8}))
    assert alone.identity == source.identity, "two others would have become wider too"
    source, before = described(Halved(hidden=8, ends=False))
    assert before.widths == "10-4-2-8-7-10"
    wider, after = read(source, set_widths(source.blueprint, {before.layers[0].name: 12}))
    assert wider.blueprint["config"]["hidden"] == 24
    assert after.widths == "10-12-2-8-12-10"


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


def test_an_argument_that_puts_another_layer_in_as_activation_is_found():
    source, architecture = described(Behind())
    assert can_rewrite(source.blueprint, architecture)
    names = {layer.name for layer in architecture.inner}
    changed = source.with_blueprint(set_activations(source.blueprint, architecture, "elu", names)).build()
    assert changed.activation == "elu"
    assert changed.inner.layers[1].activation is keras.activations.elu
