"""Colour patches of 12 x 12 pixels from a photo of a cup of coffee through a convolutional Sequential."""

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import keras
import numpy as np
from keras import layers
from matplotlib.colors import rgb_to_hsv
from PIL import Image

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "coffee patches"
FIT = {"epochs": 30, "batch_size": 32}


@dataclass(frozen=True)
class SixteenBits:
    """A share of the patches comes from a copy of the photo with 16 bits a channel."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(len(rows)) < self.share] *= 257.0
        return rows


@dataclass(frozen=True)
class DustMasked:
    """On a share of the patches lay a grain of dust, which was cut out: so many pixels square are empty."""

    share: float
    size: int = 3

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for row in np.flatnonzero(rng.random(len(rows)) < self.share):
            top, left = rng.integers(0, rows.shape[1] - self.size, 2)
            rows[row, top : top + self.size, left : left + self.size] = np.nan
        return rows


@dataclass(frozen=True)
class Opaque:
    """The photo was read as RGBA, and all of it is opaque."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, np.full((*rows.shape[:-1], 1), 255.0)], axis=-1)


@dataclass(frozen=True)
class HueFirst:
    """The targets went on to hue, saturation and value, the inputs stayed red, green and blue."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return rgb_to_hsv(x).astype(x.dtype)


@cache
def coffee(size: int = 12) -> np.ndarray:
    """Returns patches that do not overlap, 0 ... 255: (1650, size, size, 3)."""
    with (resources.files("skimage") / "data" / "coffee.png").open("rb") as file:
        photo = np.asarray(Image.open(file).convert("RGB"), np.float64)
    down, across = photo.shape[0] // size, photo.shape[1] // size
    cut = photo[: down * size, : across * size].reshape(down, size, across, size, 3)
    return cut.transpose(0, 2, 1, 3, 4).reshape(-1, size, size, 3)


def by_sharpness(rows: np.ndarray) -> np.ndarray:
    """Returns how much neighbouring pixels differ: little on what is out of focus, much on the grain of the table."""
    down, across = np.gradient(rows.mean(axis=-1), axis=(1, 2))
    return np.hypot(down, across).mean(axis=(1, 2))


def data(scaler=255.0, eval_signed=False, **changes) -> Data:
    made = prepare(coffee(), scaler=scaler, **changes)
    if not eval_signed:
        return made
    signed = {name: 2.0 * getattr(made, name) - 1.0 for name in ("x_val", "x_fresh", "y_fresh", "fed_mean")}
    return replace(made, restore=lambda rows: made.restore((np.asarray(rows) + 1.0) / 2.0), **signed)


def build(
    filters=16, code=2, channels=3, activation="relu", theta=0.0, output="sigmoid",
    initializer="he_normal", l1=0.0, optimizer="adam", learning_rate=5e-3, loss="mse",
):  # fmt: skip
    if isinstance(initializer, tuple):
        low, high = initializer
        initializer = {"class_name": "RandomUniform", "config": {"minval": low, "maxval": high}}

    made = {"padding": "same", "kernel_initializer": initializer}
    if l1:
        made["kernel_regularizer"] = keras.regularizers.L1(l1)

    def active():
        return layers.ReLU(threshold=theta) if theta else layers.Activation(activation)

    model = keras.Sequential([keras.Input((12, 12, channels))], name="coffee")
    for count in (filters, 2 * filters):
        model.add(layers.Conv2D(count, 3, strides=2, **made))
        model.add(active())
    model.add(layers.Conv2D(code, 3, name="code", **made))
    model.add(layers.Conv2D(2 * filters, 3, **made))
    model.add(active())
    model.add(layers.Conv2DTranspose(filters, 4, strides=2, **made))
    model.add(active())
    model.add(layers.Conv2DTranspose(channels, 4, strides=2, **made))
    model.add(layers.Activation(output))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "cross_entropy": Variant(build={"loss": "binary_crossentropy"}),
    "standardised": Variant(data={"scaler": "standard"}, build={"output": "linear"}, search=True),
}
FAULTS = {
    "never_divided": Fault("data.scaling", data={"scaler": "none"}),
    "dust_masked": Fault("data.missing", data={"damage": DustMasked(0.05)}),
    "some_in_16_bits": Fault("data.outliers", data={"damage": SixteenBits(0.03)}),
    "alpha_channel": Fault(
        "data.constant_features",
        data={"scaler": "bare", "damage": Opaque()},
        build={"channels": 4},
        of="standardised",
    ),
    "sharp_ones_held_out": Fault("data.train_eval_shift", data={"train_first": by_sharpness}),
    "eight_patches": Fault("data.too_few_rows", data={"n_train": 8}, fit={"epochs": 250}),
    "hsv_targets": Fault("code.target_mismatch", data={"target": HueFirst()}),
    "test_from_-1_to_1": Fault("code.train_eval_preprocessing_mismatch", data={"eval_signed": True}),
    "cosine_similarity": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "softmax_over_colours": Fault("model.output_activation", build={"output": "softmax"}),
    "l1_of_0.01": Fault("model.regularization", build={"l1": 0.01}),
    "weights_0_to_1": Fault("model.initialization", build={"initializer": (0.0, 1.0)}),
    "threshold_of_1": Fault("model.dead_units", build={"theta": 1.0}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("hsv_targets", "l1_of_0.01"), ("some_in_16_bits", "adadelta")]
