"""scikit-learn models on disk, by skops: nothing is unpickled, only listed types are made.

skops is imported when it is used: the processes of a search don't need it and shouldn't wait for
it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.files import write_whole
from speechnet.core.reading import read_regular
from speechnet.core.types import Float64

_IMPORTING: Final = threading.Lock()
_DEEPEST: Final = 12
"""Levels from an estimator to its numbers at most: a pipeline in a calibration in a pipeline."""
TRUSTED: Final = (
    "speechnet.models.scikit.layer_scaler.LayerScaler",
    "sklearn.calibration.CalibratedClassifierCV",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._multilayer_perceptron.MLPClassifier",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.MinMaxScaler",
    "sklearn.preprocessing._data.RobustScaler",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._function_transformer.FunctionTransformer",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.svm._classes.SVC",
)
"""The types that our models' files hold, beyond numbers and arrays. Others are refused."""


def own_skops() -> ModuleType:
    """Skops' reader and writer, without the two seconds in which it imports all of scikit-learn.

    It imports that to trust every estimator there is; here the trusted ones are listed. The copy is
    this module's own: other importers of skops get the usual one. During the import, once in a
    process, ``sklearn.utils.all_estimators`` is patched for all threads.
    """
    with _IMPORTING:
        return _import_skops()


@cache
def _import_skops() -> ModuleType:
    """One thread at a time: a second would take the first one's patch for the original."""
    import sklearn.utils

    theirs = _take_skops()
    everything = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        return import_module("skops.io")
    finally:
        sklearn.utils.all_estimators = everything
        _take_skops()
        sys.modules.update(theirs)


def _take_skops() -> dict[str, ModuleType]:
    """Skops' modules, taken out of the imported ones."""
    names = [name for name in sys.modules if name.partition(".")[0] == "skops"]
    return {name: sys.modules.pop(name) for name in names}


def dump_sklearn(estimator: Any, path: Path, trusted: Iterable[str] = ()) -> None:
    """Write a fitted estimator, whole or not at all.

    Raises:
        ConfigError: ``load_sklearn`` couldn't read it back with these ``trusted`` types.
        OSError: there is no space or no permission.
    """
    content = own_skops().dumps(estimator)
    if unknown := set(own_skops().get_untrusted_types(data=content)) - {*TRUSTED, *trusted}:
        raise ConfigError(
            f"{path.name} couldn't be read back: it holds types that the model doesn't trust; "
            f"add {', '.join(sorted(unknown))} to trusted"
        )
    write_whole(path, content)


def load_sklearn(path: Path, trusted: Iterable[str] = ()) -> Any:
    """Read a fitted estimator.

    Args:
        path: what ``dump_sklearn`` wrote.
        trusted: types that may be made beside ``TRUSTED``.

    Raises:
        DataError: the file is missing, damaged, or would make something that is not listed.
    """
    skops = own_skops()
    try:
        estimator = skops.loads(read_regular(path), trusted=[*TRUSTED, *trusted])
    except FileNotFoundError:
        raise DataError(f"{path} is missing from the run folder") from None
    except skops.exceptions.UntrustedTypesFoundException as error:
        raise DataError(f"{path} holds types that a speechnet model never has: {error}") from error
    except Exception as error:
        raise DataError(f"{path} can't be read ({type(error).__name__}: {error})") from error
    for name, values in _fitted(estimator):
        if not np.isfinite(values).all():
            raise DataError(
                f"{path} is damaged: {name} holds NaN or infinite numbers; copy the run again from "
                "where it was made"
            )
    return estimator


def _fitted(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Float64]]:
    """The numbers that an estimator and those within it learnt, by attribute."""
    if isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
        yield name, np.asarray(value)
    elif depth < _DEEPEST and isinstance(value, list | tuple):
        for each in value:
            yield from _fitted(each, name, depth + 1)
    elif depth < _DEEPEST and hasattr(value, "__dict__"):
        for inner, each in vars(value).items():
            yield from _fitted(each, inner, depth + 1)
