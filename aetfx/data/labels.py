"""Labels of rows from a file: one number for each row, in their order."""

from __future__ import annotations

import numpy as np

from aetfx.data.rows import load
from aetfx.data.sources import Source, open_source
from aetfx.errors import DataError


def open_labels(path: str) -> Source:
    """Opens a file of labels and checks its header.

    Raises:
      DataError: the file is missing or damaged, or holds more than one column of numbers.
    """
    source = open_source(path)
    if len(source.names) != 1:
        raise DataError(
            f"{path}: labels are one number for each row, but it holds {len(source.names)} columns of numbers "
            f"({', '.join(source.names[:4])}{', ...' if len(source.names) > 4 else ''}). Write the labels into a file "
            "of their own, with one column."
        )
    return source


def read_labels(path: str) -> np.ndarray:
    """Returns the labels of a file, float (n,).

    Raises:
      DataError: see `open_labels`; or a row of it cannot be read, so that the others are not in their places.
    """
    rows = load(open_labels(path))
    if rows.quarantined:
        bad = rows.quarantined[0]
        raise DataError(
            f"{path}: a label cannot be read ({bad.reason}), so that the rows behind it have none. Mend it."
        )
    return rows.values.reshape(-1)
