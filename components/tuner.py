"""Tuner: every configuration of a study, trained and ranked on one machine."""

from typing import NamedTuple

from kfp.dsl import Input, Metrics, Output

from components.artifacts import Examples, HyperParameters, TunerResults
from components.base import component


@component
def tuner(
    examples: Input[Examples],
    study: str,
    best_hyperparameters: Output[HyperParameters],
    tuner_results: Output[TunerResults],
    metrics: Output[Metrics],
) -> NamedTuple("Best", [("values", str)]):
    """Compares configurations.

    Args:
      examples: to train and score on.
      study: text of the study, with `compare`.
      best_hyperparameters: values of the best one.
      tuner_results: the run directory of the comparison.
      metrics: its score.

    Returns:
      The best values as JSON, for the steps that follow.
    """
    from aetfx.steps import models
    from components.base import work

    told = work(
        models.tuner,
        inputs={"examples": examples},
        outputs={"best_hyperparameters": best_hyperparameters, "tuner_results": tuner_results, "metrics": metrics},
        parameters={"study": study},
    )
    return (told["best_hyperparameters"]["values"],)
