"""From a run's predictions to its tables: scores, intervals, comparisons, calibration, groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from speechnet.core.types import Targets, encode
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.calibration import calibration_change, reliability, risk_coverage
from speechnet.evaluation.chance import chance_interval
from speechnet.evaluation.groups import recall_by_gender, speaker_scores
from speechnet.evaluation.scores import confusion_table, score_predictions
from speechnet.evaluation.significance import compare_models


@dataclass(frozen=True)
class Evaluated:
    """What the closing words of a run are drawn from; see the tables of the same names.

    Attributes:
        scores: every score, with intervals.
        comparisons: the models in pairs.
        gaps: recall of women against men.
        speakers: the scores of each speaker.
        chance: by target between which UARs 95 % of models lie that know nothing of the labels.
    """

    scores: pd.DataFrame
    comparisons: pd.DataFrame
    gaps: pd.DataFrame
    speakers: pd.DataFrame
    chance: dict[str, tuple[float, float]]


def evaluate(
    predictions: pd.DataFrame,
    corpus: pd.DataFrame,
    targets: Targets,
    *,
    temperatures: pd.DataFrame | None = None,
    seed: int,
    resamples: int,
) -> tuple[Evaluated, dict[str, pd.DataFrame]]:
    """Score predictions in every way that needs nothing but them and the corpus table.

    Args:
        predictions: the table of predictions.
        corpus: the corpus table, indexed by file, with ``speaker`` and ``gender``.
        targets: each target's ordered classes.
        temperatures: columns model, target, fold, temperature; None or empty without calibration.
        seed: of every resampling.
        resamples: how many bootstrap samples, and permutations.

    Returns:
        What is said at the end of a run, and every table that has rows by its file name.
    """
    speakers = corpus["speaker"]
    recalls, gaps = recall_by_gender(
        predictions, targets, corpus, speakers, seed=seed, resamples=resamples
    )
    found = Evaluated(
        scores=score_predictions(predictions, targets, speakers, seed=seed, resamples=resamples),
        comparisons=compare_models(predictions, targets, speakers, seed=seed, resamples=resamples),
        gaps=gaps,
        speakers=speaker_scores(predictions, targets, corpus),
        chance=_chance(predictions, targets, speakers, seed=seed),
    )
    tables = {
        "scores.csv": found.scores,
        "confusion.csv": confusion_table(predictions, targets),
        "comparisons.csv": found.comparisons,
        "reliability.csv": reliability(predictions, targets),
        "risk_coverage.csv": risk_coverage(predictions, targets),
        "groups.csv": recalls,
        "gaps.csv": found.gaps,
        "speakers.csv": found.speakers,
    }
    if temperatures is not None and len(temperatures):
        changes = calibration_change(predictions, targets, temperatures)
        tables["calibration.csv"] = changes
    return found, {name: table for name, table in tables.items() if len(table)}


def _chance(
    predictions: pd.DataFrame, targets: Targets, speakers: pd.Series, *, seed: int
) -> dict[str, tuple[float, float]]:
    """The chance interval of each target's pooled test rows; see ``chance_interval``."""
    test = predictions[predictions["part"] == "test"].drop_duplicates(["file", "fold", "target"])
    found = {}
    for target, classes in targets.items():
        rows = test[test["target"] == target]
        truth = encode(rows["truth"].astype(str), classes)
        codes, unit = unit_codes(list(rows["file"]), speakers)
        # A label that is the speaker's, as a gender, is guessed for all recordings at once.
        pairs = len(np.unique(np.stack([codes, truth]), axis=1).T)
        theirs = unit == "speaker" and pairs == len(np.unique(codes))
        found[target] = chance_interval(
            truth, codes if theirs else None, len(classes), seed=seed, resamples=10_000
        )
    return found
