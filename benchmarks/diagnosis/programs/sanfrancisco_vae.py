"""A VAE on 24 hours of temperature at San Francisco: a model with a train step of its own, squared errors summed."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.diagnosis.damage import Spikes, Stuck
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "VAE"
DATASET = "San Francisco temperatures"
DRAWS = 8
HOURS = 24
FIT = {"epochs": 60, "batch_size": 32}


def windows(step: int = 5) -> np.ndarray:
    """Returns windows of 24 hours of 2010 in degrees Fahrenheit, one every five hours: (1748, 24)."""
    from vega_datasets import local_data

    temperature = local_data.sf_temps()["temp"].to_numpy(np.float64)
    return np.lib.stride_tricks.sliding_window_view(temperature, HOURS)[::step].copy()


@keras.saving.register_keras_serializable("sanfrancisco_vae")
class Sampling(layers.Layer):
    """Draws the code of a day."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        return z_mean + ops.exp(0.5 * z_log_var) * keras.random.normal(ops.shape(z_mean), seed=self.seed_generator)


@keras.saving.register_keras_serializable("sanfrancisco_vae")
class VAE(keras.Model):
    """Encoder and decoder; `beta` weighs the KL divergence against the squared error of a whole day."""

    def __init__(
        self, latent=3, width=64, depth=1, activation="relu", output="linear", initializer="glorot_uniform", bias=0.0,
        beta=0.003, error="squared", columns=HOURS, **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.config = {
            "latent": latent, "width": width, "depth": depth, "activation": activation, "output": output,
            "initializer": initializer, "bias": bias, "beta": beta, "error": error, "columns": columns,
        }  # fmt: skip

        def hidden(x):
            start = keras.initializers.Constant(bias)
            for _ in range(depth):
                x = layers.Dense(width, activation, kernel_initializer=initializer, bias_initializer=start)(x)
            return x

        day = keras.Input((columns,))
        x = hidden(day)
        z_mean = layers.Dense(latent, name="z_mean")(x)
        z_log_var = layers.Dense(latent, name="z_log_var")(x)
        self.encoder = keras.Model(day, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])], name="encoder")
        code = keras.Input((latent,))
        x = hidden(code)
        x = layers.Dense(columns, output, kernel_initializer=initializer)(x)
        self.decoder = keras.Model(code, x, name="decoder")
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.kl_tracker = keras.metrics.Mean(name="kl")

    @property
    def metrics(self):
        return [self.loss_tracker, self.kl_tracker]

    def call(self, inputs):
        return self.decoder(self.encoder(inputs)[2])

    def error_of(self, y, rebuilt):
        if self.config["error"] == "crossentropy":
            return self.config["columns"] * ops.mean(keras.losses.binary_crossentropy(y, rebuilt))
        return ops.mean(ops.sum(ops.square(y - rebuilt), axis=-1))

    def losses_of(self, data):
        x, y = data
        z_mean, z_log_var, z = self.encoder(x)
        kl = -0.5 * ops.mean(ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1))
        return self.error_of(y, self.decoder(z)) + self.config["beta"] * kl, kl

    def train_step(self, data):
        with tf.GradientTape() as tape:
            total, kl = self.losses_of(data)
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.tracked(total, kl)

    def test_step(self, data):
        return self.tracked(*self.losses_of(data))

    def tracked(self, total, kl):
        self.loss_tracker.update_state(total)
        self.kl_tracker.update_state(kl)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self):
        return {**super().get_config(), **self.config}


@dataclass(frozen=True)
class MorningFirst:
    """Trained on windows that begin in the cool hours, tried on those that begin in the warm ones."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows[:, 0] - rows[:, HOURS // 2]


def data(scaler="pooled", **changes) -> Data:
    return prepare(windows(), scaler=scaler, **changes)


def build(optimizer="adam", learning_rate=3e-3, extra=0, **settings):
    vae = VAE(columns=HOURS + extra, **settings)
    vae.build((None, HOURS + extra))
    vae.compile(optimizer=make_optimizer(optimizer, learning_rate))
    return vae


VARIANTS = {
    "leaky_relu": Variant(build={"activation": "leaky_relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "standardised_hours": Variant(data={"scaler": "standard"}),
    "wide": Variant(build={"width": 96}, search=True),
}
FAULTS = {
    "raw_fahrenheit": Fault("data.scaling", data={"scaler": "none"}),
    "morning_first": Fault("data.train_eval_shift", data={"train_first": MorningFirst()}),
    "dead_channels": Fault(
        "data.constant_features", data={"damage": Stuck(2, 0.0), "scaler": "bare"}, build={"extra": 2}
    ),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.002, 20.0)}),
    "thirty_days": Fault("data.too_few_rows", data={"n_train": 30}, fit={"epochs": 1000}),
    "crossentropy": Fault("loss.mismatch", build={"error": "crossentropy"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "bias_of_-3": Fault("model.dead_units", build={"bias": -3.0}),
    "latent_2": Fault("model.capacity_too_small", build={"latent": 2}),
    "ten_layers_a_side": Fault("model.capacity_too_large", build={"depth": 10}),
    "beta_1": Fault("model.regularization", build={"beta": 1.0}),
    "rate_5e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 5e-5}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "four_epochs": Fault("optimizer.undertrained", fit={"epochs": 4}),
}
COMPOUNDS = [("beta_1", "latent_2"), ("spikes", "four_epochs")]
