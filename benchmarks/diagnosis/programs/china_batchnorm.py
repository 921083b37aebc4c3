"""Grey patches, standardised as a whole, through dense layers with batch normalisation."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import patches

ARCHITECTURE = "dense image"
DATASET = "china patches"
FIT = {"epochs": 15, "batch_size": 16}


def data(scaler="pooled", **changes) -> Data:
    return prepare(patches(0, count=1000).reshape(-1, 64), scaler=scaler, **changes)


def build(activation="relu", output="linear", optimizer="adam", learning_rate=5e-3, initializer="he_normal"):
    model = keras.Sequential([keras.Input((64,))])
    for units in (64, 16, 64):
        model.add(layers.Dense(units, kernel_initializer=initializer))
        if units != 16:
            model.add(layers.BatchNormalization())
            model.add(layers.Activation(activation))
    model.add(layers.Dense(64, activation=output))
    model.compile(make_optimizer(optimizer, learning_rate), "mse")
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"})}
FAULTS = {
    "batch_of_two": Fault("optimizer.batch_size", fit={"batch_size": 2}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "adagrad": Fault("optimizer.choice", build={"optimizer": "adagrad", "learning_rate": None}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 600}),
}
COMPOUNDS = [("tanh_output", "rate_1e-5")]
