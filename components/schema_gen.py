"""SchemaGen: what the train split looks like, or a reviewed schema."""

from kfp.dsl import Input, Output

from components.artifacts import ExampleStatistics, Schema
from components.base import component


@component
def schema_gen(
    statistics: Input[ExampleStatistics],
    schema: Output[Schema],
    given: str = "",
    digest: str = "",
) -> None:
    """Infers a schema, or takes the one that is given.

    Args:
      statistics: to infer it from.
      schema: in TFDV's format.
      given: place of a reviewed `schema.pbtxt`; "" infers one.
      digest: of its content when the pipeline was started; "" takes it as it is.
    """
    from aetfx.steps import data
    from components.base import work

    work(
        data.schema_gen,
        inputs={"statistics": statistics},
        outputs={"schema": schema},
        parameters={"given": given, "digest": digest},
    )
