"""StatisticsGen: statistics of both splits, what is wrong with the data, and a page that shows it."""

from kfp.dsl import HTML, Input, Output

from components.artifacts import Examples, ExampleStatistics
from components.base import component


@component
def statistics_gen(
    examples: Input[Examples],
    statistics: Output[ExampleStatistics],
    report: Output[HTML],
    beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
) -> None:
    """Computes statistics.

    Args:
      examples: to count.
      statistics: in TFDV's format, with findings.
      report: the page of `aetfx validate`.
      beam_flags: Beam's own options.
    """
    from aetfx.steps import data
    from components.base import work

    work(
        data.statistics_gen,
        inputs={"examples": examples},
        outputs={"statistics": statistics, "report": report},
        parameters={"beam_flags": beam_flags},
    )
