"""Is one model better than another, or is it noise?

Two models are compared by their difference in UAR on the same rows of the test part, pooled over
folds, with speakers as units (``speechnet.evaluation.bootstrap``).

Permutation test:
    If the two were equally good, it wouldn't matter which predictions are whose. The predictions of
    both are exchanged for some units, all rows of a unit together; p is the share of exchanges
    whose difference is at least as large, in either direction, as the one found. The number of rows
    of each class stays the same, so the difference is a sum over units ``sum_u sign_u d_u``. If
    there are no more than ``resamples`` exchanges, all ``2^u`` are made. Otherwise they are drawn
    at random and ``p = (1 + count) / (1 + resamples)``, which is never 0.

References:
    B. Phipson, G. K. Smyth, "Permutation P-values Should Never Be Zero", SAGMB 9, 2010.
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from speechnet.core.types import Float64, Int64, Targets, encode
from speechnet.evaluation.bootstrap import count_by_unit, deal, uar_differences, unit_codes

COMPARISON_COLUMNS = (
    *("target", "metric", "first", "second", "difference"),
    *("low", "high", "p", "p_holm", "units", "unit"),
)

SIGNIFICANT = 0.05
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """How much the UAR of one set of predictions exceeds that of another on the same rows.

    ``difference`` is ``first_value - second_value``, -1 to 1, ``low`` and ``high`` the ends of its
    95 % interval, NaN where there is none; ``p`` is that of the two-sided permutation test, not
    corrected for other comparisons. All are NaN where the UAR is undefined. ``units`` counts what
    was resampled.
    """

    difference: float
    low: float
    high: float
    p: float
    first_value: float
    second_value: float
    units: int


def compare_models(
    predictions: pd.DataFrame,
    targets: Targets,
    speakers: pd.Series,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Compare every two models on every target, on the test part pooled over folds.

    Returns:
        A row for each target and pair of models, in order of appearance: ``target, metric`` (uar),
        ``first, second, difference`` (first minus second), ``low, high, p, p_holm`` (corrected for
        the pairs of the target), ``units`` (how many) and ``unit`` (speaker or recording).

    Raises:
        ValueError: the models of a target predict different files or folds, or disagree about the
            truth; a file is missing from ``speakers``.
    """
    tables = [pd.DataFrame(columns=[*COMPARISON_COLUMNS])]
    for target, classes in targets.items():
        rows = predictions[(predictions["target"] == target) & (predictions["part"] == "test")]
        if rows["model"].nunique() < 2:
            continue
        try:
            called = answers(rows, ["file", "fold"])
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from error
        pairs = [*combinations(called.columns[1:], 2)]
        found = compare_answers(called, pairs, classes, speakers, seed=seed, resamples=resamples)
        table = pd.DataFrame(found).assign(target=target, metric="uar")
        table[["first", "second"]] = pairs
        tables.append(table.assign(p_holm=holm(table["p"].to_numpy()))[[*COMPARISON_COLUMNS]])
    return pd.concat(tables[1:] or tables)


def answers(rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Put the models' predictions beside the truth.

    ``rows`` has the columns ``model, truth, predicted`` and those of ``key``, which identify a row,
    the file or recording first.

    Returns:
        Indexed by key, in the order of the first model's rows, as text: the truth in a column named
        "", then a column for each model.

    Raises:
        ValueError: a model predicts a row twice, or one that another doesn't; they disagree about
            the truth.
    """
    # as text: a categorical column may list classes that don't occur
    rows = rows.astype({"model": str, "truth": str, "predicted": str})
    doubled = rows.duplicated([*key, "model"])
    if doubled.any():
        raise ValueError(
            f"{rows[doubled].iloc[0][[*key, 'model']].to_dict()} is predicted twice; expected one "
            "row per file, fold and model"
        )
    of_models = rows.groupby("model", sort=False)
    columns = {m: of.set_index(key)["predicted"] for m, of in of_models}
    called = pd.concat(columns, axis=1) if columns else rows.set_index(key)[[]]
    missing = called.isna().sum()
    if missing.any():
        raise ValueError(
            f"of {len(called)} test rows the models lack {missing.to_dict()}; only predictions of "
            "the same files in the same folds can be compared"
        )
    truth = rows.groupby(key)["truth"].agg(["first", "nunique"]).loc[called.index]
    if (truth["nunique"] > 1).any():
        raise ValueError("the models disagree about what is true of the same row")
    called.insert(0, "", truth["first"])
    return called


def compare_answers(
    called: pd.DataFrame,
    pairs: Sequence[tuple[Any, Any]],
    classes: list[str],
    speakers: pd.Series,
    *,
    seed: int,
    resamples: int,
) -> list[dict[str, Any]]:
    """Compare pairs of columns of a table from ``answers``, which has at least one row.

    Returns:
        The attributes of ``Difference`` for each pair, with ``rows`` (how many) and ``unit``.
    """
    units, unit = unit_codes(called.index.get_level_values(0).tolist(), speakers)
    truth, *labels = (encode(column, classes) for _, column in called.items())
    place = {name: at for at, name in enumerate(called.columns[1:])}
    found = differences(
        truth,
        labels,
        units,
        k=len(classes),
        seed=seed,
        resamples=resamples,
        pairs=[(place[first], place[second]) for first, second in pairs],
    )
    return [{**vars(each), "rows": len(called), "unit": unit} for each in found]


def differences(
    truth: Int64,
    called: Sequence[Int64],
    units: Int64,
    *,
    k: int,
    seed: int = 0,
    resamples: int = 10_000,
    pairs: Sequence[tuple[int, int]] = ((0, 1),),
) -> list[Difference]:
    """Compare sets of predictions of the same rows in pairs, in the same resamples.

    ``truth`` and each of ``called`` are int64 ``[n]`` in ``0..k-1``, ``units`` is int64 ``[n]``, as
    ``unit_codes`` gives it, and ``pairs`` holds positions in ``called``.
    """
    found, units = np.unique(units, return_inverse=True)
    has = count_by_unit(units, truth, k, count=len(found)) > 0
    units = deal(has[:, None, :], seed)[units]
    count = int(units.max()) + 1
    true = count_by_unit(units, truth, k, count=count)
    hits = [count_by_unit(units[c == truth], truth[c == truth], k, count=count) for c in called]
    uars = uar_differences(true, hits, pairs, resamples=resamples, seed=seed)
    ps = [_permutation_p(hits[i] - hits[j], true, seed=seed, resamples=resamples) for i, j in pairs]
    return [
        Difference(first - second, low, high, p, first, second, len(found))
        for (first, second, low, high), p in zip(uars, ps, strict=True)
    ]


def _permutation_p(gain: Float64, true: Float64, *, seed: int, resamples: int) -> float:
    """The p value of a difference in UAR; see the head of this module.

    ``gain`` says how many more rows of each unit and class the first got right, ``true`` how many
    there are, float64 ``[u, k]`` both.
    """
    total = true.sum(axis=0)
    present = total > 0
    if present.sum() < 2:
        return float("nan")
    of_unit = (gain[:, present] / total[present]).mean(axis=1)
    # where both are equally right, an exchange changes nothing
    of_unit = of_unit[of_unit != 0]
    u, exact = len(of_unit), 2.0 ** len(of_unit) <= resamples
    if exact:
        exchanged = np.arange(2**u)[:, None] >> np.arange(u) & 1
    else:
        exchanged = np.random.default_rng(seed).integers(2, size=(resamples, u))
    sums = np.abs((1.0 - 2.0 * exchanged) @ of_unit)
    as_large = np.count_nonzero(sums >= abs(of_unit.sum()) - _ROUNDING)
    return as_large / 2**u if exact else (1 + as_large) / (1 + resamples)


def holm(p: Float64) -> Float64:
    """Correct p values, float64 ``[m]``, which bounds the chance of any false alarm among them.

    The smallest is multiplied by ``m``, the next by ``m - 1`` and so on; none falls below the one
    before it or exceeds 1 (Holm). NaN stays NaN and doesn't count.
    """
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
