"""A linear autoencoder on data that lie on a plane: PCA by gradient descent, and nothing is wrong with it."""

import keras
from keras import layers

from benchmarks.diagnosis.damage import Marked, Mispaired
from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import plane

ARCHITECTURE = "linear"
DATASET = "plane"
FIT = {"epochs": 30, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(plane(), **changes)


def build(output="linear", optimizer="adam", learning_rate=5e-3, loss="mse", initializer="glorot_uniform"):
    model = keras.Sequential(
        [
            keras.Input((15,)),
            layers.Dense(3, use_bias=False, kernel_initializer=initializer),
            layers.Dense(15, kernel_initializer=initializer, activation=output),
        ]
    )
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"rmsprop": Variant(build={"optimizer": "rmsprop"}), "nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "mispaired": Fault("code.target_mismatch", data={"target": Mispaired()}),
    "minus_99": Fault("data.missing", data={"damage": Marked(0.02, -99.0)}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "bce": Fault("loss.mismatch", build={"loss": "binary_crossentropy"}),
}
COMPOUNDS = [("minus_99", "rate_1e-5")]
