"""Reading architectures: code, widths, activations, output range (aetfx.models.reading)."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.models.families import build as build_family
from aetfx.models.reading import layer_outputs, read_architecture
from aetfx.models.rewriting import leave_out
from aetfx.models.serial import describe_model
from tests.models import zoo

INF = math.inf
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def read():
    return {make.__name__: read_architecture(make(), shape) for make, shape in zoo.SHAPES.items()}


# Name: widths, code, hidden, activations, output range. Counted by hand from the zoo.
FACTS = {
    "sequential": ("6-8-2-8-6", "code", ["wide", "back"], ["relu", "linear", "relu", "sigmoid"], (0, 1)),
    "skip": ("6-8-2-8-6", None, ["wide", "code", "back"], ["relu", "linear", "linear", "linear"], (-INF, INF)),
    "nested": ("6-8-2-8-6", "code", ["wide", "back"], ["relu", "linear", "relu", "linear"], (-INF, INF)),
    "same_names": ("6-8-2-9-6", "code", ["hidden", "hidden#2"], ["relu", "linear", "tanh", "linear"], (-INF, INF)),
    "separate": ("6-8-2-8-6", "code", ["wide", "back"], ["relu", "linear", "leaky_relu", "tanh"], (-1, 1)),
    "conv": (
        "64-64-3-64-256-64",
        "code",
        ["down", "up", "larger"],
        ["relu", "linear", "relu", "relu", "sigmoid"],
        (0, 1),
    ),
    "lstm": ("15-40-2-40-15", "code", ["read", "write"], ["tanh", "tanh", "tanh", "linear"], (-INF, INF)),
    "normalised": ("6-2-6", "code", [], ["linear", "linear"], (-INF, INF)),
    "custom": ("6-8-2-6", "code", ["wide"], ["twice", "linear", "linear"], (-INF, INF)),
    # Two GRUs of two units side by side; sums of two tanh reach from -2 to 2, which no name stands for.
    "bidirectional": (
        "15-40-4-20-15",
        "code",
        ["read", "write"],
        ["tanh", "tanh", "sum of two tanh", "linear"],
        (-INF, INF),
    ),
    "functions": ("6-8-2-8-6", "code", ["wide", "back"], ["relu", "linear", "leaky_relu", "sigmoid"], (0, 1)),
    "functions_in_call": ("6-8-2-8-6", "code", ["wide", "back"], ["relu", "linear", "elu", "sigmoid"], (0, 1)),
    # The feed-forward layers are narrower than a row, too, but the connection beside them carries it on.
    "transformer": (
        "18-48-24-48-2-48-24-48-18",
        "code",
        ["embed", "encoder_up", "encoder_down", "spread", "decoder_up", "decoder_down"],
        ["linear", "gelu", "linear", "linear", "relu", "gelu", "linear", "linear"],
        (-INF, INF),
    ),
    # 8x8x4, pooled to 4x4x4; 4x4x6, pooled to 2x2x6; 2x2x2; 4x4x6.
    "unet": (
        "64-64-24-8-96-64",
        None,
        ["one", "two", "deep", "up"],
        ["relu", "relu", "relu", "relu", "sigmoid"],
        (0, 1),
    ),
    "pooled": (
        "64-128-16-16-128-64",
        "second",
        ["first", "third", "fourth"],
        ["relu", "relu", "relu", "relu", "sigmoid"],
        (0, 1),
    ),
    "shared": (
        "6-8-8-2-8-6",
        "code",
        ["wide", "again", "back"],
        ["relu", "relu", "linear", "relu", "linear"],
        (-INF, INF),
    ),
    "tied": ("6-8-2-8-6", "code", ["wide", "back"], ["relu", "linear", "relu", "linear"], (-INF, INF)),
    # Both states of the LSTM, four numbers each, are handed over.
    "states": ("15-8-20-15", "code", ["write"], ["tanh", "tanh", "linear"], (-INF, INF)),
    "tanh_out": ("15-2-15", "code", [], ["tanh", "tanh"], (-1, 1)),
    "nested_conv": ("64-64-8-64-64", "code", ["down", "up"], ["relu", "linear", "relu", "linear"], (-INF, INF)),
    "frames": ("20-30-10-30-20", "code", ["wide", "back"], ["relu", "linear", "relu", "linear"], (-INF, INF)),
    # The sigmoid is scaled to 0..255 behind the last weighted layer, so that its own range says nothing.
    "rescaled": ("6-2-6", "code", [], ["linear", "sigmoid"], (-INF, INF)),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts(read, name):
    widths, code, hidden, activations, output_range = FACTS[name]
    found = read[name]
    assert found.widths == widths
    assert (found.code.name if found.code else None) == code
    assert found.bypassed == (code is None)
    assert [layer.name for layer in found.hidden] == hidden
    assert [layer.activation for layer in found.layers] == activations
    assert (found.output_range.low, found.output_range.high) == output_range
    assert found.output_range.name == (activations[-1] if found.output_seen else "unknown")
    assert not found.opaque


def test_a_subclass_is_seen_through(read):
    found = read["subclass"]
    assert found.widths == "6-8-3-8-6"
    assert found.code_width == 3
    assert found.kind == "Subclass"


def test_activation_layers_belong_to_the_layer_before(read):
    wide, code, back, out = read["separate"].layers
    assert (wide.activation_layer, wide.last) == ("relu", "drop")
    assert (code.activation_layer, code.last) == (None, "code")
    assert (back.activation_layer, back.last) == ("leaky", "leaky")
    assert (out.activation_layer, out.last) == ("squash", "squash")
    assert read["separate"].has_batch_norm
    assert not read["sequential"].has_batch_norm


def test_what_cannot_be_changed_is_told(read):
    fixed = {name: [layer.name for layer in found.layers if layer.activation_fixed] for name, found in read.items()}
    assert {name: layers for name, layers in fixed.items() if layers} == {
        "functions_in_call": ["wide", "back", "out"],
        "rescaled": ["out"],
    }
    rigid = {name: [layer.name for layer in found.layers if not layer.resizable] for name, found in read.items()}
    assert {name: layers for name, layers in rigid.items() if layers} == {
        "conv": ["up"],  # a reshape to a fixed size follows
        "transformer": ["spread"],
        "tied": ["back", "out"],  # as wide as the layer whose kernel they use
    }


def test_rows_over_time(read):
    over_time = {name for name, found in read.items() if found.over_time}
    assert over_time == {"lstm", "bidirectional", "transformer", "states", "tanh_out"}
    assert {name for name, found in read.items() if found.is_recurrent} == over_time - {"transformer"}


def test_functions_stand_in_the_blueprint_as_layers_do(read):
    assert [layer.activation_layer is None for layer in read["functions"].layers] == [False, True, False, False]


def test_reading_does_not_depend_on_the_weights_and_puts_them_back():
    model = zoo.unet()
    before = read_architecture(model, (8, 8, 1))
    for broken in (np.nan, 0.0):
        weights = [np.full_like(weight, broken) for weight in model.get_weights()]
        model.set_weights(weights)
        assert read_architecture(model, (8, 8, 1)) == before
        for now, then in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(now, then)


def test_the_two_halves_of_a_noisy_code_are_a_cut_together():
    @keras.saving.register_keras_serializable("test_reading")
    class Sampling(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seeds = keras.random.SeedGenerator(1)

        def call(self, inputs):
            mean, spread = inputs
            return mean + keras.ops.exp(spread / 2) * keras.random.normal(keras.ops.shape(mean), seed=self.seeds)

    rows = keras.Input((6,))
    wide = layers.Dense(8, "relu")(rows)
    code = Sampling()([layers.Dense(2, name="mean")(wide), layers.Dense(2, name="spread")(wide)])
    model = keras.Model(rows, layers.Dense(6)(layers.Dense(8, "relu")(code)))
    found = read_architecture(model, (6,))
    assert (found.code.name, found.code_width, found.bypassed) == ("mean", 2, False)


def test_a_decoder_that_is_fed_the_rows_has_no_bottleneck():
    rows = keras.Input((5, 3))
    _, h, c = layers.LSTM(2, return_state=True, name="code")(rows)
    back = layers.LSTM(2, return_sequences=True)(rows, initial_state=[h, c])
    assert read_architecture(keras.Model(rows, layers.Dense(3)(back)), (5, 3)).code_width == 10


def test_parameters_are_counted(read):
    assert read["sequential"].n_parameters == 6 * 8 + 8 + 8 * 2 + 2 + 2 * 8 + 8 + 8 * 6 + 6
    assert [layer.n_weights for layer in read["sequential"].layers] == [56, 18, 24, 54]
    assert read["lstm"].layers[1].n_weights == 4 * 2 * (8 + 2 + 1)


def test_of_equally_narrow_layers_the_middle_one_is_the_code():
    model = keras.Sequential([keras.Input((5,)), *(layers.Dense(3, name=f"d{i}") for i in range(5)), layers.Dense(5)])
    assert read_architecture(model, (5,)).code.name == "d2"


def test_convolutions_that_follow_one_like_them_are_repeated():
    def conv(filters, name, **options):
        return layers.Conv2D(filters, 3, padding="same", activation="relu", name=name, **options)

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            *(conv(4, "e1"), layers.MaxPooling2D(), conv(4, "e2"), layers.BatchNormalization(), conv(4, "e3")),
            *(conv(4, "smaller", strides=2), layers.Flatten(), layers.Dense(3, name="code"), layers.Dense(16)),
            *(layers.Reshape((2, 2, 4)), conv(4, "d1"), conv(4, "d2"), layers.UpSampling2D(2), conv(4, "d3")),
            *(layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="larger"), conv(4, "d4"), conv(1, "output")),
        ]
    )
    found = read_architecture(model, (8, 8, 1))
    assert found.code.name == "code"
    assert [layer.name for layer in found.repeated] == ["e2", "e3", "d2", "d3"]
    source = describe_model(model, (8, 8, 1))
    shallow = source.with_blueprint(leave_out(source.blueprint, {layer.name for layer in found.repeated})).build()
    assert shallow.output_shape == model.output_shape


def test_a_model_without_weighted_layers_is_opaque():
    found = read_architecture(keras.Sequential([keras.Input((4,)), layers.Rescaling(0.5)]), (4,))
    assert found.opaque
    assert found.code is None
    assert found.code_width is None
    assert found.output is None
    assert found.hidden == ()
    assert found.output_range.high == INF


def test_softmax_over_the_output_is_read_from_its_layer():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Dense(4), layers.Softmax()])
    assert (read_architecture(model, (4,)).output_range.low, read_architecture(model, (4,)).output_range.high) == (0, 1)


def test_the_reference_family_is_what_the_study_says():
    model = build_family(
        "dense", (4, 2), {"hidden": [6, 5], "bottleneck": 3, "activation": "elu", "output_activation": "sigmoid"}
    )
    found = read_architecture(model, (4, 2))
    assert found.widths == "8-6-5-3-5-6-8"
    assert [layer.activation for layer in found.layers] == ["elu", "elu", "linear", "elu", "elu", "sigmoid"]
    assert model.output_shape == (None, 4, 2)


@pytest.mark.parametrize("make", [zoo.separate, zoo.nested, zoo.same_names, zoo.lstm, zoo.bidirectional])
def test_layer_outputs_are_those_of_the_pass_and_nothing_stays_hooked(make):
    model, shape = make(), zoo.SHAPES[make]
    rows = RNG.normal(size=(3, *shape)).astype("float32")
    before = np.asarray(model(rows, training=False))
    found = layer_outputs(model, rows)
    last = read_architecture(model, shape).output
    np.testing.assert_array_equal(found[last.last], before)
    assert list(layer_outputs(model, rows, only="code")) == ["code"]
    np.testing.assert_array_equal(layer_outputs(model, rows, only="code")["code"], found["code"])
    np.testing.assert_array_equal(np.asarray(model(rows, training=False)), before)
    for layer in model._flatten_layers():
        assert "call" not in vars(layer)


def test_hooks_are_taken_off_when_the_pass_fails():
    model = zoo.sequential()
    with pytest.raises(Exception, match="shape"):
        layer_outputs(model, np.zeros((2, 5), "float32"))
    assert all("call" not in vars(layer) for layer in model.layers)


def test_codes_agree_with_numpy():
    model = zoo.sequential()
    rows = RNG.normal(size=(5, 6)).astype("float32")
    kernel, bias, code_kernel, code_bias = model.get_weights()[:4]
    by_hand = np.maximum(rows @ kernel + bias, 0) @ code_kernel + code_bias
    np.testing.assert_allclose(layer_outputs(model, rows)["code"], by_hand, rtol=1e-5, atol=1e-6)


def test_what_a_repeated_model_gives_is_seen_at_every_step():
    model, rows = zoo.frames(), RNG.normal(size=(3, 5, 4)).astype("float32")
    codes = layer_outputs(model, rows, only="code")["code"]
    encoder = model.layers[0].layer
    np.testing.assert_allclose(codes.reshape(3, 5, 2)[:, 4], np.asarray(encoder(rows[:, 4])), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(codes, layer_outputs(model, rows)["code"])


@pytest.mark.parametrize("behind", [layers.BatchNormalization, layers.Softmax])
def test_an_activation_that_is_not_the_last_word_says_nothing_about_the_range(behind):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Dense(4, "tanh"), behind()])
    found = read_architecture(model, (4,))
    assert (found.output_seen, found.output_range.low, found.output_range.name) == (False, -INF, "unknown")
    plain = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.Dense(4), behind(), layers.Activation("tanh")])
    assert read_architecture(plain, (4,)).output_seen == (behind is layers.BatchNormalization)
