"""Kernel matrices as libsvm defines them, and an SVM's predictions from them."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from sklearn.svm import SVC

from speechnet.core.types import Float64, Int64

_BLOCK: Final = 128
"""Rows of a matrix made at once: enough for the product, few enough for the cache."""


def kernel_matrices(
    fit: Float64, held: Float64, kernel: str, gamma: str | float
) -> tuple[Float64, Float64]:
    """The kernel between rows, as libsvm defines it at scikit-learn's degree 3 and ``coef0`` 0.

    Args:
        fit: float64 ``[n, d]``.
        held: float64 ``[m, d]``.
        kernel: ``linear`` x·y, ``poly`` (g x·y)³, ``rbf`` exp(-g |x - y|²) or ``sigmoid``
            tanh(g x·y), with g for gamma; Chang and Lin, "LIBSVM" (2011).
        gamma: a number, or ``scale``, 1 / (d · variance of ``fit``), or ``auto``, 1 / d.

    Returns:
        ``fit`` with itself, ``[n, n]``, and ``held`` with ``fit``, ``[m, n]``, float64.
    """
    number = _gamma(fit, gamma)
    # Pair by pair, as in libsvm, which keeps the diagonal alone in double precision.
    squares = np.vecdot(fit, fit)
    among = np.empty((len(fit), len(fit)))
    for start in range(0, len(fit), _BLOCK):
        block = slice(start, start + _BLOCK)
        dots = np.matmul(fit[block], fit[start:].T, out=among[block, start:])
        np.fill_diagonal(dots, squares[block])
        _apply(kernel, number, dots, squares=(squares[block], squares[start:]))
        among[start + _BLOCK :, block] = dots[:, _BLOCK:].T
    across = np.empty((len(held), len(fit)))
    for start in range(0, len(held), _BLOCK):
        rows = held[start : start + _BLOCK]
        dots = np.matmul(rows, fit.T, out=across[start : start + _BLOCK])
        _apply(kernel, number, dots, squares=(np.vecdot(rows, rows), squares))
    return among, across


def _gamma(X: Float64, gamma: str | float) -> float:
    if gamma == "auto":
        return float(1 / X.shape[1])
    if gamma == "scale":
        variance = float(X.var())
        return float(1 / (X.shape[1] * variance)) if variance else 1.0
    return float(gamma)


def _apply(kernel: str, gamma: float, dots: Float64, *, squares: tuple[Float64, Float64]) -> None:
    """Turn dot products into the kernel, in place and in the order in which libsvm rounds."""
    match kernel:
        case "poly":
            dots *= gamma
            dots *= dots * dots
        case "sigmoid":
            dots *= gamma
            np.tanh(dots, out=dots)
        case "rbf":
            dots *= 2
            np.subtract(np.add.outer(*squares), dots, out=dots)
            dots *= -gamma
            np.exp(dots, out=dots)


def predict_svm(model: SVC, X: Float64) -> Int64:
    """Predictions of an SVM for scaled rows, as scikit-learn's with ``break_ties``.

    Every two classes have a decision value: a vote for one of them, and a confidence. The most
    votes win, of equal ones the larger sum of confidences.

    Args:
        model: fitted, with ``break_ties``.
        X: float64 ``[n, d]``.

    Returns:
        int64 ``[n]``, of its classes.
    """
    _, kernel = kernel_matrices(model.support_vectors_, X, model.kernel, model._gamma)
    classes, k = model.classes_, len(model.classes_)
    if k == 2:
        return np.asarray(
            classes[(kernel @ model.dual_coef_[0] + model.intercept_ > 0).astype(int)]
        )
    ends = np.cumsum(model.n_support_)
    of = [slice(end - size, end) for end, size in zip(ends, model.n_support_, strict=True)]
    pairs = list(combinations(range(k), 2))
    weights = np.zeros((len(model.support_vectors_), len(pairs)))
    signs = np.zeros((len(pairs), k))
    for pair, (i, j) in enumerate(pairs):
        # Chang and Lin, "LIBSVM" (2011), section 7: where the coefficients of a pair stand.
        weights[of[i], pair] = model.dual_coef_[j - 1, of[i]]
        weights[of[j], pair] = model.dual_coef_[i, of[j]]
        signs[pair, [i, j]] = 1, -1
    values = kernel @ weights + model.intercept_
    confidence = values @ signs
    votes = (values >= 0) @ (signs > 0).astype(float) + (values < 0) @ (signs < 0).astype(float)
    # A third of a vote is the most that all confidences together are worth.
    best = votes + confidence / (3 * (np.abs(confidence) + 1))
    return np.asarray(classes[best.argmax(axis=1)])
