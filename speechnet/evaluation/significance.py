"""Is one model better than another, or is it noise?

Two models are compared on the same rows of the test part, pooled over folds, by their difference in
UAR. Speakers are the units, as in ``speechnet.evaluation.bootstrap``.

Permutation test:
    If the two were equally good, it would not matter whose predictions are whose. The predictions
    of both are exchanged for some speakers, all of a speaker's rows together; p is the share of
    exchanges whose difference is as large as the one found, or larger, in either direction. The
    number of rows of a class stays the same, so that the difference is a sum over units
    ``sum_u sign_u d_u``. All ``2^u`` exchanges are counted if there are no more of them than
    resamples; otherwise random ones and the one found, ``(1 + count) / (1 + resamples)`` (Phipson
    and Smyth), so that p is never 0.

References:
    B. Phipson, G. K. Smyth, "Permutation P-values Should Never Be Zero", Statistical Applications
    in Genetics and Molecular Biology 9, 2010.
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from speechnet.core.types import Float64, Int64, Targets, encode
from speechnet.evaluation.bootstrap import UarDraws, count_by_unit, deal, unit_codes

COMPARISON_COLUMNS = (
    *("target", "metric", "first", "second", "difference"),
    *("low", "high", "p", "p_holm", "units", "unit"),
)

SIGNIFICANT = 0.05

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """How much the UAR of one set of predictions exceeds that of another on the same rows.

    Attributes:
        difference: UAR of the first minus UAR of the second, -1 to 1; NaN if undefined.
        low: lower end of its 95 % interval; NaN where there is none, as with a single unit.
        high: upper end.
        p: two-sided p value of the permutation test; NaN if the difference is.
        first: UAR of the first.
        second: UAR of the second.
        units: how many units were resampled.
    """

    difference: float
    low: float
    high: float
    p: float
    first: float
    second: float
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

    Args:
        predictions: the table of predictions.
        targets: each target with its ordered classes.
        speakers: speaker or NA by file.
        seed: the same seed gives the same numbers.
        resamples: how many resamples, and how many exchanges, to draw.

    Returns:
        A row per target and pair of models, in the order they appear: ``target, metric`` (uar),
        ``first, second, difference`` (first minus second), ``low, high, p, p_holm`` (corrected for
        the pairs of the target), ``units`` (their number) and ``unit`` (what they are).

    Raises:
        ValueError: the models of a target don't predict the same files in the same folds, or
            disagree about the truth; a file that ``speakers`` doesn't know.
    """
    tables: list[pd.DataFrame] = []
    for target, classes in targets.items():
        rows = predictions[(predictions["target"] == target) & (predictions["part"] == "test")]
        if rows["model"].nunique() < 2:
            continue
        try:
            called = answers(rows, ["file", "fold"])
        except ValueError as error:
            raise ValueError(f"{target}: {error}") from error
        units, unit = unit_codes(called.index.get_level_values("file").tolist(), speakers)
        truth, *labels = (encode(called[column], classes) for column in called)
        found = differences(truth, labels, units, k=len(classes), seed=seed, resamples=resamples)
        table = pd.DataFrame([vars(d) for d in found])
        table[["first", "second"]] = list(combinations(called.columns[1:], 2))
        adjusted = holm(table["p"].to_numpy())
        tables.append(table.assign(target=target, metric="uar", p_holm=adjusted, unit=unit))
    columns = list(COMPARISON_COLUMNS)
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def holm(p: Float64) -> Float64:
    """Correct p values for their number, so that one false alarm among them all stays at its level.

    The smallest is multiplied by their number ``m``, the next by ``m - 1`` and so on; none falls
    below the one before it or exceeds 1 (Holm 1979).

    Args:
        p: float64 ``[m]``; those that are NaN stay so and don't count.

    Returns:
        The corrected p values, float64 ``[m]``, in the order given.
    """
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested])]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def answers(rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """What is true of each row, and what each model answered.

    Args:
        rows: columns ``key, model, truth, predicted``.
        key: what tells rows apart.

    Returns:
        By key, in the order of the first model's rows, as text: the truth in a column of no name,
        then a column for each model.

    Raises:
        ValueError: a model answers a row twice, or one that another doesn't; they disagree about
            what is true.
    """
    # as text: categories would bring classes along that are not there
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


def differences(
    truth: Int64,
    called: Sequence[Int64],
    units: Int64,
    *,
    k: int,
    seed: int = 0,
    resamples: int = 10_000,
    pairs: Sequence[tuple[int, int]] | None = None,
) -> list[Difference]:
    """Compare several sets of predictions of the same rows, two by two, in the same resamples.

    Args:
        truth: int64 ``[n]`` in ``0..k-1``.
        called: the sets of predictions, each int64 ``[n]`` in ``0..k-1``.
        units: the unit of each row, int64 ``[n]``, as ``unit_codes`` gives them.
        k: the number of classes.
        seed: the same seed gives the same numbers.
        resamples: how many resamples, and how many exchanges, to draw.
        pairs: which two of ``called``, by position; every two if not given.

    Returns:
        The difference of each pair with its 95 % interval and its p value, not corrected for other
        comparisons.

    Raises:
        ValueError: the arrays don't fit together.
    """
    _check(truth, called, units)
    found, units = np.unique(units, return_inverse=True)
    has = count_by_unit(units, truth, k, count=len(found)) > 0
    units = deal(has[:, None, :], seed)[units]
    count = int(units.max()) + 1
    true = count_by_unit(units, truth, k, count=count)
    hits = [count_by_unit(units[c == truth], truth[c == truth], k, count=count) for c in called]
    draws = UarDraws(true, resamples=resamples, seed=seed)
    uar = [draws.of(of_model) for of_model in hits]
    compared: list[Difference] = []
    for i, j in combinations(range(len(called)), 2) if pairs is None else pairs:
        low, high = draws.interval(uar[i] - uar[j])
        p = _permutation_p(hits[i] - hits[j], true, seed=seed, resamples=resamples)
        first, second = float(uar[i][0]), float(uar[j][0])
        compared.append(Difference(first - second, low, high, p, first, second, len(found)))
    return compared


def _check(truth: Int64, called: Sequence[Int64], units: Int64) -> None:
    lengths = {len(labels) for labels in (truth, units, *called)}
    if len(lengths) > 1 or not len(truth):
        raise ValueError(
            f"truth, predictions and units have {sorted(lengths)} rows, expected equally many, and "
            "at least one"
        )


def _permutation_p(gain: Float64, true: Float64, *, seed: int, resamples: int) -> float:
    """The p value of a difference in UAR.

    Args:
        gain: how many more rows of each unit and class the first recognised, float64 ``[u, k]``.
        true: the rows of each unit and class, float64 ``[u, k]``.
        seed: decides about the exchanges drawn.
        resamples: how many, unless there are no more of them altogether.
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
    differences = np.abs((1.0 - 2.0 * exchanged) @ of_unit)
    as_large = np.count_nonzero(differences >= abs(of_unit.sum()) - _ROUNDING)
    return as_large / 2**u if exact else (1 + as_large) / (1 + resamples)
