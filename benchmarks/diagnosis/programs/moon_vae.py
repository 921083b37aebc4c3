"""Patches of 10 x 10 pixels from a photograph of the moon through a variational autoencoder with its own train step."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "VAE"
DATASET = "moon patches"
FIT = {"epochs": 60, "batch_size": 32}
SIDE = 10


@dataclass(frozen=True)
class LostLines:
    """In a share of the patches one or two scan lines did not arrive, and hold the archive's number for that."""

    share: float
    value: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for row in np.flatnonzero(rng.random(len(rows)) < self.share):
            start = rng.integers(rows.shape[1])
            rows[row, start : start + rng.integers(1, 3)] = self.value
        return rows


@dataclass(frozen=True)
class CosmicRays:
    """A cosmic ray crossed a share of the patches from edge to edge; brightness in greys."""

    share: float
    brightness: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        side = rows.shape[1]
        for row in np.flatnonzero(rng.random(len(rows)) < self.share):
            first, last = rng.integers(side, size=2)
            across = np.rint(np.linspace(first, last, side)).astype(int)
            rows[row, np.arange(side), across] += self.brightness * rng.uniform(0.5, 1.0, side)
        return rows


@dataclass(frozen=True)
class Framed:
    """The patches have a black frame of so many pixels, with one grey of noise in a few of them."""

    width: int
    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        inside = (slice(None), *(slice(self.width, self.width + length) for length in rows.shape[1:]))
        framed = np.pad(rows, ((0, 0), (self.width, self.width), (self.width, self.width)))
        noise = (rng.random(framed.shape) < self.share).astype(float)
        noise[inside] = 0.0
        return framed + noise


@dataclass(frozen=True)
class Levelled:
    """The targets had the mean grey of each patch taken off, the inputs had not."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x - x.mean(axis=(1, 2), keepdims=True)


@cache
def moon() -> np.ndarray:
    """Returns patches that lie side by side, in greys of 0 ... 255: (2601, 10, 10)."""
    with (resources.files("skimage") / "data" / "moon.png").open("rb") as file:
        pixels = np.asarray(Image.open(file).convert("L"), np.float64)
    down, across = (length // SIDE for length in pixels.shape)
    cut = pixels[: down * SIDE, : across * SIDE].reshape(down, SIDE, across, SIDE)
    return cut.transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE)


def data(scaler="pooled", **changes) -> Data:
    return prepare(moon(), scaler=scaler, **changes)


@keras.saving.register_keras_serializable(package="moon")
class MoonVAE(keras.Model):
    """Squared error summed over the pixels plus the weighted KL divergence; not drawn at random outside training."""

    def __init__(
        self, side=SIDE, hidden=128, code=4, depth=1, activation="relu", threshold=0.0, output="linear", kl=0.3,
        pixels="sum", initializer="glorot_uniform", **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.settings = {
            "side": side, "hidden": hidden, "code": code, "depth": depth, "activation": activation,
            "threshold": threshold, "output": output, "kl": kl, "pixels": pixels, "initializer": initializer,
        }  # fmt: skip
        self.kl, self.times = kl, side * side if pixels == "sum" else 1

        def dense(units, name=None):
            return layers.Dense(units, kernel_initializer=initializer, name=name)

        def stack(x):
            for _ in range(depth):
                x = dense(hidden)(x)
                x = layers.ReLU(threshold=threshold)(x) if threshold else layers.Activation(activation)(x)
            return x

        patch = keras.Input((side, side))
        x = stack(layers.Flatten()(patch))
        self.encoder = keras.Model(patch, [dense(code, "z_mean")(x), dense(code, "z_log_var")(x)], name="encoder")
        z = keras.Input((code,))
        x = layers.Activation(output)(dense(side * side)(stack(z)))
        self.decoder = keras.Model(z, layers.Reshape((side, side))(x), name="decoder")
        self.generator = keras.random.SeedGenerator(0)
        self.total = keras.metrics.Mean(name="loss")
        self.reconstruction = keras.metrics.Mean(name="reconstruction")
        self.divergence = keras.metrics.Mean(name="kl")

    @property
    def metrics(self):
        return [self.total, self.reconstruction, self.divergence]

    def draw(self, mean, log_var):
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.generator)

    def call(self, inputs, training=None):
        mean, log_var = self.encoder(inputs, training=training)
        return self.decoder(self.draw(mean, log_var) if training else mean, training=training)

    def losses_of(self, data, training):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        y = x if y is None else y
        mean, log_var = self.encoder(x, training=training)
        patches = self.decoder(self.draw(mean, log_var) if training else mean, training=training)
        reconstruction = self.times * self.compute_loss(x=x, y=y, y_pred=patches)
        divergence = 0.5 * ops.mean(ops.sum(ops.exp(log_var) + ops.square(mean) - 1.0 - log_var, axis=1))
        return reconstruction + self.kl * divergence, reconstruction, divergence

    def report(self, losses):
        for metric, value in zip(self.metrics, losses, strict=True):
            metric.update_state(value)
        return {metric.name: metric.result() for metric in self.metrics}

    def train_step(self, data):
        with tf.GradientTape() as tape:
            losses = self.losses_of(data, training=True)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(losses[0], weights), weights, strict=True))
        return self.report(losses)

    def test_step(self, data):
        return self.report(self.losses_of(data, training=False))

    def get_config(self):
        return {**super().get_config(), **self.settings}


def build(optimizer="adam", learning_rate=5e-4, loss="mse", initializer="glorot_uniform", **changes):
    if isinstance(initializer, float):
        initializer = {"class_name": "RandomNormal", "config": {"stddev": initializer}}
    model = MoonVAE(initializer=initializer, **changes, name="moon")
    side = model.settings["side"]
    model(np.zeros((1, side, side), "float32"))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "by_pixel": Variant(data={"scaler": "standard"}),
    "hidden_192": Variant(build={"hidden": 192}, search=True),
}
FAULTS = {
    "per_255": Fault("data.scaling", data={"scaler": 255.0}),
    "lost_lines": Fault("data.missing", data={"damage": LostLines(0.02, -9999.0)}),
    "cosmic_rays": Fault("data.outliers", data={"damage": CosmicRays(0.03, 5000.0)}),
    "black_frame": Fault(
        "data.constant_features", data={"damage": Framed(11, 0.005)}, build={"side": 32}, of="by_pixel"
    ),
    "twenty_patches": Fault("data.too_few_rows", data={"n_train": 20}, fit={"epochs": 1500}),
    "levelled_targets": Fault("code.target_mismatch", data={"target": Levelled()}),
    "eval_per_255": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 255.0}),
    "cross_entropy": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "mean_over_pixels": Fault("model.regularization", build={"pixels": "mean"}),
    "normal_of_1": Fault("model.initialization", build={"initializer": 1.0}),
    "threshold_of_8": Fault("model.dead_units", build={"threshold": 8.0}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "ftrl": Fault("optimizer.choice", build={"optimizer": "ftrl", "learning_rate": None}),
    "whole_picture": Fault("optimizer.batch_size", fit={"batch_size": 2048}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("cosmic_rays", "sigmoid_output"), ("levelled_targets", "rate_1e-5")]
