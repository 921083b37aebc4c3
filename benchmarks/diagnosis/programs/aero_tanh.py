"""Patches of an aerial photograph in -1 ... 1, a code with a mild L1 penalty on its activity, tanh output."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Rescaled
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import photograph_patches

ARCHITECTURE = "sparse"
DATASET = "aero patches"
FIT = {"epochs": 35, "batch_size": 32}


def data(centred=True, **changes) -> Data:
    rows = photograph_patches("aero", count=1600).reshape(-1, 64)
    return prepare(rows / 127.5 - 1 if centred else rows, **changes)


def build(
    hidden=64, code=16, activation="silu", output="tanh", l1=1e-5, optimizer="adam", learning_rate=3e-3, loss="mse",
    initializer="glorot_uniform",
):  # fmt: skip
    kind = {"kernel_initializer": initializer}
    sparse = keras.regularizers.L1(l1)
    inputs = keras.Input((64,))
    x = layers.Dense(hidden, activation, **kind)(inputs)
    encoded = layers.Dense(code, activity_regularizer=sparse, **kind)(x)
    x = layers.Dense(hidden, activation, **kind)(encoded)
    decoded = layers.Dense(64, output, **kind)(x)
    model = keras.Model(inputs, decoded, name="sparse")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"elu": Variant(build={"activation": "elu"}), "linear_output": Variant(build={"output": "linear"})}
FAULTS = {
    "l1_0.03": Fault("model.regularization", build={"l1": 0.03}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
    "cosine": Fault("loss.mismatch", build={"loss": "cosine_similarity"}),
    "targets_0_to_1": Fault("code.target_mismatch", data={"target": Rescaled(0.5, 0.5)}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "rate_1e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-4}),
    "fifty_patches": Fault("data.too_few_rows", data={"n_train": 50}, fit={"epochs": 500}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 960}),
}
COMPOUNDS = [("l1_0.03", "rate_1e-4")]
