"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

RAVDESS = Path(__file__).parents[2] / "shared" / "data" / "ravdess"


@pytest.fixture(scope="session")
def ravdess() -> Path:
    """The root of real speech, where it is at hand."""
    if not RAVDESS.is_dir():
        pytest.skip(f"no RAVDESS at {RAVDESS}")
    return RAVDESS
