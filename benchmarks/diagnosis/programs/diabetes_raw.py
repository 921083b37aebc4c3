"""Diabetes as scikit-learn ships it: ten columns of sd 0.048. Under Adam that is no fault."""

import keras
from keras.layers import Dense
from sklearn.datasets import load_diabetes

from benchmarks.diagnosis.damage import Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "diabetes"
SCALERS = ("none", "standard")
FIT = {"epochs": 50, "batch_size": 16}


def data(**changes) -> Data:
    return prepare(load_diabetes().data, **changes)


def build(
    width=24, code=4, activation="elu", output=None, optimizer="adam", learning_rate=3e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((10,)),
            Dense(width, activation, kernel_initializer=initializer),
            Dense(code, kernel_initializer=initializer),
            Dense(width, activation, kernel_initializer=initializer),
            Dense(10, output, kernel_initializer=initializer),
        ]
    )
    model.compile(make_optimizer(optimizer, learning_rate), loss)
    return model


VARIANTS = {
    "standardised": Variant(data={"scaler": "standard"}),
    "lecun": Variant(build={"initializer": "lecun_normal"}),
}
FAULTS = {
    "plain_sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": 0.01}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "spikes": Fault("data.outliers", data={"damage": Spikes(0.004, 60.0)}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}, of="standardised"),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 265}),
    "rate_1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 1.0}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "narrow": Fault("model.capacity_too_small", build={"width": 3}),
}
COMPOUNDS = [("spikes", "plain_sgd"), ("relu_output", "spikes")]
