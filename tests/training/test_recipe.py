"""aetfx.training.recipe and build: from a study or a compiled model to a recipe, and what makes two the same."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from aetfx.errors import ModelError
from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study

keras = pytest.importorskip("keras")

from aetfx.training.build import recipe_from_model, recipe_from_study  # noqa: E402
from aetfx.training.recipe import loss_name, plain_optimizer  # noqa: E402
from aetfx.training.trial import train  # noqa: E402

ROWS = np.random.default_rng(0).normal(size=(40, 3))


def study(**sections):
    return parse_study({"data": {"train": "x.csv"}, "model": {"hidden": [4], "bottleneck": 2}, **sections})


def model(loss="mse", optimizer="adam", n_out=3):
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(n_out)])
    made.compile(optimizer, loss)
    return made


def test_a_study_says_all_of_a_recipe():
    made = recipe_from_study(
        study(
            training={"optimizer": "sgd", "learning_rate": 0.1, "loss": "mae", "epochs": 7, "batch_size": 5},
            preprocessing={"scaling": "robust", "missing": "mean"},
        ),
        (3,),
    )
    assert (made.optimizer_name, made.learning_rate, made.loss_name) == ("sgd", 0.1, "mae")
    assert (made.epochs, made.batch_size, made.name) == (7, 5, "baseline")
    assert made.preprocessing == {"scaling": "robust", "missing": "mean"}
    assert made.masked_loss, "filled cells are no targets"


def test_the_same_study_is_the_same_recipe_whenever_it_is_built():
    one = recipe_from_study(study(), (3,))
    plain_optimizer("adam")  # Keras calls the next one adam_1
    two = recipe_from_study(study(), (3,))
    assert one.identity == two.identity
    assert one.changed(name="other").identity == one.identity
    changes = [
        {"epochs": 3}, {"batch_size": 3}, {"loss": "mae"}, {"early_stopping": True}, {"masked_loss": True},
        {"preprocessing": {"scaling": "standard"}},
    ]  # fmt: skip
    others = [one.changed(**change).identity for change in changes] + [one.with_learning_rate(0.5).identity]
    assert len({one.identity, *others}) == len(changes) + 2


FACTORY = """
import keras
def build():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(3)])
    model.compile(keras.optimizers.RMSprop(0.02), "huber")
    return model
"""


@pytest.fixture
def factory(tmp_path, monkeypatch):
    (tmp_path / "compiled_factory.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield {"factory": "compiled_factory:build"}
    sys.modules.pop("compiled_factory", None)


def test_a_compiled_model_keeps_its_optimizer_and_loss(factory):
    given = study(model=factory, training={"epochs": 2})
    for request in (given, given.with_changes({"training.replicas": 2})):
        made = recipe_from_study(request, (3,))
        assert (made.optimizer_name, made.learning_rate, made.loss_name) == ("rmsprop", 0.02, "huber")
        assert made.epochs == 2


def test_what_the_study_sets_comes_before_the_compiled_model(factory):
    made = recipe_from_study(study(model=factory, training={"learning_rate": 0.5}), (3,))
    assert (made.optimizer_name, made.learning_rate, made.loss_name) == ("rmsprop", 0.5, "huber")
    made = recipe_from_study(study(model=factory, training={"optimizer": "sgd"}), (3,))
    assert (made.optimizer_name, made.learning_rate, made.loss_name) == ("sgd", 0.001, "huber")
    made = recipe_from_study(study(model=factory, training={"loss": "mae"}), (3,))
    assert (made.optimizer_name, made.learning_rate, made.loss_name) == ("rmsprop", 0.02, "mae")


def test_alternatives_of_a_compiled_model_are_all_trained(factory):
    given = study(model=factory, compare={"training.learning_rate": [0.001, 0.01]})
    rates = {name: recipe_from_study(s, (3,)).learning_rate for name, s in given.alternatives()}
    assert rates == {"baseline": 0.02, "learning_rate=0.001": 0.001, "learning_rate=0.01": 0.01}


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak):
        self.peak = peak

    def __call__(self, step):
        return self.peak * keras.ops.minimum(1.0, (keras.ops.cast(step, "float32") + 1) / 4)

    def get_config(self):
        return {"peak": self.peak}


class Halved(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate / 2)


def cubed(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)


class Weighted(keras.losses.Loss):
    def __init__(self, weight=2.0, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, y_true, y_pred):
        return self.weight * keras.ops.mean((y_true - y_pred) ** 2, axis=-1)

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@pytest.mark.parametrize(
    ("loss", "optimizer", "name"),
    [
        (cubed, "adam", "custom"),
        (lambda t, p: cubed(t, p), "adam", "custom"),
        (Weighted(3.0), lambda: keras.optimizers.Adam(Warmup(0.1)), "custom"),
        (keras.losses.mean_absolute_error, lambda: Halved(0.1), "mae"),
        (keras.losses.Huber(delta=0.5), "adam", "huber"),
    ],
)
def test_what_a_user_wrote_is_trained_as_it_is(loss, optimizer, name):
    live = model(loss, optimizer() if callable(optimizer) else optimizer)
    before = live.get_weights()
    made, same = recipe_from_model(live, study(training={"epochs": 2, "batch_size": 40}), (3,))
    assert same is live
    assert made.loss_name == name
    trial = train(made, ROWS, fit_rows({}, ROWS), seed=0)
    keras.utils.set_random_seed(0)
    fresh = made.source.build()
    fresh.compile(optimizer() if callable(optimizer) else optimizer, loss)
    plain = fresh.fit(ROWS.astype("float32"), ROWS.astype("float32"), epochs=2, batch_size=40, verbose=0)
    np.testing.assert_allclose(trial.losses, plain.history["loss"], rtol=1e-5)
    for mine, theirs in zip(before, live.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_models_that_cannot_be_diagnosed_are_told_why():
    def refused(given, **more):
        with pytest.raises(ModelError) as caught:
            recipe_from_model(given, study(**more), (3,))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    bare = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    assert "not compiled" in refused(bare)
    assert "model.compile(optimizer='adam', loss='mse')" in refused(lambda: bare)
    assert "must be a compiled keras.Model, or a function that returns one, but got str" in refused("model.keras")
    assert "shape (2,) for rows of shape (3,)" in refused(model(n_out=2))
    entry = keras.Input((3,))
    two = keras.Model(entry, [keras.layers.Dense(3)(entry), keras.layers.Dense(3)(entry)])
    two.compile("adam", ["mse", "mae"])
    assert refused(two)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("mse", "mse"), ("MeanSquaredError", "mse"), ("mean_squared_error", "mse"), ("binary_crossentropy", "bce"),
        ("BinaryCrossentropy", "bce"), ("log_cosh", "log_cosh"), ("LogCosh", "log_cosh"), (None, "none"),
        ("my_loss", "custom"), ({"class_name": "Huber", "config": {"delta": 1.0}}, "huber"),
        ({"class_name": "function", "config": "mae"}, "mae"), (3, "custom"),
    ],
)  # fmt: skip
def test_loss_names(loss, name):
    assert loss_name(loss) == name


def test_a_schedule_keeps_its_form_when_its_rate_changes():
    decay = keras.optimizers.schedules.CosineDecay(0.1, 100)
    made, _ = recipe_from_model(model(optimizer=keras.optimizers.Adam(decay)), study(), (3,))
    assert made.learning_rate == 0.1
    lower = made.with_learning_rate(0.02)
    assert lower.learning_rate == pytest.approx(0.02)
    schedule = keras.optimizers.deserialize(lower.optimizer)._learning_rate
    assert float(schedule(50)) == pytest.approx(0.2 * float(decay(50)), rel=1e-5)
    constant, _ = recipe_from_model(model(optimizer=keras.optimizers.Adam(0.1)), study(), (3,))
    assert constant.with_learning_rate(0.02).optimizer["config"]["learning_rate"] == 0.02
    assert constant.learning_rate == 0.1, "a recipe is never edited"
