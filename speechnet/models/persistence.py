"""scikit-learn models on disk, by skops: nothing is unpickled, only listed types are made.

skops is imported when it is used: it imports all of scikit-learn, of which the processes of a
search, that each would wait for it, need a small part and nothing of skops.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from speechnet.errors import DataError
from speechnet.files import write_whole

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
    from skops.io import load
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return load(path, trusted=list(TRUSTED))
    except FileNotFoundError:
        raise DataError(f"{path} is missing from the run folder") from None
    except UntrustedTypesFoundException as error:
        raise DataError(f"{path} holds types that a speechnet model never has: {error}") from error
    except Exception as error:
        raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
