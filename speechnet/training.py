"""Search and fit every model of one fold, on that fold's training rows only."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from speechnet.config import ExperimentConfig, TrainerFactory
from speechnet.datamodule import SpeechDataModule
from speechnet.models.baselines import (
    BaselineClassifier,
    FitAndScoreBaseline,
    Grid,
    candidates,
    fit_baseline,
)
from speechnet.models.classifier import Classifier
from speechnet.models.mlp import MLPConfig
from speechnet.models.network import (
    FitAndScoreNetwork,
    NetworkClassifier,
    NetworkTrainer,
    network_candidates,
)
from speechnet.models.search import InnerFolds, Tried, best, search
from speechnet.progress import progress
from speechnet.splits import inner_folds
from speechnet.types import Fold, Int64


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
        self._seed = config.seed_everything + number

    def models(self) -> Iterator[tuple[str, Classifier]]:
        """Fit one model after the other, the network first; each is saved once it is fitted."""
        if self.config.model.enabled:
            yield "mlp", self._network()
        for name, grid in self.config.baselines.grids().items():
            classifier = self._baseline(name, grid)
            classifier.save(self.folder, name)
            yield name, classifier

    @property
    def _where(self) -> str:
        folds = len(self.data.folds)
        return f"fold {self.number + 1}/{folds}: " if folds > 1 else ""

    def _baseline(self, name: str, grid: Grid) -> BaselineClassifier:
        estimators = {}
        scaling = self.config.data.features.scaling
        for column, (target, classes) in enumerate(self.data.targets.items()):
            del classes
            rows = self.fold.train[self.data.labels[self.fold.train, column] >= 0]
            X, y = self.data.X[rows], self.data.labels[rows, column]
            folds = _within(rows, self._inner(grid.folds))
            run = FitAndScoreBaseline(name, X, y, scaling, self.config.baselines.metric, self._seed)
            grid_candidates = candidates(grid)
            text = f"{self._where}{name}, {target}"
            with progress(text, len(grid_candidates)) as advance:
                tried = search(run, grid_candidates, folds, on_done=advance)
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
        if config.grid:
            config = self._search_network(trainer, config)
        paths = []
        epochs = int(self.config.trainer.get("max_epochs") or 1000)
        with progress(f"{self._where}network", config.members * epochs) as advance:
            for member in range(config.members):
                path, records = trainer.fit(
                    config,
                    train=self.fold.train,
                    dev=self.fold.dev,
                    seed=self._seed + 1000 * member,
                    folder=self.folder,
                    name=f"mlp_{member}",
                    loggers=self._loggers(member),
                    on_epoch=advance,
                )
                advance(epochs - len(records))  # stopped early
                paths.append(path)
                self.history.append(pd.DataFrame(records).assign(fold=self.number, member=member))
        return NetworkClassifier.from_checkpoints(paths)

    def _search_network(self, trainer: NetworkTrainer, config: MLPConfig) -> MLPConfig:
        choices = network_candidates(config)
        on_cpu = self.config.trainer.get("accelerator") == "cpu"
        with (
            tempfile.TemporaryDirectory() as folder,
            progress(f"{self._where}network search", len(choices)) as advance,
        ):
            run = FitAndScoreNetwork(
                trainer,
                replace(config, members=1),
                self.fold.dev,
                self.config.baselines.metric,
                self._seed,
                Path(folder),
            )
            folds = self._inner(config.folds)
            tried = search(run, choices, folds, parallel=on_cpu, on_done=advance)
        self._keep("mlp", "", tried)
        return replace(config, **best(tried).candidate)

    def _inner(self, folds: int) -> InnerFolds:
        """Inner folds of the training rows, as positions in the corpus table."""
        rows = self.fold.train
        grouped = self.config.data.split.grouped and self.data.table["speaker"].notna().all()
        speakers = self.data.table["speaker"].to_numpy()[rows] if grouped else None
        pairs = inner_folds(self.data.labels[rows], speakers, folds=folds, seed=self._seed)
        return [(rows[fit], rows[held]) for fit, held in pairs]

    def _keep(self, model: str, target: str, tried: list[Tried]) -> None:
        means = pd.Series([record.mean for record in tried])
        winner = best(tried)
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
            TensorBoardLogger(self.folder, name="logs", version=f"tensorboard_{member}"),
        ]


def _within(rows: Int64, folds: InnerFolds) -> InnerFolds:
    """Turn positions in the corpus table into positions in ``rows``, dropping all others."""
    where = {int(row): position for position, row in enumerate(rows)}

    def keep(part: Int64) -> Int64:
        return np.array([where[int(row)] for row in part if int(row) in where], dtype=np.int64)

    return [(keep(fit), keep(held)) for fit, held in folds]
