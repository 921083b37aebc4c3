"""Keeps the noise of Beam's, TFDV's and absl's imports and runs away from the user's terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import os
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
        with warnings.catch_warnings(), contextlib.redirect_stderr(sink), contextlib.redirect_stdout(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.setLevel(level)
        for handler in list(root.handlers):
            if handler not in handlers:
                root.removeHandler(handler)


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Nothing reaches standard error inside, not even from C++: for imports alone, since errors are exceptions.

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
