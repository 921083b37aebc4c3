"""What a base program is made of, and how one is read from its file.

A module in `programs/` has `ARCHITECTURE`, `DATASET`, `FIT` (arguments of `model.fit`), `data(**changes) -> Data`,
`build(**changes) -> compiled model`, `FAULTS` and, where there are any, `VARIANTS` and `COMPOUNDS`. Without changes
it is the good program. A *case* is one program of the suite: the good one, a variant, a fault or a compound.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.diagnosis import programs

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Data:
    """The rows of a program as its user has them, and those that nobody but the referee sees.

    Attributes:
      x_train, x_val: (n, ...) as fed to the model; no `x_val` where the user leaves the split to Keras.
      y_train, y_val: targets where they are not the inputs.
      x_fresh: rows as fed that neither training nor `x_val` has seen, without the damage of a fault.
      y_fresh: what the model should give back for them, as fed.
      truth: `y_fresh` in original units.
      train_mean: mean of the undamaged train targets in original units, of one row's shape.
      fed_mean: the same in the units of `y_fresh`.
      restore: takes predictions back to original units.
      table: whether columns are in unlike units in the original data, so that each has a score of its own.
      scored: which cells of a row vary enough to be scored, bool (D,).
      x_worn: the fresh rows as fed, with the damage that train and val rows have; None where there is none.
      whole: which of their cells are as in the undamaged rows, bool like `x_worn`.
      feed: takes rows in original units to those of the train rows.
    """

    x_train: np.ndarray
    x_val: np.ndarray | None
    x_fresh: np.ndarray
    y_fresh: np.ndarray
    truth: np.ndarray
    train_mean: np.ndarray
    fed_mean: np.ndarray
    restore: Callable[[np.ndarray], np.ndarray]
    table: bool
    scored: np.ndarray
    y_train: np.ndarray | None = None
    y_val: np.ndarray | None = None
    x_worn: np.ndarray | None = None
    whole: np.ndarray | None = None
    feed: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def as_held_out(self) -> np.ndarray:
        """The fresh rows with all that is wrong with the user's own held-out rows."""
        return self.x_fresh if self.x_worn is None else self.x_worn

    @property
    def asked(self) -> dict[str, np.ndarray]:
        """Targets as arguments of `aetfx.diagnose`, where they are not the inputs."""
        return {name: value for name in ("y_train", "y_val") if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class Fault:
    """One change that spoils a good program.

    Attributes:
      code: the cause that it is.
      data, build, fit: changed arguments.
      of: the healthy variant that is changed.
    """

    code: str
    data: Changes = field(default_factory=dict)
    build: Changes = field(default_factory=dict)
    fit: Changes = field(default_factory=dict)
    of: str = "good"


@dataclass(frozen=True)
class Variant:
    """Other settings under which the program should be as good.

    Attributes:
      data, build, fit: changed arguments.
      search: whether a search of its own is needed, because it is not a point of the good program's search.
    """

    data: Changes = field(default_factory=dict)
    build: Changes = field(default_factory=dict)
    fit: Changes = field(default_factory=dict)
    search: bool = False


@dataclass(frozen=True)
class Case:
    """One program of the suite.

    Attributes:
      base, name: e.g. `wdbc_dense`, `raw_columns`.
      kind: "healthy", "fault" or "compound".
      codes: the injected causes; none for healthy programs.
      data, build, fit: changed arguments.
      of: the healthy case that was spoilt.
      search: see `Variant`.
    """

    base: str
    name: str
    kind: str
    codes: tuple[str, ...]
    data: Changes
    build: Changes
    fit: Changes
    of: str = "good"
    search: bool = False

    @property
    def key(self) -> str:
        return f"{self.base}.{self.name}"


class Program:
    """A base program by name."""

    def __init__(self, base: str):
        self.base = base
        self.module: ModuleType = importlib.import_module(f"{programs.__name__}.{base}")

    @property
    def architecture(self) -> str:
        return str(self.module.ARCHITECTURE)

    @property
    def dataset(self) -> str:
        return str(self.module.DATASET)

    @property
    def draws(self) -> int:
        """How often a model is asked whose answers are drawn at random; their scores are averaged."""
        return int(getattr(self.module, "DRAWS", 1))

    def data(self, case: Case | None = None) -> Data:
        return self.module.data(**(case.data if case else {}))

    def build(self, case: Case | None = None) -> Any:
        return self.module.build(**(case.build if case else {}))

    def fit(self, case: Case | None = None) -> dict[str, Any]:
        return {**self.module.FIT, **(case.fit if case else {})}

    def cases(self) -> Iterator[Case]:
        """Yields the good program, its variants, faults and compounds."""
        faults = self.module.FAULTS
        variants = {"good": Variant(search=True), **getattr(self.module, "VARIANTS", {})}
        for name, variant in variants.items():
            changes = (variant.data, variant.build, variant.fit)
            yield Case(self.base, name, "healthy", (), *changes, name, variant.search)
        for name, fault in faults.items():
            yield self._spoilt(name, "fault", fault)
        for pair in getattr(self.module, "COMPOUNDS", ()):
            yield self._spoilt("+".join(pair), "compound", *(faults[name] for name in pair))

    def _spoilt(self, name: str, kind: str, *found: Fault) -> Case:
        of = found[0].of
        parts = [Variant() if of == "good" else self.module.VARIANTS[of], *found]
        data, build, fit = ({k: v for part in parts for k, v in getattr(part, what).items()}
                            for what in ("data", "build", "fit"))  # fmt: skip
        return Case(self.base, name, kind, tuple(fault.code for fault in found), data, build, fit, of)


def names() -> list[str]:
    """Returns the base programs in alphabetical order."""
    return sorted(info.name for info in pkgutil.iter_modules(programs.__path__))
