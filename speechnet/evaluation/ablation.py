"""What does each part of an experiment contribute? The same rows predicted with and without it.

A variant is the experiment with one thing changed. A negative difference, variant minus experiment,
says that the experiment does better as it is. Differences, intervals and p values are those of
``speechnet.evaluation.significance``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from speechnet.core.types import Targets
from speechnet.evaluation.significance import answers, compare_answers, holm

COLUMNS: Final = (
    *("part", "variant", "model", "target", "baseline", "value", "difference"),
    *("low", "high", "p", "p_holm", "n", "units", "unit"),
)


@dataclass(frozen=True)
class Trial:
    """The predictions of one ``model`` as it is, and with a ``part`` changed into a ``variant``.

    Both tables have the columns ``file, fold, target, truth, predicted``, labels as text, and the
    same rows, those of the test parts. A target that only ``baseline`` has is left out.
    """

    part: str
    variant: str
    model: str
    baseline: pd.DataFrame
    changed: pd.DataFrame


def ablation_table(
    trials: Sequence[Trial],
    targets: Targets,
    speakers: pd.Series,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Compare every variant with the experiment as it is; ``speakers`` is speaker or NA by file.

    Returns:
        A row for each trial and target, in the order of the trials: part, variant, model, target,
        the UAR as it is (``baseline``) and of the variant (``value``), both pooled over folds, 0 to
        1; their ``difference``, value minus baseline, with its 95 % interval (``low``, ``high``)
        and p value (``p``; ``p_holm`` is corrected for the variants of the same model and target);
        rows (``n``), ``units`` resampled, and what a ``unit`` is.

    Raises:
        ValueError: a trial's two tables hold different rows, or other labels for them.
    """
    rows: list[dict[str, Any]] = []
    for trial in trials:
        tables = {"baseline": trial.baseline, "changed": trial.changed}
        both = pd.concat([table.assign(model=name) for name, table in tables.items()])
        for target in [name for name in targets if (trial.changed["target"] == name).any()]:
            try:
                # In the order of the baseline, so that all variants see the same resamples.
                called = answers(both[both["target"] == target], ["file", "fold"])
            except ValueError as error:
                raise ValueError(f"{trial.part} {trial.variant}, {target}: {error}") from error
            [found] = compare_answers(
                called,
                [("changed", "baseline")],
                targets[target],
                speakers,
                seed=seed,
                resamples=resamples,
            )
            of = {"part": trial.part, "variant": trial.variant, "model": trial.model}
            rows.append({**of, "target": target, **found})
    names = {"second_value": "baseline", "first_value": "value", "rows": "n"}
    table = pd.DataFrame(rows).rename(columns=names).reindex(columns=[*COLUMNS])
    p = table["p"].to_numpy(np.float64)
    adjusted = np.full(len(table), np.nan)
    for family in table.groupby(["model", "target"]).indices.values():
        adjusted[family] = holm(p[family])
    return table.assign(p_holm=adjusted)
