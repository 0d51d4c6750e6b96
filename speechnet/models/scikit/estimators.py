"""Estimators of scikit-learn, one for each target: searched, fitted, saved, applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

from speechnet.core.errors import DataError
from speechnet.core.scratch import temporary_folder
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import Float32, Float64, Int64, Stack, Targets
from speechnet.models.candidates import Candidate, InnerFolds
from speechnet.models.model import Context, Fitted, LayerWeights, Rows
from speechnet.models.scikit.files import dump_sklearn, load_sklearn
from speechnet.models.scikit.layer_scaler import LayerScaler, with_layers
from speechnet.models.scikit.pipelines import FitAndScore, Tunable, double, make_pipeline
from speechnet.models.scikit.shared_kernels import predict_svm
from speechnet.models.search import best, ignore_unconverged, search


def fit_estimators(model: Tunable, train: Rows, context: Context) -> FittedEstimators:
    """Search and fit an estimator for each target, on the rows that have a label of it."""
    estimators, stacks = {}, train.stacks
    for column, target in enumerate(context.targets):
        known = np.flatnonzero(train.labels[:, column] >= 0)
        X, y = train.features[known], train.labels[known, column]
        folds: InnerFolds = []
        if context.chosen is None or (model.margins and context.probabilities):
            folds = [
                (np.flatnonzero(np.isin(known, fit)), np.flatnonzero(np.isin(known, held)))
                for fit, held in context.inner_folds(model.folds)
            ]
        if context.chosen is None:
            tries = with_layers(model.candidates(), model.layer, stacks)
            run = FitAndScore(model, X, y, context.scaling, context.metric, context.seed, stacks)
            with context.progress(f"{context.name}, {target}", len(tries) * len(folds)) as advance:
                tried = search(
                    model.sharing(run), tries, folds, metric=context.metric, on_done=advance
                )
            context.searched(target, tried)
            candidate = best(tried).candidate
        else:
            candidate = context.chosen[target]
        rest: Any = {"scaling": context.scaling, "seed": context.seed, "stacks": stacks}
        estimators[target] = fit_estimator(model, candidate, X, y, folds=folds, **rest)
    return FittedEstimators(estimators, context.targets, trusted=model.trusted)


def fit_estimator(
    model: Tunable,
    candidate: Candidate,
    X: Float32,
    y: Int64,
    *,
    folds: InnerFolds,
    scaling: str,
    seed: int,
    stacks: Sequence[Stack] = (),
) -> Any:
    """Fit one candidate on all training rows.

    An SVM has no probabilities of its own: its decision values are divided by one temperature,
    fitted on the inner folds' held-out values (Guo et al. 2017). That changes no prediction.

    Args:
        model: makes the estimator.
        candidate: its hyper-parameters.
        X: float32 ``[n, d]``, training rows.
        y: int64 ``[n]``, classes.
        folds: inner folds of these rows, for the temperature; none leaves it out, and with it an
            SVM's probabilities.
        scaling: see ``make_scaler``.
        seed: of the estimator.
        stacks: of the columns.

    Returns:
        A fitted scikit-learn estimator.
    """
    estimator: Any = make_pipeline(model, candidate, scaling=scaling, seed=seed, stacks=stacks)
    if not (model.margins and folds):
        with ignore_unconverged():
            return estimator.fit(double(X, stacks), y)
    # scikit-learn wants every row held out once: copies are where their recordings are, and then
    # weigh nothing.
    every = np.arange(len(y))
    parts = [(fit, np.setdiff1d(every, fit)) for fit, _ in folds]
    counted = np.isin(every, np.concatenate([held for _, held in folds]))
    estimator = CalibratedClassifierCV(estimator, method="temperature", cv=parts, ensemble=False)
    weights = None if counted.all() else counted.astype(np.float64)
    with collected_warnings(_of_weights), ignore_unconverged():
        return estimator.fit(double(X, stacks), y, sample_weight=weights)


def _of_weights(warning: Warning) -> bool:
    """Whether scikit-learn says that weights go to the calibration alone, as they should."""
    return "does not appear to accept sample_weight" in str(warning)


def check_saving(model: Tunable, name: str) -> None:
    """Save an estimator of a small made problem and read it back, before a real one is fitted.

    Raises:
        ConfigError: it holds types that the model doesn't trust.
        DataError: it can't be read back.
    """
    X = np.random.default_rng(0).standard_normal((60, 8), dtype=np.float32)
    halves = np.arange(30), np.arange(30, 60)
    rest: dict[str, Any] = {"folds": [halves, halves[::-1]], "scaling": "standard", "seed": 0}
    try:
        estimator = fit_estimator(model, model.candidates()[0], X, np.arange(60) % 3, **rest)
    except Exception:  # settings may suit a corpus and not these few rows: training will show
        return
    with temporary_folder() as folder:
        path = Path(folder, f"{name}.skops")
        dump_sklearn(estimator, path, model.trusted)
        load_sklearn(path, model.trusted)


class FittedEstimators(Fitted):
    """One fitted scikit-learn estimator for each target.

    Args:
        estimators: by target; fitted on integer classes.
        targets: each target's ordered classes.
        trusted: types that their files may hold, see ``ScikitModel``.
    """

    def __init__(
        self, estimators: dict[str, Any], targets: Targets, *, trusted: Sequence[str] = ()
    ) -> None:
        self.estimators = estimators
        self.targets = targets
        self.trusted = tuple(trusted)

    def predict_proba(self, features: Float32) -> dict[str, Float64]:
        """See ``Fitted``. A class absent from training has probability 0."""
        out = {}
        for target, classes in self.targets.items():
            estimator = self.estimators[target]
            out[target] = np.zeros((len(features), len(classes)))
            if len(features):  # scikit-learn refuses an empty table
                found = _predict_proba(estimator, _rows(estimator, features))
                out[target][:, estimator.classes_] = found
        return out

    def predict(self, features: Float32) -> Int64:
        """See ``Fitted``; an SVM by one product of matrices, not pair by pair as libsvm does it.

        That takes a tenth of the time. No prediction has been seen to change by it.
        """
        columns, X = [], _rows(next(iter(self.estimators.values())), features)
        for estimator in self.estimators.values():
            pipeline = _pipeline(estimator)
            if isinstance(pipeline["model"], SVC):
                columns.append(predict_svm(pipeline["model"], pipeline["scale"].transform(X)))
            else:
                columns.append(estimator.classes_[estimator.predict_proba(X).argmax(axis=1)])
        return np.stack(columns, axis=1).astype(np.int64)

    def layer_weights(self) -> list[LayerWeights]:
        """See ``Fitted``: those of one layer, or equal ones."""
        scalers = ((target, _layers(one)) for target, one in self.estimators.items())
        return [
            LayerWeights(target, 0, weights)
            for target, scaler in scalers
            for weights in (scaler.weights() if scaler is not None else [])
        ]

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>_<target>.skops`` for each target."""
        for target, estimator in self.estimators.items():
            dump_sklearn(estimator, _path(folder, name, target), self.trusted)

    @classmethod
    def load(
        cls, folder: Path, name: str, targets: Targets, *, trusted: Sequence[str] = ()
    ) -> FittedEstimators:
        """Read what ``save`` wrote.

        Raises:
            DataError: a file is missing, damaged, or holds something that no model of ours has.
        """
        read = {target: load_sklearn(_path(folder, name, target), trusted) for target in targets}
        for target, classes in targets.items():
            known, k = np.asarray(getattr(read[target], "classes_", [])), len(classes)
            integers = known.dtype.kind == "i" and set(known) <= set(range(k))
            if not integers or not hasattr(read[target], "predict_proba"):
                path = _path(folder, name, target)
                raise DataError(f"{path} holds no classifier of the {k} classes that the run names")
        return cls(read, targets, trusted=trusted)


def _pipeline(estimator: Any) -> Any:
    """The scaler and the estimator, without the calibration."""
    inner = getattr(estimator, "calibrated_classifiers_", None)
    return inner[0].estimator if inner else estimator


def _layers(estimator: Any) -> LayerScaler | None:
    """The scaler, if it chooses among layers."""
    scaler = getattr(_pipeline(estimator), "named_steps", {}).get("scale")
    return scaler if isinstance(scaler, LayerScaler) else None


def _rows(estimator: Any, features: Float32) -> Float32 | Float64:
    """Raw rows as an estimator gets them."""
    return features if _layers(estimator) is not None else double(features)


def _predict_proba(estimator: Any, X: Float32 | Float64) -> Float64:
    """As ``estimator.predict_proba``, float64 ``[n, k]``."""
    match estimator:
        case CalibratedClassifierCV(method="temperature", calibrated_classifiers_=[calibrated]):
            # Step by step: looking for the steps' methods and checking X again on each level takes
            # scikit-learn as long as the SVM takes for a row.
            scaler, svm = calibrated.estimator
            (temperature,) = calibrated.calibrators
            decision = svm.decision_function(scaler.transform(X))
            return np.asarray(temperature.predict(decision), dtype=np.float64)
    return np.asarray(estimator.predict_proba(X), dtype=np.float64)


def _path(folder: Path, name: str, target: str) -> Path:
    return folder / f"{name}_{target}.skops"
