"""Trainer: one configuration as a model that takes raw rows and gives back raw rows."""

from kfp.dsl import Input, Metrics, Output

from components.artifacts import Examples, Model, ModelRun, TransformGraph
from components.base import component


@component
def trainer(
    examples: Input[Examples],
    transform_graph: Input[TransformGraph],
    study: str,
    model: Output[Model],
    model_run: Output[ModelRun],
    metrics: Output[Metrics],
    values: str = "",
    seeds: int = 1,
    publish_to: str = "",
) -> None:
    """Trains a model.

    Args:
      examples: to train on.
      transform_graph: the preprocessing that the model must have.
      study: text of the study.
      model: for TensorFlow Serving, and for Keras.
      model_run: TensorBoard logs.
      metrics: its score on held-out rows.
      values: of what the study compares, as JSON; "" for its baseline.
      seeds: how many to train.
      publish_to: place below which the Evaluator of a sweep finds the models; "" for none.
    """
    from aetfx.steps import models
    from components.base import work

    work(
        models.trainer,
        inputs={"examples": examples, "transform_graph": transform_graph},
        outputs={"model": model, "model_run": model_run, "metrics": metrics},
        parameters={"study": study, "values": values, "seeds": seeds, "publish_to": publish_to},
    )
