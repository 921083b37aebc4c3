"""Tests of aetfx.quiet: what libraries print is kept off the terminal, and the terminal is given back."""

from __future__ import annotations

import logging
import os
import sys

import pytest

from aetfx.quiet import quiet, quiet_imports


def test_prints_logs_and_warnings_are_kept_off(capfd):
    handlers = list(logging.getLogger().handlers)
    with quiet():
        print("printed")
        print("printed", file=sys.stderr)
        logging.getLogger().error("logged")
        logging.basicConfig()  # as libraries do
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger().handlers == handlers
    print("after")
    assert capfd.readouterr().out == "after\n"


def test_what_c_writes_to_standard_error_is_kept_off_too(capfd):
    with quiet_imports(), quiet_imports():
        os.write(2, b"from C++")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_errors_pass_and_the_terminal_is_given_back(capfd):
    with pytest.raises(ImportError, match="no such module"), quiet_imports():
        raise ImportError("no such module")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
