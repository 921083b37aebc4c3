"""Evaluator: what a model makes of the eval split, and whether it is good enough."""

from kfp.dsl import Input, Metrics, Output

from components.artifacts import Examples, Model, ModelBlessing, ModelEvaluation
from components.base import component


@component
def evaluator(
    model: Input[Model],
    examples: Input[Examples],
    study: str,
    evaluation: Output[ModelEvaluation],
    blessing: Output[ModelBlessing],
    metrics: Output[Metrics],
    beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
) -> None:
    """Evaluates a model.

    Args:
      model: that Trainer wrote.
      examples: to score it on.
      study: text of the study, with `evaluation`.
      evaluation: scores by column and slice, and kept rows.
      blessing: whether the thresholds are met.
      metrics: the score with its interval.
      beam_flags: Beam's own options.
    """
    from aetfx.steps import models
    from components.base import work

    work(
        models.evaluator,
        inputs={"model": model, "examples": examples},
        outputs={"evaluation": evaluation, "blessing": blessing, "metrics": metrics},
        parameters={"study": study, "beam_flags": beam_flags},
    )


@component
def evaluator_of_many(
    examples: Input[Examples],
    study: str,
    models_at: str,
    evaluation: Output[ModelEvaluation],
    blessing: Output[ModelBlessing],
    metrics: Output[Metrics],
    beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
) -> None:
    """Evaluates all configurations of a study in one pass; their models are found by listing a place.

    Args:
      examples: to score them on.
      study: text of the study, with `compare`.
      models_at: place below which each Trainer published its model.
      evaluation, blessing, metrics, beam_flags: as above.
    """
    from aetfx.steps import models
    from components.base import work

    work(
        models.evaluator_of_many,
        inputs={"examples": examples},
        outputs={"evaluation": evaluation, "blessing": blessing, "metrics": metrics},
        parameters={"study": study, "models_at": models_at, "beam_flags": beam_flags},
        again="models_at",
    )
