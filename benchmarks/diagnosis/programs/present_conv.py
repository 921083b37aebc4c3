"""Colour patches of 8 x 8 pixels from an icon of a present through a convolutional autoencoder, subclassed."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
from keras import layers
from matplotlib.cbook import get_sample_data
from PIL import Image

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "present patches"
FIT = {"epochs": 40, "batch_size": 32}


@dataclass(frozen=True)
class HotPixels:
    """A share of the values is at the top of 16 bits."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(rows.shape) < self.share] = 65535.0
        return rows


@dataclass(frozen=True)
class BlueFirst:
    """The targets were read by OpenCV: blue, green, red."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[..., ::-1]


@cache
def present(size: int = 8, step: int = 3) -> np.ndarray:
    """Returns colour patches on white, 0 ... 255, without flat and repeated ones: (n, size, size, 3)."""
    with get_sample_data("Minduka_Present_Blue_Pack.png") as file:
        icon = Image.open(file).convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", icon.size, "white"), icon)
        pixels = np.asarray(page.convert("RGB"), np.float64)
    cut = np.lib.stride_tricks.sliding_window_view(pixels, (size, size), axis=(0, 1))[::step, ::step]
    cut = cut.reshape(-1, 3, size, size).transpose(0, 2, 3, 1)
    cut = cut[cut.reshape(len(cut), -1).std(axis=1) > 8]
    _, first = np.unique(cut, axis=0, return_index=True)
    return cut[np.sort(first)]


def by_detail(rows: np.ndarray) -> np.ndarray:
    """Returns how much neighbouring pixels differ, (n,)."""
    across, down = np.abs(np.diff(rows, axis=2)), np.abs(np.diff(rows, axis=1))
    return across.mean(axis=(1, 2, 3)) + down.mean(axis=(1, 2, 3))


def data(scaler=255.0, **changes) -> Data:
    return prepare(present(), scaler=scaler, **changes)


@keras.saving.register_keras_serializable(package="present")
class PatchAutoencoder(keras.Model):
    def __init__(self, filters=16, code=16, activation="elu", initializer="glorot_uniform", dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.settings = {
            "filters": filters, "code": code, "activation": activation, "initializer": initializer, "dropout": dropout,
        }  # fmt: skip
        made = {"activation": activation, "kernel_initializer": initializer}
        self.encoder = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(filters, 3, strides=2, padding="same", **made),
                layers.SpatialDropout2D(dropout),
                layers.Conv2D(2 * filters, 3, strides=2, padding="same", **made),
                layers.SpatialDropout2D(dropout),
                layers.Flatten(),
                layers.Dense(code, kernel_initializer=initializer),
            ],
            name="encoder",
        )
        self.decoder = keras.Sequential(
            [
                keras.Input((code,)),
                layers.Dense(2 * 2 * 2 * filters, **made),
                layers.Reshape((2, 2, 2 * filters)),
                layers.SpatialDropout2D(dropout),
                layers.Conv2DTranspose(filters, 3, strides=2, padding="same", **made),
                layers.SpatialDropout2D(dropout),
                layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="sigmoid",
                                       kernel_initializer=initializer),
            ],
            name="decoder",
        )  # fmt: skip

    def call(self, inputs, training=None):
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def get_config(self):
        return {**super().get_config(), **self.settings}


def build(
    filters=16, code=16, activation="elu", initializer="glorot_uniform", dropout=0.0, optimizer="adam",
    learning_rate=5e-3, loss="mse",
):  # fmt: skip
    if isinstance(initializer, float):
        initializer = {"class_name": "RandomNormal", "config": {"stddev": initializer}}
    elif isinstance(initializer, tuple):
        low, high = initializer
        initializer = {"class_name": "RandomUniform", "config": {"minval": low, "maxval": high}}
    model = PatchAutoencoder(filters, code, activation, initializer, dropout, name="present")
    model(np.zeros((1, 8, 8, 3), "float32"))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "cross_entropy": Variant(build={"loss": "binary_crossentropy"}),
    "filters_24": Variant(build={"filters": 24}, search=True),
}
FAULTS = {
    "divided_twice": Fault("data.scaling", data={"scaler": 255.0 * 255.0}),
    "hot_pixels": Fault("data.outliers", data={"damage": HotPixels(0.02)}),
    "blue_first": Fault("code.target_mismatch", data={"target": BlueFirst()}),
    "eval_standardised": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "standard"}),
    "smooth_only": Fault("data.train_eval_shift", data={"train_first": by_detail}),
    "fifteen_patches": Fault("data.too_few_rows", data={"n_train": 15}, fit={"epochs": 200}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "weights_of_1": Fault("model.initialization", build={"initializer": 1.0}),
    "weights_below_0": Fault("model.dead_units", build={"initializer": (-0.2, 0.0)}, of="relu"),
    "dropout_everywhere": Fault("model.regularization", build={"dropout": 0.7}),
    "kl_divergence": Fault("loss.mismatch", build={"loss": "kl_divergence"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("divided_twice", "dropout_everywhere"), ("blue_first", "rate_1e-5")]
