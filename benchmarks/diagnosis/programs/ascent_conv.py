"""Patches of 8 x 8 pixels of the stairway photograph "ascent" through strided convolutions and a dense code of 10."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv 2D"
DATASET = "ascent patches"
FIT = {"epochs": 20, "batch_size": 32}


@dataclass(frozen=True)
class Flipped:
    """Half of the inputs were mirrored left to right to have more of them, their targets were not."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        mirrored = np.random.default_rng(2).random(len(x)) < 0.5
        return np.where(mirrored[:, None, None, None], x[:, :, ::-1], x)


def stairway(size=8, least=8.0) -> np.ndarray:
    """Cuts patches that do not overlap from PyWavelets' "ascent", flat ones left out, 0 ... 255: (n, size, size, 1)."""
    import pywt.data

    image = np.asarray(pywt.data.ascent(), np.float64)
    count = len(image) // size
    cut = image.reshape(count, size, count, size).swapaxes(1, 2).reshape(-1, size, size, 1)
    return cut[cut.reshape(len(cut), -1).std(axis=1) > least]


def data(scaler="pooled", **changes) -> Data:
    return prepare(stairway(), scaler=scaler, **changes)


def build(
    filters=(16, 32), code=10, activation="relu", code_activation=None, output="linear", optimizer="adam",
    learning_rate=3e-3, loss="mse", initializer="glorot_uniform", dropout=0.0, l1=0.0,
):  # fmt: skip
    def conv(channels, **more):
        return layers.Conv2D(channels, 3, padding="same", activation=activation, kernel_initializer=initializer, **more)

    first, second = filters
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            conv(first, strides=2),
            conv(second, strides=2),
            layers.Flatten(),
            *([layers.Dropout(dropout)] if dropout else []),
            layers.Dense(
                code,
                code_activation,
                kernel_initializer=initializer,
                activity_regularizer=keras.regularizers.L1(l1) if l1 else None,
                name="code",
            ),
            layers.Dense(2 * 2 * second, activation, kernel_initializer=initializer),
            layers.Reshape((2, 2, second)),
            layers.Conv2DTranspose(
                second, 3, strides=2, padding="same", activation=activation, kernel_initializer=initializer
            ),
            layers.Conv2DTranspose(
                first, 3, strides=2, padding="same", activation=activation, kernel_initializer=initializer
            ),
            layers.Conv2D(1, 3, padding="same", activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "leaky": Variant(build={"activation": "leaky_relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "unit_range": Variant(
        data={"scaler": 255.0}, build={"activation": "elu", "output": "sigmoid", "learning_rate": 0.01}, search=True
    ),
}
FAULTS = {
    "raw_pixels": Fault("data.scaling", data={"scaler": "none"}, of="unit_range"),
    "relu_everywhere": Fault(
        "model.dead_units", build={"activation": "relu", "code_activation": "relu"}, of="unit_range"
    ),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "normal_weights": Fault("model.initialization", build={"initializer": NORMAL}),
    "sparse_code": Fault("model.regularization", build={"l1": 1.0}),
    "bce": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 1308}),
    "flipped_targets": Fault("code.target_mismatch", data={"target": Flipped()}),
    "val_in_0_1": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": 255.0}),
    "hundred_patches": Fault("data.too_few_rows", data={"n_train": 100}, fit={"epochs": 130}),
}
COMPOUNDS = [("sigmoid_output", "sgd"), ("flipped_targets", "whole_batch")]
