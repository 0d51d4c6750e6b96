"""Ablation: refit an experiment's models with one thing changed, on identical folds.

Every fold and target keeps the hyper-parameters that its search chose, so that a variant's score
lacks what it could gain by a search of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, get_args, get_type_hints

import joblib
import numpy as np
import pandas as pd

from speechnet.config.data import DataConfig
from speechnet.config.experiment import ExperimentConfig
from speechnet.console.messages import say
from speechnet.console.progress import progress
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.scratch import temporary_folder
from speechnet.core.types import Fold, Int64, Targets
from speechnet.core.wording import counted
from speechnet.data.datamodule import SpeechDataModule
from speechnet.denoise import DenoiseConfig
from speechnet.evaluation.ablation import Trial, ablation_table
from speechnet.experiment.fold import context_of, training_rows
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extraction.compute import rehearse
from speechnet.models.calibration import calibrate
from speechnet.models.candidates import Candidate
from speechnet.models.model import Fitted, Rows
from speechnet.models.scikit.model import reference_model
from speechnet.splits.checks import check_folds

_KEPT: Final = ["file", "fold", "target", "truth", "predicted"]

Chosen = dict[tuple[str, int], dict[str, Candidate]]
"""By model and fold the hyper-parameters of each target; ``""`` stands for all targets."""


@dataclass(frozen=True)
class _Variant:
    """One thing changed."""

    part: str
    name: str
    data: Sequence[Callable[[], SpeechDataModule]]  # for a fit each, made when needed
    same_rows: SpeechDataModule | None = None  # for a baseline, if the variant lacks recordings


def asked_models(config: ExperimentConfig) -> list[str]:
    """The models of ablation and importance."""
    if config.evaluation.ablate.models is not None:
        return config.evaluation.ablate.models
    one = reference_model()
    able = [name for name, model in config.models.items() if model.extractor is None]
    return [one] if one in able else able[:1]


def check_ablation(config: ExperimentConfig, table: pd.DataFrame) -> None:
    """Refuse a ``config.evaluation.ablate`` that can't be done, before anything is computed.

    Raises:
        ConfigError: a model isn't in the experiment or takes sequences itself, there are no two
            targets or groups of columns to compare, no copies to leave out, or the recipe excludes
            a denoising mode.
        DataError: features can't be standardised by unknown speakers.
    """
    asked = config.evaluation.ablate
    if asked.parts or asked.importance:
        _check_models(config)
    if "heads" in asked.parts and len(config.data.targets) < 2:
        raise ConfigError("evaluation.ablate.parts: heads needs two targets, data.targets has one")
    if "features" in asked.parts and len(set(config.data.recipe.groups)) < 2:
        raise ConfigError(
            "evaluation.ablate.parts: features needs two groups of columns, data.features has fewer"
        )
    if "denoise" in asked.parts:
        for other in _other_methods(config.data):
            rehearse(other.recipe)
    if "augment" in asked.parts and not config.data.augment.copies:
        raise ConfigError("evaluation.ablate.parts: augment needs copies, data.augment has none")
    if "speakers" in asked.parts and (unknown := int(table["speaker"].isna().sum())):
        raise DataError(
            f"evaluation.ablate.parts: speakers needs to know them, {unknown:,} of "
            f"{counted(len(table), 'recording')} without"
        )


def _check_models(config: ExperimentConfig) -> None:
    models = asked_models(config)
    if not models:
        raise ConfigError("evaluation.ablate: no model of this experiment takes vectors alone")
    for name in models:
        if name not in config.models:
            raise ConfigError(
                f"evaluation.ablate.models: {name} is not a model of this experiment, which has "
                f"{', '.join(config.models)}"
            )
        model = config.models[name]
        able = "vectors alone, or are made of others"
        if model.extractor is not None and not model.made_of:
            raise ConfigError(
                f"evaluation.ablate.models: {name} takes sequences; name models that take {able}"
            )
        if model.made_of and config.evaluation.ablate.importance:
            raise ConfigError(
                f"evaluation.ablate.importance: {name} is made of other models; name these"
            )
    parts = config.evaluation.ablate.parts
    if "heads" in parts and not any(config.models[name].joint for name in models):
        raise ConfigError(
            "evaluation.ablate.parts: heads applies to networks only; "
            "add one to evaluation.ablate.models"
        )


def ablate(
    config: ExperimentConfig, data: SpeechDataModule, run: RunFolder, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Score every variant that a checked ``config.evaluation.ablate`` asks for.

    If another denoising mode excludes other recordings, both sides are fitted and scored on those
    that both have. A variant with too few recordings to fit is left out, which is said.

    The baseline is the run's own predictions of the test parts.

    Returns:
        See ``speechnet.evaluation.ablation.ablation_table``.

    Raises:
        DataError: ``search.csv`` is damaged.
    """
    asked = config.evaluation.ablate
    chosen = chosen_candidates(run)
    tested = predictions.loc[predictions["part"] == "test"]
    variants = [one for part in asked.parts for one in _variants(part, config, data)]
    work = [
        (variant, model)
        for variant in variants
        for model in asked_models(config)
        if config.models[model].joint or variant.part != "heads"
    ]
    trials = []
    with progress("ablation", len(work)) as advance:
        for variant, model in work:
            if variant.same_rows is None:
                baseline = tested.loc[tested["model"] == model, _KEPT]
            else:
                baseline = refit(config, variant.same_rows, model, chosen)
            changed = pd.concat([refit(config, make(), model, chosen) for make in variant.data])
            trials.append(Trial(variant.part, variant.name, model, baseline, changed))
            advance(1)
    drawn = {"seed": config.seed_everything, "resamples": config.evaluation.resamples}
    return ablation_table(trials, data.targets, data.table["speaker"], **drawn)


def _variants(part: str, config: ExperimentConfig, data: SpeechDataModule) -> Iterator[_Variant]:
    match part:
        case "denoise":
            for other in _other_methods(config.data):
                yield from _denoised(other, data)
        case "features":
            for name, columns in data.groups.items():
                kept = np.setdiff1d(np.arange(len(data.matrix.names)), columns)
                yield _Variant(part, f"without {name}", [partial(_derive, data, columns=kept)])
        case "speakers":
            own = config.data.per_speaker
            changed = partial(_derive, data, per_speaker=not own)
            yield _Variant(part, "off" if own else "on", [changed])
        case "heads":
            each = [{target: classes} for target, classes in data.targets.items()]
            apart = [partial(_derive, data, targets=one) for one in each]
            yield _Variant(part, "apart", apart)
        case "augment":
            yield _Variant(part, "off", [partial(_derive, data, copies=False)])


def _other_methods(config: DataConfig) -> list[DataConfig]:
    """The same data under each other denoising mode."""
    return [
        replace(config, denoise=replace(config.denoise, method=method))
        for method in get_args(get_type_hints(DenoiseConfig)["method"])
        if method != config.denoise.method
    ]


def _denoised(config: DataConfig, data: SpeechDataModule) -> Iterator[_Variant]:
    """The variant of one denoising mode; none if too few recordings are left to fit."""
    method = config.denoise.method
    other = SpeechDataModule(config, seed=data.seed)
    other.corpus = data.corpus
    other.extract()
    position = {file: row for row, file in enumerate(other.matrix.index)}
    rows = np.flatnonzero([file in position for file in data.matrix.index])
    there = np.array([position[data.matrix.index[row]] for row in rows], dtype=np.int64)
    folds = [
        Fold(*(np.flatnonzero(np.isin(rows, part)) for part in fold.parts().values()))
        for fold in data.folds
    ]
    other.folds = [Fold(*(there[part] for part in fold.parts().values())) for fold in folds]
    changed = partial(_derive, other, rows=there, folds=folds)
    if len(rows) == len(data.table):
        yield _Variant("denoise", method, [changed])
        return
    lost = counted(len(data.table) - len(rows), "recording")
    lost += f" can't be used under denoising {method}"
    try:
        check_folds(data.table.iloc[rows], data.targets, folds)
    except DataError as error:
        say(f"{lost}, which the ablation leaves out: {error}", style="yellow")
        return
    say(f"{lost}: it is compared with the experiment without them.", style="yellow")
    same = _derive(data, rows=rows, folds=folds)
    yield _Variant("denoise", method, [changed], same_rows=same)


def _derive(
    data: SpeechDataModule,
    *,
    per_speaker: bool | None = None,
    rows: Int64 | None = None,
    columns: Int64 | None = None,
    folds: list[Fold] | None = None,
    targets: Targets | None = None,
    copies: bool = True,
) -> SpeechDataModule:
    """The same data with other features, rows, folds or targets, or without changed copies."""
    matrix, config = data.matrix, data.config
    if per_speaker is not None:
        config = replace(config, per_speaker=per_speaker)
    rows = np.arange(len(matrix.index)) if rows is None else rows
    columns = np.arange(len(matrix.names)) if columns is None else columns
    derived = SpeechDataModule(config, seed=data.seed)
    derived.corpus = replace(data.corpus, targets=targets or data.targets)
    found = data.extraction.features.only(rows, columns)
    derived.extraction = replace(data.extraction, features=found)
    derived.folds = folds or data.folds
    kept = data.copies if copies else None
    derived.copies = None if kept is None else kept.only(rows, columns)
    return derived


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
    asked = config.models[model]
    joint = any(config.models[name].joint for name in (model, *asked.made_of))
    with temporary_folder() as folder:
        tables: list[pd.DataFrame] = joblib.Parallel(n_jobs=1 if joint else None)(
            joblib.delayed(_fit_and_predict)(config, data, model, number, chosen, Path(folder))
            for number in range(len(data.folds))
        )
    return pd.concat(tables, ignore_index=True)


def _fit(
    config: ExperimentConfig,
    data: SpeechDataModule,
    model: str,
    number: int,
    chosen: Chosen,
    folder: Path,
    *,
    probabilities: bool,
) -> Fitted:
    """One model of one fold, behind the models that it is made of."""
    asked, fold = config.models[model], data.folds[number]
    choices = {name: candidates for (name, f), candidates in chosen.items() if f == number}
    before = {
        name: _fit(config, data, name, number, chosen, folder, probabilities=True)
        for name in asked.made_of
    }
    context = context_of(
        config,
        data,
        number,
        name=f"{model}_{number}",
        folder=folder,
        chosen=choices.get(model, {}),
        choices=choices,
        fitted=before,
        probabilities=probabilities,
    )
    train, dev = (
        Rows(data.training, rows, asked.extractor)
        for rows in (training_rows(data, number), fold.dev)
    )
    fitted = asked.fit(train, dev, context)
    calibrated = probabilities and config.evaluation.calibrate and len(dev)
    return calibrate(fitted, dev) if calibrated else fitted


def _fit_and_predict(
    config: ExperimentConfig,
    data: SpeechDataModule,
    model: str,
    number: int,
    chosen: Chosen,
    folder: Path,
) -> pd.DataFrame:
    """The rows of one fold."""
    fitted = _fit(config, data, model, number, chosen, folder, probabilities=False)
    test = Rows(data, data.folds[number].test, config.models[model].extractor)
    predicted = fitted.predict(test.features)
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
