"""Diabetes, standardised, with SGD and momentum: here the scale of the columns matters."""

import keras
from keras import layers
from sklearn.datasets import load_diabetes

from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense table"
DATASET = "diabetes"
FIT = {"epochs": 50, "batch_size": 16}


def data(scaler="standard", **changes) -> Data:
    return prepare(load_diabetes().data, scaler=scaler, **{"val": False, **changes})


def build(
    activation="tanh", learning_rate=0.05, momentum=0.9, optimizer="sgd", initializer="glorot_uniform", decay=0.0
):
    regularizer = keras.regularizers.L2(decay) if decay else None
    dense = {"kernel_initializer": initializer, "kernel_regularizer": regularizer}
    model = keras.Sequential(
        [
            keras.Input((10,)),
            layers.Dense(20, activation=activation, **dense),
            layers.Dense(6, **dense),
            layers.Dense(20, activation=activation, **dense),
            layers.Dense(10, **dense),
        ]
    )
    rate = keras.optimizers.SGD(learning_rate, momentum) if optimizer == "sgd" else learning_rate
    if optimizer != "sgd":
        rate = keras.optimizers.get({"class_name": optimizer, "config": {"learning_rate": learning_rate}})
    model.compile(optimizer=rate, loss="mse")
    return model


VARIANTS = {"adam": Variant(build={"optimizer": "adam", "learning_rate": 3e-3})}
FAULTS = {
    "not_scaled": Fault("data.scaling", data={"scaler": "none"}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "l2_0.1": Fault("model.regularization", build={"decay": 0.1}),
    "rate_3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 3.0}),
}
COMPOUNDS = [("not_scaled", "l2_0.1")]
