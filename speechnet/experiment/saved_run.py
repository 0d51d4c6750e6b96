"""A finished run, loaded and ready to be applied."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet

from speechnet.config.experiment import ExperimentConfig, read_experiment_file
from speechnet.console.messages import say
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.reading import open_regular
from speechnet.core.types import FeatureSet, Float64, Targets
from speechnet.evaluation.selection import Choice
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_info import missing_packages
from speechnet.models.calibration import load_fitted
from speechnet.models.model import Fitted, inputs
from speechnet.models.novelty import Novelties, Novelty, novelties

BEST: Final = "best"
"""Stands for the best model; see ``speechnet.evaluation.selection``."""
_ALL: Final = "all"


class SavedRun:
    """A finished run: its folder, experiment, targets and models.

    Raises:
        DataError: it is incomplete or damaged, its files contradict each other, or a package that
            it was made with is missing.
    """

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder.open(path)
        if missing := missing_packages(self.folder.info):
            raise DataError(f"{path} can't be used: {missing[0]}")
        try:
            self.config: ExperimentConfig = read_experiment_file(self.folder.path / "config.yaml")
        except ConfigError as error:
            raise DataError(f"{path} can't be used: {error}") from error
        self.targets: Targets = self.folder.info["targets"]
        self.models: list[str] = self.folder.info["models"]
        self._fitted: dict[tuple[str, int], Fitted] = {}
        self._check_models_and_classes()
        self._check_recipe()

    def fitted(self, model: str, fold: int) -> Fitted:
        """One model of one fold, read once.

        Raises:
            DataError: it is missing or damaged.
        """
        key = model, fold
        if key not in self._fitted:
            self._fitted[key] = load_fitted(self.folder.fold(fold), model, self.targets)
        return self._fitted[key]

    def best(self) -> Choice:
        """The best model; see ``speechnet.evaluation.selection``.

        Raises:
            ConfigError: there is no dev part, so that only the test part could tell.
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
            features: the raw features of ``n`` recordings, by the run's extractors.

        Returns:
            float64 ``[n, k]`` for each target, columns in the order of its classes.

        Raises:
            DataError: the features have another width, or a probability is NaN.
        """
        self._check_width(features)
        taken = inputs(features, self.config.models[model].extractor)
        folds = range(self.folder.info["folds"])
        outputs = [self.fitted(model, fold).predict_proba(taken) for fold in folds]
        means = {t: np.mean([out[t] for out in outputs], axis=0) for t in self.targets}
        for target, values in means.items():
            if not np.isfinite(values).all():
                raise DataError(
                    f"{self.folder.path}: {model} gives NaN for {target}, so its files are damaged "
                    "or the features unlike any it was trained on; no answer is given"
                )
        return means

    def _check_width(self, features: FeatureSet) -> None:
        X, d = features.matrix.X, len(self.columns)
        if X.shape[1] != d:
            raise DataError(f"the features have shape {X.shape}, expected the run's [n, {d}]")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all vectors, joined."""
        return self.config.data.recipe.columns

    @property
    def knows_novelty(self) -> bool:
        """Whether novelty can be measured, which takes vectors."""
        return bool(self.columns)

    def novelty(self, features: FeatureSet, *, fold: int | None = None) -> Novelties:
        """How unlike the training data recordings are.

        Args:
            features: the raw features of ``n`` recordings, by the run's extractors.
            fold: compare with this fold's training rows alone; None for the mean over all folds.
        """
        chosen = self._novelty if fold is None else self._novelty[fold : fold + 1]
        self._check_width(features)
        names, groups = [*self._averaged], [*self._averaged.values()]
        return novelties(chosen, features.matrix.averaged.X, names, groups)

    @cached_property
    def _averaged(self) -> dict[str, str]:
        """The group of each column that novelty is measured in, by the column's name."""
        return self.config.data.recipe.averaged

    @cached_property
    def _novelty(self) -> list[Novelty]:
        """Of each fold; none where the run has no vectors."""
        folds = range(self.folder.info["folds"] if self.columns else 0)
        width = len(self._averaged)
        return [Novelty.load(self.folder.fold(fold), width) for fold in folds]

    def _check_models_and_classes(self) -> None:
        """Refuse classes that differ or are in another order, which would mislabel every answer."""
        run_json: dict[str, list[str]] = {"the models": sorted(self.models), **self.targets}
        config: dict[str, Any] = {
            "the models": sorted(self.config.models),
            **self.config.data.targets,
        }
        for name, found in config.items():
            if found is not None and found != run_json.get(name):  # null is for the classes found
                raise self._disagree(name, run_json.get(name, []), "config.yaml", found)
        every = list(dict.fromkeys(label for names in self.targets.values() for label in names))
        found = [name[2:] for name in self._predicted_columns() if name.startswith("p_")]
        if found != every:
            raise self._disagree("all targets", every, "predictions.parquet", found)

    def _predicted_columns(self) -> list[str]:
        path = self.folder.path / "predictions.parquet"
        try:
            with open_regular(path) as file:
                names: list[str] = pyarrow.parquet.read_schema(file).names
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read: {error}") from error
        return names

    def _disagree(self, name: str, here: list[str], file: str, there: list[str]) -> DataError:
        return DataError(
            f"{self.folder.path} contradicts itself: of {name}, run.json has {', '.join(here)}, "
            f"{file} has {', '.join(map(str, there))}; copy the folder again from where it was made"
        )

    def _check_recipe(self) -> None:
        recipe, features = self.config.data.recipe, self.folder.info["features"]
        columns = {name: list(one.columns) for name, one in recipe.extractors.items()}
        path = self.folder.path
        if columns != {name: one["columns"] for name, one in features.items()}:
            raise DataError(f"{path}: config.yaml and run.json disagree on the features")
        changed: dict[str, str] = {}
        for name in columns:
            described, before = recipe.describe(name), features[name]["recipe"]
            if described.get("files") != before.get("files"):  # of a pretrained encoder
                raise DataError(
                    f"{path}: what data.features.{name} in its config.yaml names has changed since "
                    "this run was made; put the files back that it was made with"
                )
            then = before["versions"]
            changed |= {
                package: f"{package} {then.get(package, 'absent')} -> {version}"
                for package, version in described["versions"].items()
                if then.get(package) != version
            }
        if changed:
            said = ", ".join(changed.values())
            say(f"Features may differ from the run's: {said}", style="yellow")
