"""The campaign's size and seed, and an end to whatever hangs."""

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.mutations import SIZE

SEED = int(os.environ.get("SPEECHNET_RELIABILITY_SEED", "0"))
HANGS = 300
"""Seconds after which a test is taken to go on for good."""


def pytest_report_header() -> str:
    """Said at the start, for whoever wants the same again."""
    return f"reliability: SPEECHNET_RELIABILITY={SIZE:g} SPEECHNET_RELIABILITY_SEED={SEED}"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that the seed and the test's name decide."""
    print(f"SPEECHNET_RELIABILITY_SEED={SEED}")  # noqa: T201 - shown where the test fails
    return np.random.default_rng([SEED, *request.node.name.encode()])


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    def hang(number: int, frame: object) -> None:
        del number, frame
        raise AssertionError(f"no answer within {HANGS} s")

    before = signal.signal(signal.SIGALRM, hang)
    terminate = signal.getsignal(signal.SIGTERM)  # which the command line takes
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    signal.signal(signal.SIGTERM, terminate)
