"""A VAE on MNIST digits as in the Keras example: a model with a train step of its own and cross-entropy per digit."""

import keras
import tensorflow as tf
from keras import layers, ops

from benchmarks.diagnosis.parts import optimizer as make_optimizer
from benchmarks.diagnosis.program import Data, Fault, Variant
from benchmarks.diagnosis.rows import prepare
from benchmarks.diagnosis.rowsets import mnist

ARCHITECTURE = "VAE"
DATASET = "MNIST"
DRAWS = 8
FIT = {"epochs": 35, "batch_size": 32}
WIDE = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}


@keras.saving.register_keras_serializable("mnist_vae")
class Sampling(layers.Layer):
    """Draws the code of a digit."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        epsilon = keras.random.normal(ops.shape(z_mean), seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


@keras.saving.register_keras_serializable("mnist_vae")
class VAE(keras.Model):
    """Encoder and decoder; the reconstruction loss is taken per pixel and multiplied by `pixels`."""

    def __init__(
        self, latent=16, width=128, activation="relu", code_activation="linear", output="sigmoid",
        initializer="glorot_uniform", pixels=784, kl_weight=1.0, **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.config = {
            "latent": latent, "width": width, "activation": activation, "code_activation": code_activation,
            "output": output, "initializer": initializer, "pixels": pixels, "kl_weight": kl_weight,
        }  # fmt: skip
        image = keras.Input((784,))
        x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(image)
        z_mean = layers.Dense(latent, activation=code_activation, name="z_mean")(x)
        z_log_var = layers.Dense(latent, activation=code_activation, name="z_log_var")(x)
        z = Sampling()([z_mean, z_log_var])
        self.encoder = keras.Model(image, [z_mean, z_log_var, z], name="encoder")
        code = keras.Input((latent,))
        x = layers.Dense(width, activation=activation, kernel_initializer=initializer)(code)
        self.decoder = keras.Model(code, layers.Dense(784, activation=output)(x), name="decoder")
        self.total_loss_tracker = keras.metrics.Mean(name="loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.kl_loss_tracker]

    def call(self, inputs):
        return self.decoder(self.encoder(inputs)[2])

    def losses_of(self, x, y):
        z_mean, z_log_var, z = self.encoder(x)
        reconstruction = keras.losses.binary_crossentropy(y, self.decoder(z))
        kl = -0.5 * ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1)
        return self.config["pixels"] * ops.mean(reconstruction), self.config["kl_weight"] * ops.mean(kl)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            reconstruction, kl = self.losses_of(x, y)
            total = reconstruction + kl
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.tracked(total, kl)

    def test_step(self, data):
        reconstruction, kl = self.losses_of(*data)
        return self.tracked(reconstruction + kl, kl)

    def tracked(self, total, kl):
        self.total_loss_tracker.update_state(total)
        self.kl_loss_tracker.update_state(kl)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self):
        return {**super().get_config(), **self.config}


def data(scaler=255.0, **changes) -> Data:
    return prepare(mnist(1500), scaler=scaler, **changes)


def build(optimizer="adam", learning_rate=3e-3, activation="silu", initializer="glorot_uniform", **changes):
    vae = VAE(activation=activation, initializer=initializer, **changes)
    vae.build((None, 784))
    vae.compile(optimizer=make_optimizer(optimizer, learning_rate))
    return vae


VARIANTS = {"nadam": Variant(build={"optimizer": "nadam"}), "relu": Variant(build={"activation": "relu"})}
FAULTS = {
    "mean_per_pixel": Fault("model.regularization", build={"pixels": 1}),
    "kl_x6": Fault("model.regularization", build={"kl_weight": 6.0}),
    "latent_2": Fault("model.capacity_too_small", build={"latent": 2}),
    "tanh_output": Fault("model.output_activation", build={"output": "tanh"}),
    "standardised": Fault("data.scaling", data={"scaler": "pooled"}),
    "rate_3e-4": Fault("optimizer.learning_rate_too_low", build={"learning_rate": 3e-4}),
    "relu_code": Fault("model.dead_units", build={"code_activation": "relu"}),
    "wide_weights": Fault("model.initialization", build={"initializer": WIDE}),
}
COMPOUNDS = [("latent_2", "rate_3e-4"), ("kl_x6", "rate_3e-4")]
