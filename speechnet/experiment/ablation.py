"""Fit an experiment's models once more with one thing changed, on identical folds.

Nothing is searched again: every fold and target keeps the hyper-parameters that its search chose.
What a variant could have gained by hyper-parameters of its own is not in its score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, get_args, get_type_hints

import numpy as np
import pandas as pd

from speechnet.config.data import DataConfig
from speechnet.config.experiment import ExperimentConfig
from speechnet.console.messages import say
from speechnet.console.progress import progress
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import (
    FeatureMatrix,
    Features,
    FeatureSet,
    Fold,
    Int64,
    Sequences,
    Targets,
)
from speechnet.core.wording import counted
from speechnet.data.datamodule import SpeechDataModule
from speechnet.denoise import DenoiseConfig
from speechnet.evaluation.ablation import Trial, ablation_table
from speechnet.experiment.retrain import chosen_candidates, refit
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extraction.compute import rehearse
from speechnet.features.extraction.speaker_norm import by_speaker
from speechnet.models.scikit.model import reference_model
from speechnet.splits.checks import check_folds

_KEPT: Final = ["file", "fold", "target", "truth", "predicted"]


@dataclass(frozen=True)
class _Variant:
    """One thing changed.

    Attributes:
        part: what.
        name: into what.
        data: makes what is fitted on; several of them for a network each. Made when needed: of
            many variants few are in memory at a time.
        same_rows: what is fitted on as it is, where recordings are left out of both.
    """

    part: str
    name: str
    data: Sequence[Callable[[], SpeechDataModule]]
    same_rows: SpeechDataModule | None = None


def asked_models(config: ExperimentConfig) -> list[str]:
    """The models that ablation and importance are about."""
    if config.evaluation.ablate.models is not None:
        return config.evaluation.ablate.models
    one = reference_model()
    able = [name for name, model in config.models.items() if model.extractor is None]
    return [one] if one in able else able[:1]


def check_ablation(config: ExperimentConfig, table: pd.DataFrame) -> None:
    """Refuse an ablation that can't be done, before anything is computed.

    Args:
        config: the experiment; what is asked for stands in ``config.evaluation.ablate``.
        table: the corpus table.

    Raises:
        ConfigError: a model that the experiment hasn't got, a part of which nothing can be left
            out, or a denoising mode that the recipe does not go with.
        DataError: speakers are unknown that the features would be standardised by.
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
    if "speakers" in asked.parts and table["speaker"].isna().any():
        raise DataError(
            f"evaluation.ablate.parts: speakers needs to know them, "
            f"{int(table['speaker'].isna().sum()):,} of {counted(len(table), 'recording')} without"
        )


def _check_models(config: ExperimentConfig) -> None:
    models = asked_models(config)
    if absent := [name for name in models if name not in config.models]:
        raise ConfigError(
            f"evaluation.ablate.models: {absent[0]} is not a model of this experiment, which has "
            f"{', '.join(config.models)}"
        )
    if not models:
        raise ConfigError("evaluation.ablate: no model of this experiment takes vectors alone")
    for name in models:
        if config.models[name].extractor is not None:
            raise ConfigError(
                f"evaluation.ablate.models: {name} takes more than vectors; name models that take "
                "vectors alone"
            )
    parts = config.evaluation.ablate.parts
    if "heads" in parts and not any(config.models[name].joint for name in models):
        raise ConfigError(
            "evaluation.ablate.parts: heads is about networks: add one to evaluation.ablate.models"
        )


def ablate(
    config: ExperimentConfig, data: SpeechDataModule, run: RunFolder, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Score every variant that ``config.evaluation.ablate`` asks for, once that is checked.

    Where denoising excludes other recordings, both sides are fitted and scored on those that
    both have. A variant that leaves too few to fit is left out, and said.

    Args:
        config: the experiment.
        data: its features, labels and folds.
        run: its folder, for the hyper-parameters in ``search.csv``.
        predictions: its predictions, the test parts of which are what variants are held against.

    Returns:
        See ``speechnet.evaluation.ablation.ablation_table``; without rows if nothing is asked for.

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
    return ablation_table(
        trials,
        data.targets,
        data.table["speaker"],
        seed=config.seed_everything,
        resamples=config.evaluation.resamples,
    )


def _variants(part: str, config: ExperimentConfig, data: SpeechDataModule) -> Iterator[_Variant]:
    own = config.data.per_speaker
    match part:
        case "denoise":
            for other in _other_methods(config.data):
                yield from _denoised(other, data)
        case "features":
            for name, columns in data.groups.items():
                kept = np.setdiff1d(np.arange(len(data.matrix.names)), columns)
                left = partial(_derive, data, columns=kept, per_speaker=own)
                yield _Variant(part, f"without {name}", [left])
        case "speakers":
            name = "off" if own else "on"
            yield _Variant(part, name, [partial(_derive, data, per_speaker=not own)])
        case "heads":
            each = [{target: classes} for target, classes in data.targets.items()]
            apart = [partial(_derive, data, targets=one, per_speaker=own) for one in each]
            yield _Variant(part, "apart", apart)


def _other_methods(config: DataConfig) -> list[DataConfig]:
    """The same data under each denoising mode that is not the configuration's own."""
    return [
        replace(config, denoise=replace(config.denoise, method=method))
        for method in get_args(get_type_hints(DenoiseConfig)["method"])
        if method != config.denoise.method
    ]


def _denoised(config: DataConfig, data: SpeechDataModule) -> Iterator[_Variant]:
    """The variant of one denoising mode; none where too few recordings are left to fit."""
    method, own = config.denoise.method, config.per_speaker
    other = SpeechDataModule(config, seed=data.seed)
    other.corpus = data.corpus
    other.extract()
    position = {file: row for row, file in enumerate(other.matrix.index)}
    rows = np.flatnonzero([file in position for file in data.matrix.index])
    there = np.array([position[data.matrix.index[row]] for row in rows], dtype=np.int64)
    folds = [_among(fold, rows) for fold in data.folds]
    changed = partial(_derive, other, rows=there, folds=folds, per_speaker=own)
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
    say(f"{lost}: it is held against the experiment without them.", style="yellow")
    same = _derive(data, rows=rows, folds=folds, per_speaker=own)
    yield _Variant("denoise", method, [changed], same_rows=same)


def _among(fold: Fold, rows: Int64) -> Fold:
    """A fold as positions in the sorted ``rows``, without others."""
    return Fold(*(np.flatnonzero(np.isin(rows, part)) for part in fold.parts().values()))


def _derive(
    data: SpeechDataModule,
    *,
    per_speaker: bool,
    rows: Int64 | None = None,
    columns: Int64 | None = None,
    folds: Sequence[Fold] | None = None,
    targets: Targets | None = None,
) -> SpeechDataModule:
    """The same data with other features, rows, folds or targets, those not named as they are."""
    matrix = data.matrix
    rows = np.arange(len(matrix.index)) if rows is None else rows
    columns = np.arange(len(matrix.names)) if columns is None else columns
    index = tuple(matrix.index[row] for row in rows)
    # It is done here: the module that comes of it does not do it again.
    derived = SpeechDataModule(replace(data.config, per_speaker=False), seed=data.seed)
    derived.corpus = replace(data.corpus, targets=targets or data.targets)
    names = tuple(matrix.names[column] for column in columns)
    kept: dict[str, Features] = {
        "vectors": FeatureMatrix(matrix.X[np.ix_(rows, columns)], index, names)
    }
    kept |= {
        name: one if len(rows) == len(data.table) else one.take(rows)
        for name, one in data.extraction.features.by_extractor.items()
        if isinstance(one, Sequences)
    }
    features = FeatureSet(kept)
    if per_speaker:
        features = by_speaker(features, data.corpus.table.loc[list(index), "speaker"].tolist())
    derived.extraction = replace(data.extraction, features=features)
    derived.folds = data.folds if folds is None else [*folds]
    return derived
