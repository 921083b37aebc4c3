"""Grey patches of 12 x 12 pixels from a photo of a brick wall through a variational autoencoder with its own steps."""

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
DATASET = "brick patches"
FIT = {"epochs": 60, "batch_size": 32}
SIDE = 12
PIXELS = SIDE * SIDE


@dataclass(frozen=True)
class Retouched:
    """In a share of the patches a square was masked, and the mask is stored as a number."""

    share: float
    value: float
    side: int = 4

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        patches = rows.reshape(-1, SIDE, SIDE)
        for row in np.flatnonzero(rng.random(len(rows)) < self.share):
            top, left = rng.integers(0, SIDE - self.side, 2)
            patches[row, top : top + self.side, left : left + self.side] = self.value
        return patches.reshape(len(rows), -1)


@dataclass(frozen=True)
class Flash:
    """A share of the patches is from a frame that was summed up over many exposures."""

    share: float
    exposures: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(len(rows)) < self.share] *= self.exposures
        return rows


@dataclass(frozen=True)
class ColumnMajor:
    """The targets were flattened column by column, the inputs row by row."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(-1, SIDE, SIDE).transpose(0, 2, 1).reshape(len(x), -1)


@cache
def bricks(step: int = 10) -> np.ndarray:
    """Returns flattened patches, 0 ... 255: (2601, 144)."""
    with (resources.files("skimage") / "data" / "brick.png").open("rb") as file:
        wall = np.asarray(Image.open(file), np.float64)
    cut = np.lib.stride_tricks.sliding_window_view(wall, (SIDE, SIDE))[::step, ::step]
    return cut.reshape(-1, PIXELS)


def by_upright_joints(rows: np.ndarray) -> np.ndarray:
    """Returns how much pixels differ from their neighbours to the right, (n,)."""
    return np.abs(np.diff(rows.reshape(-1, SIDE, SIDE), axis=2)).mean(axis=(1, 2))


def data(scaler="pooled", **changes) -> Data:
    return prepare(bricks(), scaler=scaler, **changes)


@keras.saving.register_keras_serializable(package="bricks")
class Sampling(layers.Layer):
    """Draws a code around its mean while training."""

    def __init__(self, seed=7, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=None):
        mean, log_var = inputs
        if not training:
            return mean
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.generator)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="bricks")
class PatchVAE(keras.Model):
    """Two hidden layers to the code and two back; the steps add the KL divergence to the compiled loss."""

    def __init__(
        self, hidden=128, latent=4, activation="relu", threshold=0.0, output="linear", initializer="he_normal",
        kl=1e-3, **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.config = {
            "hidden": hidden, "latent": latent, "activation": activation, "threshold": threshold, "output": output,
            "initializer": initializer, "kl": kl,
        }  # fmt: skip
        self.kl = kl

        def dense(units, activation=None, name=None):
            return layers.Dense(units, activation, kernel_initializer=initializer, name=name)

        def active():
            return layers.ReLU(threshold=threshold) if activation == "relu" else layers.Activation(activation)

        self.encoder = keras.Sequential([dense(hidden), active(), dense(hidden // 2), active()], name="encoder")
        self.to_mean, self.to_log_var = dense(latent, name="z_mean"), dense(latent, name="z_log_var")
        self.sampling = Sampling(name="z")
        self.decoder = keras.Sequential(
            [dense(hidden // 2), active(), dense(hidden), active(), dense(PIXELS, output)], name="decoder"
        )
        self.total = keras.metrics.Mean(name="loss")
        self.reconstruction = keras.metrics.Mean(name="reconstruction_loss")
        self.divergence = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total, self.reconstruction, self.divergence]

    def encode(self, x, training=None):
        x = self.encoder(x, training=training)
        return self.to_mean(x), ops.clip(self.to_log_var(x), -12.0, 8.0)

    def call(self, inputs, training=None):
        code = self.sampling(self.encode(inputs, training=training), training=training)
        return self.decoder(code, training=training)

    def losses_of(self, x, y, training):
        mean, log_var = self.encode(x, training=training)
        decoded = self.decoder(self.sampling([mean, log_var], training=training), training=training)
        divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - log_var - 1.0, axis=1)
        return self.compute_loss(x=x, y=y, y_pred=decoded), ops.mean(divergence)

    def track(self, loss, reconstruction, divergence):
        self.total.update_state(loss)
        self.reconstruction.update_state(reconstruction)
        self.divergence.update_state(divergence)
        return {metric.name: metric.result() for metric in self.metrics}

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            reconstruction, divergence = self.losses_of(x, y, training=True)
            loss = reconstruction + self.kl * divergence
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self.track(loss, reconstruction, divergence)

    def test_step(self, data):
        x, y = data
        reconstruction, divergence = self.losses_of(x, y, training=False)
        return self.track(reconstruction + self.kl * divergence, reconstruction, divergence)

    def get_config(self):
        return {**super().get_config(), **self.config}


def build(optimizer="adam", learning_rate=2e-3, loss="mse", **changes):
    vae = PatchVAE(name="bricks", **changes)
    vae.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    vae(np.zeros((1, PIXELS), "float32"))
    return vae


RANDN = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
VARIANTS = {
    "gelu": Variant(build={"activation": "gelu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "each_pixel_standardised": Variant(data={"scaler": "standard"}),
    "hidden_192": Variant(build={"hidden": 192}, search=True),
}
FAULTS = {
    "divided_by_65535": Fault("data.scaling", data={"scaler": 65535.0}),
    "mask_is_-9999": Fault("data.missing", data={"damage": Retouched(0.05, -9999.0)}),
    "summed_exposures": Fault("data.outliers", data={"damage": Flash(0.01, 30.0)}),
    "thirty_patches": Fault("data.too_few_rows", data={"n_train": 30}, fit={"epochs": 2500}),
    "upright_joints_last": Fault("data.train_eval_shift", data={"train_first": by_upright_joints}),
    "eval_by_255": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 255.0}),
    "column_major_targets": Fault("code.target_mismatch", data={"target": ColumnMajor()}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "randn_weights": Fault("model.initialization", build={"initializer": RANDN}),
    "no_activations": Fault("model.linear_activations", build={"activation": "linear"}),
    "threshold_not_max": Fault("model.dead_units", build={"threshold": 6.0}),
    "kl_not_weighted": Fault("model.regularization", build={"kl": 1.0}),
    "kl_of_0.3": Fault("model.regularization", build={"kl": 0.3}),
    "bernoulli": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "rate_0.2": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.2}),
    "rate_2e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 2e-5}),
    "hidden_6": Fault("model.capacity_too_small", build={"hidden": 6}),
}
COMPOUNDS = [("column_major_targets", "kl_of_0.3"), ("summed_exposures", "sigmoid_output")]
