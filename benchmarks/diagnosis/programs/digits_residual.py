"""Digits as pictures of 8 x 8 pixels through a subclassed model of residual blocks with layer normalisation."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.damage import Marked
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import file_order

ARCHITECTURE = "subclassed"
DATASET = "digits"
FIT = {"epochs": 40, "batch_size": 32}


@keras.saving.register_keras_serializable(package="digits_residual")
class Residual(layers.Layer):
    """A dense layer whose output is added to its normalised input."""

    def __init__(self, units, activation, initializer, bias, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"units": units, "activation": activation, "initializer": initializer, "bias": bias}
        self.norm = layers.LayerNormalization()
        self.dense = hidden_layer(**self.settings)

    def build(self, shape):
        self.norm.build(shape)
        self.dense.build(shape)
        super().build(shape)

    def call(self, x):
        return x + self.dense(self.norm(x))

    def get_config(self):
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="digits_residual")
class Autoencoder(keras.Model):
    """Flattens pictures, encodes and decodes them."""

    def __init__(self, hidden, code, activation, output, initializer, bias, **kwargs):
        super().__init__(**kwargs)
        self.settings = {"hidden": hidden, "code": code, "activation": activation, "output": output,
                         "initializer": initializer, "bias": bias}  # fmt: skip
        inner = {"units": hidden, "activation": activation, "initializer": initializer, "bias": bias}
        self.encoder = keras.Sequential(
            [
                layers.Flatten(),
                hidden_layer(**inner),
                Residual(**inner),
                layers.Dense(code, kernel_initializer=initializer),
            ],
            name="encoder",
        )
        self.decoder = keras.Sequential(
            [
                hidden_layer(**inner),
                Residual(**inner),
                layers.Dense(64, activation=output, kernel_initializer=initializer),
                layers.Reshape((8, 8, 1)),
            ],
            name="decoder",
        )

    def call(self, x):
        return self.decoder(self.encoder(x))

    def get_config(self):
        return {**super().get_config(), **self.settings}


def hidden_layer(units, activation, initializer, bias):
    start = keras.initializers.Constant(bias)
    return layers.Dense(units, activation, kernel_initializer=initializer, bias_initializer=start)


def pictures() -> np.ndarray:
    """Returns the digits with 0 ... 16 as grey, sorted by what they show: (1797, 8, 8, 1)."""
    digits = load_digits()
    return digits.images[np.argsort(digits.target, kind="stable"), :, :, None]


def folder(rows: np.ndarray) -> np.ndarray:
    """Returns the order of files that lie in a folder for each digit."""
    return file_order(pictures(), rows)


@dataclass(frozen=True)
class ColumnsFirst:
    """The targets were read in the order of Fortran: columns first."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x.swapaxes(1, 2)


def data(scaler=16.0, **changes) -> Data:
    return prepare(pictures(), scaler=scaler, **changes)


def build(
    hidden=64, code=8, activation="gelu", output="sigmoid", bias=0.0, optimizer="adam", learning_rate=3e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = Autoencoder(hidden, code, activation, output, initializer, bias)
    model(np.zeros((1, 8, 8, 1), "float32"))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "relu": Variant(build={"activation": "relu"}),
    "nadam": Variant(build={"optimizer": "nadam"}),
    "bce": Variant(build={"loss": "binary_crossentropy"}),
    "wide": Variant(build={"hidden": 96}, search=True),
}
FAULTS = {
    "minus_999": Fault("data.missing", data={"damage": Marked(0.01, -999.0)}),
    "forty_digits": Fault("data.too_few_rows", data={"n_train": 40}, fit={"epochs": 600}),
    "not_shuffled": Fault("data.train_eval_shift", data={"train_first": folder}),
    "columns_first": Fault("code.target_mismatch", data={"target": ColumnsFirst()}),
    "code_of_1": Fault("model.capacity_too_small", build={"code": 1}),
    "bias_of_-5": Fault("model.dead_units", build={"bias": -5.0}, of="relu"),
    "ones": Fault("model.initialization", build={"initializer": "ones"}),
    "linear": Fault("model.linear_activations", build={"activation": "linear"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 1078}),
    "plain_sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "rate_0.5": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.5}),
    "one_epoch": Fault("optimizer.undertrained", fit={"epochs": 1}),
}
COMPOUNDS = [("columns_first", "plain_sgd"), ("minus_999", "softmax_output")]
