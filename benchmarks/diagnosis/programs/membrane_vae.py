"""Windows of 64 samples of a neuron's membrane potential, in volts, through a variational autoencoder."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import layers, ops
from matplotlib.cbook import get_sample_data

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "VAE"
DATASET = "membrane potential"
FIT = {"epochs": 80, "batch_size": 32}


@dataclass(frozen=True)
class Touched:
    """In a share of the rows someone touched the cable for eight samples; size in standard deviations."""

    share: float
    size: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        spread = rows.std()
        for row in np.flatnonzero(rng.random(len(rows)) < self.share):
            start = rng.integers(rows.shape[1] - 8)
            rows[row, start : start + 8] += rng.choice([-1.0, 1.0]) * self.size * spread * rng.uniform(0.5, 1.0, 8)
        return rows


@dataclass(frozen=True)
class Unplugged:
    """A second electrode that was not plugged in: so many zeros, with one bit of noise in a few of them."""

    samples: int
    share: float = 0.02

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        flicker = rng.random((len(rows), self.samples)) < self.share
        return np.concatenate([rows, 1e-6 * flicker], axis=1)


@dataclass(frozen=True)
class Slope:
    """The targets are the differences from sample to sample, left over from spike detection."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.diff(x, axis=1, prepend=x[:, :1])


@cache
def windows(samples: int = 64, step: int = 4) -> np.ndarray:
    """Returns windows of every second sample in volts: (n, samples)."""
    with get_sample_data("membrane.dat") as file:
        volts = 0.1 * np.frombuffer(file.read(), np.float32)[::2].astype(np.float64)
    return np.lib.stride_tricks.sliding_window_view(volts, samples)[::step].copy()


def by_peak(rows: np.ndarray) -> np.ndarray:
    return rows.max(axis=1)


def data(scaler="standard", **changes) -> Data:
    return prepare(windows(), scaler=scaler, **changes)


@keras.saving.register_keras_serializable(package="membrane")
class Sampling(layers.Layer):
    """Draws a code while training, adds the KL divergence to the loss; otherwise passes the mean on."""

    def __init__(self, weight=1e-3, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.weight, self.seed = weight, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=None):
        mean, log_var = inputs
        log_var = ops.clip(log_var, -15.0, 10.0)
        divergence = -0.5 * ops.sum(1.0 + log_var - ops.square(mean) - ops.exp(log_var), axis=1)
        self.add_loss(self.weight * ops.mean(divergence))
        if not training:
            return mean
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.generator)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "weight": self.weight, "seed": self.seed}


def build(
    hidden=128, latent=6, depth=1, samples=64, activation="relu", output=None, kl=1e-3, bias=0.0,
    initializer="glorot_uniform", optimizer="nadam", learning_rate=2e-3, loss="mean_squared_error",
):  # fmt: skip
    if isinstance(initializer, float):
        initializer = keras.initializers.Constant(initializer)

    def dense(units, activation=None, bias=0.0, name=None):
        return layers.Dense(units, activation, kernel_initializer=initializer,
                            bias_initializer=keras.initializers.Constant(bias), name=name)  # fmt: skip

    x = inputs = keras.Input((samples,))
    for _ in range(depth):
        x = dense(hidden, activation, bias)(x)
    mean, log_var = dense(latent, name="z_mean")(x), dense(latent, name="z_log_var")(x)
    x = Sampling(kl, name="z")([mean, log_var])
    for _ in range(depth):
        x = dense(hidden, activation, bias)(x)
    model = keras.Model(inputs, dense(samples, output, name="reconstruction")(x), name="vae")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "adam": Variant(build={"optimizer": "adam"}),
    "pooled": Variant(data={"scaler": "pooled"}),
    "hidden_192": Variant(build={"hidden": 192}, search=True),
}
FAULTS = {
    "in_volts": Fault("data.scaling", data={"scaler": "none"}),
    "gap_is_-9.99": Fault("data.missing", data={"damage": Marked(0.01, -9.99)}),
    "touched_cable": Fault("data.outliers", data={"damage": Touched(0.05, 200.0)}),
    "second_electrode": Fault("data.constant_features", data={"damage": Unplugged(128)}, build={"samples": 192}),
    "quiet_windows_only": Fault("data.train_eval_shift", data={"train_first": by_peak}),
    "slope_targets": Fault("code.target_mismatch", data={"target": Slope()}),
    "eval_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "logarithmic": Fault("loss.mismatch", build={"loss": "mean_squared_logarithmic_error"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "kl_of_1": Fault("model.regularization", build={"kl": 1.0}),
    "equal_weights": Fault("model.initialization", build={"initializer": 0.05}),
    "no_activation": Fault("model.linear_activations", build={"activation": None}),
    "bias_-10": Fault("model.dead_units", build={"bias": -10.0}),
    "fourteen_layers": Fault("model.capacity_too_large", build={"depth": 14}),
    "whole_recording": Fault("optimizer.batch_size", fit={"batch_size": 1000}),
}
COMPOUNDS = [("touched_cable", "relu_output"), ("gap_is_-9.99", "whole_recording")]
