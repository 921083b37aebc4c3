"""What holds for all tests."""

import os

import pytest


@pytest.fixture(autouse=True)
def environment():
    """Puts back what the command line sets for its own process: tests call it in theirs."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
