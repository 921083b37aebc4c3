"""What a compiled model brings survives into its recipe, unless the study says otherwise (aetfx.training.build)."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest

from aetfx.errors import ModelError
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model, recipe_from_study
from aetfx.training.workshop import compile_model
from tests.models import zoo


def study(**sections):
    return parse_study({"data": {"train": "rows.csv"}, **sections})


def asymmetric(y_true, y_pred):
    """A loss of the user's own: too low is worse than too high."""
    error = y_true - y_pred
    return keras.ops.mean(keras.ops.where(error > 0, 3 * error, -error), axis=-1)


class Scaled(keras.losses.Loss):
    """A loss class of the user's own, not registered with Keras."""

    def __init__(self, factor=2.0, name="scaled"):
        super().__init__(name=name)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * keras.ops.mean((y_true - y_pred) ** 2, axis=-1)

    def get_config(self):
        return {"factor": self.factor, "name": self.name}


def compiled(optimizer="adam", loss="mse", make=zoo.sequential):
    model = make()
    model.compile(optimizer=optimizer, loss=loss)
    return model


def rebuilt_loss(recipe) -> float:
    """Compiles the recipe and evaluates its loss on given rows and predictions."""
    model = recipe.source.build()
    compile_model(model, recipe, padded=False, n_rows=4)
    y, p = np.array([[1.0, 0.0]], "float32"), np.array([[0.5, 0.5]], "float32")
    loss = keras.losses.get(model.loss)
    return float(np.mean(loss(y, p)))


@pytest.mark.parametrize(
    ("loss", "name", "value"),
    [
        ("mae", "mae", 0.5),
        ("mean_squared_error", "mse", 0.25),
        (keras.losses.Huber(delta=0.1), "huber", 0.1 * 0.5 - 0.5 * 0.1**2),
        (keras.losses.BinaryCrossentropy(from_logits=True), "bce", None),
        (keras.losses.mean_squared_error, "mse", 0.25),
        (asymmetric, "custom", (3 * 0.5 + 0.5) / 2),
        (Scaled(factor=8.0), "custom", 8 * 0.25),
    ],
)
def test_losses_survive(loss, name, value):
    recipe, _ = recipe_from_model(compiled(loss=loss), study(), (6,))
    assert recipe.loss_name == name
    if value is None:  # log(1 + e^-0.5) and log(1 + e^0.5)
        value = (np.log1p(np.exp(-0.5)) + np.log1p(np.exp(0.5))) / 2
    assert rebuilt_loss(recipe) == pytest.approx(value, rel=1e-5)


def test_the_code_of_a_custom_loss_is_part_of_the_identity():
    mine, _ = recipe_from_model(compiled(loss=Scaled(2.0)), study(), (6,))
    other, _ = recipe_from_model(compiled(loss=Scaled(3.0)), study(), (6,))
    same, _ = recipe_from_model(compiled(loss=Scaled(2.0)), study(), (6,))
    assert mine.identity == same.identity != other.identity


def test_the_optimizer_survives_with_all_its_settings():
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=1.0)
    recipe, live = recipe_from_model(compiled(optimizer), study(training={"epochs": 3, "batch_size": 7}), (6,))
    assert recipe.learning_rate == 0.05
    config = recipe.optimizer["config"]
    assert (recipe.optimizer_name, config["momentum"], config["nesterov"], config["clipnorm"]) == ("sgd", 0.9, True, 1)
    assert (recipe.epochs, recipe.batch_size) == (3, 7)
    assert live.optimizer is optimizer


def test_models_that_cannot_be_taken():
    for model, words in [
        (3, "model must be a compiled keras.Model, or a function that returns one, but got int"),
        (zoo.sequential(), "the model is not compiled"),
        (zoo.sequential, "the model is not compiled"),
        (compiled(loss=["mse", "mae"]), "several losses"),
    ]:
        with pytest.raises(ModelError, match=words):
            recipe_from_model(model, study(), (6,))


@pytest.fixture
def factory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "compiled_factory.py").write_text(
        "import keras\n"
        "def mine(y, p):\n    return keras.ops.mean(abs(y - p) ** 3, axis=-1)\n"
        "def build():\n"
        "    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2), keras.layers.Dense(6)])\n"
        "    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), mine)\n"
        "    return model\n"
    )
    yield {"factory": "compiled_factory:build"}
    sys.modules.pop("compiled_factory", None)


def test_a_factory_keeps_what_the_study_does_not_set(factory):
    kept = recipe_from_study(study(model=factory), (6,))
    assert (kept.optimizer_name, kept.learning_rate, kept.optimizer["config"]["momentum"]) == ("sgd", 0.05, 0.9)
    assert kept.loss_name == "custom"
    assert rebuilt_loss(kept) == pytest.approx(0.125)

    loss = recipe_from_study(study(model=factory, training={"loss": "mae"}), (6,))
    assert (loss.optimizer_name, loss.loss_name) == ("sgd", "mae")


def test_another_learning_rate_is_not_another_optimizer(factory):
    recipe = recipe_from_study(study(model=factory, training={"learning_rate": 0.5}), (6,))
    assert (recipe.optimizer_name, recipe.learning_rate, recipe.optimizer["config"]["momentum"]) == ("sgd", 0.5, 0.9)
    recipe = recipe_from_study(study(model=factory, training={"optimizer": "adam"}), (6,))
    assert (recipe.optimizer_name, recipe.learning_rate) == ("adam", 0.001)


def test_the_same_factory_is_the_same_recipe_each_time(factory):
    """Keras counts the layers of a process up; a trial must not be trained again for that."""
    assert (
        recipe_from_study(study(model=factory), (6,)).identity == recipe_from_study(study(model=factory), (6,)).identity
    )


def test_the_reference_family_takes_everything_from_the_study():
    recipe = recipe_from_study(
        study(
            training={"optimizer": "rmsprop", "learning_rate": 0.02, "loss": "huber"}, preprocessing={"missing": "mean"}
        ),
        (6,),
    )
    assert (recipe.optimizer_name, recipe.learning_rate, recipe.loss_name) == ("rmsprop", 0.02, "huber")
    assert recipe.preprocessing == {"missing": "mean"}
    assert recipe.masked_loss
