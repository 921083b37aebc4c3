"""Patches of 12 x 12 pixels of a magnetic resonance slice of a head, through strided convolutions and back."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "MRI patches"
SIZE = 12
FIT = {"epochs": 25, "batch_size": 32}


def patches(step: int = 4) -> np.ndarray:
    """Returns overlapping patches of Matplotlib's slice that are not nearly empty, 0 ... 215: (n, 12, 12, 1)."""
    from matplotlib.cbook import get_sample_data

    with get_sample_data("s1045.ima.gz") as file:
        image = np.frombuffer(file.read(), ">u2").reshape(256, 256).astype(np.float64)
    cut = np.lib.stride_tricks.sliding_window_view(image, (SIZE, SIZE))[::step, ::step].reshape(-1, SIZE, SIZE, 1)
    return cut[cut.std(axis=(1, 2, 3)) > 10]


@dataclass(frozen=True)
class ColumnMajor:
    """The targets were read column by column, the inputs row by row."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x.swapaxes(1, 2)


@dataclass(frozen=True)
class DarkestFirst:
    """Trained on the dark patches, tried on the bright ones."""

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return rows.mean(axis=(1, 2, 3))


def data(scaler=255.0, **changes) -> Data:
    return prepare(patches(), scaler=scaler, **changes)


def build(
    filters=16, code=16, activation="elu", output="sigmoid", dropout=0.0, bias=0.0, optimizer="adam",
    learning_rate=8e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    common = {"kernel_initializer": initializer, "bias_initializer": keras.initializers.Constant(bias)}
    conv = {"strides": 2, "padding": "same", "activation": activation, **common}
    inputs = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(filters, 3, **conv)(inputs)
    x = layers.Conv2D(2 * filters, 3, **conv)(x)
    x = layers.Flatten()(x)
    if dropout:
        x = layers.Dropout(dropout, seed=1)(x)
    x = layers.Dense(code, kernel_initializer=initializer, name="code")(x)
    x = layers.Dense(3 * 3 * 2 * filters, activation, **common)(x)
    if dropout:
        x = layers.Dropout(dropout, seed=2)(x)
    x = layers.Reshape((3, 3, 2 * filters))(x)
    x = layers.Conv2DTranspose(filters, 3, **conv)(x)
    outputs = layers.Conv2DTranspose(
        1, 3, strides=2, padding="same", activation=output, kernel_initializer=initializer
    )(x)
    model = keras.Model(inputs, outputs, name="mri")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "silu": Variant(build={"activation": "silu"}),
    "bce": Variant(build={"loss": "binary_crossentropy"}),
    "standardised": Variant(
        data={"scaler": "pooled"}, build={"activation": "relu", "output": "linear", "learning_rate": 5e-3}
    ),
    "nadam": Variant(build={"optimizer": "nadam"}),
}
FAULTS = {
    "empty_is_65535": Fault("data.missing", data={"damage": Marked(0.01, 65535.0)}),
    "hot_pixels": Fault("data.outliers", data={"damage": Spikes(0.01, 40.0)}, of="standardised"),
    "dark_first": Fault("data.train_eval_shift", data={"train_first": DarkestFirst()}),
    "column_major": Fault("code.target_mismatch", data={"target": ColumnMajor()}),
    "val_standardised": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "pooled"}),
    "kl_divergence": Fault("loss.mismatch", build={"loss": "kl_divergence"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "negative_biases": Fault("model.dead_units", build={"activation": "relu", "bias": -1.0}),
    "dropout_0.7": Fault("model.regularization", build={"dropout": 0.7}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
}
COMPOUNDS = [("empty_is_65535", "rate_1e-5"), ("dropout_0.7", "column_major")]
