"""`sweep`: configurations dealt out over pods, and one Evaluator that scores them all in one pass.

Each Trainer publishes its model below a known place, under the identity of its configuration; the Evaluator lists that
place. Nothing is collected from the loop: collecting fails on many Kubeflow installations (kubeflow/pipelines#10035,
#11520). Kubeflow's local runner knows no loops: `define` then unrolls the same body.
"""

from collections.abc import Sequence
from typing import Any

from kfp import dsl

from components.artifacts import Examples
from components.evaluator import evaluator_of_many
from components.example_gen import example_gen
from components.example_validator import example_validator
from components.schema_gen import schema_gen
from components.statistics_gen import statistics_gen
from components.trainer import trainer
from components.transform import transform
from pipelines.resources import heavy, light

AT_ONCE = 8  # pods that train at a time


def define(unrolled: Sequence[str] | None = None) -> Any:
    """Returns the pipeline.

    Args:
      unrolled: the configurations, where they are known and no loop may be used; None for a loop over a parameter.
    """

    def one(examples: Any, study: Any, values: Any, seeds: Any, models_at: Any) -> Any:
        fitted = light(transform(examples=examples, study=study, values=values), "Transform")
        return heavy(
            trainer(
                examples=examples,
                transform_graph=fitted.outputs["transform_graph"],
                study=study,
                values=values,
                seeds=seeds,
                publish_to=models_at,
            ),
            "Trainer",
        )

    @dsl.pipeline(name="configurations", description="The loop over configurations.")
    def all_of_them(
        examples: dsl.Input[Examples], study: str, configurations: list, seeds: int, models_at: str
    ) -> None:
        with dsl.ParallelFor(items=configurations, parallelism=AT_ONCE) as values:
            one(examples, study, values, seeds, models_at)

    @dsl.pipeline(name="sweep", description="Many configurations, a pod for each, scored on the same rows.")
    def sweep(
        study: str,
        models_at: str,
        configurations: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
        digest: str = "",
        schema: str = "",
        schema_digest: str = "",
        strict: bool = False,
        seeds: int = 1,
        beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
    ) -> None:
        """Trains and scores every configuration of a study.

        Args:
          study: text of the study, with `compare`.
          models_at: place of this sweep alone, below which the models are published.
          configurations: values of each, as JSON (`python -m pipelines arguments sweep ...` prints them).
          digest: of its rows, so that a cached step is not taken for rows that have changed.
          schema: place of a reviewed `schema.pbtxt`; "" infers one.
          schema_digest: of its content, for the same reason.
          strict: stop where the data should not be trained on.
          seeds: how many times each is trained.
          beam_flags: of Beam, a list of strings.
        """
        made = light(example_gen(study=study, digest=digest, beam_flags=beam_flags), "ExampleGen")
        examples = made.outputs["examples"]
        counted = light(statistics_gen(examples=examples, beam_flags=beam_flags), "StatisticsGen")
        statistics = counted.outputs["statistics"]
        inferred = light(schema_gen(statistics=statistics, given=schema, digest=schema_digest), "SchemaGen")
        checked = light(
            example_validator(statistics=statistics, schema=inferred.outputs["schema"], strict=strict),
            "ExampleValidator",
        )
        if unrolled is None:
            loop = all_of_them(
                examples=examples, study=study, configurations=configurations, seeds=seeds, models_at=models_at
            )
            trained = [loop.after(checked)]
        else:
            trained = [one(examples, study, values, seeds, models_at) for values in unrolled]
        judged = evaluator_of_many(examples=examples, study=study, models_at=models_at, beam_flags=beam_flags)
        # Never from Kubeflow's cache: what lies below models_at is not among its inputs.
        heavy(judged, "Evaluator").after(*trained).set_caching_options(False)

    return sweep
