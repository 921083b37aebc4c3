"""Describing a live model and building it again (aetfx.models.serial)."""

from __future__ import annotations

import copy

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.errors import ModelError
from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import can_rewrite, set_widths
from aetfx.models.serial import describe, describe_model
from tests.models import zoo

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def described():
    """Name to (live model, source, rows); none of the tests changes them."""
    found = {}
    for make, shape in zoo.SHAPES.items():
        model = make()
        found[make.__name__] = model, describe_model(model, shape), RNG.normal(size=(4, *shape)).astype("float32")
    return found


def build(source, seed):
    keras.utils.set_random_seed(seed)
    return source.build()


def drawn(model) -> list[np.ndarray]:
    """The kernels, which are drawn by seed (biases start at zero)."""
    return [np.asarray(w) for w in model.trainable_weights if "kernel" in w.path]


@pytest.mark.parametrize("name", [make.__name__ for make in zoo.SHAPES])
def test_a_rebuilt_model_with_the_same_weights_gives_the_same_rows(described, name):
    model, source, rows = described[name]
    built = build(source, 1)
    assert type(built) is type(model)
    assert [w.shape for w in built.get_weights()] == [w.shape for w in model.get_weights()]
    built.set_weights(model.get_weights())
    for layer in built.layers:  # Keras's way to make adapted statistics count
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    np.testing.assert_allclose(built(rows, training=False), model(rows, training=False), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["sequential", "conv", "lstm", "subclass"])
def test_weights_are_equal_for_equal_seeds_and_differ_otherwise(described, name):
    _, source, _ = described[name]
    one, same, other = drawn(build(source, 1)), drawn(build(source, 1)), drawn(build(source, 2))
    assert one
    for a, b, c in zip(one, same, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


@pytest.mark.parametrize("name", ["sequential", "conv", "bidirectional"])
def test_a_stack_is_built_once_and_has_the_weights_that_keras_draws(described, name, monkeypatch):
    _, source, _ = described[name]
    keras.utils.set_random_seed(1)
    theirs = keras.saving.deserialize_keras_object(copy.deepcopy(source.blueprint), safe_mode=False)
    usual, shapes = keras.Sequential.build, []
    monkeypatch.setattr(keras.Sequential, "build", lambda self, shape=None: (shapes.append(shape), usual(self, shape)))
    mine = build(source, 1)
    assert len(shapes) == 1
    assert mine.get_config() == theirs.get_config()
    for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_architectures_share_weights_where_shapes_agree():
    source = describe_model(zoo.sequential(), (6,))
    wider = source.with_blueprint(set_widths(source.blueprint, {"code": 3}))
    plain, changed = build(source, 5), build(wider, 5)
    for name in ("wide", "out"):
        np.testing.assert_array_equal(plain.get_layer(name).kernel, changed.get_layer(name).kernel)
    assert changed.get_layer("code").kernel.shape == (8, 3)


def test_fixed_seeds_do_not_give_every_trial_the_same_weights():
    initializer = keras.initializers.GlorotUniform(seed=7)
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(3, kernel_initializer=initializer), layers.Dropout(0.5, seed=1)]
    )
    source = describe_model(model, (3,))
    assert not np.array_equal(build(source, 1).get_weights()[0], build(source, 2).get_weights()[0])
    assert model.layers[0].kernel_initializer.seed == 7, "the user's own keeps it"


def test_the_live_model_is_untouched():
    for make, shape in zoo.SHAPES.items():
        model = make()
        model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="mse")
        weights, config = [w.copy() for w in model.get_weights()], repr(model.get_config())
        describe_model(model, shape).build()
        assert repr(model.get_config()) == config
        for before, after in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)
        assert model.compiled
        assert model.optimizer.momentum == 0.9


def test_frozen_layers_keep_their_weights():
    model = zoo.nested()
    model.layers[1].trainable = False  # the encoder, trained elsewhere
    source = describe_model(model, (6,))
    assert set(source.frozen) == {"wide", "code"}
    first, second = build(source, 1), build(source, 2)
    for built in (first, second):
        np.testing.assert_array_equal(built.layers[1].get_weights()[0], model.layers[1].get_weights()[0])
        assert len(built.trainable_weights) == 4, "the decoder's"
    assert not np.array_equal(first.layers[2].get_weights()[0], second.layers[2].get_weights()[0])


def test_frozen_layers_of_the_same_name_are_told_apart():
    model = zoo.same_names()
    decoder = model.layers[2]
    decoder.get_layer("hidden").trainable = False
    built = build(describe_model(model, (6,)), 3)
    np.testing.assert_array_equal(built.layers[2].get_layer("hidden").kernel, decoder.get_layer("hidden").kernel)
    assert not np.array_equal(built.layers[1].get_layer("hidden").kernel, model.layers[1].get_layer("hidden").kernel)


def test_what_adapt_learned_is_kept():
    """Without it a model that scales its rows well would look as if it did not."""
    model = zoo.normalised()
    built = build(describe_model(model, (6,)), 1)
    rows = np.full((2, 6), 50, "float32")
    np.testing.assert_allclose(built.get_layer("norm")(rows), model.get_layer("norm")(rows))
    assert np.abs(built.get_layer("norm")(rows)).max() < 0.5


def test_identity_follows_content_and_not_names():
    def plain(units=3, activation="relu", dtype="float32"):
        rows = keras.Input((6,))
        code = layers.Dense(units, dtype=dtype)(layers.Dense(8, activation)(rows))
        return describe_model(keras.Model(rows, layers.Dense(6)(code)), (6,))

    one = plain()
    assert plain().identity == one.identity, "Keras calls the second one's layers dense_4, dense_5, ..."
    assert plain(units=4).identity != one.identity
    assert plain(activation="tanh").identity != one.identity
    assert plain(dtype="mixed_float16").identity != one.identity, "the name of a data type is no name of a layer"
    assert describe_model(zoo.skip(), (6,)).identity != describe_model(zoo.nested(), (6,)).identity


def test_identity_knows_which_layers_are_frozen_at_which_weights():
    def frozen(*names):
        model = build(describe_model(zoo.sequential(), (6,)), 1)
        for name in names:
            model.get_layer(name).trainable = False
        return model

    found = [describe_model(frozen(*names), (6,)).identity for names in ([], ["code"], ["wide"], ["wide", "code"])]
    assert len(set(found)) == 4
    assert describe_model(frozen("code"), (6,)).identity == found[1]
    other = frozen("code")
    other.get_layer("code").set_weights([np.ones((8, 2)), np.zeros(2)])
    assert describe_model(other, (6,)).identity != found[1]


def test_a_model_that_was_never_called_is_built():
    model = keras.Sequential([layers.Dense(2), layers.Dense(6)])
    assert [w.shape for w in describe_model(model, (6,)).build().get_weights()] == [(6, 2), (2,), (2, 6), (6,)]


class NoConfig(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.out = inner, layers.Dense(6)

    def call(self, inputs):
        return self.out(self.inner(inputs))


class Unkept(NoConfig):
    """Its argument cannot be asked for again."""

    def __init__(self, units):
        super().__init__(layers.Dense(units))


def refusal(model) -> str:
    with pytest.raises(ModelError) as refused:
        describe_model(model, (6,)).build()
    assert "\n" not in str(refused.value)
    return str(refused.value)


class Noise(layers.Layer):
    """Draws by a seed of its own, as the sampling layers of many VAEs do."""

    def __init__(self, seed=7, **kwargs):
        super().__init__(**kwargs)
        self.seed, self.generator = seed, keras.random.SeedGenerator(seed)

    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs), seed=self.generator)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@pytest.mark.parametrize("factory", [False, True])
def test_a_layer_with_a_seed_of_its_own_leaves_the_layers_to_be_seen(factory):
    def make():
        return keras.Sequential([keras.Input((6,)), layers.Dense(2), Noise(), layers.Dense(6)])

    source = describe(make(), (6,), make if factory else None)
    assert source.factory is None
    assert source.opaque_because == ""
    assert can_rewrite(source.blueprint, read_architecture(source.build(), (6,)))


def test_a_subclass_that_cannot_describe_itself():
    said = refusal(Unkept(2))
    assert "cannot describe itself: Unkept does not keep its argument 'units'" in said
    assert "get_config()" in said
    assert "a function that returns the compiled model" in said


def test_a_subclass_without_get_config_is_built_by_its_constructor():
    """Keras's VAE example is such a class: it takes its encoder and decoder, and keeps them."""
    live = NoConfig(layers.Dense(2, "relu", name="inner"))
    rows = RNG.normal(size=(4, 6)).astype("float32")
    live(rows)
    source = describe(live, (6,))
    wider = source.with_blueprint(set_widths(source.blueprint, {"inner": 5})).build()
    assert wider.inner.kernel.shape == (6, 5), "its layers can be rewritten"
    built = source.build()
    built.set_weights(live.get_weights())
    np.testing.assert_allclose(built(rows), live(rows), rtol=1e-6)


class Scaled(zoo.Subclass):
    """Its `get_config` forgets an argument that has a default."""

    def __init__(self, code=2, strength=1.0, **kwargs):
        super().__init__(code, **kwargs)
        self.strength = strength


def test_a_copy_with_another_setting_is_refused_or_made_by_the_function():
    live = Scaled(strength=0.3)
    live(np.zeros((1, 6), "float32"))
    with pytest.raises(ModelError, match=r"a copy differs in 'strength' of Scaled \(0.3, not 1.0\)"):
        describe(live, (6,))
    assert describe(live, (6,), lambda: Scaled(strength=0.3)).build().strength == 0.3


def test_an_opaque_model_is_made_by_its_function():
    calls = []

    def make():
        calls.append(1)
        return Unkept(3)

    live = make()
    live(np.zeros((1, 6), "float32"))
    source = describe(live, (6,), make)
    assert "does not keep its argument 'units'" in source.opaque_because
    one, two = build(source, 1), build(source, 2)
    assert len(calls) == 3
    assert not np.array_equal(one.get_weights()[0], two.get_weights()[0])
    assert not can_rewrite(source.blueprint, read_architecture(one, (6,)))
    assert source.identity != describe(zoo.subclass(), (6,), make).identity


def test_a_function_that_works_only_once_is_told():
    made = [Unkept(3)]
    made[0](np.zeros((1, 6), "float32"))
    source = describe(made[0], (6,), made.pop)
    source.build()
    with pytest.raises(ModelError, match="worked once and then raised IndexError"):
        source.build()


@keras.saving.register_keras_serializable("tests")
class HalfConfig(zoo.Subclass):
    def __init__(self, needed, **kwargs):
        super().__init__(**kwargs)


def test_a_get_config_that_forgets_an_argument():
    said = refusal(HalfConfig(3))
    assert "cannot be rebuilt from its configuration" in said
    assert "'needed'" in said, "Keras's own reason, not its preamble"
    assert "every argument of its constructor" in said


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_as_activation_names_the_layer():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(6, activation=lambda x: x * 2, name="odd")])
    said = refusal(model)
    assert "layer 'odd' holds a lambda" in said
    assert "(def)" in said
