"""Denoising of small MNIST digits with a subclass of keras.Model: noisy pixels in, clean pixels out."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import small_digits

ARCHITECTURE = "denoising"
DATASET = "mnist"
FIT = {"epochs": 30, "batch_size": 32}


@keras.saving.register_keras_serializable("mnist_denoise")
class Denoiser(keras.Model):
    """784 / 4 pixels, two hidden layers, a code, and back."""

    def __init__(self, hidden=128, code=48, activation="silu", output="sigmoid", dropout=0.0, initializer="he_normal",
                 **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.config = {"hidden": hidden, "code": code, "activation": activation, "output": output,
                       "dropout": dropout, "initializer": initializer}  # fmt: skip
        self.flat = layers.Flatten()
        self.first = layers.Dense(hidden, activation, kernel_initializer=initializer)
        self.drop = layers.Dropout(dropout, seed=1)
        self.code = layers.Dense(code, activation, kernel_initializer=initializer)
        self.second = layers.Dense(hidden, activation, kernel_initializer=initializer)
        self.last = layers.Dense(14 * 14, output, kernel_initializer=initializer)
        self.image = layers.Reshape((14, 14))

    def call(self, noisy, training=None):
        code = self.code(self.drop(self.first(self.flat(noisy)), training=training))
        return self.image(self.last(self.second(code)))

    def get_config(self):
        return {**super().get_config(), **self.config}


def data(scaler=255.0, noise=0.15, **changes) -> Data:
    return prepare(small_digits(), scaler=scaler, noise=noise, **changes)


def build(
    hidden=128, code=48, activation="silu", output="sigmoid", dropout=0.0, optimizer="adam", learning_rate=1.5e-3,
    loss="mse", initializer="he_normal",
):  # fmt: skip
    model = Denoiser(hidden, code, activation, output, dropout, initializer)
    model(np.zeros((1, 14, 14), "float32"))
    model.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss)
    return model


VARIANTS = {
    "cross_entropy": Variant(build={"loss": "binary_crossentropy"}),
    "some_dropout": Variant(build={"dropout": 0.1}),
}
FAULTS = {
    "mae": Fault("loss.mismatch", build={"loss": "mae"}),
    "softmax_output": Fault("model.output_activation", build={"output": "softmax"}),
    "categorical": Fault("loss.mismatch", build={"loss": "categorical_crossentropy"}),
    "dropout_0.8": Fault("model.regularization", build={"dropout": 0.8}),
    "sixty_digits": Fault("data.too_few_rows", data={"n_train": 60}, fit={"epochs": 350}),
    "rate_0.03": Fault("optimizer.learning_rate_too_high", build={"learning_rate": 0.03}),
    "code_of_8": Fault("model.capacity_too_small", build={"code": 8}),
    "one_batch": Fault("optimizer.batch_size", fit={"batch_size": 1000}),
}
COMPOUNDS = [("dropout_0.8", "code_of_8")]
