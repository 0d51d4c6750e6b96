"""The finished models on test recordings with noise, rooms, narrow bands and codecs added.

Conventions:
    Each severity of each effect is one recipe: all test recordings are changed, described and
    cached by it, predicted by the models of the fold that tests them, and scored as the run's own
    predictions are. What is drawn for a recording, its noise or its room, depends on its content
    alone. The models have been fitted before; nothing is learnt here.

    With ``data.per_speaker`` a speaker's changed recordings are standardised by themselves, as if
    all of them had been recorded so. What an effect does to all recordings alike is lost by that.

    Recordings that can't be used any more once they are changed are left out, and counted. Where
    none is left, the scores are NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from speechnet.augment.chain import rehearse_effects
from speechnet.augment.config import (
    AugmentConfig,
    CodecConfig,
    Copy,
    GainConfig,
    NoiseConfig,
    ReverbConfig,
    SpeedConfig,
    TelephoneConfig,
)
from speechnet.config.experiment import ExperimentConfig
from speechnet.console.progress import each
from speechnet.core.errors import ConfigError
from speechnet.core.predictions import join, predictions_table
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.config import RobustnessConfig
from speechnet.evaluation.scores import score_predictions
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extraction.speaker_norm import by_speaker
from speechnet.models.calibration import load_fitted
from speechnet.models.model import inputs
from speechnet.report.worsened import CLEAN

COLUMNS: Final = (
    *("effect", "severity", "model", "target", "part", "fold", "metric"),
    *("value", "low", "high", "lost"),
)
_METRIC: Final = "uar"
_LESS_IS_WORSE: Final = frozenset({"noise", "band"})
_ONE: Final[dict[str, Callable[[float], dict[str, Any]]]] = {
    "noise": lambda snr: {"noise": NoiseConfig(p=1, snr=[snr, snr], colours=["speech"])},
    "band": lambda hz: {"telephone": TelephoneConfig(p=1, low=[0, 0], high=[hz, hz])},
    "reverb": lambda rt60: {"reverb": ReverbConfig(p=1, rt60=[rt60, rt60], direct=[0, 0])},
    "codec": lambda level: {"codec": CodecConfig(p=1, codecs=["mp3"], level=[level, level])},
}


@dataclass(frozen=True)
class _Condition:
    effect: str
    severity: float

    @property
    def augment(self) -> AugmentConfig:
        """This effect alone, always."""
        off: dict[str, Any] = {"speed": SpeedConfig(p=0), "reverb": ReverbConfig(p=0)}
        off |= {"noise": NoiseConfig(p=0), "gain": GainConfig(p=0)}
        return AugmentConfig(copies=1, **off | _ONE[self.effect](self.severity))


def conditions(asked: RobustnessConfig) -> list[_Condition]:
    """Every severity of every effect, the mildest first."""
    return [
        _Condition(effect, severity)
        for effect in _ONE
        for severity in sorted(getattr(asked, effect), reverse=effect in _LESS_IS_WORSE)
    ]


def check_robustness(config: ExperimentConfig) -> None:
    """Refuse what can't be measured, before anything is computed.

    Raises:
        ConfigError: features don't depend on the sound, or an effect fails.
    """
    recipe = config.data.recipe
    if recipe.by_name:
        raise ConfigError(
            f"evaluation.robustness: {', '.join(recipe.by_name)} of data.features is looked up by "
            "the recording's name, so that no noise would change it; leave one of them out"
        )
    for one in conditions(config.evaluation.robustness):
        rehearse_effects(one.augment, {*recipe.rates.values()})


def robustness(
    config: ExperimentConfig, data: SpeechDataModule, run: RunFolder, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Score the models of a run folder on worsened test recordings.

    Args:
        config: the experiment; ``evaluation.robustness`` has the severities.
        data: the recordings and folds.
        run: the folder with the fitted models.
        predictions: the run's own, which are scored as ``clean``.

    Returns:
        The rows of the test part's UAR in ``score_predictions``, for each ``effect`` and
        ``severity``, and how many recordings were ``lost``; see the head of this module.

    Raises:
        DataError: a model is missing from the run folder, or damaged.
    """
    tested = np.unique(np.concatenate([fold.test for fold in data.folds]))

    def scored(table: pd.DataFrame, effect: str, severity: float, lost: int) -> pd.DataFrame:
        scores = score_predictions(
            table,
            data.targets,
            data.table["speaker"],
            seed=config.seed_everything,
            resamples=config.evaluation.resamples,
            only=[_METRIC],
        )
        rows = scores[scores["metric"] == _METRIC]
        return rows.assign(effect=effect, severity=severity, lost=lost)[[*COLUMNS]]

    tables = [scored(predictions[predictions["part"] == "test"], CLEAN, float("nan"), 0)]
    for one in each(conditions(config.evaluation.robustness), "condition"):
        found = list(_predicted(config, data, run, tested, Copy(one.augment, 0)))
        if found:
            table = join(found, data.targets)
            lost = len(tested) - table["file"].nunique()
            tables.append(scored(table, one.effect, one.severity, lost))
        else:
            none = tables[0].assign(effect=one.effect, severity=one.severity, lost=len(tested))
            none[["value", "low", "high"]] = np.nan
            tables.append(none)
    return pd.concat(tables, ignore_index=True)


def _predicted(
    config: ExperimentConfig, data: SpeechDataModule, run: RunFolder, tested: Any, copy: Copy
) -> Iterator[pd.DataFrame]:
    """Predictions of changed test recordings, by the models that the run tested on them."""
    found = data.changed(tested, copy)
    place = {file: row for row, file in enumerate(data.table.index)}
    origin = np.array([place[file] for file in found.index], dtype=np.int64)
    features = found.features
    if not len(origin):
        return
    if config.data.per_speaker:
        features = by_speaker(features, list(data.table["speaker"].iloc[origin]))
    for number, fold in enumerate(data.folds):
        rows = np.flatnonzero(np.isin(origin, fold.test))
        if not len(rows):
            continue
        some = features.take(rows)
        for name, model in config.models.items():
            fitted = load_fitted(run.fold(number), name, data.targets)
            yield predictions_table(
                fitted.predict_proba(inputs(some, model.extractor)),
                data.labels[origin[rows]],
                some.index,
                data.targets,
                part="test",
                fold=number,
                model=name,
            )
