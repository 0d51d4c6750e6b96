"""A metric: one function."""

from __future__ import annotations

from typing import Any

from speechnet.core.metrics import EVERYWHERE, metric


@metric("kappa", label="kappa", range=(-1, 1), interval=True, shown=EVERYWHERE)
def kappa(truth: Any, predicted: Any, classes: list[str]) -> float:
    """Cohen's kappa: ``(p_o - p_e) / (1 - p_e)``, agreement beyond that of independent labels.

    J. Cohen, "A coefficient of agreement for nominal scales", 1960.
    """
    import numpy as np

    if not len(truth):
        return float("nan")
    k = len(classes)
    true, called = (np.bincount(codes, minlength=k) / len(truth) for codes in (truth, predicted))
    expected = float(true @ called)
    observed = float((truth == predicted).mean())
    return (observed - expected) / (1 - expected) if expected < 1 else float("nan")
