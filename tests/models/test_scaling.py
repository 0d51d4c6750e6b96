"""Scaling: the network's affine map is scikit-learn's."""

import numpy as np
import pytest

from speechnet.core.types import Float32
from speechnet.models.scaling import affine, make_scaler

SCALINGS = ["minmax", "standard", "robust", "none"]


@pytest.fixture(name="X")
def columns() -> Float32:
    """Columns of very different place and span, one constant, one of a span below 1e-6."""
    rng = np.random.default_rng(0)
    spans = np.array([1.0, 1e3, 1e-3, 0.0, 1e-7])
    places = np.array([0.0, 5e3, -1.0, 7.0, 0.0])
    return (places + spans * rng.gamma(2.0, size=(50, 5))).astype(np.float32)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_affine_is_the_scaler(scaling: str, X: Float32) -> None:
    """``(X - centre) / scale`` is what scikit-learn's scaler gives in float64."""
    centre, scale = affine(scaling, X)
    assert centre.dtype == scale.dtype == np.float32
    expected = make_scaler(scaling).fit_transform(X.astype(np.float64))
    np.testing.assert_allclose((X - centre) / scale, expected, rtol=1e-4, atol=1e-4)


def test_formulas(X: Float32) -> None:
    """Minimum and span; mean and standard deviation; median and quartiles' distance."""
    x = X[:, :3].astype(np.float64)
    low, middle, high = np.percentile(x, [25, 50, 75], axis=0)
    expected = {
        "minmax": (x.min(axis=0), np.ptp(x, axis=0)),
        "standard": (x.mean(axis=0), x.std(axis=0)),
        "robust": (middle, high - low),
        "none": (np.zeros(3), np.ones(3)),
    }
    for scaling, pair in expected.items():
        np.testing.assert_allclose(affine(scaling, X[:, :3]), pair, rtol=1e-5)


def test_unknown() -> None:
    """A name that is none is refused."""
    with pytest.raises(ValueError, match="unknown scaling 'log'"):
        make_scaler("log")
