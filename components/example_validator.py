"""ExampleValidator: where the data break the schema."""

from kfp.dsl import Input, Output

from components.artifacts import ExampleAnomalies, ExampleStatistics, Schema
from components.base import component


@component
def example_validator(
    statistics: Input[ExampleStatistics],
    schema: Input[Schema],
    anomalies: Output[ExampleAnomalies],
    strict: bool = False,
) -> None:
    """Validates statistics.

    Args:
      statistics: of the data.
      schema: to validate against.
      anomalies: in TFDV's format.
      strict: fail where the data should not be trained on.
    """
    from aetfx.steps import data
    from components.base import work

    work(
        data.example_validator,
        inputs={"statistics": statistics, "schema": schema},
        outputs={"anomalies": anomalies},
        parameters={"strict": strict},
    )
