"""Diagnoser: why a study's autoencoder fails, and which one change fixes it."""

from kfp.dsl import HTML, Metrics, Output

from components.artifacts import Diagnosis
from components.base import component


@component
def diagnoser(
    study: str,
    digest: str,
    diagnosis: Output[Diagnosis],
    report: Output[HTML],
    metrics: Output[Metrics],
) -> None:
    """Diagnoses a study, as `aetfx diagnose` does.

    Args:
      study: text of the study.
      digest: of its rows when the pipeline was started; "" takes them as they are.
      diagnosis: the run directory, with the repaired model.
      report: `report.html`.
      metrics: score before and after, and number of causes.
    """
    from aetfx.steps import models
    from components.base import work

    work(
        models.diagnoser,
        outputs={"diagnosis": diagnosis, "report": report, "metrics": metrics},
        parameters={"study": study, "digest": digest},
    )
