"""Scaling of the columns, one affine map each, fitted on training rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler

from speechnet.core.types import Float32, Float64

_SCALERS: Final = {
    "minmax": MinMaxScaler,
    "standard": StandardScaler,
    "robust": RobustScaler,
    "none": FunctionTransformer,
}

_NUMBERS: Final = 2**25
"""Scaled at once, in float64: frames are many, and an encoder's layers have many columns."""


def make_scaler(scaling: str) -> Any:
    """A scikit-learn transformer for ``minmax``, ``standard``, ``robust`` or ``none``."""
    if scaling not in _SCALERS:
        raise ValueError(f"unknown scaling {scaling!r}")
    return _SCALERS[scaling]()


def affine(scaling: str, X: Float32) -> tuple[Float32, Float32]:
    """The same scaling as numbers: ``(X - centre) / scale``, float32 ``[d]`` each.

    Args:
        scaling: as ``make_scaler`` takes it.
        X: float32 ``[n, d]``, the training rows.
    """
    width = max(1, _NUMBERS // max(1, len(X)))
    blocks = [X[:, start : start + width] for start in range(0, max(1, X.shape[1]), width)]
    found = (_affine(scaling, block.astype(np.float64)) for block in blocks)
    centre, scale = map(np.concatenate, zip(*found, strict=True))
    return centre.astype(np.float32), scale.astype(np.float32)


def _affine(scaling: str, X: Float64) -> tuple[Float64, Float64]:
    width = X.shape[1]
    scaler = make_scaler(scaling).fit(X)
    match scaling:
        case "minmax":
            centre, scale = scaler.data_min_, 1 / scaler.scale_
        case "standard":
            centre, scale = scaler.mean_, scaler.scale_
        case "robust":
            centre, scale = scaler.center_, scaler.scale_
        case _:
            centre, scale = np.zeros(width), np.ones(width)
    return centre, scale
