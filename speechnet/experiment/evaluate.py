"""Score predictions: scores, intervals, comparisons, calibration, groups, chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from speechnet.core.types import Targets, encode
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.calibration import calibration_change, reliability, risk_coverage
from speechnet.evaluation.chance import chance_interval
from speechnet.evaluation.groups import recall_by_gender, speaker_scores
from speechnet.evaluation.scores import confusion_table, score_predictions
from speechnet.evaluation.significance import compare_models


def evaluate(
    predictions: pd.DataFrame,
    corpus: pd.DataFrame,
    targets: Targets,
    *,
    temperatures: pd.DataFrame | None = None,
    seed: int,
    resamples: int,
) -> dict[str, pd.DataFrame]:
    """Every table that needs only predictions and the corpus, by file name; none without rows.

    Args:
        predictions: the table of predictions.
        corpus: the corpus table, indexed by file, with ``speaker`` and ``gender``.
        targets: each target's ordered classes.
        temperatures: columns model, target, fold, temperature; None or empty without calibration.
        seed: of every resampling.
        resamples: the number of bootstrap samples, and of permutations.
    """
    speakers = corpus["speaker"]
    drawn: dict[str, Any] = {"seed": seed, "resamples": resamples}
    recalls, gaps = recall_by_gender(predictions, targets, corpus, speakers, **drawn)
    tables = {
        "scores.csv": score_predictions(predictions, targets, speakers, **drawn),
        "confusion.csv": confusion_table(predictions, targets),
        "comparisons.csv": compare_models(predictions, targets, speakers, **drawn),
        "reliability.csv": reliability(predictions, targets),
        "risk_coverage.csv": risk_coverage(predictions, targets),
        "groups.csv": recalls,
        "gaps.csv": gaps,
        "speakers.csv": speaker_scores(predictions, targets, corpus),
    }
    if temperatures is not None and len(temperatures):
        tables["calibration.csv"] = calibration_change(predictions, targets, temperatures)
    return {name: table for name, table in tables.items() if len(table)}


def chance_intervals(
    predictions: pd.DataFrame,
    targets: Targets,
    speakers: pd.Series,
    *,
    seed: int,
    resamples: int,
) -> dict[str, tuple[float, float]]:
    """The chance interval of each target's pooled test rows; see ``chance_interval``."""
    test = predictions[predictions["part"] == "test"].drop_duplicates(["file", "fold", "target"])
    found = {}
    for target, classes in targets.items():
        rows = test[test["target"] == target]
        truth = encode(rows["truth"].astype(str), classes)
        codes, unit = unit_codes(list(rows["file"]), speakers)
        # A label of the speaker, such as a gender, is guessed for all their recordings at once.
        pairs = len(np.unique(np.stack([codes, truth]), axis=1).T)
        theirs = unit == "speaker" and pairs == len(np.unique(codes))
        drawn = {"seed": seed, "resamples": resamples}
        found[target] = chance_interval(truth, codes if theirs else None, len(classes), **drawn)
    return found
