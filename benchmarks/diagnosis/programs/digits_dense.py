"""Digits of 8 x 8 pixels as flat rows through 12 numbers, as in the first tutorial everybody reads."""

import keras
from keras import layers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.damage import Mispaired, Spikes
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "dense image"
DATASET = "digits"
FIT = {"epochs": 40, "batch_size": 32}


def data(scaler=16.0, **changes) -> Data:
    return prepare(load_digits().data, scaler=scaler, **changes)


def build(
    width=48, activation="relu", code_activation=None, output="linear", optimizer="adam", learning_rate=2e-3,
    loss="mse", initializer="glorot_uniform",
):  # fmt: skip
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(width, activation=activation, kernel_initializer=initializer),
            layers.Dense(12, activation=code_activation, kernel_initializer=initializer, name="code"),
            layers.Dense(width, activation=activation, kernel_initializer=initializer),
            layers.Dense(64, activation=output, kernel_initializer=initializer),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss, metrics=["accuracy"])
    return model


NORMAL = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
VARIANTS = {
    "elu": Variant(build={"activation": "elu"}),
    "sigmoid_bce": Variant(build={"output": "sigmoid", "loss": "binary_crossentropy"}),
    "leaky_code": Variant(build={"code_activation": "leaky_relu", "learning_rate": 0.01}, search=True),
    "wide": Variant(build={"width": 96}, search=True),
}
FAULTS = {
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "plain_sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": None}),
    "rate_0.1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.1}),
    "whole_batch": Fault("optimizer.batch_size", fit={"batch_size": 1024}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "normal_weights": Fault("model.initialization", build={"initializer": NORMAL}),
    "narrow": Fault("model.capacity_too_small", build={"width": 4}),
    "relu_code": Fault("model.dead_units", build={"code_activation": "relu"}, of="leaky_code"),
    "raw_pixels": Fault("data.scaling", data={"scaler": "none"}, of="sigmoid_bce"),
    "relu_everywhere": Fault("model.dead_units", build={"code_activation": "relu", "output": "relu"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
    "categorical": Fault("loss.mismatch", build={"output": "softmax", "loss": "categorical_crossentropy"}),
    "four_epochs": Fault("optimizer.undertrained", fit={"epochs": 4}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "sixty_rows": Fault("data.too_few_rows", data={"n_train": 60}, fit={"epochs": 600}),
    "a_bit_narrow": Fault("model.capacity_too_small", build={"width": 9}),
    "dead_pixels": Fault("data.outliers", data={"damage": Spikes(0.004, 60.0)}),
}
COMPOUNDS = [("narrow", "plain_sgd"), ("mispaired", "adadelta")]
