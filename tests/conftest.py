"""What holds for all tests."""

import functools
import inspect
import os
import shutil

import pytest

# These train; whichever came last would keep one core busy while the others wait.
_LONG = (
    *("test_repro.py", "test_causes.py", "test_local.py", "test_ending.py", "test_kill.py", "test_diagnose.py"),
    *("test_same_again.py", "test_notebook.py", "diagnosis", "comparison", "tensorboard_plugin", "test_examples.py"),
    *("test_pytest_plugin.py", "test_benchmarks_evaluation.py", "test_bad_input.py", "test_demo.py", "test_cli.py"),
)

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


def pytest_collection_modifyitems(items):
    """Puts the files that take longest first; within a file nothing changes."""

    def place(item) -> int:
        return next((i for i, name in enumerate(_LONG) if name in item.path.parts), len(_LONG))

    items.sort(key=place)


@pytest.fixture(autouse=True)
def environment():
    """Puts back what the command line sets for its own process: tests call it in theirs."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def quick_kubeflow():
    """Kubeflow's SDK asks for the whole stack, with source lines, in each setter of a task: seconds under pytest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inspect.stack", functools.partial(inspect.stack, 0))
        yield


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests: Playwright starts once in a process."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "Chromium is missing: the pages were not opened. Install it with `apt-get install chromium`."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()
