"""The demo: Wisconsin breast cancer, 569 rows of 30 columns, and the autoencoder a beginner would write.

The data are the published ones, as they ship with scikit-learn, and reach the model as they are. Nothing
about the outcome is written down here: the diagnosis is found by the same code as any other.
"""

from __future__ import annotations

from pathlib import Path

from aetfx import run
from aetfx.errors import AetfxError
from aetfx.study import DataSection, ModelSection, Study, TrainingSection

# Of the file that `_write_data` makes. While it holds, scikit-learn (2-4 s) need not be imported again.
_CONTENT_HASH = "4a5d57b88630beab"


def demo_study(directory: Path) -> Study:
    """Writes the demo's data once and returns its study.

    Args:
      directory: the run directory; the data go to `<directory>/data/wdbc.csv`.

    Raises:
      AetfxError: scikit-learn, which brings the data, is not installed.
      RunError: the file cannot be written.
    """
    path = Path(directory) / "data" / "wdbc.csv"
    if not path.is_file() or run.file_hash(path) != _CONTENT_HASH:
        _write_data(path)
    return Study(
        name="demo",
        data=DataSection(train=str(path)),
        model=ModelSection(hidden=[16], bottleneck=8, activation="relu", output_activation="linear"),
        training=TrainingSection(optimizer="adam", learning_rate=1e-3, loss="mse", epochs=150, batch_size=32),
    )


def _write_data(path: Path) -> None:
    """Writes the 30 measurements of each tumour under their published names; the diagnosis label is left out."""
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError:
        raise AetfxError(
            "the demo's data come with scikit-learn, which is not installed: run pip install 'aetfx[demo]'."
        ) from None
    table = load_breast_cancer()
    lines = [",".join(str(name) for name in table.feature_names)]
    # repr() of a float64 is its shortest exact form: the file has the same bytes everywhere.
    lines += [",".join(repr(float(value)) for value in row) for row in table.data]
    run.write_text(path, "\n".join(lines) + "\n")
