"""Shopping baskets: 60 articles, 1 where one was bought, through 10 numbers with cross-entropy."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import baskets

ARCHITECTURE = "dense table"
DATASET = "baskets"
FIT = {"epochs": 35, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(baskets(), **changes)


def build(
    width=32, activation="relu", output="sigmoid", optimizer="adam", learning_rate=2e-3, loss="binary_crossentropy",
    initializer="glorot_uniform",
):  # fmt: skip
    inputs = keras.Input((60,))
    encoded = layers.Dense(width, activation=activation, kernel_initializer=initializer)(inputs)
    encoded = layers.Dense(8, name="code")(encoded)
    decoded = layers.Dense(width, activation=activation, kernel_initializer=initializer)(encoded)
    decoded = layers.Dense(60, activation=output)(decoded)
    model = keras.Model(inputs, decoded, name="baskets")
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"}), "rmsprop": Variant(build={"optimizer": "rmsprop"})}
FAULTS = {
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "categorical": Fault("loss.mismatch", build={"loss": "categorical_crossentropy"}),
    "rate_0.3": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.3}),
    "sgd": Fault("optimizer.choice", build={"optimizer": "sgd", "learning_rate": 0.01}),
    "batch_900": Fault("optimizer.batch_size", fit={"batch_size": 900}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu", "loss": "mse"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "narrow": Fault("model.capacity_too_small", build={"width": 3}),
    "zero_weights": Fault("model.initialization", build={"initializer": "zeros"}),
    "two_epochs": Fault("optimizer.undertrained", fit={"epochs": 2}),
}
COMPOUNDS = [("mae", "batch_900")]
