"""The artifacts that components hand on. Names and file layouts are TFX's, so that its other tools read them.

Kubeflow's SDK takes types of its own only (`system.*`), so that to it statistics and a schema are alike. Which of these
classes an artifact is stands in its metadata as `type_name`; `components.base.work` refuses one of another class when a
step starts, and `pipelines.compiling` when a pipeline is compiled.
"""

from __future__ import annotations

from kfp import dsl

# Of an artifact by the name that it has in every component, TFX's own where TFX has one.
TYPE_NAMES = {
    "examples": "Examples",
    "statistics": "ExampleStatistics",
    "schema": "Schema",
    "anomalies": "ExampleAnomalies",
    "transform_graph": "TransformGraph",
    "best_hyperparameters": "HyperParameters",
    "tuner_results": "TunerResults",
    "model": "Model",
    "model_run": "ModelRun",
    "evaluation": "ModelEvaluation",
    "blessing": "ModelBlessing",
    "pushed_model": "PushedModel",
    "diagnosis": "Diagnosis",
}


class Examples(dsl.Dataset):
    """`Split-train/data_tfrecord-00000-of-00001.gz`, `Split-eval/...`: TFRecords of `tf.Example`."""


class ExampleStatistics(dsl.Artifact):
    """`Split-train/FeatureStats.pb`, `Split-eval/FeatureStats.pb`; aetfx's `findings.json` beside."""


class Schema(dsl.Artifact):
    """`schema.pbtxt`."""


class ExampleAnomalies(dsl.Artifact):
    """`Split-train/SchemaDiff.pb`, `Split-eval/SchemaDiff.pb`."""


class TransformGraph(dsl.Artifact):
    """`transform_fn/`, `metadata/schema.pbtxt`, `transformed_metadata/schema.pbtxt`."""


class HyperParameters(dsl.Artifact):
    """`best_hyperparameters.txt`."""


class TunerResults(dsl.Artifact):
    """`tuner_results.json`, and what `aetfx compare` leaves."""


class Model(dsl.Model):
    """`Format-Serving/saved_model.pb`, and `model.keras`."""


class ModelRun(dsl.Artifact):
    """TensorBoard logs of the training."""


class ModelEvaluation(dsl.Artifact):
    """`evaluation.json`, `evaluation.parquet`, `samples.npz`."""


class ModelBlessing(dsl.Artifact):
    """An empty file `BLESSED` or `NOT_BLESSED`."""


class PushedModel(dsl.Artifact):
    """`push.json`: where the model went, or why it did not."""


class Diagnosis(dsl.Artifact):
    """The run directory of `aetfx diagnose`."""
