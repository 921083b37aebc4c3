"""Heights and depths off Vancouver Island, patches of 8 x 8, through strided convolutions to 8 numbers and back."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.damage import Marked, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "conv"
DATASET = "topobathy patches"
SIZE = 8
FIT = {"epochs": 25, "batch_size": 32}


def patches(step: int = 2) -> np.ndarray:
    """Returns overlapping patches of Matplotlib's map in metres, below the sea negative: (2394, 8, 8, 1)."""
    from matplotlib.cbook import get_sample_data

    with get_sample_data("topobathy.npz") as file:
        height = np.asarray(file["topo"], np.float64)
    return np.lib.stride_tricks.sliding_window_view(height, (SIZE, SIZE))[::step, ::step].reshape(-1, SIZE, SIZE, 1)


@dataclass(frozen=True)
class NorthUp:
    """The targets were read from the north, the inputs from the south."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x[:, ::-1]


def data(scaler="pooled", **changes) -> Data:
    return prepare(patches(), scaler=scaler, **changes)


def build(
    filters=16, code=8, activation="elu", output="linear", dropout=0.0, bias=0.0, optimizer="adam",
    learning_rate=5e-3, loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    start = keras.initializers.Constant(bias)

    def block(layer, x):
        return layers.Activation(activation)(layer(x))

    def conv(kind, number):
        return kind(number, 3, strides=2, padding="same", kernel_initializer=initializer, bias_initializer=start)

    inputs = keras.Input((SIZE, SIZE, 1))
    x = block(conv(layers.Conv2D, filters), inputs)
    x = block(conv(layers.Conv2D, 2 * filters), x)
    x = layers.Flatten()(x)
    if dropout:
        x = layers.Dropout(dropout, seed=1)(x)
    x = layers.Dense(code, kernel_initializer=initializer, name="code")(x)
    x = block(layers.Dense(2 * 2 * 2 * filters, kernel_initializer=initializer, bias_initializer=start), x)
    if dropout:
        x = layers.Dropout(dropout, seed=2)(x)
    x = layers.Reshape((2, 2, 2 * filters))(x)
    x = block(conv(layers.Conv2DTranspose, filters), x)
    x = layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation=output, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, x, name="topobathy")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


NORMAL = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 1.0}}
VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "wide": Variant(build={"filters": 24}, search=True),
    "huber": Variant(build={"loss": "huber"}),
}
FAULTS = {
    "void_is_-32768": Fault("data.missing", data={"damage": Marked(0.01, -32768.0)}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.005, 40.0)}),
    "north_up": Fault("code.target_mismatch", data={"target": NorthUp()}),
    "val_minmax": Fault("code.train_eval_preprocessing_mismatch", data={"eval_scaler": "minmax"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "bias_of_-5": Fault("model.dead_units", build={"bias": -5.0}, of="relu"),
    "normal_weights": Fault("model.initialization", build={"initializer": NORMAL}),
    "code_2": Fault("model.capacity_too_small", build={"code": 2}),
    "dropout_0.8": Fault("model.regularization", build={"dropout": 0.8}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1436}),
}
COMPOUNDS = [("code_2", "one_epoch"), ("relu_output", "one_batch")]
