"""What does each part of an experiment bring? The same rows predicted with a part and without it.

Conventions:
    A variant is the experiment with one thing changed. A negative difference, variant minus
    experiment, says that the experiment does better as it is. The p values of one model and target
    are also given corrected for the number of variants, ``p_holm`` (Holm 1979).

References:
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.types import Targets, encode
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.significance import answers, differences, holm

COLUMNS: Final = (
    "part",
    "variant",
    "model",
    "target",
    "baseline",
    "value",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "n",
    "units",
    "unit",
)


@dataclass(frozen=True)
class Trial:
    """What one model predicts with one thing changed, and what it predicts as it is.

    Both tables have the columns ``file, fold, target, truth, predicted``, labels as text, and the
    same rows: those of the test parts. A target that only ``baseline`` has plays no part.

    Attributes:
        part: what was changed.
        variant: into what.
        model: whose predictions these are.
        baseline: those of the experiment as it is.
        changed: those of the variant.
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
    """Compare every variant with the experiment as it is.

    Args:
        trials: in the order of the table.
        targets: each target's ordered classes.
        speakers: speaker or NA by file.
        seed: of the resampling.
        resamples: how often.

    Returns:
        A row for each trial and target: part, variant, model, target, the UAR as it is
        (``baseline``) and of the variant (``value``), both pooled over folds, 0 to 1; their
        ``difference``, value minus baseline, with its 95 % interval (``low``, ``high``), its
        permutation test's two-sided ``p``, and ``p_holm``, corrected by Holm over the variants of
        the same model and target; rows (``n``), ``units`` resampled, and what a ``unit`` is. See
        ``speechnet.evaluation.significance``.

    Raises:
        ValueError: a trial's two tables hold different rows, or other labels for them.
    """
    rows = []
    for trial in trials:
        changed = trial.changed.assign(model="changed")
        both = pd.concat([trial.baseline.assign(model="baseline"), changed])
        for target, classes in targets.items():
            if not (changed["target"] == target).any():
                continue
            try:
                found = _compare(
                    both[both["target"] == target],
                    classes,
                    speakers,
                    seed=seed,
                    resamples=resamples,
                )
            except ValueError as error:
                raise ValueError(f"{trial.part} {trial.variant}, {target}: {error}") from error
            of = {"part": trial.part, "variant": trial.variant, "model": trial.model}
            rows.append({**of, "target": target, **found})
    table = pd.DataFrame(rows, columns=[*COLUMNS])
    p = table["p"].to_numpy(np.float64)
    adjusted = np.full(len(table), np.nan)
    for family in table.groupby(["model", "target"]).indices.values():
        at = np.asarray(family)
        adjusted[at] = holm(p[at])
    return table.assign(p_holm=adjusted)


def _compare(
    rows: pd.DataFrame, classes: list[str], speakers: pd.Series, *, seed: int, resamples: int
) -> dict[str, object]:
    # In the order of the baseline, so that all variants see the same resamples.
    called = answers(rows, ["file", "fold"])
    units, unit = unit_codes(called.index.get_level_values("file").tolist(), speakers)
    truth, baseline, changed = (encode(called[column], classes) for column in called)
    [found] = differences(
        truth, [changed, baseline], units, k=len(classes), seed=seed, resamples=resamples
    )
    return {
        "baseline": found.second,
        "value": found.first,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "n": len(called),
        "units": found.units,
        "unit": unit,
    }
