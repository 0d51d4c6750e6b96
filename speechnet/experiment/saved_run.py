"""A finished run, read back and ready to be applied."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from speechnet.config.experiment import ExperimentConfig, read_experiment_file
from speechnet.console.messages import say
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureSet, Float32, Float64, Targets
from speechnet.evaluation.selection import Choice
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.calibration import load_fitted
from speechnet.models.model import Fitted, inputs
from speechnet.models.novelty import Novelties, Novelty, novelties

BEST: Final = "best"
"""Asks for the best model; see ``speechnet.evaluation.selection``."""
_ALL: Final = "all"


class SavedRun:
    """A finished run.

    Args:
        path: the run folder.

    Attributes:
        folder: what lies where.
        config: its experiment.
        targets: each target's ordered classes.
        models: the names of its models.

    Raises:
        DataError: it is incomplete or damaged, or its models don't fit its description.
    """

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder.open(path)
        try:
            self.config: ExperimentConfig = read_experiment_file(self.folder.path / "config.yaml")
        except ConfigError as error:
            raise DataError(f"{path} can't be used: {error}") from error
        self.targets: Targets = self.folder.info["targets"]
        self.models: list[str] = self.folder.info["models"]
        self._fitted: dict[tuple[str, int], Fitted] = {}
        self._check_recipe()

    def fitted(self, model: str, fold: int) -> Fitted:
        """One model of one fold, read once.

        Raises:
            DataError: it is missing or damaged.
        """
        if (model, fold) not in self._fitted:
            folder = self.folder.fold(fold)
            self._fitted[model, fold] = load_fitted(folder, model, self.targets)
        return self._fitted[model, fold]

    def best(self) -> Choice:
        """The best model; see ``speechnet.evaluation.selection``.

        Raises:
            ConfigError: nothing but the test part tells the models apart.
        """
        choice = self.folder.best()
        if choice is None or not choice.fair:
            raise ConfigError(
                f"{self.folder.path} has no dev part that says which model is best: give --model, "
                f"one of {', '.join(self.models)}, or all"
            )
        return choice

    def choose(self, model: str) -> list[str]:
        """The models that ``best``, ``all`` or a name stands for.

        Raises:
            ConfigError: the run has no such model.
        """
        if model == BEST:
            return [self.best().model]
        if model == _ALL:
            return self.models
        if model not in self.models:
            raise ConfigError(
                f"--model {model}: the run has {', '.join(self.models)}; or say {BEST} or {_ALL}"
            )
        return [model]

    def predict_proba(self, model: str, features: FeatureSet) -> dict[str, Float64]:
        """Probabilities by target, averaged over the folds' models.

        Args:
            model: one of ``models``.
            features: what the run's extractors give for ``n`` recordings, raw.

        Returns:
            float64 ``[n, k]`` for each target, columns in the order of its classes.
        """
        folds = range(self.folder.info["folds"])
        self._vectors(features)  # which checks their width
        taken = inputs(features, self.config.models[model].extractor)
        outputs = [self.fitted(model, fold).predict_proba(taken) for fold in folds]
        means = {t: np.mean([out[t] for out in outputs], axis=0) for t in self.targets}
        for target, values in means.items():
            if not np.isfinite(values).all():
                raise DataError(
                    f"{self.folder.path}: {model} gives NaN for {target}, so its files are damaged "
                    "or the features unlike any it was trained on; no answer is given"
                )
        return means

    def _vectors(self, features: FeatureSet) -> Float32:
        X, d = features.matrix.X, len(self.columns)
        if X.shape[1] != d:
            raise DataError(f"the features have shape {X.shape}, expected the run's [n, {d}]")
        return X

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all vectors, joined."""
        return self.config.data.recipe.columns

    @property
    def knows_novelty(self) -> bool:
        """Whether the run can tell what is unlike its training data: it has vectors."""
        return bool(self.columns)

    def novelty(self, features: FeatureSet, *, fold: int | None = None) -> Novelties:
        """How unlike the training data some recordings are.

        Args:
            features: what the run's extractors give for ``n`` recordings, raw.
            fold: measured by that fold's training rows alone; None for the mean over all folds.
        """
        fitted = self._fitted_novelty
        chosen = fitted if fold is None else fitted[fold : fold + 1]
        return novelties(chosen, self._vectors(features), self.columns)

    @cached_property
    def _fitted_novelty(self) -> list[Novelty]:
        """Of each fold; none where the run has no vectors."""
        width = len(self.columns)
        folds = range(self.folder.info["folds"] if width else 0)
        return [Novelty.load(self.folder.fold(fold), width) for fold in folds]

    def _check_recipe(self) -> None:
        recipe, features = self.config.data.recipe, self.folder.info["features"]
        columns = {name: list(one.columns) for name, one in recipe.extractors.items()}
        if columns != {name: one["columns"] for name, one in features.items()}:
            raise DataError(
                f"{self.folder.path}: config.yaml and run.json disagree on the features"
            )
        changed: dict[str, str] = {}
        for name in columns:
            then = features[name]["recipe"]["versions"]
            changed |= {
                package: f"{package} {then.get(package, 'absent')} -> {version}"
                for package, version in recipe.describe(name)["versions"].items()
                if then.get(package) != version
            }
        if changed:
            say(
                f"Features may differ from the run's: {', '.join(changed.values())}", style="yellow"
            )
