"""Recordings that a model got wrong with the highest confidence."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from speechnet.core.types import PREDICTION_COLUMNS


def confident_mistakes(
    predictions: pd.DataFrame,
    models: Mapping[str, str],
    *,
    count: int,
    speakers: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The ``count`` test rows of each target that were wrong with the highest confidence.

    ``models`` gives the model of each target; other targets are left out. Only confidence decides,
    so several may be of one speaker. Among equally confident rows, speakers take turns; a file
    without one counts as a speaker of its own. A recording that several folds test counts once: by
    its most confident mistake, and of equal ones by that of the lowest fold.

    Returns:
        Columns target, model, fold, file, truth, predicted, ``confidence`` (the probability of the
        predicted class, 0 to 1) and the ``p_<class>`` of the predictions. Targets in the order of
        ``models``, each by falling confidence.
    """
    shown = predictions["model"] == predictions["target"].map(dict(models))
    wrong = predictions["truth"] != predictions["predicted"]
    rows = predictions[shown & wrong & (predictions["part"] == "test")]
    probabilities = [name for name in predictions.columns if name not in PREDICTION_COLUMNS]
    ranked = rows.assign(
        confidence=rows[probabilities].max(axis=1),  # other targets' are NaN
        place=rows["target"].map({target: place for place, target in enumerate(models)}),
    ).sort_values(["place", "confidence", "file", "fold"], ascending=[True, False, True, True])
    each = ranked.drop_duplicates(["place", "file"])
    known = {file: who for file, who in (speakers or {}).items() if pd.notna(who)}
    speaker = each["file"].map(lambda file: known.get(file, file))
    turn = each.groupby(["place", "confidence", speaker]).cumcount()
    spread = each.assign(turn=turn).sort_values(
        ["place", "confidence", "turn", "file"], ascending=[True, False, True, True]
    )
    most = spread.groupby("place").head(count)
    columns = ["target", "model", "fold", "file", "truth", "predicted", "confidence"]
    return most[[*columns, *probabilities]].reset_index(drop=True)
