"""Search and fit every model of one fold, on that fold's training rows only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from speechnet.config.experiment import ExperimentConfig
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.console.messages import tell
from speechnet.console.progress import progress
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors
from speechnet.core.types import Fold, Int64, Targets, encode_all
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.calibration import Calibrated, fit_temperatures
from speechnet.models.candidates import InnerFolds, Tried
from speechnet.models.model import Context, Fitted, Rows
from speechnet.models.search import best
from speechnet.report.names import model_name, percent
from speechnet.splits.inner import inner_folds


def check_searches(
    config: ExperimentConfig, table: pd.DataFrame, targets: Targets, folds: Sequence[Fold]
) -> None:
    """Every search of every fold must have its inner folds.

    Args:
        config: the experiment.
        table: the corpus table.
        targets: each target's ordered classes.
        folds: positions in ``table``.

    Raises:
        DataError: some fold's training rows can't be divided; nothing has been trained yet.
    """
    counts = {model.search_folds for model in config.models.values()} - {0}
    labels = encode_all(table, targets)
    for number, fold in enumerate(folds):
        divide = _divider(config, table, labels, fold.train, config.seed_everything + number)
        try:
            for count in sorted(counts):
                divide(count)
        except DataError as error:
            grouped = config.data.split.grouped
            scarce = _scarce(table.iloc[fold.train], targets) if grouped else ""
            raise DataError(f"fold {number}: {error}{scarce}") from error


def _scarce(rows: pd.DataFrame, targets: Targets) -> str:
    """The classes that only one speaker is left to train, in words."""
    counts = {
        f"{target} {label!r}": rows.loc[rows[target] == label, "speaker"].nunique()
        for target, classes in targets.items()
        for label in classes
    }
    alone = [name for name, count in counts.items() if count == 1]
    return f". Only one speaker is left for {', '.join(alone)}" if alone else ""


def _divider(
    config: ExperimentConfig, table: pd.DataFrame, labels: Int64, rows: Int64, seed: int
) -> Callable[[int], InnerFolds]:
    """Gives so many inner folds of some training rows, as positions among these."""
    speakers = table["speaker"].iloc[rows]
    grouped = config.data.split.grouped and speakers.notna().all()
    return partial(_inner_folds, labels[rows], speakers.to_numpy() if grouped else None, seed=seed)


def _inner_folds(labels: Int64, speakers: Any, folds: int, *, seed: int) -> InnerFolds:
    return list(inner_folds(labels, speakers, folds=folds, seed=seed))


def context_of(
    config: ExperimentConfig, data: SpeechDataModule, number: int, **rest: Any
) -> Context:
    """What a model needs to be fitted on a fold; see ``Context`` for what else may be said.

    Args:
        config: the experiment.
        data: features, labels and folds.
        number: which fold.
        rest: the other fields of ``Context``: its name, its folder and so on.
    """
    seed = config.seed_everything + number
    return Context(
        targets=data.targets,
        scaling=config.data.scaling,
        seed=seed,
        metric=config.evaluation.tune_by,
        inner_folds=_divider(config, data.table, data.labels, data.folds[number].train, seed),
        make_trainer=TrainerFactory(config.trainer, rest["folder"]),
        models=config.models,
        # Lightning works in the main thread of a process, or in none.
        processes=config.parallel.backend != "threading",
        **rest,
    )


class FoldTraining:
    """Trains the models of one fold.

    Args:
        config: the experiment.
        data: features, labels and folds.
        number: which fold.
        folder: where the fold's models and logs go.

    Attributes:
        searched: records of all candidates tried so far, as ``search.csv`` has them.
        history: the networks' learning curves so far.
        temperatures: of the models so far, records of ``calibration.csv``.
    """

    def __init__(
        self, config: ExperimentConfig, data: SpeechDataModule, *, number: int, folder: Path
    ) -> None:
        self.config = config
        self.data = data
        self.number = number
        self.folder = folder
        self.fold: Fold = data.folds[number]
        self.searched: list[pd.DataFrame] = []
        self.history: list[pd.DataFrame] = []
        self.temperatures: list[dict[str, Any]] = []

    def models(self) -> Iterator[tuple[str, Fitted]]:
        """Fit one model after the other; each is saved once it is fitted.

        Raises:
            StorageError: no space or no permission to save it.
        """
        fitted: dict[str, Fitted] = {}
        with storage_errors(self.folder):
            for name in self.config.models:
                fitted[name] = self._fit(name, fitted)
                yield name, fitted[name]

    def named(self, model: str, target: str = "") -> str:
        """A model of this fold, in words."""
        several = len(self.data.folds) > 1
        where = f"fold {self.number + 1} of {len(self.data.folds)}" if several else ""
        return ", ".join(word for word in (where, model_name(model), target) if word)

    def _fit(self, name: str, before: Mapping[str, Fitted]) -> Fitted:
        """The model, calibrated on the dev part where there is one, and saved."""
        context = context_of(
            self.config,
            self.data,
            self.number,
            name=name,
            folder=self.folder,
            fitted=before,
            progress=progress,
            loggers=partial(_loggers, self.folder, name),
            searched=partial(self._keep, name),
            trained=partial(self._keep_epochs, name),
        )
        asked = self.config.models[name]
        train = Rows(self.data, self.fold.train, asked.extractor)
        dev = Rows(self.data, self.fold.dev, asked.extractor)
        model = asked.fit(train, dev, context)
        if self.config.evaluation.calibrate and len(dev):
            temperatures = fit_temperatures(
                model.predict_proba(dev.features), dev.labels, self.data.targets
            )
            model = Calibrated(model, temperatures)
            self.temperatures += [
                {"model": name, "target": target, "fold": self.number, "temperature": value}
                for target, value in temperatures.items()
            ]
        model.save(self.folder, name)
        return model

    def _keep_epochs(self, model: str, member: int, records: list[dict[str, float]]) -> None:
        table = pd.DataFrame(records).assign(fold=self.number, model=model, member=member)
        self.history.append(table)

    def _keep(self, model: str, target: str, tried: list[Tried]) -> None:
        means = pd.Series([record.mean for record in tried])
        winner = best(tried)
        choice = ", ".join(f"{key} {value}" for key, value in winner.candidate.items())
        tell(
            f"{self.named(model, target)}: {choice}, the best of {len(tried)}, "
            f"{self.config.evaluation.tune_by} {percent(winner.mean)} on the inner folds"
        )
        table = pd.DataFrame(
            {
                "fold": self.number,
                "model": model,
                "target": target,
                "candidate": [json.dumps(record.candidate) for record in tried],
                "mean": means,
                "sd": [float(np.std(record.scores)) for record in tried],
                "rank": means.rank(method="min", ascending=False),
                "chosen": [record is winner for record in tried],
                "unconverged": [record.unconverged for record in tried],
                "error": [record.error for record in tried],
            }
        )
        scores = pd.DataFrame([record.scores for record in tried]).add_prefix("score_")
        self.searched.append(pd.concat([table, scores], axis=1))


def _loggers(folder: Path, name: str, member: int) -> list[Any]:
    """What writes a network's curves."""
    from lightning.pytorch.loggers import CSVLogger

    from speechnet.experiment.tensorboard import EpochCurves

    version = f"{name}_{member}"
    return [CSVLogger(folder, name="logs", version=f"csv_{version}"), EpochCurves(folder, version)]
