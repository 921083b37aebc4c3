"""Getting the user's model: from a study's reference family, a factory, a file, or Python.

Files are read in Keras's safe mode: a file that would run code is refused.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from aetfx.errors import ModelError
from aetfx.models.draws import undisturbed
from aetfx.models.families import build, check
from aetfx.models.passing import reconstruct
from aetfx.study import ModelSection

_RESAVE = "Load it where it was made and save it again with model.save('model.keras') under Keras 3."


def check_model_request(section: ModelSection) -> None:
    """Checks what can be known about a requested model without TensorFlow.

    Raises:
      ModelError: the file or the module is not there, or the file is of a kind that cannot be read.
    """
    if section.path:
        path = Path(section.path)
        if not path.exists():
            raise ModelError(f"{path}: no such model file (model.path). Give a model saved with model.save('x.keras').")
        if path.is_dir():
            kind = "a TensorFlow SavedModel" if (path / "saved_model.pb").exists() else "a folder"
            raise ModelError(f"{path}: {kind}, which holds no Keras 3 architecture (model.path). {_RESAVE}")
        if path.suffix not in (".keras", ".h5", ".hdf5"):
            raise ModelError(f"{path}: model.path must end in .keras (or .h5) but got '{path.suffix}'. {_RESAVE}")
        if path.suffix == ".keras" and not zipfile.is_zipfile(path):
            raise ModelError(f"{path}: not a .keras archive, or a damaged one (model.path). {_RESAVE}")
    if section.factory:
        module = section.factory.split(":")[0]
        _make_importable()
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            found = None
        if found is None:
            raise ModelError(
                f"model.factory: there is no module '{module}' in {Path.cwd()} or on the Python path. "
                "Run aetfx from the folder that holds it, or set PYTHONPATH."
            )


def resolved(section: ModelSection, shape: tuple[int, ...]) -> ModelSection:
    """Returns a model section with the family, and its sizes as the shape of the rows has them, without TensorFlow.

    Raises:
      ModelError: the family does not take these rows, or a key that is given (`aetfx.models.families.check`).
    """
    if section.factory or section.path:
        return section
    family, settings = check(section.family, shape, section.of_family())
    return replace(section, family=family.name, **settings)


def load_model(section: ModelSection, shape: tuple[int, ...], *, checked: bool = True) -> Any:
    """Builds or loads the model of a study.

    Args:
      section: the checked `model:` section.
      shape: shape of one row of the data.
      checked: run two rows through it; False where it does not take rows as they are, but parts of them.

    Returns:
      A Keras model, compiled or not, that maps (batch, *shape) to (batch, *shape).

    Raises:
      ModelError: it cannot be built or loaded, or its output shape differs from its input.
    """
    if section.factory:
        model = from_factory(_import_factory(section.factory), section.factory)
    elif section.path:
        model = from_file(Path(section.path))
    else:
        model = build(section.family, shape, section.of_family())
    if checked:
        check_shapes(model, shape)
    return model


def factory_of(section: ModelSection) -> Callable[[], Any] | None:
    """Returns the function that a study names, or None."""
    return _import_factory(section.factory) if section.factory else None


def factory_files(reference: str) -> tuple[Path, ...]:
    """Returns the sources of the module that a factory is in, or of its whole package; none where it is not found."""
    _make_importable()
    spec = importlib.util.find_spec(reference.split(":")[0].split(".")[0])
    if spec is None:
        return ()
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if folders:
        return tuple(sorted(path for folder in folders for path in folder.rglob("*.py")))
    return (Path(spec.origin),) if spec.origin and Path(spec.origin).is_file() else ()


def from_factory(factory: Callable[[], Any], label: str = "the factory") -> Any:
    """Calls a zero-argument function that returns a Keras model.

    Raises:
      ModelError: it raises, or returns something else.
    """
    import keras

    try:
        model = factory()
    except Exception as error:
        where = _innermost_user_line(error)
        raise ModelError(
            f"model.factory {label} raised {type(error).__name__}: {_one_line(error)}{where}. "
            "It must run without arguments and return a Keras model."
        ) from error
    if not isinstance(model, keras.Model):
        raise ModelError(f"model.factory {label} must return a keras.Model but got {type(model).__name__}.")
    return model


def from_file(path: Path) -> Any:
    """Loads a .keras file, or a .h5 file of Keras 2 or 3, in safe mode.

    Raises:
      ModelError: it cannot be read, would run code, or needs classes that are not registered.
    """
    import keras

    import aetfx.models.saved_layers  # noqa: F401 (registers them)

    if path.suffix in (".h5", ".hdf5"):
        return _from_hdf5(path)
    try:
        return keras.models.load_model(path, safe_mode=True)
    except Exception as error:
        text, whole = _one_line(error), str(error).lower()
        if "safe" in whole and ("lambda" in whole or "unsafe" in whole):
            raise ModelError(
                f"{path}: holds a Lambda layer, which would run code from the file (model.path). Replace it by a "
                "layer class, or build the model in a factory: model.factory: 'my_module:build'."
            ) from error
        raise ModelError(
            f"{path}: Keras cannot load it ({type(error).__name__}: {text}) (model.path). Custom classes need a "
            "factory: model.factory: 'my_module:build'."
        ) from error


def check_shapes(model: Any, shape: tuple[int, ...]) -> None:
    """Runs two rows of zeros through the model: an autoencoder gives back the shape that it got.

    A model with several outputs is let through.

    Raises:
      ModelError: the model does not accept such rows, or gives another shape back.
    """
    import numpy as np

    name = type(model).__name__
    try:
        with undisturbed(model):
            output = reconstruct(model, np.zeros((2, *shape), "float32"))
    except NotImplementedError as error:
        raise ModelError(
            f"{name} cannot be called: {_one_line(error)}. Give it a call() that returns the reconstruction, or the "
            "attributes 'encoder' and 'decoder'."
        ) from error
    except Exception as error:
        raise ModelError(
            f"{name} does not take rows of shape {shape}: {_one_line(error)}. "
            f"Give the model an input of shape {shape}, or reshape the data."
        ) from error
    if isinstance(output, dict | list | tuple):  # of several, `aetfx.models.packing` picks one
        return
    got = tuple(getattr(output, "shape", ()))[1:]
    if got != shape:
        raise ModelError(
            f"{name} gives back rows of shape {got} for rows of shape {shape}: an autoencoder's output must have "
            f"the shape of its input. Give its last layer {np.prod(shape, dtype=int)} values in that shape."
        )


def _from_hdf5(path: Path) -> Any:
    import h5py
    import keras

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
    except OSError as error:
        raise ModelError(f"{path}: not an HDF5 file, or a damaged one (model.path). {_RESAVE}") from error
    if text is None:
        raise ModelError(f"{path}: holds weights only, no architecture (model.path). {_RESAVE}")
    config = json.loads(text)
    if '"Lambda"' in json.dumps(config):
        raise ModelError(
            f"{path}: holds a Lambda layer, which would run code from the file (model.path). Replace it by a layer "
            "class, or build the model in a factory: model.factory: 'my_module:build'."
        )
    try:
        return keras.models.load_model(path, compile=True)
    except Exception:
        try:  # an old optimizer or loss name must not stand in the way of the architecture
            return keras.models.load_model(path, compile=False)
        except Exception as error:
            raise ModelError(
                f"{path}: a Keras 2 model that Keras 3 cannot convert ({_one_line(error)}) (model.path). {_RESAVE}"
            ) from error


def _import_factory(reference: str) -> Callable[[], Any]:
    module_name, function_name = reference.split(":")
    _make_importable()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        where = _innermost_user_line(error)
        raise ModelError(
            f"model.factory: importing '{module_name}' raised {type(error).__name__}: {_one_line(error)}{where}. "
            "Mend the module, then run the same command again."
        ) from error
    factory = getattr(module, function_name, None)
    if not callable(factory):
        from aetfx.errors import nearest

        names = [name for name, item in vars(module).items() if callable(item) and not name.startswith("_")]
        raise ModelError(
            f"model.factory: module '{module_name}' has no function '{function_name}'.{nearest(function_name, names)}"
        )
    return factory


def _make_importable() -> None:
    """Lets a factory live in the folder from which aetfx is run, as `python -m` does."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


def _one_line(error: BaseException) -> str:
    told = re.split("Exception encountered:|Error encountered during deserialization:", str(error))[-1]
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return (lines[0] if lines else "no message")[:240].rstrip(".")


def _innermost_user_line(error: BaseException) -> str:
    """Names the last line of the user's own code in the traceback."""
    import sysconfig
    import traceback

    foreign = ("site-packages", "aetfx/models", "<frozen", sysconfig.get_path("stdlib"))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not any(part in frame.filename.replace("\\", "/") for part in foreign):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""
