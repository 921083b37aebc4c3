"""ExampleGen: the rows of a study as `tf.Example`, split into train and eval by row hash."""

from kfp.dsl import Output

from components.artifacts import Examples
from components.base import component


@component
def example_gen(
    study: str,
    digest: str,
    examples: Output[Examples],
    beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
) -> None:
    """Writes the rows of a study.

    Args:
      study: text of the study.
      digest: of its rows when the pipeline was started; "" takes them as they are.
      examples: TFRecords.
      beam_flags: Beam's own options.
    """
    from aetfx.steps import data
    from components.base import work

    work(
        data.example_gen,
        outputs={"examples": examples},
        parameters={"study": study, "digest": digest, "beam_flags": beam_flags},
    )
