"""Colour 8 x 8 patches of the portrait of Grace Hopper: strided convolutions, batch normalisation, upsampling."""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "hopper patches"
FIT = {"epochs": 25, "batch_size": 32}


def portrait(count=1500) -> np.ndarray:
    """Cuts matplotlib's sample photograph into patches that do not overlap, 0 ... 255: (count, 8, 8, 3)."""
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    with get_sample_data("grace_hopper.jpg") as file:
        image = np.asarray(Image.open(file).convert("RGB"), np.float64)
    high, wide = image.shape[0] // 8, image.shape[1] // 8
    cut = image[: 8 * high, : 8 * wide].reshape(high, 8, wide, 8, 3).swapaxes(1, 2).reshape(-1, 8, 8, 3)
    cut = cut[cut.reshape(len(cut), -1).std(axis=1) > 8]
    return np.random.default_rng(0).permutation(cut)[:count]


def detail(rows: np.ndarray) -> np.ndarray:
    """Returns how much goes on in a patch: what its size as a compressed file depends on."""
    return rows.std(axis=(1, 2)).mean(axis=1)


@dataclass(frozen=True)
class HotPixels:
    """A share of the cells has values of a camera of 16 bits."""

    share: float

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(rows.shape) < self.share, rng.uniform(20_000, 65_535, rows.shape), rows)


@dataclass(frozen=True)
class Opaque:
    """The files have a fourth channel, of opacity, which is the same everywhere."""

    def __call__(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.concatenate([rows, np.full((*rows.shape[:-1], 1), 255.0)], axis=-1)


@dataclass(frozen=True)
class Negative:
    """The targets are the negatives of the pictures."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return 1 - x


def data(scaler=255.0, signed=False, val_signed=False, **changes) -> Data:
    """Pixels from 0 to 1; `signed`: from -1 to 1, as `keras.applications` wants them; `val_signed`: for val only."""
    if signed:
        return prepare(portrait() - 127.5, scaler=127.5, **changes)
    made = prepare(portrait(), scaler=scaler, **changes)
    if not val_signed:
        return made
    return replace(
        made,
        x_val=2 * made.x_val - 1,
        x_fresh=2 * made.x_fresh - 1,
        y_fresh=2 * made.y_fresh - 1,
        fed_mean=2 * made.fed_mean - 1,
        restore=lambda rows: 127.5 * (np.asarray(rows, np.float64) + 1),
    )


def build(
    filters=16, code=2, channels=3, activation="silu", output="sigmoid", dropout=0.0, optimizer="adam",
    learning_rate=5e-3, loss="mse", initializer="he_normal",
):  # fmt: skip
    def conv(filters, size=3, strides=1, **more):
        return layers.Conv2D(filters, size, strides, padding="same", kernel_initializer=initializer, **more)

    def block(x, filters, strides=1):
        x = conv(filters, strides=strides, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.Activation(activation)(x)

    inputs = keras.Input((8, 8, channels))
    x = block(inputs, filters, strides=2)
    x = block(x, 2 * filters, strides=2)
    x = conv(code, 1, name="code")(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    x = block(x, 2 * filters)
    x = layers.UpSampling2D()(x)
    x = block(x, filters)
    x = layers.UpSampling2D()(x)
    outputs = conv(channels, activation=output)(x)
    model = keras.Model(inputs, outputs, name="portrait")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "signed": Variant(data={"signed": True}, build={"output": "tanh"}),
    "standardised": Variant(data={"scaler": "bare"}, build={"output": "linear"}),
}
FAULTS = {
    "divided_twice": Fault("data.scaling", data={"scaler": 255.0 * 255.0}),
    "val_signed": Fault("code.train_eval_preprocessing_mismatch", data={"val_signed": True}),
    "hot_pixels": Fault("data.outliers", data={"damage": HotPixels(0.002)}),
    "opacity": Fault("data.constant_features", data={"damage": Opaque()}, build={"channels": 4}, of="standardised"),
    "by_file_size": Fault("data.train_eval_shift", data={"train_first": detail}),
    "sixteen_patches": Fault("data.too_few_rows", data={"n_train": 16}, fit={"epochs": 500}),
    "negatives": Fault("code.target_mismatch", data={"target": Negative()}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}, of="signed"),
    "zeros": Fault("model.initialization", build={"initializer": "zeros"}),
    "dropout_0.8": Fault("model.regularization", build={"dropout": 0.8}),
    "kld": Fault("loss.mismatch", build={"loss": "kl_divergence"}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
}
COMPOUNDS = [("negatives", "dropout_0.8"), ("kld", "adadelta")]
