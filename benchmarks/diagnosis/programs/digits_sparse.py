"""A sparse autoencoder after the Keras blog: an L1 penalty on the activity of a wide code."""

import keras
from keras import layers, regularizers
from sklearn.datasets import load_digits

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "sparse L1"
DATASET = "digits"
FIT = {"epochs": 45, "batch_size": 32}


def data(**changes) -> Data:
    return prepare(load_digits().data, **{"scaler": 16.0, **changes})


def build(
    penalty=1e-5, activation="elu", output="sigmoid", optimizer="adam", learning_rate=4e-3,
    loss="binary_crossentropy", initializer="glorot_uniform",
):  # fmt: skip
    input_img = keras.Input(shape=(64,))
    encoded = layers.Dense(48, activation=activation, kernel_initializer=initializer)(input_img)
    encoded = layers.Dense(24, activation="relu", activity_regularizer=regularizers.l1(penalty))(encoded)
    decoded = layers.Dense(48, activation=activation, kernel_initializer=initializer)(encoded)
    decoded = layers.Dense(64, activation=output)(decoded)
    autoencoder = keras.Model(input_img, decoded)
    autoencoder.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return autoencoder


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"})}
FAULTS = {
    "l1_0.1": Fault("model.regularization", build={"penalty": 0.1}),
    "categorical": Fault("loss.mismatch", build={"loss": "categorical_crossentropy"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
}
COMPOUNDS = [("l1_0.1", "adadelta")]
