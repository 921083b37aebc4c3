"""Models with several inputs or outputs as models of one row, and back (aetfx.models.packing)."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from aetfx.data.parts import pack
from aetfx.errors import ModelError
from aetfx.models.packing import pack_model, pick_output, unpack_model
from aetfx.models.reading import read_architecture
from aetfx.models.rewriting import can_rewrite, set_activations, set_widths
from aetfx.models.serial import describe_model
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from aetfx.training.parts_loss import PartsLoss

RNG = np.random.default_rng(0)
IMAGES, TABLE = RNG.uniform(size=(8, 4, 3)).astype("float32"), RNG.normal(size=(8, 5)).astype("float32")
STUDY = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 1}})


def two(kind=dict, back=("pixels", "table"), conditional=False):
    pixels, table = keras.Input((4, 3), name="pixels"), keras.Input((5,), name="table")
    both = layers.Concatenate()([layers.Dense(6, "relu", name="see")(layers.Flatten()(pixels)), table])
    code = layers.Dense(2, name="code")(both)
    hidden = layers.Dense(7, "relu", name="back")(layers.Concatenate()([code, table]) if conditional else code)
    outputs = {
        "pixels": layers.Reshape((4, 3), name="image")(layers.Dense(12, "sigmoid", name="draw")(hidden)),
        "table": layers.Dense(5, name="write")(hidden),
    }
    chosen = {name: outputs[name] for name in back}
    structure = chosen if kind is dict else list(chosen.values())
    inputs = {"pixels": pixels, "table": table} if kind is dict else [pixels, table]
    return keras.Model(inputs, structure if len(chosen) > 1 else next(iter(chosen.values())))


@pytest.mark.parametrize("kind", [dict, list])
def test_flat_rows_go_through_the_users_model(kind):
    model = two(kind)
    data = {"pixels": IMAGES, "table": TABLE} if kind is dict else [IMAGES, TABLE]
    flat, parts = pack(data, "x")
    packed = pack_model(model, parts)
    theirs = model(data)
    theirs = [theirs["pixels"], theirs["table"]] if kind is dict else theirs
    ours = packed.parts.split(np.asarray(packed.model(flat)))
    ours = list(ours.values()) if kind is dict else ours
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, np.asarray(other))
    again = unpack_model(packed.model, packed.parts)(data)
    again = [again["pixels"], again["table"]] if kind is dict else again
    for mine, other in zip(again, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=1e-6)


def test_it_is_read_and_rewritten_like_any_other():
    _, parts = pack({"pixels": IMAGES, "table": TABLE}, "x")
    packed = pack_model(two(), parts)
    source = describe_model(packed.model, (17,))
    found = read_architecture(source.build(), (17,))
    assert [layer.name for layer in found.layers] == ["see", "code", "back", "draw", "write"]
    assert (found.code.name, found.code_width, found.bypassed) == ("code", 2, False)
    assert [(layer.name, outcome.name, here) for layer, outcome, here in found.output_ranges] == [
        ("draw", "sigmoid", slice(0, 12)), ("write", "linear", slice(12, 17)),
    ]  # fmt: skip
    assert found.output_range.low == -np.inf
    assert can_rewrite(source.blueprint, found)
    wider = read_architecture(source.with_blueprint(set_widths(source.blueprint, {"code": 3})).build(), (17,))
    assert wider.code_width == 3
    linear = source.with_blueprint(set_activations(source.blueprint, found, "linear", {"draw"})).build()
    assert [layer.activation for layer in read_architecture(linear, (17,)).outputs] == ["linear", "linear"]
    assert source.identity == describe_model(pack_model(two(), parts).model, (17,)).identity


@pytest.mark.parametrize("conditional", [False, True])
def test_a_condition_is_given_and_not_scored(conditional):
    _, parts = pack({"pixels": IMAGES, "table": TABLE}, "x")
    packed = pack_model(two(back=("pixels",), conditional=conditional), parts)
    assert [part.scored for part in packed.parts.parts] == [True, False]
    found = read_architecture(describe_model(packed.model, (17,)).build(), (17,))
    assert (found.code.name, found.bypassed) == ("code", False), "the condition may pass the code by"
    restored = unpack_model(packed.model, packed.parts)({"pixels": IMAGES, "table": TABLE})
    assert restored.shape == (8, 4, 3)


def test_losses_and_their_weights_add_up_as_keras_adds_them():
    data, kinds = {"pixels": IMAGES, "table": TABLE}, [dict, list, dict]
    settings = [
        {
            "loss": {"pixels": "binary_crossentropy", "table": keras.losses.Huber(0.3)},
            "loss_weights": {"pixels": 1.0, "table": 0.5},
        },
        {"loss": ["mse", "mae"], "loss_weights": [2.0, 0.25]},
        {"loss": "mse"},
    ]
    for kind, setting in zip(kinds, settings, strict=True):
        model = two(kind)
        model.compile("adam", **setting)
        given = data if kind is dict else list(data.values())
        flat, parts = pack(given, "x")
        recipe, live = recipe_from_model(model, STUDY, (17,), parts)
        loss = PartsLoss.from_config(recipe.loss["config"])
        expected = model.evaluate(given, given, verbose=0, return_dict=True)["loss"]
        assert float(loss(flat, np.asarray(live(flat)))) == pytest.approx(expected, rel=1e-5)
        assert recipe.loss_name == {0: "custom", 1: "custom", 2: "mse"}[settings.index(setting)]
        changed = recipe.with_loss("mse")
        assert changed.loss_name == "mse"
        assert changed.loss["config"]["weights"] == recipe.loss["config"]["weights"]


def coded():
    rows = keras.Input((4, 3))
    code = layers.Dense(2, name="code")(layers.Flatten()(rows))
    back = layers.Reshape((4, 3), name="back")(layers.Dense(12, name="draw")(code))
    return keras.Model(rows, [code, back])


def test_of_several_outputs_the_one_like_the_input_is_taken():
    model = coded()
    picked = pick_output(model, (4, 3))
    np.testing.assert_array_equal(np.asarray(picked.model(IMAGES)), np.asarray(model(IMAGES)[1]))
    model.compile("adam", [None, "mae"])
    recipe, _ = recipe_from_model(model, STUDY, (4, 3))
    assert recipe.loss == "mae"
    assert read_architecture(recipe.source.build(), (4, 3)).code.name == "code"


def test_an_output_with_targets_of_its_own_is_refused():
    model = coded()
    for loss in ("mse", ["mse", "mse"], {"code": "mse", "back": "mse"}):
        model.compile("adam", loss)
        with pytest.raises(ModelError, match=r"output 'code' gives back no input.*loss=\['mse', None\]"):
            recipe_from_model(model, STUDY, (4, 3))


def test_what_does_not_fit_is_said():
    _, parts = pack({"pixels": IMAGES, "words": TABLE}, "x")
    with pytest.raises(ModelError, match="does not take the inputs 'pixels' .4, 3., 'words' .5,."):
        pack_model(two(), parts)
    rows = keras.Input((4, 3))
    two_codes = keras.Model(rows, [layers.Dense(2)(rows), layers.Dense(1)(rows)])
    with pytest.raises(ModelError, match="none of its outputs has the shape of its input"):
        pick_output(two_codes, (4, 3))
    _, parts = pack([IMAGES, TABLE], "x")
    a, b = keras.Input((4, 3)), keras.Input((5,))
    sums = keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([layers.Flatten()(a), b])))
    with pytest.raises(ModelError, match="gives back none of its inputs"):
        pack_model(sums, parts)


def test_a_train_step_of_its_own_is_refused_with_several_inputs():
    class Own(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    inner = two(list)
    model = Own(inner.inputs, inner.outputs)
    with pytest.raises(ModelError, match="several inputs and a train_step of its own"):
        pack_model(model, pack([IMAGES, TABLE], "x")[1])


@keras.saving.register_keras_serializable("test_packing")
class Towers(keras.Model):
    """A subclass of two inputs, which it takes as a list, and gives as a dictionary with its code."""

    def __init__(self, code=2, **kwargs):
        super().__init__(**kwargs)
        self.width = code
        self.flat, self.code = layers.Flatten(), layers.Dense(code, name="code")
        self.draw, self.write = layers.Dense(12), layers.Dense(5)

    def call(self, inputs):
        pixels, table = inputs
        code = self.code(keras.ops.concatenate([self.flat(pixels), table], axis=1))
        return {"code": code, "drawn": keras.ops.reshape(self.draw(code), (-1, 4, 3)), "written": self.write(code)}

    def get_config(self):
        return {**super().get_config(), "code": self.width}


def test_a_subclass_of_several_inputs_and_outputs():
    model = Towers(3)
    model.compile("adam", {"drawn": "mse", "written": "mae"})
    flat, parts = pack([IMAGES, TABLE], "x")
    theirs = model([IMAGES, TABLE])
    recipe, live = recipe_from_model(model, STUDY, (17,), parts)
    ours = np.asarray(live(flat))
    np.testing.assert_allclose(ours[:, :12].reshape(-1, 4, 3), np.asarray(theirs["drawn"]), rtol=1e-6)
    np.testing.assert_allclose(ours[:, 12:], np.asarray(theirs["written"]), rtol=1e-6)
    assert recipe.source.parts.kind == "list"
    found = read_architecture(recipe.source.build(), (17,))
    assert found.code_width == 3
    assert len(found.outputs) == 2
    assert recipe.loss["config"]["losses"] == ["mse", "mae"]
