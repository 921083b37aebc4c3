"""`validation`: the gate of a night. It fails where the data should not be trained on."""

from typing import Any

from kfp import dsl

from components.example_gen import example_gen
from components.example_validator import example_validator
from components.schema_gen import schema_gen
from components.statistics_gen import statistics_gen
from pipelines.resources import light


def define() -> Any:
    """Returns the pipeline."""

    @dsl.pipeline(name="validation", description="Fails where the data should not be trained on.")
    def validation(
        study: str,
        digest: str = "",
        schema: str = "",
        schema_digest: str = "",
        strict: bool = True,
        beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
    ) -> None:
        """Statistics, schema and anomalies.

        Args:
          study: text of the study; only its data are read.
          digest: of its rows, so that a cached step is not taken for rows that have changed.
          schema: place of a reviewed `schema.pbtxt`; "" infers one from the train split.
          schema_digest: of its content, for the same reason.
          strict: fail where a finding or an anomaly is an error.
          beam_flags: of Beam, a list of strings.
        """
        made = light(example_gen(study=study, digest=digest, beam_flags=beam_flags), "ExampleGen")
        counted = light(statistics_gen(examples=made.outputs["examples"], beam_flags=beam_flags), "StatisticsGen")
        statistics = counted.outputs["statistics"]
        inferred = light(schema_gen(statistics=statistics, given=schema, digest=schema_digest), "SchemaGen")
        light(
            example_validator(statistics=statistics, schema=inferred.outputs["schema"], strict=strict),
            "ExampleValidator",
        )

    return validation
