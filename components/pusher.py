"""Pusher: a blessed model to where TensorFlow Serving looks for it."""

from kfp.dsl import Input, Output

from components.artifacts import Model, ModelBlessing, PushedModel
from components.base import component


@component
def pusher(
    model: Input[Model],
    blessing: Input[ModelBlessing],
    pushed_model: Output[PushedModel],
    push_to: str = "",
) -> None:
    """Pushes a model, unless it is not blessed.

    Args:
      model: that Trainer wrote.
      blessing: that Evaluator wrote.
      pushed_model: what was done, and why.
      push_to: place that TensorFlow Serving watches; "" pushes nothing.
    """
    from aetfx.steps import models
    from components.base import work

    work(
        models.pusher,
        inputs={"model": model, "blessing": blessing},
        outputs={"pushed_model": pushed_model},
        parameters={"push_to": push_to},
        again="push_to",
    )
