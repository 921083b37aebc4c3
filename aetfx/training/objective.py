"""Changing what a model minimises, where its loss is not a loss of Keras's that could be exchanged.

A recipe's `objective` is plain data, one of

  {"attributes": {"2.kl_weight": 0.1}}       numbers that the model or its layers hold as attributes: number 0 is the
                                             model, then its layers in the order in which Keras lists them
  {"reconstruction": 64.0, "added": 0.1}     factors of the compiled loss and of what layers add with `add_loss`
  {"elbo": "mse" | "bce", "beta": 0.1}       aetfx's own training step on the model's encoder and decoder

The last is the evidence lower bound of Kingma and Welling (2014), eq. 10, with the KL term times beta: the
reconstruction is *summed* over the values of a row, the KL over the units of the code, and both are means over
rows. It takes the place of a `train_step` whose weights are written into its code, where nobody can change them.
What other layers add to the loss is left out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aetfx.models.passing import halves, mean_and_spread, what_is_decoded


def apply_objective(model: Any, objective: Mapping[str, Any], loss_key: str = "loss") -> None:
    """Changes a freshly built model, before it is compiled; `loss_key` is what its loss is to be reported as."""
    for place, value in objective.get("attributes", {}).items():
        number, name = place.split(".", 1)
        setattr(_numbered(model)[int(number)], name, value)
    if "added" in objective:
        _become(model, _scaled(type(model), objective["reconstruction"], objective["added"]))
    if "elbo" in objective:
        _become(model, _elbo(type(model), objective["elbo"], objective["beta"], loss_key))


def numbers(model: Any) -> dict[str, float]:
    """Returns the plain numbers among the attributes of a model and its layers, by place (`2.kl_weight`)."""
    return {
        f"{i}.{name}": value
        for i, layer in enumerate(_numbered(model))
        for name, value in vars(layer).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not name.startswith("_")
    }


def _numbered(model: Any) -> list[Any]:
    return [model, *model._flatten_layers(include_self=False, recursive=True)]


def _become(model: Any, kind: type) -> None:
    object.__setattr__(model, "__class__", kind)


def _scaled(base: type, reconstruction: float, added: float) -> type:
    """Derives a class whose compiled loss, and whose added losses, count by these factors."""

    def compute_loss(self: Any, *args: Any, **kwargs: Any) -> Any:
        total = base.compute_loss(self, *args, **kwargs)  # type: ignore[attr-defined]
        extra = sum(self._aggregate_additional_loss(loss) for loss in self.losses)
        return reconstruction * (total - extra) + added * extra

    return type(base.__name__, (base,), {"compute_loss": compute_loss})


def _elbo(base: type, loss: str, beta: float, loss_key: str) -> type:
    """Derives a class that trains itself on the evidence lower bound."""
    import keras
    import tensorflow as tf
    from keras import ops

    def train_step(self: Any, data: Any) -> dict[str, Any]:
        encoder, decoder = halves(self)  # type: ignore[misc]
        inputs, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        rows = keras.tree.flatten(inputs)[0]
        asked = rows if targets is None else keras.tree.flatten(targets)[0]
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(encoder(rows, training=True))
            mean, log_var = mean_and_spread(outputs, decoder)  # type: ignore[misc]
            drawn = what_is_decoded(outputs, decoder)
            if len(outputs) < 3:  # the draw was made in the step that this one replaces
                drawn = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self._elbo_seed)
            rebuilt = keras.tree.flatten(decoder(drawn, training=True))[0]
            values = _per_value(loss, asked, rebuilt)
            rebuilt_loss = ops.mean(ops.sum(values, axis=tuple(range(1, len(values.shape)))))
            divergence = -0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=-1))
            total = rebuilt_loss + beta * divergence
        gradients = tape.gradient(total, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        for tracker, value in zip(self._elbo_trackers, (total, rebuilt_loss, divergence), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self._elbo_trackers}

    trackers = [keras.metrics.Mean(name=name) for name in (loss_key, "reconstruction_loss", "kl_loss")]
    members = {
        "train_step": train_step,
        "metrics": property(lambda self: list(self._elbo_trackers)),
        "_elbo_trackers": trackers,
        "_elbo_seed": keras.random.SeedGenerator(0),
    }
    return type(base.__name__, (base,), members)


def _per_value(loss: str, asked: Any, rebuilt: Any) -> Any:
    """Returns the loss of each value (n, *shape)."""
    from keras import ops

    asked = ops.cast(asked, rebuilt.dtype)
    if loss == "bce":
        clipped = ops.clip(rebuilt, 1e-7, 1 - 1e-7)
        return -(asked * ops.log(clipped) + (1 - asked) * ops.log(1 - clipped))
    return ops.square(asked - rebuilt)
