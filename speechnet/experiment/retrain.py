"""Fit a run's models once more with the hyper-parameters that its searches chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from speechnet.config.experiment import ExperimentConfig
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.fold import context_of
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.candidates import Candidate
from speechnet.models.model import Rows

Chosen = dict[tuple[str, int], dict[str, Candidate]]
"""By model and fold the hyper-parameters of each target; those of all targets are of ``""``."""


def chosen_candidates(run: RunFolder) -> Chosen:
    """What the run's searches chose; empty where nothing was searched.

    Raises:
        DataError: ``search.csv`` is damaged.
    """
    if not (run.path / "search.csv").exists():
        return {}
    table = run.read_table("search.csv")
    table = table[table["chosen"]].fillna({"target": ""})
    columns = (table[name].tolist() for name in ("model", "fold", "target", "candidate"))
    chosen: Chosen = {}
    for model, fold, target, candidate in zip(*columns, strict=True):
        chosen.setdefault((model, int(fold)), {})[target] = json.loads(candidate)
    return chosen


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
    # A joint model shares out its own work: its members, or what a GPU does at once.
    at_once = 1 if config.models[model].joint else None
    numbers = range(len(data.folds))
    with temporary_folder() as folder:
        predicted = joblib.Parallel(n_jobs=at_once)(
            joblib.delayed(_fit_and_predict)(
                config, data, model, number, chosen.get((model, number), {}), Path(folder)
            )
            for number in numbers
        )
    tables = [
        _table(data, number, column, predicted[number][:, column])
        for column in range(len(data.targets))
        for number in numbers
    ]
    return pd.concat(tables, ignore_index=True)


def _fit_and_predict(
    config: ExperimentConfig,
    data: SpeechDataModule,
    model: str,
    number: int,
    chosen: dict[str, Candidate],
    folder: Path,
) -> Int64:
    """The classes of a fold's test rows, with or without a label: int64 ``[n, targets]``."""
    fold = data.folds[number]
    context: Any = context_of(
        config,
        data,
        number,
        name=f"{model}_{number}",
        folder=folder,
        chosen=chosen,
        probabilities=False,
    )
    asked = config.models[model]
    train, dev, test = (Rows(data, rows, asked.extractor) for rows in fold.parts().values())
    return asked.fit(train, dev, context).predict(test.features)


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
