"""Life expectancy of 142 countries over 55 years as sequences of twelve steps through GRUs."""

import keras
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import gapminder

ARCHITECTURE = "GRU"
DATASET = "gapminder"
FIT = {"epochs": 60, "batch_size": 8}


def data(scaler="pooled", **changes) -> Data:
    return prepare(gapminder(("lifeExp",)), scaler=scaler, **{"val": False, **changes})


def build(output="linear", optimizer="adam", learning_rate=5e-3, loss="mse", initializer="glorot_uniform"):
    inputs = keras.Input((12, 1))
    code = layers.GRU(16, kernel_initializer=initializer)(inputs)
    code = layers.Dense(3)(code)
    x = layers.RepeatVector(12)(code)
    x = layers.GRU(16, return_sequences=True, kernel_initializer=initializer)(x)
    model = keras.Model(inputs, layers.TimeDistributed(layers.Dense(1, activation=output))(x))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "raw_years": Fault("data.scaling", data={"scaler": "none"}),
    "relu_output": Fault("model.output_activation", build={"output": "relu"}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
}
COMPOUNDS = [("relu_output", "three_epochs")]
