"""Temperature scaling: calibrated probabilities without a changed prediction.

One temperature ``T`` for each target, fitted on the dev part: ``p_c`` becomes proportional to
``p_c^(1/T)``. A ``T`` above 1 makes a model less confident, below 1 more; the likeliest class stays
the same (Guo et al. 2017).

    ``T`` minimises ``-sum_i log q_i(truth_i; T) + 4 (1/T - 1 + log T)`` over the dev rows.

The second term is the negative logarithm of a Gamma prior on ``1/T`` with mode 1; a hundred rows
outweigh it. Without it a dev part without mistakes, common for gender, would make ``T`` 0, and one
mistake in the test part then costs more than was ever gained. Both terms are convex in ``1/T``:
there is one minimum.

References:
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", 2017.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from speechnet.core.errors import DataError
from speechnet.core.files import write_whole
from speechnet.core.reading import PlainError, parse_json, read_regular
from speechnet.core.types import Float64, Int64, Targets
from speechnet.models.model import MODELS, Fitted, LayerWeights, Rows

BOUNDS: Final = (0.05, 20.0)
"""The lowest and the highest temperature."""
_PRIOR: Final = 4.0
"""Strength of the prior: near 1, ``log T`` has a standard deviation of a half."""
_FEWEST: Final = 10
"""Dev rows below which nothing is fitted."""
_NEVER_SEEN: Final = 0.01
"""Replaces a probability of exactly 0: no vote among a few neighbours doesn't mean impossible."""
_BELOW_TOP: Final = 1 - 2.0**-51
"""Largest ratio of the second likeliest to the likeliest, so that no rounding swaps them: two steps
of float64, one of which may be lost when dividing by the row's sum."""
_LARGEST_FILE: Final = 65_536
"""Bytes; ``Calibrated.save`` writes a few hundred."""


def load_fitted(folder: Path, name: str, targets: Targets) -> Fitted:
    """Read a fitted model of any kind from a fold's folder, with its calibration if it has one.

    Raises:
        DataError: a file is missing, damaged, or made for other classes.
        ConfigError: no such model is registered.
    """
    return Calibrated.wrap_saved(MODELS[name].load(folder, name, targets), folder, name)


def fit_temperatures(
    probabilities: Mapping[str, Float64], labels: Int64, targets: Targets
) -> dict[str, float]:
    """Fit each target's temperature by the formula of this module's docstring.

    Args:
        probabilities: of the dev rows, by target float64 ``[n, k]``, rows sum to 1.
        labels: of the dev rows, int64 ``[n, targets]``, -1 where there is no label.
        targets: in the order of the labels' columns.

    Returns:
        A temperature within ``BOUNDS`` for each target; 1.0, which changes nothing, where fewer
        than ten rows have a label or all have the same.
    """
    temperatures = {}
    for column, target in enumerate(targets):
        known = labels[:, column] >= 0
        truth = labels[known, column]
        enough = len(truth) >= _FEWEST and len(np.unique(truth)) > 1
        temperatures[target] = _fit(probabilities[target][known], truth) if enough else 1.0
    return temperatures


def calibrate(fitted: Fitted, dev: Rows) -> Calibrated:
    """Calibrate a model on the dev part."""
    probabilities = fitted.predict_proba(dev.features)
    return Calibrated(fitted, fit_temperatures(probabilities, dev.labels, fitted.targets))


def apply_temperature(probability: Float64, temperature: float) -> Float64:
    """Make probabilities more or less confident; the likeliest class stays, and so do ties.

    No temperature changes a probability of exactly 0, so it counts as 0.01, or as half of the
    smallest other one of its row if that is less.

    Args:
        probability: float64 ``[n, k]``, rows sum to 1.
        temperature: above 0; 1.0 returns ``probability`` as it is, zeros included.

    Returns:
        float64 ``[n, k]``, rows sum to 1.
    """
    if temperature == 1.0:
        return probability
    ratios = np.exp(_log_ratios(probability) / temperature)
    below = probability < probability.max(axis=1, keepdims=True)
    ratios[below] = np.minimum(ratios[below], _BELOW_TOP)
    return np.asarray(ratios / ratios.sum(axis=1, keepdims=True), dtype=np.float64)


class Calibrated(Fitted):
    """A fitted model with a temperature for each target.

    Args:
        fitted: gives the probabilities.
        temperatures: of each of its targets, within ``BOUNDS``.

    Raises:
        ValueError: a temperature is missing, out of bounds or of an unknown target.
    """

    def __init__(self, fitted: Fitted, temperatures: Mapping[str, float]) -> None:
        if fault := _fault(temperatures, fitted.targets):
            raise ValueError(fault)
        self.fitted = fitted
        self.targets: Targets = fitted.targets
        self.temperatures = {target: float(temperatures[target]) for target in self.targets}

    def predict_proba(self, features: Any) -> dict[str, Float64]:
        """See ``Fitted``."""
        return {
            target: apply_temperature(values, self.temperatures[target])
            for target, values in self.fitted.predict_proba(features).items()
        }

    def predict(self, features: Any) -> Int64:
        """See ``Fitted``: a temperature changes no prediction."""
        return self.fitted.predict(features)

    def predict_without(self, features: Any) -> dict[str, Int64]:
        """See ``Fitted``: a temperature changes no prediction."""
        return self.fitted.predict_without(features)

    def layer_weights(self) -> list[LayerWeights]:
        """See ``Fitted``."""
        return self.fitted.layer_weights()

    def save(self, folder: Path, name: str) -> None:
        """Write the model, and beside it ``<name>_temperature.json``."""
        self.fitted.save(folder, name)
        text = json.dumps(self.temperatures, indent=1, allow_nan=False)
        write_whole(_path(folder, name), f"{text}\n".encode())

    @classmethod
    def wrap_saved(cls, fitted: Fitted, folder: Path, name: str) -> Fitted:
        """Give a model loaded from ``folder`` the temperatures that ``save`` wrote, if any.

        Raises:
            DataError: the file is damaged, or doesn't hold a valid temperature for each target.
        """
        path = _path(folder, name)
        try:
            return cls(fitted, parse_json(read_regular(path, largest=_LARGEST_FILE)))
        except FileNotFoundError:
            return fitted
        except (OSError, PlainError) as error:
            raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
        except ValueError as error:
            raise DataError(f"{path} can't be used: {error}") from error


def _fit(probability: Float64, truth: Int64) -> float:
    """Temperature for float64 ``[n, k]`` and int64 ``[n]``."""
    # Imported here: applying a temperature shouldn't wait half a second for it.
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logits = _log_ratios(probability)
    of_truth = logits[np.arange(len(truth)), truth].sum()

    def loss(log_t: float) -> float:
        inverse = np.exp(-log_t)
        misfit = logsumexp(inverse * logits, axis=1).sum() - inverse * of_truth
        return float(misfit + _PRIOR * (inverse - 1 + log_t))

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded")
    return float(np.exp(found.x))


def _log_ratios(probability: Float64) -> Float64:
    """Logarithm of each probability over the largest of its row, float64 ``[n, k]``; finite."""
    positive = probability > 0
    smallest = np.where(positive, probability, 1.0).min(axis=1, keepdims=True)
    filled = np.where(positive, probability, np.minimum(_NEVER_SEEN, smallest / 2))
    # Divided rather than subtracted: exactly 1 for the largest alone, whatever log rounds.
    ratios = filled / probability.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.maximum(ratios, np.finfo(np.float64).tiny)), dtype=np.float64)


def _fault(temperatures: Any, targets: Targets) -> str | None:
    """What is wrong with temperatures, which may come from a file."""
    if not isinstance(temperatures, Mapping) or set(temperatures) != set(targets):
        found = list(temperatures) if isinstance(temperatures, Mapping) else type(temperatures)
        return f"found temperatures of {found}, expected one of each of {list(targets)}"
    low, high = BOUNDS
    for target, value in temperatures.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and low <= value <= high):  # which no NaN is
            return f"the temperature of {target} is {value!r}, expected {low} to {high}"
    return None


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}_temperature.json"
