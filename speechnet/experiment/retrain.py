"""Refit a run's models with the hyper-parameters that its searches chose."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from speechnet.config.experiment import ExperimentConfig
from speechnet.core.scratch import temporary_folder
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.fold import context_of
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.candidates import Candidate
from speechnet.models.model import Rows

Chosen = dict[tuple[str, int], dict[str, Candidate]]
"""By model and fold the hyper-parameters of each target; ``""`` stands for all targets."""


def chosen_candidates(run: RunFolder) -> Chosen:
    """The choices of a run's searches; empty if nothing was searched.

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

    The data may have fewer rows and targets than the run.

    Returns:
        Columns file, fold, target, truth, predicted; without rows that have no label.
    """
    # A joint model distributes its own work.
    at_once = 1 if config.models[model].joint else None
    with temporary_folder() as folder:
        tables: list[pd.DataFrame] = joblib.Parallel(n_jobs=at_once)(
            joblib.delayed(_fit_and_predict)(
                config, data, model, number, chosen.get((model, number), {}), Path(folder)
            )
            for number in range(len(data.folds))
        )
    return pd.concat(tables, ignore_index=True)


def _fit_and_predict(
    config: ExperimentConfig,
    data: SpeechDataModule,
    model: str,
    number: int,
    chosen: dict[str, Candidate],
    folder: Path,
) -> pd.DataFrame:
    """The rows of one fold."""
    rest = {"name": f"{model}_{number}", "folder": folder, "chosen": chosen}
    context = context_of(config, data, number, **rest, probabilities=False)
    asked, parts = config.models[model], data.folds[number].parts().values()
    train, dev, test = (Rows(data, rows, asked.extractor) for rows in parts)
    predicted = asked.fit(train, dev, context).predict(test.features)
    files = np.array(data.matrix.index, dtype=object)[test.positions]
    tables = []
    for column, (target, classes) in enumerate(data.targets.items()):
        names, truth = np.array(classes, dtype=object), test.labels[:, column]
        known = truth >= 0
        columns = {
            "file": files[known],
            "fold": number,
            "target": target,
            "truth": names[truth[known]],
            "predicted": names[predicted[known, column]],
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables)
