"""Transform: the preprocessing of one configuration, fitted on the train split."""

from kfp.dsl import Input, Output

from components.artifacts import Examples, TransformGraph
from components.base import component


@component
def transform(
    examples: Input[Examples],
    study: str,
    transform_graph: Output[TransformGraph],
    values: str = "",
) -> None:
    """Fits a preprocessing.

    Args:
      examples: to fit it on.
      study: text of the study.
      transform_graph: as TensorFlow Transform writes it.
      values: of what the study compares, as JSON; "" for its baseline.
    """
    from aetfx.steps import data
    from components.base import work

    work(
        data.transform,
        inputs={"examples": examples},
        outputs={"transform_graph": transform_graph},
        parameters={"study": study, "values": values},
    )
