"""aetfx.models.families: every family on every shape that suits it, its keys, and what `auto` chooses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import yaml

import aetfx.models.family_layers  # noqa: F401 (registers the layers for loading)
from aetfx.comparison.request import open_request
from aetfx.errors import ModelError
from aetfx.models.families import REGISTRY, build, check, chosen
from aetfx.models.family_layers import CORRUPTIONS, Corruption, Divergence
from aetfx.models.serial import describe_model
from aetfx.study import ModelSection, _choices, _fields, load_study, parse_study
from aetfx.training.build import recipe_from_study

SHAPES = [(5,), (784,), (8, 8), (28, 28, 1), (7, 9, 3), (33, 65, 3), (2, 3, 4), (96, 3), (17, 2)]
RNG = np.random.default_rng(0)


def fitting():
    found = [(name, shape) for name in REGISTRY for shape in SHAPES if not REGISTRY[name].suits(shape)]
    return [pair for pair in found if pair != ("lstm", (96, 3))]  # 96 steps outside of a graph take long


@pytest.mark.parametrize(("name", "shape"), fitting(), ids=str)
def test_a_row_comes_back_in_its_shape_and_the_model_describes_itself(name, shape):
    model = build(name, shape, {})
    rows = RNG.random((3, *shape)).astype("float32")
    assert model(rows).shape == rows.shape
    np.testing.assert_array_equal(model(rows), model(rows), err_msg="nothing is drawn outside of training")
    again = describe_model(model, shape).build()
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(rows), model(rows), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in REGISTRY if name not in ("conv", "lstm", "tcn")])
def test_each_is_saved_and_loaded(name, tmp_path):
    model = build(name, (6,), {})
    model.compile("adam", "mse")
    rows = RNG.random((20, 6)).astype("float32")
    model.fit(rows, rows, verbose=0)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(rows), model(rows), atol=1e-6)


def test_the_study_knows_each_family_and_each_key():
    known = _choices(_fields(ModelSection)["family"])
    assert set(known) == {"auto", *REGISTRY}
    assert {key for family in REGISTRY.values() for key in family.keys} == set(ModelSection().of_family())
    for family in REGISTRY.values():
        for shape in SHAPES:
            if not family.suits(shape):
                assert set(family.defaults(shape)) <= set(family.keys)


def test_auto_goes_by_the_look_of_the_shape():
    found = {shape: chosen(shape) for shape in [(30,), (28, 28), (32, 32, 3), (100, 3), (500, 40), (4, 4, 4, 4)]}
    assert list(found.values()) == ["dense", "conv", "conv", "tcn", "tcn", "dense"]


def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(ModelError, match=r"conv takes images.*but the rows have the shape \(30,\)"):
        check("conv", (30,), {})
    with pytest.raises(ModelError, match=r"model.beta: dense has no such thing; it takes hidden.*has it: vae"):
        check("dense", (30,), {"beta": 0.1})
    with pytest.raises(
        ModelError, match=r"model.hidden: vae has no such thing for rows of this shape; it takes filters"
    ):
        check("vae", (28, 28), {"hidden": [64]})
    with pytest.raises(ModelError, match=r"model.units: dense has no such thing; .* Leave it out\."):
        check("dense", (30,), {"units": 64})
    np.save(tmp_path / "rows.npy", RNG.random((50, 6)))
    tree = {"data": {"train": "rows.npy"}, "compare": {"model.family": ["dense", "lstm"]}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ModelError, match="lstm takes sequences"):
        open_request(load_study(tmp_path / "study.yaml"))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruption_is_there_in_training_only(kind):
    layer = Corruption(kind, 0.3, seed=1)
    rows = RNG.normal(size=(400, 50)).astype("float32")
    np.testing.assert_array_equal(layer(rows, training=False), rows)
    corrupted = np.asarray(layer(rows, training=True))
    if kind == "gaussian":
        assert np.std(corrupted - rows) == pytest.approx(0.3, rel=0.05)
    else:
        assert np.mean(corrupted != rows) == pytest.approx(0.3, abs=0.02)
        hidden = np.zeros_like(rows) if kind == "masking" else rows.min(axis=1, keepdims=True)
        salted = hidden if kind == "masking" else rows.max(axis=1, keepdims=True)
        assert ((corrupted == rows) | (corrupted == hidden) | (corrupted == salted)).all()


@pytest.mark.parametrize("side", [28, 96, 200, 512, 1024])
def test_the_defaults_keep_large_images_from_millions_of_weights(side):
    filters = REGISTRY["conv"].defaults((side, side, 3))["filters"]
    assert 6 <= side / 2 ** len(filters) <= 12.5


def test_free_bits_are_counted_on_one_device():
    for free, one in ((0.0, False), (0.5, True)):
        tree = {"data": {"train": "x.npy"}, "model": {"family": "vae", "free_bits": free}}
        assert recipe_from_study(parse_study(tree), (6,)).one_device is one


def test_the_divergence_is_that_of_two_normal_distributions():
    mean, log_var = RNG.normal(size=(2, 1000, 3)).astype("float32")
    layer = Divergence(kl_weight=0.5)
    layer([mean, log_var])
    sd = np.exp(0.5 * log_var.astype(np.float64))
    # The usual closed form for N(m, s) and N(0, 1): -ln s + (s^2 + m^2 - 1) / 2.
    expected = (-np.log(sd) + (sd**2 + mean.astype(np.float64) ** 2 - 1) / 2).sum(axis=1).mean()
    assert float(layer.losses[0]) == pytest.approx(0.5 * expected, rel=1e-5)
    free = Divergence(kl_weight=1.0, free_bits=100.0)
    free([mean, log_var])
    assert float(free.losses[0]) == pytest.approx(300.0), "no unit is charged for less than it may have"
