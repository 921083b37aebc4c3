"""Loading the repaired model of a run in another process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aetfx.errors import ModelError


def load_fixed(path: Path, objects: Mapping[str, Any]) -> Any:
    """Loads `fixed/model.keras` of a run in Keras's safe mode.

    Args:
      path: of the file.
      objects: the user's own classes and functions, as far as they are known to this process; those registered with
        Keras, or put into a `keras.saving.custom_object_scope`, are known without.

    Raises:
      ModelError: the file is missing, needs a class that is not known, or would run code.
    """
    import keras

    import aetfx.models.saved_layers  # noqa: F401 (registers them)

    if not path.exists():
        raise ModelError(f"{path}: no such file. Was the run copied without it? Run the diagnosis again.")
    try:
        return keras.models.load_model(path, custom_objects=dict(objects), compile=False, safe_mode=True)
    except Exception as error:
        text = " ".join(str(error).split())
        if "Lambda" in text or "lambda" in text:
            raise ModelError(
                f"{path}: holds a Lambda layer, which would run code from the file. If you trust it: "
                "import aetfx.models.saved_layers; keras.models.load_model(path, safe_mode=False)."
            ) from error
        raise ModelError(
            f"{path}: Keras cannot load it ({type(error).__name__}: {text[:200]}). If the model holds classes of your "
            "own, import the module that defines them, or read fixed_model inside "
            "keras.saving.custom_object_scope({'Name': Name})."
        ) from error
