"""Scaling of the columns, one affine map each, fitted on training rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler

from speechnet.core.types import Float32

_SCALERS: Final = {
    "minmax": MinMaxScaler,
    "standard": StandardScaler,
    "robust": RobustScaler,
    "none": FunctionTransformer,
}


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
    width = X.shape[1]
    scaler = make_scaler(scaling).fit(X.astype(np.float64))
    match scaling:
        case "minmax":
            centre, scale = scaler.data_min_, 1 / scaler.scale_
        case "standard":
            centre, scale = scaler.mean_, scaler.scale_
        case "robust":
            centre, scale = scaler.center_, scaler.scale_
        case _:
            centre, scale = np.zeros(width), np.ones(width)
    return np.asarray(centre, dtype=np.float32), np.asarray(scale, dtype=np.float32)
