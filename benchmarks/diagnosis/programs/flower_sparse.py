"""Grey patches of a flower through a code under an L1 penalty, standardised as a whole."""

import keras
from keras import layers, regularizers

from benchmarks.diagnosis.damage import Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import patches

ARCHITECTURE = "sparse L1"
DATASET = "flower patches"
FIT = {"epochs": 30, "batch_size": 32}


def data(scaler="pooled", **changes) -> Data:
    return prepare(patches(1, count=1500).reshape(-1, 64), scaler=scaler, **{"val": False, **changes})


def build(
    penalty=1e-5, activation="elu", output="linear", optimizer="adam", learning_rate=4e-3, initializer="he_normal"
):
    inputs = layers.Input((64,))
    x = layers.Dense(64, activation=activation, kernel_initializer=initializer)(inputs)
    code = layers.Dense(24, activity_regularizer=regularizers.L1(penalty), name="code")(x)
    x = layers.Dense(64, activation=activation, kernel_initializer=initializer)(code)
    model = keras.Model(inputs, layers.Dense(64, activation=output)(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss="mse")
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"}), "silu": Variant(build={"activation": "silu"})}
FAULTS = {
    "l1_1": Fault("model.regularization", build={"penalty": 1.0}),
    "rate_1": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 1.0}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1200}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
    "fifty_rows": Fault("data.too_few_rows", data={"n_train": 50}, fit={"epochs": 700}),
}
COMPOUNDS = [("l1_1", "sigmoid_output")]
