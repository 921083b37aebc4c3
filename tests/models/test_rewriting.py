"""Rewriting changes exactly one thing, and the result can be built (aetfx.models.rewriting)."""

from __future__ import annotations

import copy

import pytest

from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import can_rewrite, set_activations, set_kernel_penalty, set_widths
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
    assert {name for name, yes in can.items() if not yes} == {"subclass", "same_names"}
