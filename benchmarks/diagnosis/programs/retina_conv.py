"""Colour patches of a photograph of a retina through strided convolutions to 8 numbers and back."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import keras
import numpy as np
from keras import layers
from PIL import Image

from benchmarks.diagnosis.damage import Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "convolutional"
DATASET = "retina patches"
FIT = {"epochs": 20, "batch_size": 32}
UNIT_NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
SIZE = 16


@cache
def patches(region: int = 2) -> np.ndarray:
    """Returns patches of scikit-image's retina at half size, region by region, 0 ... 255: (1400, 16, 16, 3)."""
    with Image.open(resources.files("skimage") / "data" / "retina.jpg") as file:
        image = np.asarray(file.convert("RGB").reduce(2), np.float64)
    down, across = (side // (SIZE * region) for side in image.shape[:2])
    image = image[: down * region * SIZE, : across * region * SIZE]
    tiles = image.reshape(down, region, SIZE, across, region, SIZE, 3).transpose(0, 3, 1, 4, 2, 5, 6)
    tiles = np.random.default_rng(2).permutation(tiles.reshape(down * across, -1, SIZE, SIZE, 3))
    cut = tiles.reshape(-1, SIZE, SIZE, 3)
    return cut[cut[..., 0].min(axis=(1, 2)) > 40]  # the rest is the black around the eye


def by_region(rows: np.ndarray) -> np.ndarray:
    """Orders rows such that the shuffled split of `prepare` has no region on both sides, and shuffles each part."""
    rng = np.random.default_rng(5)
    parts = np.split(np.arange(len(rows)), [int(0.6 * len(rows)), int(0.8 * len(rows))])
    ordered = np.empty_like(rows)
    places = np.random.default_rng(20240).permutation(len(rows))
    ordered[places] = rows[np.concatenate([rng.permutation(part) for part in parts])]
    return ordered


@dataclass(frozen=True)
class Broken:
    """A share of the pixels got lost on the way and holds a value of its own."""

    share: float
    value: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows[rng.random(rows.shape[:3]) < self.share] = self.value
        return rows


@dataclass(frozen=True)
class Reordered:
    """The targets were read with another library, whose channels come as blue, green, red."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[..., ::-1]


def by_contrast(rows: np.ndarray) -> np.ndarray:
    return rows[..., 1].std(axis=(1, 2))


def data(scaler="standard", **changes) -> Data:
    return prepare(by_region(patches()), scaler=scaler, **changes)


def build(
    filters=16, code=8, activation="elu", output="linear", dropout=0.0, optimizer="adam", learning_rate=2e-3,
    loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    def settings(activation=activation):
        return {"activation": activation, "kernel_initializer": initializer}

    def convolution(layer, filters, **other):
        return layer(filters, 3, strides=2, padding="same", **{**settings(), **other})

    image = keras.Input((SIZE, SIZE, 3), name="patch")
    x = convolution(layers.Conv2D, filters)(image)
    x = convolution(layers.Conv2D, 2 * filters)(x)
    x = layers.Flatten()(x)
    if dropout:
        x = layers.Dropout(dropout, seed=1)(x)
    x = layers.Dense(code, name="code", **settings("linear"))(x)
    x = layers.Dense(16 * 2 * filters, **settings())(x)
    x = layers.Reshape((4, 4, 2 * filters))(x)
    x = convolution(layers.Conv2DTranspose, filters)(x)
    x = convolution(layers.Conv2DTranspose, 3, activation=output)(x)
    model = keras.Model(image, x, name="retina")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "glorot_normal": Variant(build={"initializer": "glorot_normal"}),
    "adamw": Variant(build={"optimizer": "adamw"}),
    "rate_3e-3": Variant(build={"learning_rate": 3e-3}),
}
FAULTS = {
    "raw_pixels": Fault("data.scaling", data={"scaler": "none"}),
    "lost_pixels": Fault("data.missing", data={"damage": Broken(0.005, float("nan"))}),
    "bright_specks": Fault("data.outliers", data={"damage": Spikes(0.003, 60.0)}),
    "forty_patches": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 150}),
    "without_vessels": Fault("data.train_eval_shift", data={"train_first": by_contrast}),
    "bgr_targets": Fault("code.target_mismatch", data={"target": Reordered()}),
    "test_by_255": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 255.0}),
    "cross_entropy": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "unit_normal": Fault("model.initialization", build={"initializer": UNIT_NORMAL}),
    "dropout_0.9": Fault("model.regularization", build={"dropout": 0.9}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "rate_5e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 5e-5}),
    "default_epochs": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("bright_specks", "rate_5e-5"), ("relu_output", "dropout_0.9")]
