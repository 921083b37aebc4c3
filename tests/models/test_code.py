"""aetfx.models.code: code that builds the same model again, for every model of the zoo that can be written so."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.models.code import expression, model_code, outline, slim
from aetfx.models.constructing import constructor_node
from aetfx.models.serial import describe_model, plain
from aetfx.training.recipe import plain_optimizer
from tests.models import vaes, zoo

# Subclasses, layers that are shared or fed by name, plain operations, a model repeated over time.
NO_CODE = (
    zoo.subclass, zoo.functions_in_call, zoo.transformer, zoo.shared, zoo.states, zoo.functions, zoo.frames,
)  # fmt: skip
OWN_NAMES = (zoo.custom, zoo.blocks, zoo.tied)
WRITTEN = [make for make in zoo.SHAPES if make not in (*NO_CODE, *OWN_NAMES, zoo.normalised)]


def kinds(model):
    """All layers with their settings, without names."""
    found = []
    for layer in model._flatten_layers(include_self=False):
        config = {key: value for key, value in layer.get_config().items() if key not in ("name", "layers", "seed")}
        if not hasattr(layer, "layers"):
            found.append(
                (type(layer).__name__, json.dumps(config, sort_keys=True, default=str).replace('"seed": 5', ""))
            )
    return sorted(kind for kind, _ in found)


@pytest.mark.parametrize("make", WRITTEN, ids=lambda make: make.__name__)
def test_the_code_builds_the_same_model(make):
    model = make()
    code = model_code(describe_model(model, zoo.SHAPES[make]).blueprint)
    names: dict = {"keras": keras, "layers": layers}
    exec("\n".join(code), names)
    built = names["model"]
    assert kinds(built) == kinds(model)
    assert built.count_params() == model.count_params()
    built.set_weights(model.get_weights())
    rows = np.random.default_rng(0).normal(size=(3, *zoo.SHAPES[make])).astype("float32")
    np.testing.assert_allclose(built(rows, training=False), model(rows, training=False), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", NO_CODE, ids=lambda make: make.__name__)
def test_what_cannot_be_written_is_not_written(make):
    assert model_code(describe_model(make(), zoo.SHAPES[make]).blueprint) is None


def test_names_of_the_users_own_stand_as_they_are():
    code = "\n".join(model_code(describe_model(zoo.blocks(), (6,)).blueprint))
    assert "layers.Dense(8, activation=squashed)" in code
    assert "Residual(8" in code or "Residual(units=8" in code
    assert "zoo>" not in code


@pytest.mark.parametrize("make", zoo.SHAPES, ids=lambda make: make.__name__)
def test_a_slim_blueprint_builds_the_same_and_is_smaller(make):
    source = describe_model(make(), zoo.SHAPES[make])
    lean = source.with_blueprint(slim(source.blueprint))
    assert len(json.dumps(lean.blueprint)) < len(json.dumps(source.blueprint))
    again = describe_model(lean.build(), zoo.SHAPES[make])
    assert again.identity == describe_model(source.build(), zoo.SHAPES[make]).identity


def test_outline_says_what_is_not_usual_and_where_a_layer_is_fed_from():
    lines = outline(describe_model(zoo.skip(), (6,)).blueprint)
    assert lines[0] == "model: Functional"
    assert lines[2:] == [
        '  wide: Dense(8, activation="relu")',
        "  code: Dense(2)",
        "  back: Dense(8)",
        "  both: Concatenate()  <- back, wide",
        "  out: Dense(6)",
    ]
    nested = "\n".join(outline(describe_model(zoo.nested(), (6,)).blueprint))
    assert '    wide: Dense(8, activation="relu")' in nested
    assert outline(describe_model(zoo.subclass(), (6,)).blueprint) == ["model: Subclass(code=3)"]
    assert "  wide: Dense(8, activation=twice, kernel_initializer=ones)" in outline(
        describe_model(zoo.custom(), (6,)).blueprint
    )


def two_inputs(kind):
    left, right = keras.Input((6,), name="left"), keras.Input((3,), name="right")
    code = layers.Dense(2)(layers.Concatenate()([left, right]))
    inputs = {"left": left, "right": right} if kind is dict else [left, right]
    outputs = [layers.Dense(6)(code), layers.Dense(3)(code)]
    return keras.Model(inputs, dict(zip(("left", "right"), outputs, strict=True)) if kind is dict else outputs)


@pytest.mark.parametrize("kind", [dict, list])
def test_several_inputs_and_outputs_are_written_as_they_were_given(kind):
    model = two_inputs(kind)
    names: dict = {"keras": keras, "layers": layers}
    exec("\n".join(model_code(plain(keras.saving.serialize_keras_object(model)))), names)
    built = names["model"]
    built.set_weights(model.get_weights())
    rows = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    fed = {"left": rows, "right": rows[:, :3]} if kind is dict else [rows, rows[:, :3]]
    mine, theirs = built(fed), model(fed)
    assert type(mine) is type(theirs)
    for one, other in zip(keras.tree.flatten(mine), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_model_made_by_its_constructor_is_written_as_that_call():
    model = vaes.keras_example()
    code = model_code(constructor_node(model))
    assert code[-1] == "model = VAE(encoder=encoder, decoder=decoder)"
    names: dict = {"keras": keras, "layers": layers, "VAE": vaes.VAE, "Sampling": vaes.Sampling}
    exec("\n".join(code), names)
    built = names["model"]
    assert kinds(built) == kinds(model)
    built.set_weights(model.get_weights())
    rows = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    for mine, theirs in zip(built.encoder(rows)[:2], model.encoder(rows)[:2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_a_layer_that_is_called_twice_is_not_written_as_code():
    rows = keras.Input((6,))
    shared = layers.Dense(6, "relu")
    model = keras.Model(rows, shared(shared(rows)))
    assert model_code(describe_model(model, (6,)).blueprint) is None


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: "adam", "keras.optimizers.Adam(learning_rate=0.001)"),
        (lambda: keras.optimizers.SGD(0.1, momentum=0.9), "keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)"),
        (
            lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9), clipnorm=1.0),
            (
                "keras.optimizers.Adam(learning_rate=keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9), "
                "clipnorm=1.0)"
            ),
        ),
    ],
)
def test_optimizers_say_their_rate(made, said):
    text = expression(plain_optimizer(made()))
    assert text == said
    again = eval(text, {"keras": keras})
    assert plain_optimizer(again) == plain_optimizer(made())
