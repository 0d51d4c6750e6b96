"""What each member of an ensemble brings: the ensemble against the same one without it.

Without a member the others are combined anew, in the way and on the rows that the ensemble itself
was. Difference, interval and test are those of ``speechnet.evaluation.significance``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.types import Targets
from speechnet.evaluation.significance import answers, compare_answers, holm

COLUMNS: Final = (
    *("model", "target", "name", "alone", "together", "without"),
    *("difference", "low", "high", "p", "p_holm", "units", "unit"),
)


def member_contributions(
    predictions: pd.DataFrame,
    without: pd.DataFrame,
    targets: Targets,
    speakers: pd.Series,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Compare each ensemble with itself without each of its members, on the test part pooled.

    Args:
        predictions: the table of predictions; the members are among its models.
        without: columns ``model, name, target, fold, file, truth, predicted``: what an ensemble
            predicts of the test part without one of its members, its name.
        targets: each target's ordered classes.
        speakers: speaker or NA by file.
        seed: of every resampling.
        resamples: the number of bootstrap samples and permutations.

    Returns:
        A row for each ensemble, target and member: ``model, target, name``, the UAR of that member
        ``alone``, of the ensemble (``together``) and of the ensemble ``without`` it, the
        ``difference`` of the last two, ``low, high`` (its 95 % interval), ``p, p_holm`` (corrected
        for the members of a target), ``units`` and ``unit`` (what was resampled). UARs are of all
        folds' rows together.
    """
    tables = [pd.DataFrame(columns=[*COLUMNS])]
    for (model, target), each in without.groupby(["model", "target"], sort=False):
        members = [*each["name"].unique()]
        asked = (predictions["part"] == "test") & (predictions["target"] == target)
        ours = predictions[asked & predictions["model"].isin([model, *members])]
        # No model's name has a blank in it.
        theirs = each.assign(model="without " + each["name"])
        called = answers(pd.concat([ours, theirs], ignore_index=True), ["file", "fold"])
        pairs = [*((model, f"without {name}") for name in members), *((model, m) for m in members)]
        found = pd.DataFrame(
            compare_answers(
                called, pairs, targets[str(target)], speakers, seed=seed, resamples=resamples
            )
        )
        table, alone = found[: len(members)], found[len(members) :]
        table = table.rename(columns={"first_value": "together", "second_value": "without"})
        table = table.assign(
            model=str(model),
            target=str(target),
            name=members,
            alone=alone["second_value"].to_numpy(np.float64),
            p_holm=holm(table["p"].to_numpy(np.float64)),
        )
        tables.append(table[[*COLUMNS]])
    return pd.concat(tables[1:] or tables, ignore_index=True)
