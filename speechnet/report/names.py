"""How names and numbers of the tables are written for a reader."""

from __future__ import annotations

import math
import textwrap
from typing import Final

UNDEFINED: Final = "–"  # noqa: RUF001 - a dash, as printed tables have it
"""Stands in a table for a value that is undefined."""

_MODELS: Final = {
    "mlp": "MLP (network)",
    "sklearn_mlp": "MLP (scikit-learn)",
    "knn": "KNN",
    "svm": "SVM",
    "logreg": "Logistic regression",
}

_METHODS: Final = {
    "kmeans": "K-means",
    "gmm": "Gaussian mixture",
    "gaussian_mixture": "Gaussian mixture",
    "agglomerative": "Agglomerative",
}


def readable(name: object, *, width: int = 18) -> str:
    """A label or a column's name with blanks for underscores, broken into lines.

    Args:
        name: any value; its ``str`` is shown.
        width: the longest line, in characters.
    """
    return textwrap.fill(str(name).replace("_", " "), width=width)


def model_name(model: str) -> str:
    """The name a model goes by in figures and tables; an unknown one keeps its own."""
    return _MODELS.get(model, model.replace("_", " "))


def method_name(method: str) -> str:
    """The name a clustering method goes by; an unknown one keeps its own."""
    return _METHODS.get(method, method.replace("_", " "))


def percent(value: float, sd: float = math.nan, *, pooled: bool = False) -> str:
    """A share as a percentage with one decimal: ``60.3``, ``60.3 ± 2.1`` or ``60.3*``.

    Args:
        value: a share in [0, 1]; NaN gives ``UNDEFINED``.
        sd: its standard deviation, as a share; NaN where there is none.
        pooled: whether it stands in for a mean that is undefined; gets a star.
    """
    if math.isnan(value):
        return UNDEFINED
    spread = "" if math.isnan(sd) else f" ± {100 * sd:.1f}"
    return f"{100 * value:.1f}{spread}{'*' if pooled else ''}"
