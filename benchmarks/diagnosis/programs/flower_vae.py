"""A VAE on grey patches: a sampling layer that adds its KL loss, mean squared error over all pixels."""

import keras
from keras import layers, ops

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import patches

ARCHITECTURE = "VAE"
DATASET = "flower patches"
DRAWS = 8
FIT = {"epochs": 35, "batch_size": 32}


@keras.saving.register_keras_serializable("flower_vae")
class Latent(layers.Layer):
    """Draws a code and adds the KL divergence to the loss."""

    def __init__(self, kl_weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.kl_weight = kl_weight
        self.seed_generator = keras.random.SeedGenerator(3)

    def call(self, inputs):
        mean, log_var = inputs
        kl = -0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1))
        self.add_loss(self.kl_weight * kl)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise

    def get_config(self):
        return {**super().get_config(), "kl_weight": self.kl_weight}


@keras.saving.register_keras_serializable("flower_vae")
def summed_squares(y_true, y_pred):
    return ops.sum(ops.square(y_true - y_pred), axis=-1)


def data(scaler="pooled", **changes) -> Data:
    return prepare(patches(1, count=1500).reshape(-1, 64), scaler=scaler, **changes)


def build(
    kl_weight=1.0, loss=None, activation="relu", output="linear", optimizer="adam", learning_rate=6e-3,
    initializer="he_normal",
):  # fmt: skip
    inputs = keras.Input((64,))
    x = layers.Dense(64, activation=activation, kernel_initializer=initializer)(inputs)
    mean = layers.Dense(8, name="z_mean")(x)
    log_var = layers.Dense(8, name="z_log_var")(x)
    z = Latent(kl_weight, name="z")([mean, log_var])
    x = layers.Dense(64, activation=activation, kernel_initializer=initializer)(z)
    vae = keras.Model(inputs, layers.Dense(64, activation=output)(x))
    vae.compile(optimizer=make_optimizer(optimizer, learning_rate), loss=loss or summed_squares)
    return vae


VARIANTS = {"elu": Variant(build={"activation": "elu"})}
FAULTS = {
    "kl_x200": Fault("model.regularization", build={"kl_weight": 200.0}),
    "mean_reduction": Fault("model.regularization", build={"loss": "mse"}),
    "rate_1e-6": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-6}),
    "sigmoid_output": Fault("model.output_activation", build={"output": "sigmoid"}),
}
COMPOUNDS = [("mean_reduction", "sigmoid_output")]
