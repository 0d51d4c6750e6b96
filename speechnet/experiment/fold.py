"""Search and fit every model of one fold, on that fold's training rows only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd
from lightning.pytorch.loggers import CSVLogger, Logger

from speechnet.config.experiment import ExperimentConfig
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.console.messages import tell
from speechnet.console.progress import progress
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import Fold, Int64, Targets, encode_all
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.tensorboard import EpochCurves
from speechnet.models.calibration import Calibrated, fit_temperatures
from speechnet.models.classical.config import Grid, candidates
from speechnet.models.model import Classifier
from speechnet.models.scikit.pipelines import (
    BaselineClassifier,
    FitAndScoreBaseline,
    fit_baseline,
)
from speechnet.models.scikit.search import search_baseline
from speechnet.models.training.config import MLPConfig, network_candidates
from speechnet.models.training.fitted import NetworkClassifier
from speechnet.models.training.search import FitAndScoreNetwork, FitAndScoreTogether
from speechnet.models.training.trainer import NetworkTrainer
from speechnet.models.tuning.search import InnerFolds, Tried, best, search
from speechnet.report.names import model_name, percent
from speechnet.splits.inner import inner_folds

_EPOCHS: Final = 1000
"""What Lightning's Trainer does when it isn't told; of a progress bar, when there is no end."""


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
    counts = {grid.folds for grid in config.baselines.grids().values()}
    if config.model.enabled and config.model.grid:
        counts.add(config.model.folds)
    labels = encode_all(table, targets)
    for number, fold in enumerate(folds):
        seed = config.seed_everything + number
        try:
            for count in sorted(counts):
                _search_folds(config, table, labels, fold.train, folds=count, seed=seed)
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


def _search_folds(
    config: ExperimentConfig,
    table: pd.DataFrame,
    labels: Int64,
    rows: Int64,
    *,
    folds: int,
    seed: int,
) -> InnerFolds:
    """Inner folds of some training rows, as positions in the corpus table."""
    speakers = table["speaker"].iloc[rows]
    grouped = config.data.split.grouped and speakers.notna().all()
    pairs = inner_folds(
        labels[rows], speakers.to_numpy() if grouped else None, folds=folds, seed=seed
    )
    return [(rows[fit], rows[held]) for fit, held in pairs]


class FoldTraining:
    """Trains the models of one fold.

    Args:
        config: the experiment.
        data: features, labels and folds.
        number: which fold.
        folder: where the fold's models and logs go.

    Attributes:
        searched: records of all candidates tried so far, as ``search.csv`` has them.
        history: the network's learning curves so far.
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
        self._seed = config.seed_everything + number
        self._inner_folds: dict[int, InnerFolds] = {}

    def models(self) -> Iterator[tuple[str, Classifier]]:
        """Fit one model after the other, the network first; each is saved once it is fitted.

        Raises:
            StorageError: no space or no permission to save it.
        """
        with storage_errors(self.folder):
            if self.config.model.enabled:
                yield "mlp", self._finished("mlp", self._network())
            for name, grid in self.config.baselines.grids().items():
                yield name, self._finished(name, self._baseline(name, grid))

    def named(self, model: str, target: str = "") -> str:
        """A model of this fold, in words."""
        several = len(self.data.folds) > 1
        where = f"fold {self.number + 1} of {len(self.data.folds)}" if several else ""
        return ", ".join(word for word in (where, model_name(model), target) if word)

    def _finished(self, name: str, classifier: Classifier) -> Classifier:
        """The model calibrated on the dev part, where there is one, and saved."""
        dev = self.fold.dev
        if self.config.evaluation.calibrate and len(dev):
            temperatures = fit_temperatures(
                classifier.predict_proba(self.data.X[dev]), self.data.labels[dev], self.data.targets
            )
            classifier = Calibrated(classifier, temperatures)
            self.temperatures += [
                {"model": name, "target": target, "fold": self.number, "temperature": value}
                for target, value in temperatures.items()
            ]
        classifier.save(self.folder, name)
        return classifier

    def _baseline(self, name: str, grid: Grid) -> BaselineClassifier:
        estimators = {}
        scaling = self.config.data.features.scaling
        tries = candidates(grid)
        for column, target in enumerate(self.data.targets):
            rows = self.fold.train[self.data.labels[self.fold.train, column] >= 0]
            X, y = self.data.X[rows], self.data.labels[rows, column]
            folds = _within(rows, self._inner(grid.folds))
            run = FitAndScoreBaseline(name, X, y, scaling, self.config.baselines.metric, self._seed)
            with progress(f"{name}, {target}", len(tries)) as advance:
                tried = search_baseline(run, tries, folds, on_done=advance)
            self._keep(name, target, tried)
            estimators[target] = fit_baseline(
                name, best(tried).candidate, X, y, folds=folds, scaling=scaling, seed=self._seed
            )
        return BaselineClassifier(estimators, self.data.targets)

    def _network(self) -> NetworkClassifier:
        config = self.config.model
        trainer = NetworkTrainer(
            rows=self.data,
            targets=self.data.targets,
            scaling=self.config.data.features.scaling,
            make_trainer=TrainerFactory(self.config.trainer, self.folder),
        )
        # Lightning works in the main thread of a process, or in none.
        parallel = trainer.fits_beside_others() and self.config.parallel.backend != "threading"
        if config.grid:
            config = self._search_network(trainer, config, parallel=parallel)
        paths = self._fit_members(trainer, config, parallel=parallel and config.members > 1)
        return NetworkClassifier.from_checkpoints(paths)

    def _fit_members(
        self, trainer: NetworkTrainer, config: MLPConfig, *, parallel: bool
    ) -> list[Path]:
        epochs = self.config.trainer.get("max_epochs") or 0
        epochs = epochs if epochs > 0 else _EPOCHS
        paths = []
        with progress("network", config.members * epochs) as advance:
            fits = joblib.Parallel(n_jobs=None if parallel else 1, return_as="generator")(
                joblib.delayed(trainer.fit)(
                    config,
                    train=self.fold.train,
                    dev=self.fold.dev,
                    seed=self._seed + 1000 * member,
                    folder=self.folder,
                    name=f"mlp_{member}",
                    loggers=self._loggers(member),
                    on_epoch=_unseen if parallel else advance,
                )
                for member in range(config.members)
            )
            for member, (path, records) in enumerate(fits):
                advance(epochs if parallel else epochs - len(records))  # the rest: stopped early
                paths.append(path)
                self.history.append(pd.DataFrame(records).assign(fold=self.number, member=member))
        return paths

    def _search_network(
        self, trainer: NetworkTrainer, config: MLPConfig, *, parallel: bool
    ) -> MLPConfig:
        choices = network_candidates(config)
        folds = self._inner(config.folds)
        metric = self.config.baselines.metric
        with (
            temporary_folder() as folder,
            progress("network search", len(choices) * len(folds)) as advance,
        ):
            alone = FitAndScoreNetwork(
                trainer, config, self.fold.dev, metric, self._seed, Path(folder)
            )
            if trainer.stackable():
                together = FitAndScoreTogether(alone, choices, folds)
                together.train(parallel=parallel, on_done=advance)
                tried = search(together, choices, folds, parallel=False)
            else:
                tried = search(
                    alone,
                    choices,
                    folds,
                    parallel=parallel,
                    on_done=lambda count: advance(count * len(folds)),
                )
        self._keep("mlp", "", tried)
        return replace(config, **best(tried).candidate)

    def _inner(self, folds: int) -> InnerFolds:
        """Inner folds of the training rows, as positions in the corpus table."""
        if folds not in self._inner_folds:
            self._inner_folds[folds] = _search_folds(
                self.config,
                self.data.table,
                self.data.labels,
                self.fold.train,
                folds=folds,
                seed=self._seed,
            )
        return self._inner_folds[folds]

    def _keep(self, model: str, target: str, tried: list[Tried]) -> None:
        means = pd.Series([record.mean for record in tried])
        winner = best(tried)
        choice = ", ".join(f"{key} {value}" for key, value in winner.candidate.items())
        tell(
            f"{self.named(model, target)}: {choice}, the best of {len(tried)}, "
            f"{self.config.baselines.metric} {percent(winner.mean)} on the inner folds"
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

    def _loggers(self, member: int) -> list[Logger]:
        return [
            CSVLogger(self.folder, name="logs", version=f"csv_{member}"),
            EpochCurves(self.folder, member),
        ]


def _within(rows: Int64, folds: InnerFolds) -> InnerFolds:
    """Turn positions in the corpus table into positions in the sorted ``rows``, without others."""
    return [
        (np.flatnonzero(np.isin(rows, fit)), np.flatnonzero(np.isin(rows, held)))
        for fit, held in folds
    ]


def _unseen(epochs: int) -> None:
    """The progress of another process."""
