"""A trained model in TFX's layout: `Format-Serving/` for TensorFlow Serving, and `model.keras` beside it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from aetfx.errors import ModelError
from aetfx.quiet import quiet
from aetfx.run import cannot_write, write_bytes

SERVING = "Format-Serving"


def export_model(path: Path, out: Path) -> Path:
    """Writes a saved model as a SavedModel that needs neither Keras nor aetfx: raw rows in, raw rows out.

    Args:
      path: of a `model.keras` that aetfx wrote.
      out: a folder; `Format-Serving/` and `model.keras` in it are replaced.

    Returns:
      `out/Format-Serving`.

    Raises:
      ModelError: the model cannot be exported.
      RunError: `out` cannot be written.
    """
    import keras

    import aetfx.models.saved_layers  # noqa: F401 (registers them)

    try:
        with quiet():
            model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelError(f"{path}: cannot be loaded ({_line(error)}). Train it again.") from None
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that a SavedModel is there whole or not at all.
        with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as folder:
            try:
                with quiet():
                    model.export(str(Path(folder) / "model"))
            except OSError:
                raise
            except Exception as error:
                raise ModelError(
                    f"{path}: cannot be exported for serving ({_line(error)}). Layers that compute with NumPy cannot."
                ) from None
            shutil.rmtree(out / SERVING, ignore_errors=True)
            (Path(folder) / "model").rename(out / SERVING)
    except OSError as error:
        raise cannot_write(out, error) from error
    write_bytes(out / "model.keras", path.read_bytes())
    return out / SERVING


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
