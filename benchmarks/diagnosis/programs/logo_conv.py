"""Patches of 12 x 12 pixels from a picture of letters through a convolutional autoencoder."""

from functools import cache

import keras
import numpy as np
from keras import layers
from matplotlib.cbook import get_sample_data
from PIL import Image

from benchmarks.diagnosis.damage import Rescaled, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "logo patches"
FIT = {"epochs": 15, "batch_size": 32}


@cache
def letters(size: int = 12, step: int = 4) -> np.ndarray:
    """Returns grey patches on white, 0 ... 255, without empty and repeated ones: (n, size, size, 1)."""
    with get_sample_data("logo2.png") as file:
        logo = Image.open(file).convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", logo.size, "white"), logo)
        grey = np.asarray(page.convert("L"), np.float64)
    cut = np.lib.stride_tricks.sliding_window_view(grey, (size, size))[::step, ::step]
    cut = cut.swapaxes(0, 1).reshape(-1, size, size)
    cut = cut[cut.reshape(len(cut), -1).std(axis=1) > 8]
    _, first = np.unique(cut, axis=0, return_index=True)
    return cut[np.sort(first)][..., None]


def data(scaler=255.0, **changes) -> Data:
    return prepare(letters(), scaler=scaler, **changes)


def build(
    filters=16, code=16, blocks=0, activation="relu", output="sigmoid", optimizer="adam", learning_rate=5e-3,
    loss="mse", initializer="glorot_uniform", bias=0.0, noise=0.0,
):  # fmt: skip
    started = {"kernel_initializer": initializer, "bias_initializer": keras.initializers.Constant(bias)}
    if isinstance(initializer, float):
        started["kernel_initializer"] = keras.initializers.RandomNormal(stddev=initializer)

    def conv(filters):
        return layers.Conv2D(filters, 3, padding="same", activation=activation, **started)

    inputs = keras.Input((12, 12, 1))
    x = layers.GaussianNoise(noise)(inputs) if noise else inputs
    x = layers.MaxPooling2D(2)(conv(filters)(x))
    x = layers.MaxPooling2D(2)(conv(2 * filters)(x))
    for _ in range(blocks):
        x = conv(2 * filters)(x)
    x = layers.Dense(code, name="code")(layers.Flatten()(x))
    x = layers.Dense(3 * 3 * 2 * filters, activation=activation, **started)(x)
    x = layers.Reshape((3, 3, 2 * filters))(x)
    for _ in range(blocks):
        x = conv(2 * filters)(x)
    x = layers.UpSampling2D(2)(x)
    x = layers.UpSampling2D(2)(conv(filters)(x))
    outputs = layers.Conv2D(1, 3, padding="same", activation=output)(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "cross_entropy": Variant(build={"loss": "binary_crossentropy"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "filters_24": Variant(build={"filters": 24}, search=True),
}
FAULTS = {
    "raw_pixels": Fault("data.scaling", data={"scaler": "none"}),
    "stray_pixels": Fault("data.outliers", data={"damage": Spikes(0.01, 40.0)}),
    "inverted_targets": Fault("code.target_mismatch", data={"target": Rescaled(-1.0, 1.0)}),
    "eval_not_divided": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "none"}),
    "forty_patches": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 150}),
    "code_of_2": Fault("model.capacity_too_small", build={"code": 2}),
    "six_blocks": Fault("model.capacity_too_large", build={"blocks": 6}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 1289}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "bias_-1": Fault("model.dead_units", build={"bias": -1.0}),
    "wide_weights": Fault("model.initialization", build={"initializer": 0.5}),
    "noise_0.6": Fault("model.regularization", build={"noise": 0.6}),
    "categorical": Fault("loss.mismatch", build={"loss": "categorical_crossentropy"}),
    "rate_0.05": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.05}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
}
COMPOUNDS = [("stray_pixels", "adadelta"), ("noise_0.6", "whole_batch")]
