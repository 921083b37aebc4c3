"""`diagnosis`: everything, from rows to a pushed model and to why it fails.

The Diagnoser stands beside the model's way: it needs data that pass validation, and nothing that is trained before.
"""

from typing import Any

from kfp import dsl

from components.diagnoser import diagnoser
from components.evaluator import evaluator
from components.example_gen import example_gen
from components.example_validator import example_validator
from components.pusher import pusher
from components.schema_gen import schema_gen
from components.statistics_gen import statistics_gen
from components.trainer import trainer
from components.transform import transform
from components.tuner import tuner
from pipelines.resources import heavy, light


def define() -> Any:
    """Returns the pipeline."""

    @dsl.pipeline(name="diagnosis", description="Rows to a pushed model, and why it gives back the wrong data.")
    def diagnosis(
        study: str,
        digest: str = "",
        schema: str = "",
        schema_digest: str = "",
        strict: bool = False,
        seeds: int = 1,
        push_to: str = "",
        beam_flags: list = [],  # noqa: B006 (Kubeflow takes defaults from here)
    ) -> None:
        """All components, once.

        Args:
          study: text of the study (`python -m pipelines arguments diagnosis --study STUDY.yaml` prints it).
          digest: of its rows, so that a cached step is not taken for rows that have changed.
          schema: place of a reviewed `schema.pbtxt`; "" infers one.
          schema_digest: of its content, for the same reason.
          strict: stop where the data should not be trained on.
          seeds: how many times the best configuration is trained.
          push_to: place that TensorFlow Serving watches; "" pushes nothing.
          beam_flags: of Beam, a list of strings: ["--runner=DataflowRunner", ...].
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
        heavy(diagnoser(study=study, digest=digest), "Diagnoser").after(checked)
        tuned = heavy(tuner(examples=examples, study=study), "Tuner").after(checked)
        values = tuned.outputs["values"]
        fitted = light(transform(examples=examples, study=study, values=values), "Transform")
        trained = heavy(
            trainer(
                examples=examples,
                transform_graph=fitted.outputs["transform_graph"],
                study=study,
                values=values,
                seeds=seeds,
            ),
            "Trainer",
        )
        model = trained.outputs["model"]
        judged = heavy(evaluator(model=model, examples=examples, study=study, beam_flags=beam_flags), "Evaluator")
        pushed = light(pusher(model=model, blessing=judged.outputs["blessing"], push_to=push_to), "Pusher")
        # Never from Kubeflow's cache: another model may have been pushed since.
        pushed.set_caching_options(False)

    return diagnosis
