"""scikit-learn models on disk, by skops: nothing is unpickled, only listed types are made.

skops is imported when it is used: it imports all of scikit-learn, of which the processes of a
search, that each would wait for it, need a small part and nothing of skops.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from speechnet.errors import DataError
from speechnet.files import write_whole
from speechnet.reading import read_regular
from speechnet.types import Float64

_DEEPEST: Final = 12
"""Levels from an estimator to its numbers at most: a pipeline in a calibration in a pipeline."""

TRUSTED: Final = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
"""Types beyond skops' own list that a baseline is made of. A file that needs others is refused."""


def dump_sklearn(estimator: Any, path: Path) -> None:
    """Write a fitted estimator, whole or not at all.

    Raises:
        OSError: there is no space or no permission.
    """
    from skops.io import dumps

    write_whole(path, dumps(estimator))


def load_sklearn(path: Path) -> Any:
    """Read a fitted estimator.

    Raises:
        DataError: the file is missing, damaged, or would make something that is not listed.
    """
    from skops.io import loads
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        estimator = loads(read_regular(path), trusted=list(TRUSTED))
    except FileNotFoundError:
        raise DataError(f"{path} is missing from the run folder") from None
    except UntrustedTypesFoundException as error:
        raise DataError(f"{path} holds types that a speechnet model never has: {error}") from error
    except Exception as error:
        raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
    for name, values in _fitted(estimator):
        if not np.isfinite(values).all():
            raise DataError(
                f"{path} is damaged: {name} holds NaN or infinite numbers; copy the run anew from "
                "where it was made"
            )
    return estimator


def _fitted(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Float64]]:
    """The numbers that an estimator, and those within it, learnt, by attribute."""
    if isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
        yield name, np.asarray(value)
    elif depth < _DEEPEST and isinstance(value, list | tuple):
        for each in value:
            yield from _fitted(each, name, depth + 1)
    elif depth < _DEEPEST and hasattr(value, "__dict__"):
        for inner, each in vars(value).items():
            yield from _fitted(each, inner, depth + 1)
