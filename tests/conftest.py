"""Fixtures shared by all tests."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from helpers.tiny import TINY

import speechnet.core.librosa_loader  # noqa: F401 - loads librosa safely, before tests in several processes do

if threading.current_thread() is threading.main_thread():
    # A shell that starts the tests in the background has Ctrl-C ignored, in all their children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).parents[2] / "shared"
SLOW = {"tiny_run", "ravdess", "case"}
"""Fixtures whose tests ``make check`` leaves out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a whole run or real speech is slow."""
    for item in items:
        if SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


RAVDESS = SHARED / "data" / "ravdess"


@pytest.fixture(scope="session")
def ravdess() -> Path:
    """The root of real speech, where it is at hand."""
    if not RAVDESS.is_dir():
        pytest.skip(f"no RAVDESS at {RAVDESS}")
    return RAVDESS


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes what a generator of ``shared/cases`` makes, once a session: name -> its folder.

    Shared: change nothing in it, and let outputs and caches go elsewhere.
    """

    @cache
    def made(name: str) -> Path:
        generator = SHARED / "cases" / f"{name}.py"
        if not generator.is_file():
            pytest.skip(f"no generator {generator}")
        folder = tmp_path_factory.mktemp("cases")
        env = os.environ | {"CASES": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, generator], env=env, check=True)
        return folder / name

    return made


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML of an experiment that takes two seconds, with its own cache."""
    folder = tmp_path_factory.mktemp("tiny")
    path = folder / "tiny.yaml"
    path.write_text(TINY.replace("data:\n", f"data:\n  cache_dir: {folder / 'cache'}\n"))
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_config: Path) -> Path:
    """A finished run of it. Shared: copy it before changing anything in it."""
    from speechnet.config.experiment import read_experiment
    from speechnet.experiment.fit import fit

    out = tiny_config.parent / "runs"
    return fit(*read_experiment(["--config", str(tiny_config), "--out", str(out)]))
