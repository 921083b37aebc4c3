"""Rewriting changes exactly one thing, and the result can be built (aetfx.models.rewriting)."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from aetfx.errors import ModelError
from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import (
    can_rewrite,
    largest_hidden_dropout,
    largest_noise,
    largest_penalty,
    put_dense_behind,
    scale_noise,
    scale_penalties,
    set_activations,
    set_initializers,
    set_kernel_penalty,
    set_widths,
)
from aetfx.models.serial import describe_model
from tests.models import zoo


@pytest.fixture(scope="module")
def read():
    """Name to (source, architecture)."""
    found = {}
    for make, shape in zoo.SHAPES.items():
        model = make()
        found[make.__name__] = describe_model(model, shape), read_architecture(model, shape)
    return found


def differences(before, after, place="") -> dict[str, tuple]:
    """All leaves in which two nested structures differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = {}
        for key in before.keys() | after.keys():
            name = before.get("name", "") if key == "config" and "name" in before else ""
            inside = f"{place}.{key}" if not name else f"{place}.{name}.{key}"
            if isinstance(before.get(key), dict) and "name" in before[key]:
                inside = before[key]["name"]
            found.update(differences(before.get(key), after.get(key), inside))
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = {}
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            found.update(differences(one, other, f"{place}[{i}]"))
        return found
    return {} if before == after else {place: (before, after)}


def test_differences_are_seen():
    assert differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == {".a[1].b": (2, 3)}


@pytest.mark.parametrize("name", ["sequential", "separate", "custom"])
def test_one_width(read, name):
    source, _ = read[name]
    original = copy.deepcopy(source.blueprint)
    changed = set_widths(source.blueprint, {"code": 5})
    assert differences(source.blueprint, changed) == {"code.units": (2, 5)}
    assert source.blueprint == original, "the blueprint that was given stays"
    assert read_architecture(source.with_blueprint(changed).build(), (6,)).code_width == 5


@pytest.mark.parametrize(("widths", "expected"), [({"code": 5}, "6-8-5-8-6"), ({"wide": 4, "back": 4}, "6-4-2-4-6")])
def test_the_input_of_a_nested_decoder_follows_the_code(read, widths, expected):
    source, _ = read["nested"]
    changed = set_widths(source.blueprint, widths)
    assert read_architecture(source.with_blueprint(changed).build(), (6,)).widths == expected
    found = differences(source.blueprint, changed)
    assert len(found) == 2, "two widths; or one, and the input that takes it"


def test_filters_of_convolutions(read):
    source, _ = read["conv"]
    changed = set_widths(source.blueprint, {"down": 7, "larger": 6})
    assert differences(source.blueprint, changed) == {"down.filters": (4, 7), "larger.filters": (4, 6)}
    assert read_architecture(source.with_blueprint(changed).build(), (8, 8, 1)).widths == "64-112-3-64-384-64"


def test_units_of_recurrent_layers(read):
    source, _ = read["lstm"]
    changed = set_widths(source.blueprint, {"code": 4})
    assert differences(source.blueprint, changed) == {"code.units": (2, 4)}
    assert read_architecture(source.with_blueprint(changed).build(), (5, 3)).widths == "15-40-4-40-15"


def test_an_activation_written_in_the_layer(read):
    source, architecture = read["sequential"]
    changed = set_activations(source.blueprint, architecture, "linear", {"out"})
    assert differences(source.blueprint, changed) == {"out.activation": ("sigmoid", "linear")}
    hidden = {layer.name for layer in architecture.hidden}
    changed = set_activations(source.blueprint, architecture, "tanh", hidden)
    assert differences(source.blueprint, changed) == {
        "wide.activation": ("relu", "tanh"),
        "back.activation": ("relu", "tanh"),
    }


def test_an_activation_that_is_a_layer_of_its_own(read):
    source, architecture = read["separate"]
    changed = set_activations(source.blueprint, architecture, "linear", {"out"})
    assert differences(source.blueprint, changed) == {"squash.activation": ("tanh", "linear")}
    changed = set_activations(source.blueprint, architecture, "elu", {"wide", "back"})
    built = read_architecture(source.with_blueprint(changed).build(), (6,))
    assert [layer.activation for layer in built.layers] == ["elu", "linear", "elu", "tanh"]
    assert built.has_batch_norm
    assert built.n_parameters == architecture.n_parameters


def test_a_penalty_reaches_the_kernels_and_nothing_else(read):
    source, _ = read["nested"]
    changed = set_kernel_penalty(source.blueprint, {"wide"}, 1e-3)
    (place, (before, after)), *more = differences(source.blueprint, changed).items()
    assert (place, before, more) == ("wide.kernel_regularizer", None, [])
    assert after["config"] == {"l2": 1e-3}
    model = source.with_blueprint(changed).build()
    kernel = model.layers[1].get_layer("wide").kernel
    assert float(model.losses[0]) == pytest.approx(1e-3 * float((kernel.numpy() ** 2).sum()), rel=1e-5)
    assert len(model.losses) == 1


def test_a_rebuilt_layer_keeps_initialiser_and_regulariser(read):
    source, _ = read["sequential"]
    layer = source.with_blueprint(set_widths(source.blueprint, {"back": 16})).build().get_layer("back")
    assert type(layer.kernel_initializer).__name__ == "HeNormal"
    assert type(layer.kernel_regularizer).__name__ == "L2"


def test_what_can_be_rewritten(read):
    can = {name: can_rewrite(source.blueprint, architecture) for name, (source, architecture) in read.items()}
    assert {name for name, yes in can.items() if not yes} == {"subclass", "same_names", "blocks"}


WIDER = {
    "skip": "6-16-4-16-6",
    "conv": "64-128-6-64-512-64",
    "bidirectional": "15-80-8-40-15",
    "functions": "6-16-4-16-6",
    "functions_in_call": "6-16-4-16-6",
    "transformer": "18-96-48-96-4-48-48-96-18",
    "unet": "64-128-48-16-192-64",
    "pooled": "64-256-32-32-256-64",
    "shared": "6-16-16-4-16-6",
    "tied": "6-16-4-16-6",
    "states": "15-16-40-15",
    "nested_conv": "64-128-16-128-64",
    "frames": "20-60-20-60-20",
}


@pytest.mark.parametrize("name", WIDER)
def test_all_layers_twice_as_wide(read, name):
    source, architecture = read[name]
    inner = [*architecture.hidden, architecture.code]
    widths = {layer.name: 2 * layer.units for layer in inner if layer is not None and layer.resizable}
    changed = source.with_blueprint(set_widths(source.blueprint, widths))
    try:
        model = changed.build()
    except ModelError:
        assert name == "transformer", "the other branch of a sum keeps its width"
        return
    assert read_architecture(model, source.shape).widths == WIDER[name]
    one_step(model, source.shape)


@pytest.mark.parametrize("name", sorted(make.__name__ for make in zoo.SHAPES))
def test_every_rewriting_builds_and_trains(read, name):
    source, architecture = read[name]
    if not can_rewrite(source.blueprint, architecture):
        pytest.skip("its layers cannot be found in its description")
    names = {layer.name for layer in architecture.inner}
    last = {layer.name for layer in architecture.outputs}
    kernels = {layer.name: "he_normal" for layer in architecture.layers}
    changes = {
        "hidden": set_activations(source.blueprint, architecture, "elu", names),
        "output": set_activations(source.blueprint, architecture, "linear", last),
        "penalty": set_kernel_penalty(source.blueprint, names | last, 1e-3),
        "initializers": set_initializers(source.blueprint, kernels),
        "penalties": scale_penalties(source.blueprint, 0.1),
    }
    for what, blueprint in changes.items():
        model = source.with_blueprint(blueprint).build()
        one_step(model, source.shape)
        found = read_architecture(model, source.shape)
        for before, after in zip(architecture.layers, found.layers, strict=True):
            chosen = before.name in (names if what == "hidden" else last if what == "output" else set())
            free = chosen and not before.activation_fixed and not before.recurrent
            wanted = {"hidden": "elu", "output": "linear"}[what] if free else before.activation
            assert after.activation == wanted, (what, before.name)
        penalised = [layer for layer in architecture.layers if layer.n_weights and layer.kind != "Transposed"]
        if what == "penalty":
            per_layer = 2 if name == "bidirectional" else 1
            assert len(model.losses) >= len(penalised) * per_layer - (per_layer - 1)


def one_step(model, shape):
    rows = np.random.default_rng(0).uniform(size=(4, *shape)).astype("float32")
    model.compile("sgd", "mse", run_eagerly=True)  # tracing each of them would take minutes
    before = [weight.copy() for weight in model.get_weights()]
    loss = model.fit(rows, rows, epochs=1, verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    assert any((now != then).any() for now, then in zip(model.get_weights(), before, strict=True))


def test_gates_and_recurrent_layers_keep_what_they_need(read):
    source, architecture = read["lstm"]
    names = {layer.name for layer in architecture.layers}
    assert set_activations(source.blueprint, architecture, "relu", names - {"out"}) == source.blueprint
    changed = set_activations(source.blueprint, architecture, "sigmoid", {"read"})
    assert differences(source.blueprint, changed) == {"read.activation": ("tanh", "sigmoid")}


def test_a_shared_activation_layer_is_changed_for_all_or_not_at_all(read):
    source, architecture = read["shared"]
    assert set_activations(source.blueprint, architecture, "elu", {"wide"}) == source.blueprint
    changed = set_activations(source.blueprint, architecture, "elu", {"wide", "again", "back"})
    built = read_architecture(source.with_blueprint(changed).build(), (6,))
    assert [layer.activation for layer in built.layers] == ["elu", "elu", "linear", "elu", "linear"]


def test_tied_weights_stay_tied(read):
    source, _ = read["tied"]
    model = source.with_blueprint(set_widths(source.blueprint, {"wide": 5})).build()
    assert model.get_layer("out").dense is model.get_layer("wide")
    assert model.count_params() == (6 * 5 + 5) + (5 * 2 + 2) + 5 + 6


def test_a_recurrent_output_gets_a_dense_layer_behind_it(read):
    source, _ = read["tanh_out"]
    changed = source.with_blueprint(put_dense_behind(source.blueprint, "out", 3))
    built = changed.build()
    found = read_architecture(built, (5, 3))
    assert [(layer.name, layer.activation) for layer in found.layers] == [
        ("code", "tanh"), ("out", "tanh"), ("out_values", "linear"),
    ]  # fmt: skip
    assert found.output_range.low == -np.inf
    one_step(built, (5, 3))
    functional = describe_model(functional_tanh_out(), (5, 3))
    built = functional.with_blueprint(put_dense_behind(functional.blueprint, "last", 3)).build()
    assert built.output_shape == (None, 5, 3)
    one_step(built, (5, 3))


def functional_tanh_out():
    import keras

    rows = keras.Input((5, 3))
    code = keras.layers.RepeatVector(5)(keras.layers.LSTM(2)(rows))
    return keras.Model(rows, keras.layers.LSTM(3, return_sequences=True, name="last")(code))


def regularised():
    """A model with every kind of penalty and noise."""
    import keras

    layers = [
        keras.layers.Dense(8, "relu", name="wide", kernel_regularizer=keras.regularizers.L2(0.5)),
        keras.layers.Dropout(0.4, name="dropped"),
        keras.layers.Dense(2, name="code", activity_regularizer="l1"),
        keras.layers.GaussianNoise(0.2, name="noise"),
        keras.layers.ActivityRegularization(l1=0.3, l2=0.7, name="activity"),
        keras.layers.Dense(6, name="output", bias_regularizer=keras.regularizers.L1L2(0.1, 0.2)),
    ]
    return describe_model(keras.Sequential([keras.Input((6,)), *layers]), (6,))


def test_penalties_are_scaled_and_noise_is_left():
    source = regularised()
    assert largest_penalty(source.blueprint) == pytest.approx(0.7)
    changed = scale_penalties(source.blueprint, 0.1)
    model = source.with_blueprint(changed).build()
    bias, activity = model.get_layer("output").bias_regularizer, model.get_layer("activity")
    factors = [
        model.get_layer("wide").kernel_regularizer.l2,
        model.get_layer("code").activity_regularizer.l1,  # Keras's "l1" is 0.01
        *(activity.l1, activity.l2, bias.l1, bias.l2),
    ]
    assert [float(factor) for factor in factors] == pytest.approx([0.05, 0.001, 0.03, 0.07, 0.01, 0.02])
    assert largest_noise(changed) == largest_noise(source.blueprint)
    assert largest_penalty(scale_penalties(source.blueprint, 0.0)) == 0.0


def test_noise_is_scaled_and_penalties_are_left():
    source = regularised()
    assert largest_noise(source.blueprint) == 0.4
    model = source.with_blueprint(scale_noise(source.blueprint, 0.5)).build()
    assert model.get_layer("dropped").rate == pytest.approx(0.2)
    assert model.get_layer("noise").stddev == pytest.approx(0.1)
    assert largest_penalty(scale_noise(source.blueprint, 0.0)) == pytest.approx(0.7)


def test_dropout_inside_a_recurrent_layer_is_noise_too():
    import keras

    layers = [keras.layers.LSTM(3, dropout=0.3, recurrent_dropout=0.6), keras.layers.Dense(4)]
    source = describe_model(keras.Sequential([keras.Input((5, 4)), *layers]), (5, 4))
    assert largest_noise(source.blueprint) == 0.6
    assert largest_noise(scale_noise(source.blueprint, 0.0)) == 0.0
    assert largest_hidden_dropout(source.blueprint) == 0.6, "the other one falls on the rows"
    behind = keras.Sequential([keras.Input((5, 4)), keras.layers.LSTM(3), keras.layers.RepeatVector(5),
                               keras.layers.LSTM(4, dropout=0.3, return_sequences=True)])  # fmt: skip
    assert largest_hidden_dropout(describe_model(behind, (5, 4)).blueprint) == 0.3


@pytest.mark.parametrize("name", ["sequential", "custom"])
def test_initializers(read, name):
    source, _ = read[name]
    changed = set_initializers(source.blueprint, {"code": "he_normal"})
    assert {place.split(".")[0] for place in differences(source.blueprint, changed)} == {"code"}
    model = source.with_blueprint(changed).build()
    assert type(model.get_layer("code").kernel_initializer).__name__ == "HeNormal"
    assert (model.get_layer("code").get_weights()[1] == 0).all()
