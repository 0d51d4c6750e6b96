"""Search and fit every model of one fold, on that fold's training rows only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from speechnet.config.experiment import ExperimentConfig
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.console.messages import say, tell
from speechnet.console.progress import progress
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors
from speechnet.core.predictions import predictions_table
from speechnet.core.types import Fold, Int64, Targets, encode_all
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.calibration import calibrate
from speechnet.models.candidates import Candidate, InnerFolds, Tried
from speechnet.models.model import Context, Divider, Fitted, Rows
from speechnet.models.search import best
from speechnet.report.names import percent
from speechnet.splits.strata import inner_folds


def check_searches(
    config: ExperimentConfig, table: pd.DataFrame, targets: Targets, folds: Sequence[Fold]
) -> None:
    """Check that every search of every fold can have its inner folds.

    Raises:
        DataError: some fold's training rows can't be divided.
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
    """The classes of which a single speaker is left to train on, in words."""
    counts = {
        f"{target} {label!r}": rows.loc[rows[target] == label, "speaker"].nunique()
        for target, classes in targets.items()
        for label in classes
    }
    alone = [name for name, count in counts.items() if count == 1]
    return f". Only one speaker is left for {', '.join(alone)}" if alone else ""


def _divider(
    config: ExperimentConfig, table: pd.DataFrame, labels: Int64, rows: Int64, seed: int
) -> Divider:
    """A function that divides some recordings, or some of these, into inner folds."""
    speakers = table["speaker"].iloc[rows]
    grouped = config.data.split.grouped and speakers.notna().all()

    def divide(folds: int, among: Int64 | None = None) -> InnerFolds:
        some = np.arange(len(rows)) if among is None else among
        who = speakers.to_numpy()[some] if grouped else None
        return inner_folds(labels[rows[some]], who, folds=folds, seed=seed)

    return divide


def training_rows(data: SpeechDataModule, number: int) -> Int64:
    """What a fold is fitted on, as positions in ``data.training``: recordings, then copies."""
    return data.training.with_copies(data.folds[number].train)


def _with_copies(divide: Divider, data: SpeechDataModule, number: int) -> Divider:
    """Inner folds among ``training_rows``: a copy is fitted on where its recording is.

    Only recordings are held out.
    """
    own = data.folds[number].train
    rows = training_rows(data, number)
    if len(rows) == len(own):
        return divide
    place = np.full(len(data.table), -1)
    place[own] = np.arange(len(own))
    origin = place[data.training.origin[rows]]

    def within(folds: int, among: Int64 | None = None) -> InnerFolds:
        some = np.arange(len(rows)) if among is None else among
        recordings = np.flatnonzero(some < len(own))  # the copies stand behind them
        return [
            (np.flatnonzero(np.isin(origin[some], some[recordings[fit]])), recordings[held])
            for fit, held in divide(folds, some[recordings])
        ]

    return within


def context_of(
    config: ExperimentConfig, data: SpeechDataModule, number: int, **rest: Any
) -> Context:
    """What a model needs to be fitted on a fold; ``rest`` are the other fields of ``Context``."""
    seed = config.seed_everything + number
    divide = _divider(config, data.table, data.labels, data.folds[number].train, seed)
    return Context(
        targets=data.targets,
        scaling=config.data.scaling,
        seed=seed,
        metric=config.evaluation.tune_by,
        inner_folds=_with_copies(divide, data, number),
        make_trainer=TrainerFactory(config.trainer, rest["folder"]),
        models=config.models,
        # Lightning works in the main thread of a process only.
        processes=config.parallel.backend != "threading",
        **rest,
    )


def predict_rows(
    data: SpeechDataModule, fitted: Fitted, rows: Rows, *, part: str, fold: int, model: str
) -> pd.DataFrame:
    """A fitted model's predictions for some rows of the corpus, beside the truth."""
    return predictions_table(
        fitted.predict_proba(rows.features),
        rows.labels,
        [data.matrix.index[row] for row in rows.positions],
        data.targets,
        part=part,
        fold=fold,
        model=model,
    )


def predict_without(
    data: SpeechDataModule, fitted: Fitted, rows: Rows, *, fold: int, model: str
) -> pd.DataFrame:
    """What a model made of others predicts without each of them, beside the truth.

    Returns:
        Columns ``model, name`` (of the one left out), ``target, fold, file, truth, predicted``;
        rows that have a label.
    """
    files = np.array([data.matrix.index[row] for row in rows.positions], dtype=object)
    tables = [pd.DataFrame()]
    for member, called in fitted.predict_without(rows.features).items():
        for column, (target, classes) in enumerate(data.targets.items()):
            names, truth = np.array(classes, dtype=object), rows.labels[:, column]
            known = truth >= 0
            found = {
                "model": model,
                "name": member,
                "target": target,
                "fold": fold,
                "file": files[known],
                "truth": names[truth[known]],
                "predicted": names[called[known, column]],
            }
            tables.append(pd.DataFrame(found))
    return pd.concat(tables, ignore_index=True)


@dataclass
class FoldTraining:
    """Trains the models of one fold into its folder, and collects rows of the run's tables."""

    config: ExperimentConfig
    data: SpeechDataModule
    number: int
    folder: Path
    searched: list[pd.DataFrame] = field(default_factory=list)  # of search.csv
    history: list[pd.DataFrame] = field(default_factory=list)  # of history.csv
    temperatures: list[dict[str, Any]] = field(default_factory=list)  # of each calibration
    chosen: dict[str, dict[str, Candidate]] = field(default_factory=dict)  # by model and target
    layers: list[dict[str, Any]] = field(default_factory=list)  # of layers.csv

    def models(self) -> Iterator[tuple[str, Fitted]]:
        """Fit and save one model after the other.

        Raises:
            StorageError: no space or no permission.
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
        return ", ".join(word for word in (where, self.config.models[model].label, target) if word)

    def _fit(self, name: str, before: Mapping[str, Fitted]) -> Fitted:
        """The model, calibrated on the dev part if there is one, and saved."""
        context = context_of(
            self.config,
            self.data,
            self.number,
            name=name,
            folder=self.folder,
            fitted=before,
            choices=self.chosen,
            progress=progress,
            loggers=partial(_loggers, self.folder, name),
            searched=partial(self._keep, name),
            trained=partial(self._keep_epochs, name),
            noted=partial(self._note, name),
        )
        asked, fold = self.config.models[name], self.data.folds[self.number]
        train, dev = (
            Rows(self.data.training, rows, asked.extractor)
            for rows in (training_rows(self.data, self.number), fold.dev)
        )
        model = asked.fit(train, dev, context)
        if self.config.evaluation.calibrate and len(dev):
            model = calibrate(model, dev)
            self.temperatures += [
                {"model": name, "target": target, "fold": self.number, "temperature": value}
                for target, value in model.temperatures.items()
            ]
        model.save(self.folder, name)
        self._keep_layers(name, model)
        return model

    def _note(self, model: str, said: str) -> None:
        say(f"{self.named(model)}: {said}", style="yellow")

    def _keep_layers(self, name: str, fitted: Fitted) -> None:
        """The weights of each stack's layers, for every target or member."""
        if not (found := fitted.layer_weights()):
            return
        encoders = self.data.feature_set.encoders(self.config.models[name].extractor)
        for one, (features, layers) in zip(found, cycle(encoders)):  # the same of each member
            of = {"fold": self.number, "model": name, "member": one.member, "target": one.target}
            for i, weight in enumerate(one.weights):
                layer = {"features": features, "layer": i, "name": layers[i], "weight": weight}
                self.layers.append(of | layer)

    def _keep_epochs(self, model: str, member: int, records: list[dict[str, float]]) -> None:
        table = pd.DataFrame(records).assign(fold=self.number, model=model, member=member)
        self.history.append(table)

    def _keep(self, model: str, target: str, tried: list[Tried]) -> None:
        means = pd.Series([record.mean for record in tried])
        failed = pd.Series([bool(record.error) for record in tried])
        ranks = means.rank(method="min", ascending=False, na_option="bottom").mask(failed)
        winner = best(tried)
        self.chosen.setdefault(model, {})[target] = winner.candidate
        choice = ", ".join(f"{key} {value}" for key, value in winner.candidate.items())
        tell(
            f"{self.named(model, target)}: {choice}, the best of {len(tried)}, "
            f"{self.config.evaluation.tune_by} {percent(winner.mean)} on the inner folds"
            + (f", undefined on {winner.undefined} of them" if winner.undefined else "")
        )
        table = pd.DataFrame(
            {
                "fold": self.number,
                "model": model,
                "target": target,
                "candidate": [json.dumps(record.candidate) for record in tried],
                "mean": means,
                "sd": [float(np.std(record.counted)) for record in tried],
                "undefined": [record.undefined for record in tried],
                "rank": ranks,
                "chosen": [record is winner for record in tried],
                "unconverged": [record.unconverged for record in tried],
                "error": [record.error for record in tried],
            }
        )
        scores = pd.DataFrame([record.scores for record in tried]).add_prefix("score_")
        self.searched.append(pd.concat([table, scores], axis=1))


def _loggers(folder: Path, name: str, member: int) -> list[Any]:
    """The loggers of a network's curves."""
    from lightning.pytorch.loggers import CSVLogger

    from speechnet.experiment.tensorboard import EpochCurves

    version = f"{name}_{member}"
    return [CSVLogger(folder, name="logs", version=f"csv_{version}"), EpochCurves(folder, version)]
