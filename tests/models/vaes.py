"""Models that train themselves, as people write them: mostly variational autoencoders of rows of 6 numbers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

WIDTH, CODE = 6, 2


class Sampling(layers.Layer):
    """As in Keras's VAE example; not registered, its seed fixed."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed_generator)


def make_encoder(width=WIDTH, code=CODE, hidden=8, draws=True):
    rows = keras.Input((width,))
    wide = layers.Dense(hidden, "relu", name="wide")(rows)
    mean, log_var = layers.Dense(code, name="z_mean")(wide), layers.Dense(code, name="z_log_var")(wide)
    return keras.Model(rows, [mean, log_var, Sampling()([mean, log_var])] if draws else [mean, log_var], name="encoder")


def make_decoder(width=WIDTH, code=CODE, hidden=8, activation=None):
    code_in = keras.Input((code,))
    back = layers.Dense(hidden, "relu", name="back")(code_in)
    return keras.Model(code_in, layers.Dense(width, activation, name="out")(back), name="decoder")


def kl_of(mean, log_var):
    return -0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=1))


class VAE(keras.Model):
    """Keras's example: two models in, no `call`, no `get_config`, a step of its own on rows alone."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.total_loss_tracker = keras.metrics.Mean(name="loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(name="reconstruction_loss")
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_loss_tracker, self.reconstruction_loss_tracker, self.kl_loss_tracker]

    def reconstruction_loss(self, rows, rebuilt):
        return ops.mean(ops.sum(ops.square(rows - rebuilt), axis=-1))

    def weighted(self, kl_loss):
        return kl_loss

    def rows_of(self, data):
        return data

    def train_step(self, data):
        rows = self.rows_of(data)
        with tf.GradientTape() as tape:
            mean, log_var, drawn = self.encoder(rows)
            reconstruction_loss = self.reconstruction_loss(rows, self.decoder(drawn))
            kl_loss = self.weighted(kl_of(mean, log_var))
            total = reconstruction_loss + kl_loss
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total)
        self.reconstruction_loss_tracker.update_state(reconstruction_loss)
        self.kl_loss_tracker.update_state(kl_loss)
        return {tracker.name: tracker.result() for tracker in self.metrics}


class Pairs(VAE):
    """The same, fitted with `fit(x, x)`, and its loss under another name."""

    def __init__(self, *arguments, **kwargs):
        super().__init__(*arguments, **kwargs)
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")

    def rows_of(self, data):
        rows, _ = data
        return rows


class Called(VAE):
    """The same with a `call`."""

    def call(self, inputs):
        return self.decoder(self.encoder(inputs)[2])


class MeanReduced(VAE):
    """The reconstruction as a mean over the columns: the KL is as many times too strong as there are columns."""

    def reconstruction_loss(self, rows, rebuilt):
        return ops.mean(ops.square(rows - rebuilt))


class CrossEntropy(VAE):
    """The reconstruction as for pixels between 0 and 1, whatever the rows are."""

    def reconstruction_loss(self, rows, rebuilt):
        return ops.mean(ops.sum(ops.binary_crossentropy(rows, rebuilt, from_logits=True), axis=-1))


class Weighted(MeanReduced):
    """The same with the weight of the KL as an argument."""

    def __init__(self, encoder, decoder, kl_weight=1.0, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.kl_weight = kl_weight

    def weighted(self, kl_loss):
        return self.kl_weight * kl_loss


class Compiled(Weighted):
    """The same with the compiled loss as reconstruction, counted so many times."""

    def __init__(self, encoder, decoder, times=1.0, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.times = times

    def reconstruction_loss(self, rows, rebuilt):
        return self.times * self.compute_loss(y=rows, y_pred=rebuilt)


def compiled_vae(width=WIDTH, code=CODE, rate=1e-3, **settings):
    model = keras_example(Compiled, width, code, **settings)
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


class KLLayer(layers.Layer):
    """Adds the divergence to the loss with `add_loss`, at a weight of its own."""

    def __init__(self, kl_weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.kl_weight = kl_weight

    def call(self, inputs):
        self.add_loss(self.kl_weight * kl_of(*inputs))
        return inputs[0]

    def get_config(self):
        return {**super().get_config(), "kl_weight": self.kl_weight}


class LogVarHeads(keras.Model):
    """Heads as attributes, `add_loss` in `call`, compiled with an ordinary loss: `fit(x, x)`."""

    def __init__(self, width=WIDTH, code=CODE, beta=0.01, **kwargs):
        super().__init__(**kwargs)
        self.width, self.code, self.beta = width, code, beta
        self.wide, self.mu, self.logvar = layers.Dense(8, "relu"), layers.Dense(code), layers.Dense(code)
        self.back = keras.Sequential([layers.Dense(8, "relu"), layers.Dense(width)])
        self.seed = keras.random.SeedGenerator(3)

    def call(self, inputs, training=False):
        wide = self.wide(inputs)
        mean, log_var = self.mu(wide), self.logvar(wide)
        self.add_loss(self.beta * kl_of(mean, log_var))
        if training:
            mean = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seed)
        return self.back(mean)


def keras_example(kind=VAE, width=WIDTH, code=CODE, rate=1e-3, **settings):
    """An instance, as in a notebook: `kind(encoder, decoder)`, compiled without a loss."""
    model = kind(make_encoder(width, code), make_decoder(width, code), **settings)
    model.compile(keras.optimizers.Adam(rate))
    return model


def functional_kl(width=WIDTH, code=CODE, kl_weight=0.01):
    """A functional VAE whose KL is a layer: nothing of its own but layers."""
    rows = keras.Input((width,))
    wide = layers.Dense(8, "relu")(rows)
    mean, log_var = layers.Dense(code, name="z_mean")(wide), layers.Dense(code, name="z_log_var")(wide)
    mean = KLLayer(kl_weight, name="kl")([mean, log_var])
    model = keras.Model(rows, make_decoder(width, code)(Sampling()([mean, log_var])))
    model.compile("adam", "mse")
    return model


def log_var_heads(**settings):
    model = LogVarHeads(**settings)
    model(np.zeros((1, model.width), "float32"))
    model.compile("adam", "mse")
    return model


class Opaque(keras.Model):
    """Keeps its argument under no name: nobody can build it again but its author."""

    def __init__(self, units, first=None, **kwargs):
        super().__init__(**kwargs)
        self.first, self.last = first or layers.Dense(units), layers.Dense(WIDTH)

    def call(self, inputs):
        return self.last(self.first(inputs))

    def get_config(self):
        raise NotImplementedError("this class has no config")


def opaque():
    model = Opaque(units=3)
    model.compile("adam", "mse")
    return model


class Adversarial(keras.Model):
    """An adversarial autoencoder: two optimizers, given to a `compile` of its own."""

    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((WIDTH,)), layers.Dense(8, "relu"), layers.Dense(CODE)])
        self.decoder = keras.Sequential([keras.Input((CODE,)), layers.Dense(8, "relu"), layers.Dense(WIDTH)])
        self.critic = keras.Sequential([keras.Input((CODE,)), layers.Dense(8, "relu"), layers.Dense(1)])

    def call(self, inputs):
        return self.decoder(self.encoder(inputs))

    def compile(self, ae_optimizer, critic_optimizer):
        super().compile()
        self.ae_optimizer, self.critic_optimizer = ae_optimizer, critic_optimizer

    def train_step(self, data):
        rows = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            code = self.encoder(rows)
            real = keras.random.normal(ops.shape(code), seed=1)
            critic_loss = ops.mean(ops.softplus(self.critic(code))) + ops.mean(ops.softplus(-self.critic(real)))
        weights = self.critic.trainable_weights
        self.critic_optimizer.apply_gradients(zip(tape.gradient(critic_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            code = self.encoder(rows)
            loss = ops.mean(ops.square(self.decoder(code) - rows)) + 0.01 * ops.mean(ops.softplus(-self.critic(code)))
        weights = self.encoder.trainable_weights + self.decoder.trainable_weights
        self.ae_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"ae_loss": loss, "critic_loss": critic_loss}


def adversarial():
    model = Adversarial()
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.001))
    return model


class Literal(layers.Layer):
    """The same with its weight written into the code."""

    def call(self, inputs):
        self.add_loss(3.0 * kl_of(*inputs))
        return inputs[0]


def functional_literal(width=WIDTH, code=CODE):
    """A functional VAE whose KL is added by a layer, at a weight that is written into its code."""
    rows = keras.Input((width,))
    wide = layers.Dense(8, "relu")(rows)
    mean, log_var = layers.Dense(code, name="z_mean")(wide), layers.Dense(code, name="z_log_var")(wide)
    mean = Literal(name="kl")([mean, log_var])
    model = keras.Model(rows, make_decoder(width, code)(Sampling()([mean, log_var])))
    model.compile("adam", "mse")
    return model


class Attribute(MeanReduced):
    """The weight of the KL as an attribute that no argument sets."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.kl_coef = 2.0

    def weighted(self, kl_loss):
        return self.kl_coef * kl_loss
