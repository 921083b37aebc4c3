"""aetfx.training.losses: missing cells have no gradient, and repeated rows count once."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from aetfx.training.losses import MaskedLoss, RepeatCorrection, RepeatedLoss  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.random((12, 4)).astype("float32")
Y = np.where(RNG.random((12, 4)) < 0.3, np.nan, RNG.random((12, 4))).astype("float32")
KERNEL = RNG.normal(size=(4, 4)).astype("float32")


def by_hand(name, truth, guess):
    """Per cell; a missing one counts as no error."""
    if name == "mse":
        return (truth - guess) ** 2
    if name == "mae":
        return tf.abs(truth - guess)
    return -(truth * tf.math.log(guess) + (1 - truth) * tf.math.log(1 - guess))


@pytest.mark.parametrize("name", ["mse", "mae", "bce"])
def test_gradient_is_that_of_the_known_cells(name):
    known = np.isfinite(Y)
    weights = [tf.Variable(KERNEL), tf.Variable(KERNEL)]
    gradients, values = [], []
    for kernel, loss in zip(weights, (MaskedLoss(name), None), strict=True):
        with tf.GradientTape() as tape:
            guess = tf.sigmoid(X @ kernel)
            if loss is not None:
                value = loss(Y, guess)
            else:
                cells = by_hand(name, tf.constant(np.where(known, Y, 0.5)), guess)
                value = tf.reduce_mean(tf.where(known, cells, tf.zeros_like(cells)))
        gradients.append(tape.gradient(value, kernel).numpy())
        values.append(float(value))
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-7)
    if name != "bce":  # whose value at a perfect guess is the entropy, not zero
        assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_without_missing_cells_it_is_the_loss_itself():
    truth, guess = X, X[::-1].copy()
    for loss in ("mse", "huber", keras.losses.MeanAbsoluteError()):
        plain = keras.losses.get(loss)
        want = keras.ops.mean(plain(truth, guess))
        assert float(MaskedLoss(loss)(truth, guess)) == pytest.approx(float(want), rel=1e-6)


def test_it_can_be_saved_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile("adam", MaskedLoss("huber"))
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.evaluate(X, Y, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))
    assert np.isfinite(again.evaluate(X, Y, verbose=0))


@pytest.mark.parametrize("shape", [(4,), (2, 2)])
@pytest.mark.parametrize("loss", ["mae", keras.losses.MeanSquaredError(), keras.losses.MeanSquaredError("sum")])
def test_repeated_rows_have_the_loss_of_single_ones(loss, shape):
    truth, guess = X.reshape(-1, *shape), X[::-1].reshape(-1, *shape)
    plain = loss(truth, guess) if callable(loss) else keras.ops.mean(keras.losses.get(loss)(truth, guess))
    thrice = np.tile(truth, (3, *[1] * len(shape))), np.tile(guess, (3, *[1] * len(shape)))
    repeated = RepeatedLoss(loss)(*thrice, np.full(36, 1 / 3, "float32"))
    assert float(repeated) == pytest.approx(float(plain), rel=1e-5)


def test_the_loss_of_an_epoch_counts_each_row_once():
    rows, zeros = np.array([[1.0], [2.0], [3.0], [6.0]], "float32"), np.zeros((4, 1), "float32")
    metric = RepeatCorrection("mae", lambda: [0.5])
    metric.update_state(zeros[:3], rows[:3], np.ones(3, "float32"))  # mean 2
    metric.update_state(zeros, np.repeat(rows[3:], 4, axis=0), np.full(4, 0.25, "float32"))  # mean 6, fed four times
    assert float(metric.result()) == pytest.approx((2 * 3 + 6) / 4 - (2 * 3 + 6 * 4) / 7)
