"""A fitted preprocessing as TensorFlow Transform would leave it: `transform_fn/`, `metadata/`, `transformed_metadata/`.

`tft.TFTransformOutput` reads the folder: a SavedModel whose `transform_fn` takes a dictionary of raw features and gives
one of transformed features of the same names, and a schema for each side. `preprocessing.json` holds the figures that
were fitted. Everything is float32 outside, as in `tf.Example`; a missing cell is NaN (the schema tells so), and inside
all is computed in float64, as in the model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aetfx.preprocessing.transform import Preprocessing
from aetfx.run import content_hash, write_json, write_text

FITTED = "preprocessing.json"


@dataclass(frozen=True)
class Column:
    """A feature of the Examples.

    Attributes:
      name: of the feature.
      size: values in each Example.
      whole: whether they are int64.
    """

    name: str
    size: int = 1
    whole: bool = False


def write_transform_graph(preprocessing: Preprocessing, columns: Sequence[Column], out: Path) -> str:
    """Writes the graph.

    Args:
      preprocessing: fitted on rows of these columns.
      columns: of the Examples, in the order of the numbers of a row.
      out: a folder.

    Returns:
      Hash of what was fitted.

    Raises:
      RunError: a file cannot be written.
    """
    import tensorflow as tf

    module = _module(preprocessing, columns)
    tf.saved_model.save(module, str(out / "transform_fn"))
    write_text(out / "metadata" / "schema.pbtxt", _schema(columns, optional=True))
    transformed = [Column(column.name, column.size) for column in columns]
    write_text(out / "transformed_metadata" / "schema.pbtxt", _schema(transformed, optional=False))
    config = preprocessing.to_config()
    write_json(out / FITTED, {"schema_version": 1, "hash": content_hash(config), "fitted": config})
    return content_hash(config)


def _module(preprocessing: Preprocessing, columns: Sequence[Column]) -> Any:
    import tensorflow as tf

    from aetfx.preprocessing.layers import Prepare

    config, shape = preprocessing.to_config(), list(preprocessing.shape)
    steps = {name: value for name, value in config.items() if isinstance(value, dict) and name != "spec"}
    padding = {} if preprocessing.padding is None or len(shape) < 2 else {"padding": preprocessing.padding}
    prepare = Prepare({**steps, **padding, "sentinels": config["sentinels"]}, shape, name="prepare")
    sizes = [column.size for column in columns]
    if sum(sizes) != math.prod(shape):
        raise ValueError(f"{sum(sizes)} numbers in the columns, but rows of shape {tuple(shape)} were fitted")

    signature = {
        column.name: tf.TensorSpec([None, column.size], tf.int64 if column.whole else tf.float32, _word(column.name))
        for column in columns
    }

    @tf.function(input_signature=[signature], autograph=False)
    def transform_fn(inputs: dict[str, Any]) -> dict[str, Any]:
        rows = tf.concat([tf.cast(inputs[column.name], tf.float64) for column in columns], axis=1)
        fed = prepare(tf.reshape(rows, [-1, *shape]))
        parts = tf.split(tf.reshape(fed, [-1, sum(sizes)]), sizes, axis=1)
        return {column.name: part for column, part in zip(columns, parts, strict=True)}

    module = tf.Module()
    module.transform_fn = transform_fn
    return module


def _schema(columns: Sequence[Column], optional: bool) -> str:
    """Returns a schema of dense features.

    Args:
      columns: the features.
      optional: whether floats may be missing, and then read as NaN. TensorFlow Transform takes a shape only where they
        may not.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()
    group = schema.tensor_representation_group[""]
    for column in columns:
        feature = schema.feature.add(name=column.name)
        feature.type = schema_pb2.INT if column.whole else schema_pb2.FLOAT
        dense = group.tensor_representation[column.name].dense_tensor
        dense.column_name = column.name
        dense.shape.dim.add(size=column.size)
        if optional and not column.whole:
            dense.default_value.float_value = math.nan
        else:
            feature.presence.min_fraction = 1.0
            feature.shape.dim.add(size=column.size)
    return str(text_format.MessageToString(schema))


def _word(name: str) -> str:
    """What TensorFlow takes for the name of an argument."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in name) or "_"
