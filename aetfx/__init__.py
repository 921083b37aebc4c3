"""aetfx finds out why a TensorFlow/Keras autoencoder gives back the wrong data, and which one change fixes it.

The public names are listed in `__all__`. Each is imported when it is first used (PEP 562), so that
`import aetfx` costs milliseconds and loads neither TensorFlow nor NumPy.

    import aetfx

    diagnosis = aetfx.diagnose(model, x_train, x_val, epochs=50, batch_size=32)
    print(diagnosis)             # causes in order, each with the gain that was measured
    diagnosis.fixed_model        # the repaired, trained model
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aetfx import errors
    from aetfx.api import Diagnosis, compare, diagnose, evaluate, load_run
    from aetfx.diagnosis.watch import Watch
    from aetfx.evaluation.api import Evaluation
    from aetfx.study import Study, load_study
    from aetfx.validation.api import Validation, validate

_HOMES = {
    "Diagnosis": "aetfx.api",
    "Evaluation": "aetfx.evaluation.api",
    "Study": "aetfx.study",
    "Validation": "aetfx.validation.api",
    "Watch": "aetfx.diagnosis.watch",
    "compare": "aetfx.api",
    "diagnose": "aetfx.api",
    "evaluate": "aetfx.api",
    "load_run": "aetfx.api",
    "load_study": "aetfx.study",
    "validate": "aetfx.validation.api",
}

__all__ = [
    "Diagnosis",
    "Evaluation",
    "Study",
    "Validation",
    "Watch",
    "compare",
    "diagnose",
    "errors",
    "evaluate",
    "load_run",
    "load_study",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name == "__version__":
        return _version()
    if name == "errors":
        return importlib.import_module("aetfx.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'aetfx' has no attribute '{name}'; its public names are {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    from importlib import metadata  # 40 ms, a tenth of what a mistyped command may cost

    try:
        return metadata.version("aetfx")
    except metadata.PackageNotFoundError:  # run from a source tree that was not installed
        return "0+unknown"
