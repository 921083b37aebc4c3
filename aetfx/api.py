"""The Python calls as people make them: the layers below, put together with what shows their results."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aetfx.diagnosis import api as _diagnosis
from aetfx.diagnosis import result as _result
from aetfx.evaluation import api as _evaluation
from aetfx.study import Study, load_study
from aetfx.training.progress import Progress


class Diagnosis(_result.Diagnosis):
    """A diagnosis that shows itself: plots in a notebook, a summary in a terminal, a report when saved."""

    def _repr_html_(self) -> str:
        from aetfx.report.load import read_samples
        from aetfx.report.notebook import to_html

        samples = self.samples
        if not samples and self.directory is not None and (self.directory / "samples.npz").exists():
            samples = read_samples(self.directory / "samples.npz")
        return to_html(self.record, samples)

    def __repr__(self) -> str:
        from aetfx.report.notebook import to_text

        return to_text(self.record)

    def save(self, directory: str | Path) -> Path:
        """Writes a run directory: diagnosis, samples, the repaired model, `report.html` and the dashboard.

        Raises:
          RunError: the directory cannot be written.
        """
        from aetfx.report.html import write_report
        from aetfx.tensorboard_plugin.writing import write_dashboard

        directory = super().save(directory)
        write_report(directory)
        write_dashboard(directory)
        return directory


def diagnose(
    model: Any,
    x_train: Any,
    x_val: Any = None,
    *,
    y_train: Any = None,
    y_val: Any = None,
    epochs: int,
    batch_size: int = 32,
    budget: float | None = None,
    target: float | None = None,
    experiments: bool = True,
    labels: Any = None,
    labels_val: Any = None,
    features: str | Sequence[str] = "auto",
    padding: float | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Finds out why an autoencoder reconstructs badly, and which single change fixes it.

    Args:
      model: a compiled Keras 3 model, or a zero-argument function that returns one. It is not changed:
        experiments run on rebuilt copies with new weights.
      x_train: rows (n, ...) in original units: an array, data frame, finite `tf.data.Dataset`, path or glob; for a
        model with several inputs a dictionary, list or tuple of arrays as the model takes them.
      x_val: held-out rows of the same kind; None holds out a fifth of `x_train` by row hash.
      y_train, y_val: what your `model.fit(x, y)` asks back, where it is not the rows themselves (denoising); of a
        dataset of pairs the second part is taken.
      epochs, batch_size: as in your `model.fit`.
      budget: in multiples of one such training; by default 8 (14 where few rows make re-splits necessary), and at
        least 120 seconds' worth for small models.
      target: score that counts as good, 0.30 by default: 0 is perfect, 1 predicts the mean.
      experiments: False trains your model once and tells what its signs suggest, as `suspected`; nothing is verified.
      labels: one label per row of `x_train`, where you have them: the effect of the fix on a linear probe of the codes
        is shown beside the score. Where all train rows have the same label and `labels_val` has two, or `labels` is
        None, it is the effect on finding anomalies by their error. Nothing is trained or chosen by them.
      labels_val: the same for `x_val`.
      features: "auto", "table" (one score per column), "tensor" (pooled), or a list of columns.
      padding: value with which sequences of unlike lengths were filled up at their end; padded steps are not scored.
        None takes what the model's `Masking` layer masks.
      seed: of splits and trials.
      out: run directory to keep; None keeps nothing on disk.
      progress: told what is being done; None shows a progress bar on stderr where that is a terminal.

    Returns:
      A `Diagnosis` with `.causes`, `.status`, `.fixed_model` and `.save(dir)`.

    Raises:
      AetfxError: the data or the model cannot be used; the message says what to do.
    """
    from aetfx.report.progress import showing

    with showing(progress) as shown:
        found = _diagnosis.diagnose(
            model,
            x_train,
            x_val,
            y_train=y_train,
            y_val=y_val,
            epochs=epochs,
            batch_size=batch_size,
            budget=budget,
            target=target,
            experiments=experiments,
            labels=labels,
            labels_val=labels_val,
            features=features,
            padding=padding,
            seed=seed,
            out=out,
            progress=shown,
        )
    diagnosis = _shown(found)
    if out is not None:
        from aetfx.report.html import write_report
        from aetfx.tensorboard_plugin.writing import update_dashboard

        write_report(Path(out))
        update_dashboard(Path(out))
    return diagnosis


def compare(study: Study | str | Path, *, out: str | Path | None = None, replicas: int | None = None) -> dict[str, Any]:
    """Trains and ranks every configuration of a study.

    Args:
      study: a `Study`, or the path of a study file.
      out: run directory; `runs/<study name>` by default.
      replicas: overrides `training.replicas`.

    Returns:
      See `aetfx.comparison.api.compare_study`.
    """
    from aetfx.comparison.api import compare_study
    from aetfx.tensorboard_plugin.live import LiveBoard
    from aetfx.tensorboard_plugin.writing import update_dashboard

    request = study if isinstance(study, Study) else load_study(study)
    run = Path(out or Path("runs") / request.name)
    result = compare_study(request, run, replicas=replicas, progress=LiveBoard(None, run, request.name))
    update_dashboard(run)
    return result


@functools.wraps(_evaluation.evaluate)
def evaluate(models: Any, data: Any, *, out: str | Path | None = None, **options: Any) -> _evaluation.Evaluation:
    found = _evaluation.evaluate(models, data, out=out, **options)
    if out is not None:
        from aetfx.tensorboard_plugin.writing import update_dashboard

        update_dashboard(Path(out))
    return found


def load_run(directory: str | Path) -> Diagnosis:
    """Reads a finished run.

    Raises:
      RunError: the directory holds no diagnosis.
    """
    return _shown(_result.load_run(directory))


def _shown(found: _result.Diagnosis) -> Diagnosis:
    return Diagnosis(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)})
