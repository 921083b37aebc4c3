"""aetfx.training.step, draws, objective, build: models that train themselves are trained in their own way."""

# ruff: noqa: NPY002 - the random state that Keras seeds
from __future__ import annotations

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from aetfx.errors import ModelError
from aetfx.models.draws import DRAWS, is_stochastic, undisturbed
from aetfx.models.variational import find_heads
from aetfx.preprocessing.fit import fit_rows
from aetfx.study import parse_study
from aetfx.training.build import recipe_from_model
from aetfx.training.feed import batches, updates_per_epoch
from aetfx.training.range_test import range_test
from aetfx.training.step import TrainStep
from aetfx.training.trial import train
from aetfx.training.workshop import Workshop
from tests.models import vaes

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(90, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(90, 6))


@pytest.fixture(scope="module")
def workshop():
    return Workshop()


def recipe_of(model, **changes):
    study = parse_study({"data": {"train": "x.npy"}, "training": {"epochs": 3, "batch_size": 16}}, where="test")
    return recipe_from_model(model, study, (6,))[0].changed(**changes)


def fit(recipe, seed=3, **more):
    return train(recipe, ROWS, fit_rows({}, ROWS), seed=seed, **more)


class Eager(vaes.VAE):
    """Its step asks for a value, which no graph has."""

    def rows_of(self, data):
        assert data.numpy().shape[1] == 6
        return data


KINDS = {
    "rows alone": (lambda: vaes.keras_example(), TrainStep(True, "rows")),
    "pairs, total_loss": (lambda: vaes.keras_example(vaes.Pairs), TrainStep(True, "pairs", loss_key="total_loss")),
    "with call": (lambda: vaes.keras_example(vaes.Called), TrainStep(True, "rows")),
    "eager": (lambda: vaes.keras_example(Eager), TrainStep(True, "rows", eager=True)),
    "functional": (vaes.functional_kl, TrainStep()),
    "heads": (vaes.log_var_heads, TrainStep()),
    "factory": (lambda: vaes.keras_example, TrainStep(True, "rows")),
    "opaque": (lambda: vaes.opaque, TrainStep()),
    "two optimizers": (
        lambda: vaes.adversarial,
        TrainStep(True, "rows", loss_key="ae_loss", own_compile=True),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_fed_as_its_author_feeds_it_and_repeats(workshop, kind):
    make, step = KINDS[kind]
    recipe = recipe_of(make())
    assert recipe.step == step
    first = fit(recipe, workshop=workshop)
    between = fit(recipe.with_learning_rate(0.03), seed=8, workshop=workshop)
    again = fit(recipe, workshop=workshop)
    assert len(first.losses) == 3
    np.testing.assert_allclose(again.losses, first.losses, rtol=1e-5)
    np.testing.assert_allclose(again.predict(ROWS), first.predict(ROWS), rtol=1e-4, atol=1e-5)
    assert not np.allclose(between.losses, first.losses, rtol=1e-3)


def test_a_trial_of_a_vae_is_the_users_own_fit(workshop):
    recipe = recipe_of(vaes.keras_example())
    trial = fit(recipe, workshop=workshop)
    keras.utils.set_random_seed(3)
    model = recipe.source.build()
    keras.utils.set_random_seed(3)
    model.compile(keras.optimizers.Adam(1e-3))
    data = batches(*[ROWS.astype("float32")] * 2, batch_size=16, seed=3, feeding="rows")
    history = model.fit(data, epochs=3, steps_per_epoch=updates_per_epoch(90, 16), shuffle=False, verbose=0)
    history = history.history
    np.testing.assert_allclose(trial.losses, history["loss"], rtol=1e-5)
    for mine, theirs in zip(trial.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_the_users_model_is_not_touched():
    model = vaes.keras_example()
    before = [np.array(w) for w in model.variables]
    fit(recipe_of(model))
    for mine, then in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(mine, then)
    assert int(model.optimizer.iterations) == 0


class Broken(vaes.VAE):
    def train_step(self, data):
        raise KeyError("no such column")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: vaes.keras_example(Broken), r"neither with model.fit\(x\) nor with model.fit\(x, x\).*no such column"),
        (vaes.adversarial, r"compile\(\) of its own \(ae_optimizer, critic_optimizer\).*Give a function"),
        (vaes.opaque, "no config.*a function that returns the compiled model"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(make, said):
    with pytest.raises(ModelError, match=said) as refused:
        recipe_of(make())
    assert "\n" not in str(refused.value)


class Asserts(vaes.VAE):
    def train_step(self, data):
        tf.debugging.Assert(tf.shape(data)[0] < 0, ["never enough rows"])
        return super().train_step(data)


def test_the_reason_is_found_in_what_tensorflow_says():
    with pytest.raises(ModelError, match="InvalidArgumentError: assertion failed: .*never enough rows") as refused:
        recipe_of(vaes.keras_example(Asserts))
    assert "Graph execution error" not in str(refused.value)


def test_both_optimizers_of_a_pair_follow_the_rate():
    recipe = recipe_of(vaes.adversarial)
    assert recipe.learning_rate == pytest.approx(0.01)
    bench = Workshop().bench(recipe.with_learning_rate(0.001), n_rows=90, padded=False)
    rates = [float(np.asarray(o.learning_rate)) for o in (bench.model.ae_optimizer, bench.model.critic_optimizer)]
    assert rates == pytest.approx([0.001, 0.0001])
    losses = range_test(recipe, ROWS, fit_rows({}, ROWS), [1e-5, 1e-2], seed=0)
    assert losses[1e-2] < losses[1e-5]


def test_draws_are_several_and_always_the_same(workshop):
    trial = fit(recipe_of(vaes.keras_example()), workshop=workshop)
    assert trial.stochastic
    first = list(trial.draws(ROWS))
    assert len(first) == DRAWS
    assert not np.allclose(first[0], first[1])
    fit(recipe_of(vaes.functional_kl()), seed=9, workshop=workshop)
    np.random.random(3)
    for one, again in zip(first, trial.draws(ROWS), strict=True):
        np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(trial.predict(ROWS), first[0])


def test_draws_of_tensorflows_own_random_numbers_repeat_too(workshop):
    class Noise(layers.Layer):
        def call(self, inputs):
            return inputs + tf.random.normal(tf.shape(inputs))

    def make():
        model = keras.Sequential([keras.Input((6,)), layers.Dense(2), Noise(), layers.Dense(6)])
        model.compile("adam", "mse")
        return model

    trial = fit(recipe_of(make()), workshop=workshop)
    assert trial.stochastic
    np.testing.assert_array_equal(trial.predict(ROWS), trial.predict(ROWS))


def test_a_model_that_is_not_stochastic_is_passed_once(workshop):
    trial = fit(recipe_of(vaes.log_var_heads()), workshop=workshop)
    assert not trial.stochastic, "it draws in training only"
    assert len(list(trial.draws(ROWS))) == 1


def test_looking_leaves_no_trace_in_anybodys_random_state():
    model = vaes.keras_example()
    state = model.encoder.layers[-1].seed_generator.state
    before, python, numpy = np.array(state), random.getstate(), np.random.get_state()[1].copy()
    assert is_stochastic(model, ROWS.astype("float32"))
    with undisturbed(model):
        random.random()
        np.random.random()
        keras.random.normal((2,))
    np.testing.assert_array_equal(state, before)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], numpy)


def test_scoring_in_the_middle_does_not_change_the_training(workshop):
    recipe = recipe_of(vaes.keras_example())
    plain = fit(recipe, workshop=workshop)
    scored = fit(recipe, workshop=workshop, score=lambda predict: float(predict(ROWS).mean()), score_at=[1, 2])
    np.testing.assert_allclose(scored.losses, plain.losses, rtol=1e-5)
    np.testing.assert_allclose(scored.predict(ROWS), plain.predict(ROWS), rtol=1e-4, atol=1e-5)


# What is minimised.


def loss_of(recipe, workshop):
    """The first epoch's loss at a learning rate that changes nothing."""
    return fit(recipe.with_learning_rate(1e-12).changed(epochs=1), workshop=workshop).losses[0]


def test_added_losses_and_the_compiled_one_count_as_the_objective_says(workshop):
    recipe = recipe_of(vaes.functional_literal())

    def loss(**objective):
        return loss_of(recipe.changed(objective=objective), workshop)

    both, half = loss(), loss(reconstruction=1.0, added=0.5)
    only = loss(reconstruction=1.0, added=0.0)
    np.testing.assert_allclose(half, (both + only) / 2, rtol=1e-4)
    np.testing.assert_allclose(loss(reconstruction=6.0, added=0.0), 6 * only, rtol=1e-4)
    assert both > only


def test_the_own_elbo_is_the_users_where_the_user_sums(workshop):
    """Keras's example minimises the same: at beta 1 the first losses are alike, but for the draws."""
    recipe = recipe_of(vaes.keras_example())
    theirs = loss_of(recipe, workshop)
    ours = loss_of(recipe.changed(objective={"elbo": "mse", "beta": 1.0}), workshop)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)
    without = loss_of(recipe.changed(objective={"elbo": "mse", "beta": 0.0}), workshop)
    assert without < ours
    pairs = recipe_of(vaes.keras_example(vaes.Pairs))
    theirs = loss_of(pairs.changed(objective={"elbo": "mse", "beta": 1.0}), workshop)
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)  # reported as total_loss there


def test_the_own_elbo_asks_for_the_targets_that_are_given(workshop):
    recipe = recipe_of(vaes.keras_example(vaes.Pairs)).with_learning_rate(1e-12)
    recipe = recipe.changed(epochs=1, objective={"elbo": "mse", "beta": 0.0})
    itself, shifted = (fit(recipe, targets=ROWS + far, workshop=workshop).losses[0] for far in (0.0, 10.0))
    away = 2 * 10.0 * ROWS.sum(axis=1).mean() + 6 * 10.0**2  # of a model that answers about 0
    assert shifted - itself == pytest.approx(away, rel=0.1)


def test_an_attribute_is_set_before_the_step_is_traced(workshop):
    recipe = recipe_of(vaes.keras_example(vaes.Attribute))
    two = loss_of(recipe, workshop)
    one = loss_of(recipe.changed(objective={"attributes": {"0.kl_coef": 1.0}}), workshop)
    none = loss_of(recipe.changed(objective={"attributes": {"0.kl_coef": 0.0}}), workshop)
    np.testing.assert_allclose(one, (two + none) / 2, rtol=1e-4)


def test_identity_knows_step_and_objective():
    recipe = recipe_of(vaes.keras_example())
    others = [
        recipe.changed(step=TrainStep(True, "pairs")),
        recipe.changed(objective={"elbo": "mse", "beta": 1.0}),
        recipe.changed(objective={"elbo": "mse", "beta": 0.1}),
    ]
    assert len({recipe.identity, *(other.identity for other in others)}) == 4


def test_the_reported_loss_is_the_whole_one():
    class Parts(vaes.VAE):
        def __init__(self, *arguments, **kwargs):
            super().__init__(*arguments, **kwargs)
            self.total_loss_tracker = keras.metrics.Mean(name="vae_loss")

    assert recipe_of(vaes.keras_example(Parts)).step.loss_key == "vae_loss"


class Halves(vaes.VAE):
    """As in TensorFlow's tutorial: one output of the encoder holds mean and log-variance."""

    def train_step(self, data):
        with tf.GradientTape() as tape:
            mean, log_var = ops.split(self.encoder(data), 2, axis=1)
            drawn = mean + ops.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
            loss = self.reconstruction_loss(data, self.decoder(drawn)) + vaes.kl_of(mean, log_var)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"elbo": loss}


def test_an_encoder_whose_one_output_is_mean_and_spread(workshop):
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(4)])
    model = Halves(encoder, vaes.make_decoder())
    model.compile("adam")
    recipe = recipe_of(model)
    assert recipe.step.loss_key == "elbo"
    trial = fit(recipe.changed(objective={"elbo": "mse", "beta": 0.1}), workshop=workshop)
    assert len(trial.losses) == 3
    assert not trial.stochastic, "the draw is in the step, so that the mean is what is decoded"
    heads = find_heads(trial.model, (6,))
    np.testing.assert_allclose(
        heads.code_means(trial.model, ROWS.astype("float32")),
        trial.model.encoder(ROWS.astype("float32"))[:, :2],
        rtol=1e-5,
    )


class AnyCall(keras.Model):
    """`compute_loss` through Keras's own helper, with a compiled loss: fed with pairs."""

    def __init__(self, units):
        super().__init__()
        self.units, self.code, self.out = units, layers.Dense(units), layers.Dense(6)

    def call(self, inputs):
        return self.out(self.code(inputs))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": ops.mean(loss)}


def test_an_own_step_with_a_compiled_loss_gets_pairs(workshop):
    model = AnyCall(2)
    model(np.zeros((1, 6), "float32"))
    model.compile("adam", "mse")
    recipe = recipe_of(model)
    assert recipe.step == TrainStep(True, "pairs", lost=True), "Keras itself would report a loss of 0"
    assert recipe.loss_name == "mse"
    slow, fast = fit(recipe, workshop=workshop), fit(recipe.with_learning_rate(0.02), workshop=workshop)
    assert 0 < fast.losses[-1] < slow.losses[-1]
    expected = np.mean((slow.model(ROWS.astype("float32")) - ROWS) ** 2)
    np.testing.assert_allclose(slow.losses[-1], expected, rtol=0.1)
