"""A variational autoencoder with its own `train_step`, in the style of the Keras example, on digits."""

import keras
from keras import layers, ops
from sklearn.datasets import load_digits

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare

ARCHITECTURE = "VAE"
DATASET = "digits"
DRAWS = 8
FIT = {"epochs": 40, "batch_size": 32}


@keras.saving.register_keras_serializable("digits_vae")
class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


@keras.saving.register_keras_serializable("digits_vae")
class VAE(keras.Model):
    def __init__(self, latent=8, width=48, activation="relu", kl_weight=1.0, reduction="sum",
                 initializer="glorot_uniform", **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.settings = {"latent": latent, "width": width, "activation": activation, "kl_weight": kl_weight,
                         "reduction": reduction, "initializer": initializer}  # fmt: skip
        self.kl_weight, self.reduction = kl_weight, reduction
        self.hidden = layers.Dense(width, activation=activation, kernel_initializer=initializer)
        self.z_mean = layers.Dense(latent, name="z_mean")
        self.z_log_var = layers.Dense(latent, name="z_log_var")
        self.sampling = Sampling()
        self.decoder = keras.Sequential(
            [
                layers.Dense(width, activation=activation, kernel_initializer=initializer),
                layers.Dense(64, activation="sigmoid"),
            ]
        )
        self.loss_tracker = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.loss_tracker]

    def encode(self, inputs):
        hidden = self.hidden(inputs)
        z_mean, z_log_var = self.z_mean(hidden), self.z_log_var(hidden)
        return z_mean, z_log_var, self.sampling([z_mean, z_log_var])

    def call(self, inputs):
        return self.decoder(self.encode(inputs)[2])

    def train_step(self, data):
        import tensorflow as tf

        x = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            z_mean, z_log_var, z = self.encode(x)
            cells = keras.losses.binary_crossentropy(ops.expand_dims(x, -1), ops.expand_dims(self.decoder(z), -1))
            total = ops.sum if self.reduction == "sum" else ops.mean
            reconstruction = ops.mean(total(cells, axis=1))
            kl = -0.5 * ops.mean(ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=1))
            loss = reconstruction + self.kl_weight * kl
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def get_config(self):
        return {**super().get_config(), **self.settings}


def data(**changes) -> Data:
    return prepare(load_digits().data, scaler=16.0, **changes)


def build(optimizer="adam", learning_rate=3e-3, **settings):
    vae = VAE(**settings)
    vae.compile(optimizer=make_optimizer(optimizer, learning_rate))
    vae(keras.ops.zeros((1, 64)))
    return vae


VARIANTS = {
    "tanh": Variant(build={"activation": "tanh"}),
    "kl_half": Variant(build={"kl_weight": 0.5}, search=True),
}
FAULTS = {
    "kl_x30": Fault("model.regularization", build={"kl_weight": 30.0}),
    "mean_reduction": Fault("model.regularization", build={"reduction": "mean"}),
    "rate_1e-5": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 1e-5}),
    "adadelta": Fault("optimizer.choice", build={"optimizer": "adadelta", "learning_rate": None}),
}
COMPOUNDS = [("mean_reduction", "adadelta")]
