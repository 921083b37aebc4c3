"""A few pairs of original and reconstruction for TensorBoard's own Images tab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from aetfx.figures.png import encode
from aetfx.figures.rows import pixels, value_range
from aetfx.tensorboard_plugin import payload
from aetfx.tensorboard_plugin.event_file import tensor

_PAIRS = 5


def with_pictures(values: Iterator[Any], report: dict[str, Any], best: int) -> Iterator[Any]:
    """Passes summaries on, and adds some of the worst rows, each beside its reconstruction.

    Args:
      values: the summaries of the dashboard.
      report: its JSON.
      best: place of the configuration whose reconstructions are shown.
    """
    kept = report.get("rows")
    if not kept or kept["kind"] != "picture":
        yield from values
        return
    from tensorboard.util import tensor_util

    wanted = {payload.SCALE: None, payload.TRUTH: None, payload.ERRORS: None, payload.rows_tag(best): None}
    tensors: dict[str, np.ndarray] = {}
    for value in values:
        if value.tag in wanted:
            tensors[value.tag] = tensor_util.make_ndarray(value.tensor)
        yield value
    if set(wanted) - tensors.keys():
        return
    truth, scale = tensors[payload.TRUTH], tensors[payload.SCALE]
    errors = tensors[payload.ERRORS][best]
    order = np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:_PAIRS]
    shape = tuple(kept["shape"])
    low, high = value_range(truth)
    name = report["evaluation"]["configurations"][best]["name"]
    for number, row in enumerate(order, start=1):
        restored = scale[0] + tensors[payload.rows_tag(best)][row].astype(np.float32) * scale[1]
        gap = np.full((shape[0], 1, 4), 255, np.uint8)
        pair = np.concatenate([pixels(truth[row], shape, low, high), gap, pixels(restored, shape, low, high)], axis=1)
        yield _picture(f"worst rows/{number}", pair, f"Row {kept['place'][row]} beside its reconstruction by {name}")


def _picture(tag: str, picture: np.ndarray, description: str) -> Any:
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.image import metadata

    height, width = picture.shape[:2]
    parts = [str(width).encode(), str(height).encode(), encode(picture)]
    about = metadata.create_summary_metadata(display_name=tag, description=description)
    return summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=tensor(parts))
