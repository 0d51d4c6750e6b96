"""The one interface that neural and classical models share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from speechnet.core.types import Float32, Float64, Targets


class Classifier(Protocol):
    """A fitted model. It takes raw features: the scaler lives inside.

    Attributes:
        targets: each target's ordered classes.
    """

    targets: Targets

    def predict_proba(self, X: Float32) -> dict[str, Float64]:
        """Probabilities of every class of every target.

        Args:
            X: float32 ``[n, d]``, unscaled.

        Returns:
            For each target float64 ``[n, k]``, columns in the order of its classes, rows sum to 1.
        """
        ...

    def save(self, folder: Path, name: str) -> None:
        """Write the model to files in ``folder`` whose names begin with ``name``."""
        ...
