"""aetfx.models.variational: heads, inactive units, and the numbers that weigh the divergence."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from aetfx.models.serial import describe_model
from aetfx.models.variational import adds_losses, find_heads, inactive_units, is_kl_weight, kl_weights, scale_kl
from tests.models import vaes, zoo

ROWS = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")


@pytest.mark.parametrize("make", [vaes.keras_example, vaes.functional_kl, vaes.log_var_heads])
def test_heads_give_the_mean_of_the_code(make):
    model = make()
    heads = find_heads(model, (6,))
    means = heads.code_means(model, ROWS)
    assert means.shape == (40, vaes.CODE)
    np.testing.assert_array_equal(means, heads.code_means(model, ROWS), "a mean is no draw")
    assert len(heads.layers) == 2
    if make is vaes.log_var_heads:
        np.testing.assert_allclose(means, model.mu(model.wide(ROWS)), rtol=1e-5)


@pytest.mark.parametrize("make", [zoo.sequential, zoo.nested, zoo.separate, zoo.subclass, zoo.lstm])
def test_other_models_have_no_heads(make):
    assert find_heads(make(), zoo.SHAPES[make]) is None


def test_units_that_do_not_depend_on_the_row_are_inactive():
    means = np.stack([np.linspace(-1, 1, 50), np.full(50, 3.0), 0.05 * np.linspace(-1, 1, 50)], axis=1)
    assert inactive_units(means, 0.01) == (2, 3)


@pytest.mark.parametrize(
    ("name", "value", "is_one"),
    [
        ("beta", 4.0, True), ("kl_weight", 1, True), ("kl_loss_weight", 0.5, True), ("kld_coef", 1.0, True),
        ("vae_beta", 2.0, True), ("klweight", 1.0, True), ("kl_warmup_epochs", 10, False), ("beta_dim", 3, False),
        ("beta", True, False), ("beta", 0.0, False), ("alphabet", 1.0, False), ("kl_weight", None, False),
    ],
)  # fmt: skip
def test_names_of_weights_of_the_divergence(name, value, is_one):
    assert is_kl_weight(name, value) == is_one


def test_the_weight_is_found_and_scaled_in_a_model_and_in_its_layers():
    for make, name in ((vaes.functional_kl, "kl_weight"), (vaes.log_var_heads, "beta")):
        blueprint = describe_model(make(), (6,)).blueprint
        assert kl_weights(blueprint) == {name: 0.01}
        assert kl_weights(scale_kl(blueprint, 0.1)) == pytest.approx({name: 0.001})
        assert kl_weights(blueprint) == {name: 0.01}, "the first is not changed"
    assert kl_weights(describe_model(vaes.keras_example(), (6,)).blueprint) == {}


def test_losses_added_by_layers_are_told_from_penalties_on_weights():
    assert adds_losses(vaes.functional_kl(), ROWS)
    assert not adds_losses(zoo.sequential(), ROWS), "an L2 penalty on a kernel"
    penalised = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activity_regularizer="l1")])
    assert adds_losses(penalised, ROWS)
