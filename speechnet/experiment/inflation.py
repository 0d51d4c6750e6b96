"""How much higher a score a split that ignores speakers would have reported."""

from __future__ import annotations

from typing import Final

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from speechnet.core.types import Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.significance import differences
from speechnet.models.scikit.model import reference_model, untuned_models
from speechnet.models.scikit.pipelines import fit_untuned

COLUMNS: Final = (
    *("model", "target", "random", "disjoint", "difference"),
    *("low", "high", "recordings", "speakers"),
)

MOST: Final = 4_000
"""Recordings used; of more, whole speakers are drawn at random."""

_FOLDS: Final = 5


def measure_inflation(data: SpeechDataModule, *, resamples: int = 10_000) -> pd.DataFrame:
    """Score one SVM under two protocols, of which one keeps speakers apart and the other doesn't.

    Both divide the same rows into five parts (fewer with fewer speakers), stratified by the target.
    Features and scaling are those of the experiment, without changed copies; ``resamples`` draws
    make the interval.

    Returns:
        A row for each target: model, target, the pooled UAR under the random and the
        speaker-disjoint protocol, their difference with its 95 % bootstrap interval over speakers,
        and the numbers of recordings and speakers. Recordings without a speaker are left out.
        Empty with fewer than two speakers or no vectors; without targets that don't have two
        classes of two speakers each.
    """
    named = np.flatnonzero(data.table["speaker"].notna())
    speakers = data.table["speaker"].iloc[named]
    rows = []
    if speakers.nunique() >= 2 and data.matrix.names:
        chosen = named[_sample(speakers.to_numpy(dtype=object), seed=data.seed)]
        for column, target in enumerate(data.targets):
            known = chosen[data.labels[chosen, column] >= 0]
            if row := _compare(data, known, column, resamples):
                rows.append({"model": reference_model(), "target": target, **row})
    return pd.DataFrame(rows, columns=[*COLUMNS])


def _sample(speakers: np.ndarray, *, seed: int) -> Int64:
    """Rows of as many randomly drawn speakers as fit into ``MOST``, and of at least two."""
    codes, names = pd.factorize(speakers)
    if len(codes) <= MOST:
        return np.arange(len(codes))
    order = np.random.default_rng(seed).permutation(len(names))
    sizes = np.bincount(codes)[order]
    count = max(2, int((np.cumsum(sizes) <= MOST).sum()))
    return np.flatnonzero(np.isin(codes, order[:count]))


def _compare(
    data: SpeechDataModule, rows: Int64, column: int, resamples: int
) -> dict[str, float] | None:
    """The numbers of one target; None if it can't be divided by speaker."""
    y = data.labels[rows, column]
    table = data.table.iloc[rows]
    # A class with a single speaker can't be trained on when that speaker is tested.
    by_class = table.groupby(y)["speaker"].nunique()
    kept = np.isin(y, by_class.index[by_class >= 2])
    rows, y, table = rows[kept], y[kept], table[kept]
    folds = min(_FOLDS, int(by_class[by_class >= 2].min())) if kept.any() else 0
    if folds < 2 or len(np.unique(y)) < 2:
        return None
    units, _ = unit_codes(list(table.index), table["speaker"])
    labels = np.unique(y, return_inverse=True)[1]
    X, rest = data.X[rows], {"scaling": data.config.scaling, "stacks": data.matrix.stacks}
    random = StratifiedKFold(folds, shuffle=True, random_state=data.seed)
    grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=data.seed)
    divisions = [*random.split(X, labels), *grouped.split(X, labels, units)]
    if any(len(np.unique(labels[fit])) < 2 for fit, _ in divisions):
        return None
    model = untuned_models()[reference_model()]
    # Threads: libsvm releases the GIL, and processes would have to start first.
    predicted = joblib.Parallel(backend="threading")(
        joblib.delayed(fit_untuned)(model, X, labels, fit, held, seed=data.seed, **rest)
        for fit, held in divisions
    )
    first, second = np.zeros_like(labels), np.zeros_like(labels)
    for number, ((_, held), values) in enumerate(zip(divisions, predicted, strict=True)):
        (first if number < folds else second)[held] = values
    k = int(labels.max()) + 1
    [found] = differences(labels, [first, second], units, k=k, seed=data.seed, resamples=resamples)
    return {
        "random": found.first_value,
        "disjoint": found.second_value,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "recordings": len(rows),
        "speakers": int(units.max()) + 1,
    }
