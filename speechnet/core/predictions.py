"""The table that passes from the models to evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from speechnet.core.types import PREDICTION_COLUMNS, Float64, Int64, Targets


def predictions_table(
    probabilities: Mapping[str, Float64],
    labels: Int64,
    files: Sequence[str],
    targets: Targets,
    *,
    part: str,
    fold: int,
    model: str,
) -> pd.DataFrame:
    """A model's probabilities beside the truth, in the columns of ``PREDICTION_COLUMNS``.

    Args:
        probabilities: by target float64 ``[n, k]``.
        labels: int64 ``[n, targets]``, -1 where there is no label.
        files: the ``n`` row ids.
        targets: each target's ordered classes.
        part: train, dev or test.
        fold: its number.
        model: its name.

    Returns:
        A row for each file and target that has a label. ``predicted`` is the most probable class.
    """
    tables = []
    for column, (target, classes) in enumerate(targets.items()):
        known = np.flatnonzero(labels[:, column] >= 0)
        values = probabilities[target][known]
        names = np.array(classes, dtype=object)
        table = pd.DataFrame(
            {
                "file": np.array(files, dtype=object)[known],
                "part": part,
                "fold": fold,
                "model": model,
                "target": target,
                "truth": names[labels[known, column]],
                "predicted": names[values.argmax(axis=1)],
            }
        )
        scores = pd.DataFrame(values, columns=[f"p_{name}" for name in classes])
        tables.append(pd.concat([table, scores], axis=1))
    return join(tables, targets)


def join(tables: Sequence[pd.DataFrame], targets: Targets) -> pd.DataFrame:
    """Concatenate tables of predictions; every class of every target has a column."""
    every = dict.fromkeys(f"p_{name}" for classes in targets.values() for name in classes)
    columns = [*PREDICTION_COLUMNS, *every]
    joined = pd.concat([table.reindex(columns=columns) for table in tables], ignore_index=True)
    types: dict[str, type] = dict.fromkeys(PREDICTION_COLUMNS, str)
    return joined.astype(types | {"fold": np.int64} | dict.fromkeys(every, np.float64))
