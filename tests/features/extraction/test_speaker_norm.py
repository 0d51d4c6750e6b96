"""Standardising each speaker's recordings by themselves."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from speechnet.core.errors import DataError
from speechnet.features.extraction.speaker_norm import standardise_by_speaker


def test_every_speaker_is_what_a_standard_scaler_of_their_rows_gives() -> None:
    """One scaler a speaker, whatever order the rows stand in."""
    rng = np.random.default_rng(0)
    speakers = rng.permutation(np.repeat(["anna", "bo", "cleo"], [5, 9, 2]))
    X = (rng.normal(size=(16, 4)) * [1, 1e-3, 50, 9] + [0, 7, -3000, 1]).astype(np.float32)
    found = standardise_by_speaker(X, speakers)
    assert found.dtype == np.float32
    for name in set(speakers):
        rows = speakers == name
        expected = StandardScaler().fit_transform(X[rows].astype(np.float64))
        np.testing.assert_allclose(found[rows], expected, rtol=1e-5, atol=1e-6)


def test_what_does_not_vary_becomes_zero() -> None:
    """A single recording, and a column that is the same in all of a speaker's recordings."""
    X = np.array([[3.0, 0.1], [1.0, 0.1], [5.0, 0.1]], dtype=np.float32)
    found = standardise_by_speaker(X, ["one", "two", "two"])
    np.testing.assert_array_equal(found, [[0, 0], [-1, 0], [1, 0]])


def test_a_recording_without_a_speaker_is_refused() -> None:
    """It says how many there are and what to do."""
    with pytest.raises(DataError, match=r"1 of 2 recordings has no speaker.*per_speaker: false"):
        standardise_by_speaker(np.zeros((2, 1), np.float32), ["a", None])
