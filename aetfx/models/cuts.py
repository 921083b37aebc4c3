"""Finding the code: the narrowest layer through which all goes that the output depends on.

In a U-Net the narrowest layer is none: its skip connections carry the rows past it. Whether a layer is passed by is
measured: the output is computed for other rows while the layer gives what it gave before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aetfx.models.drafts import Draft
from aetfx.models.tracing import tensors_in, trace

_NOTHING = 1e-3  # share of the usual difference between two outputs below which they count as equal


def find_code(model: Any, rows: np.ndarray, inner: list[Draft], n_values: int) -> tuple[int | None, bool]:
    """Finds the code among the layers before the output.

    Args:
      model: built.
      rows: float32 (2, n, *shape): some rows, and others to see what still depends on them.
      inner: the weighted layers before the output.
      n_values: values of one row.

    Returns:
      Its place in `inner`, or None; and whether every layer narrower than a row is passed by.
    """
    if not inner:
        return None, False
    middle = (len(inner) - 1) / 2
    places = sorted(range(len(inner)), key=lambda i: (inner[i].width, abs(i - middle), i))
    if len(inner) == 1 and inner[0].width >= n_values:
        return places[0], False
    flow = _Flow(model, rows)
    for place in places:
        width = inner[place].width
        if width >= n_values and place != places[0]:
            break
        alike = [draft.name for draft in inner if draft.width == width]
        # Two halves of a code (mean and spread of a variational one) are a cut together.
        if flow.is_cut([inner[place].name]) or (len(alike) > 1 and flow.is_cut(alike)):
            return place, False
    if inner[places[0]].width >= n_values:
        return places[0], False
    return None, True


class _Flow:
    """What the output of a model depends on.

    Args:
      model: built.
      rows: as for `find_code`.
    """

    def __init__(self, model: Any, rows: np.ndarray):
        self._model, self._rows = model, rows
        self._states = [v for v in model.variables if not any(v is w for w in model.weights)]
        self._start = [np.asarray(state) for state in self._states]
        self._given: dict[str, list[Any]] = {}
        calls, output = self._pass(rows[0])
        for call in calls:
            self._given.setdefault(call.name, []).append(call.output)
        self._first = _values(output)
        self._reach = float(np.nanmax(np.abs(_values(self._pass(rows[1])[1]) - self._first), initial=0.0))

    def is_cut(self, names: list[str]) -> bool:
        """Whether the output stays the same for other rows while these layers give what they gave."""
        held = {name: self._given[name] for name in names}
        moved = np.abs(_values(self._pass(self._rows[1], held)[1]) - self._first)
        return not float(np.nanmax(moved, initial=0.0)) > _NOTHING * self._reach

    def _pass(self, rows: np.ndarray, held: dict[str, list[Any]] | None = None) -> Any:
        import keras

        keras.utils.set_random_seed(0)  # the same noise in every pass
        for state, value in zip(self._states, self._start, strict=True):
            state.assign(value)
        return trace(self._model, rows, held=held)


def _values(output: Any) -> np.ndarray:
    return np.concatenate([np.asarray(tensor, dtype=np.float64).ravel() for tensor in tensors_in(output)])
