"""Fit a run's models once more with the hyper-parameters that its searches chose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import joblib
import numpy as np
import pandas as pd

from speechnet.config.experiment import ExperimentConfig
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import Float32, Fold, Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.scikit.pipelines import make_pipeline
from speechnet.models.training.fitted import NetworkClassifier
from speechnet.models.training.trainer import NetworkTrainer
from speechnet.models.tuning.grid import Candidate
from speechnet.models.tuning.search import ignore_unconverged

NETWORK: Final = "mlp"

Chosen = dict[tuple[str, str, int], Candidate]
"""Hyper-parameters by model, target and fold; the network's target is ``""``."""


def chosen_candidates(run: RunFolder) -> Chosen:
    """What the run's searches chose; empty where nothing was searched.

    Raises:
        DataError: ``search.csv`` is damaged.
    """
    if not (run.path / "search.csv").exists():
        return {}
    table = run.read_table("search.csv")
    table = table[table["chosen"]].fillna({"target": ""})
    columns = (table[name].tolist() for name in ("model", "target", "fold", "candidate"))
    return {
        (model, target, int(fold)): json.loads(candidate)
        for model, target, fold, candidate in zip(*columns, strict=True)
    }


def refit(
    config: ExperimentConfig, data: SpeechDataModule, model: str, chosen: Chosen
) -> pd.DataFrame:
    """Fit one model on every fold and predict the test parts, as the run itself did.

    Args:
        config: the experiment.
        data: what to fit on; its folds may hold fewer rows, and it fewer targets, than the run's.
        model: its name.
        chosen: see ``chosen_candidates``.

    Returns:
        Columns file, fold, target, truth, predicted; without rows that have no label.
    """
    fit = _refit_network if model == NETWORK else _refit_baseline
    tables = [
        _table(data, number, column, predicted)
        for number, column, predicted in fit(config, data, model, chosen)
    ]
    return pd.concat(tables, ignore_index=True)


def _refit_baseline(
    config: ExperimentConfig, data: SpeechDataModule, model: str, chosen: Chosen
) -> Iterator[tuple[int, int, Int64]]:
    """Fold, target's column and the classes of the fold's test rows."""
    folds, targets = range(len(data.folds)), enumerate(data.targets)
    where = [(number, *target) for target in targets for number in folds]
    predicted = joblib.Parallel(return_as="generator")(
        joblib.delayed(_fit_and_predict)(
            model,
            chosen[model, target, number],
            data.X,
            data.labels[:, column],
            data.folds[number],
            scaling=config.data.features.scaling,
            seed=config.seed_everything + number,
        )
        for number, column, target in where
    )
    for (number, column, _), classes in zip(where, predicted, strict=True):
        yield number, column, classes


def _fit_and_predict(
    model: str,
    candidate: Candidate,
    X: Float32,
    y: Int64,
    fold: Fold,
    *,
    scaling: str,
    seed: int,
) -> Int64:
    """The classes of a fold's test rows, with or without a label."""
    rows = fold.train[y[fold.train] >= 0]
    pipeline = make_pipeline(model, candidate, scaling=scaling, seed=seed)
    with ignore_unconverged():
        pipeline.fit(X[rows].astype(np.float64), y[rows])
    test = X[fold.test].astype(np.float64)
    # An SVM's temperature, which the run fits beside it, changes no prediction.
    classes = (
        pipeline.predict(test)
        if model == "svm"
        else pipeline.classes_[pipeline.predict_proba(test).argmax(axis=1)]
    )
    return np.asarray(classes, dtype=np.int64)


def _refit_network(
    config: ExperimentConfig, data: SpeechDataModule, model: str, chosen: Chosen
) -> Iterator[tuple[int, int, Int64]]:
    """See ``_refit_baseline``."""
    with temporary_folder() as name:
        folder = Path(name)
        trainer = NetworkTrainer(
            rows=data,
            targets=data.targets,
            scaling=config.data.features.scaling,
            make_trainer=TrainerFactory(config.trainer, folder),
        )
        for number, fold in enumerate(data.folds):
            candidate = chosen.get((model, "", number), {})
            network = _fit_network(config, trainer, fold, number, candidate, folder)
            probabilities = network.predict_proba(data.X[fold.test])
            for column, target in enumerate(data.targets):
                yield number, column, probabilities[target].argmax(axis=1)


def _fit_network(
    config: ExperimentConfig,
    trainer: NetworkTrainer,
    fold: Fold,
    number: int,
    candidate: Candidate,
    folder: Path,
) -> NetworkClassifier:
    """The members of one fold, from the seeds that the run gave them."""
    model = replace(config.model, **candidate)
    # Lightning works in the main thread of a process, or in none.
    beside = trainer.fits_beside_others() and config.parallel.backend != "threading"
    fits = joblib.Parallel(n_jobs=None if beside and model.members > 1 else 1)(
        joblib.delayed(trainer.fit)(
            model,
            train=fold.train,
            dev=fold.dev,
            seed=config.seed_everything + number + 1000 * member,
            folder=folder,
            name=f"{number}_{member}",
        )
        for member in range(model.members)
    )
    return NetworkClassifier.from_checkpoints([path for path, _ in fits])


def _table(data: SpeechDataModule, number: int, column: int, predicted: Int64) -> pd.DataFrame:
    """A fold's test rows that have a label of one target."""
    target, classes = [*data.targets.items()][column]
    rows = data.folds[number].test
    truth = data.labels[rows, column]
    known = truth >= 0
    names = np.array(classes, dtype=object)
    return pd.DataFrame(
        {
            "file": np.array(data.matrix.index, dtype=object)[rows[known]],
            "fold": number,
            "target": target,
            "truth": names[truth[known]],
            "predicted": names[predicted[known]],
        }
    )
