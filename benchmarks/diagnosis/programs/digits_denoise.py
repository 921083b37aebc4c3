"""Denoising digits: noisy pixels in, clean pixels out."""

import dataclasses

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "denoising"
DATASET = "digits"
FIT = {"epochs": 30, "batch_size": 32}


def data(noise=0.3, shuffled=False, **changes) -> Data:
    found = prepare(load_digits().data, **{"scaler": 16.0, "noise": noise, **changes})
    if shuffled:  # only the noisy side was shuffled
        return dataclasses.replace(found, y_train=Mispaired()(found.y_train), y_val=Mispaired()(found.y_val))
    return found


def build(
    dropout=0.0, activation="relu", output="sigmoid", optimizer="adam", learning_rate=2e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation=activation, kernel_initializer=initializer),
            layers.Dropout(dropout),
            layers.Dense(24, activation=activation, kernel_initializer=initializer),
            layers.Dropout(dropout),
            layers.Dense(64, activation=activation, kernel_initializer=initializer),
            layers.Dense(64, activation=output),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "tanh": Variant(build={"activation": "tanh"}),
    "mild_dropout": Variant(build={"dropout": 0.05}, search=True),
}
FAULTS = {
    "mispaired": Fault("code.target_mismatch", data={"shuffled": True}),
    "dropout_0.8": Fault("model.regularization", build={"dropout": 0.8}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1078}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "rate_0.2": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.2}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
    "relu_everywhere": Fault("model.dead_units", build={"output": "relu", "learning_rate": 0.02}),
}
COMPOUNDS = [("dropout_0.8", "sgd")]
