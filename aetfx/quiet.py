"""Keeps the noise of Beam's, TFDV's and absl's imports and runs away from the user's terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed, warned or logged inside; root handlers that a library installs are taken off again."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        sink = io.StringIO()  # TFDV prints about IPython when it is imported
        silenced = (contextlib.redirect_stderr(sink), contextlib.redirect_stdout(sink), _without_displays())
        with warnings.catch_warnings(), silenced[0], silenced[1], silenced[2]:
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        for handler in list(root.handlers):
            if handler not in handlers:
                root.removeHandler(handler)


def _without_displays() -> contextlib.AbstractContextManager[object]:
    """Holds back what is displayed in a notebook: Beam 2.72 would have its page load scripts from other hosts."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return contextlib.nullcontext()
    from IPython.utils.capture import capture_output

    captured: contextlib.AbstractContextManager[object] = capture_output(stdout=False, stderr=False, display=True)
    return captured


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Nothing reaches standard error inside, not even from C++: where libraries start, since errors are exceptions.

    TensorFlow 2.21 logs that it found no GPU while it is loaded, whatever `TF_CPP_MIN_LOG_LEVEL` says.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a service without standard error
        yield
        return
    try:
        with open(os.devnull, "wb") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
