"""Is one run better than another, or is it noise?

Runs are compared model by model of the same name, and by the model that each would choose, the best
on its dev part. The difference is that of the UAR on the test part, pooled over folds; interval and
test are those of ``speechnet.evaluation.significance``, with speakers as units.

Conventions:
    A difference is tested only where both runs predict the same rows: the same recordings, each
    tested in the same fold. Then a speaker who is hard to understand is so for both, and what is
    left is what the runs do differently. Where a recording is missing in one run, having been set
    aside there, say, the others are compared, as long as they are ``LEAST_COMMON`` of the larger
    test part.

    In other folds the same recordings are tested by models trained on others: how the folds fell is
    then part of the difference, and no resampling of speakers shows how much that brings. Such runs
    are not tested against each other, nor are those that have few recordings in common.

    p values are corrected (Holm) for all pairs of a target that are tested. Two models whose
    answers are all equal can't differ whatever the test does; they are left out and don't count
    (Tarone).

References:
    R. E. Tarone, "A Modified Bonferroni Method for Discrete Data", Biometrics 46, 1990 (hypotheses
    that can't be rejected need no correction).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd

from speechnet.core.types import Targets, encode
from speechnet.core.wording import counted
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.significance import answers, differences, holm

RUN_COMPARISON_COLUMNS: Final = (
    *("target", "metric", "first_run", "first", "second_run", "second", "best"),
    *("first_value", "second_value", "difference", "low", "high", "p", "p_holm"),
    *("rows", "units", "unit", "equal", "untested"),
)

LEAST_COMMON: Final = 0.9
"""The least share of the larger test part that two runs must have in common."""

_ROW: Final = ["recording", "fold"]
_TYPES: Final = {
    **dict.fromkeys(("first_value", "second_value", "difference", "low", "high", "p"), "float64"),
    **dict.fromkeys(("rows", "units"), "Int64"),
    **dict.fromkeys(("best", "equal"), "bool"),
}


@dataclass(frozen=True)
class ScoredRun:
    """What one run answered, and on what.

    Attributes:
        division: columns ``recording, fold, part``, all text: what each fold trains on and tests.
            A recording has the same id in all runs.
        answers: the test part's predictions, columns ``recording, fold, model, target, truth,
            predicted``, all text.
        best: the model that the run would choose; None where nothing tells.
    """

    division: pd.DataFrame
    answers: pd.DataFrame
    best: str | None


@dataclass(frozen=True)
class Match:
    """How far the divisions of two runs are the same.

    Attributes:
        common: how many recordings both test.
        first_only: how many only the first tests.
        second_only: how many only the second tests.
        same_training: whether the recordings that both have are in the same parts of each fold.
        untested: why the two aren't tested against each other; empty if they are.
    """

    common: int
    first_only: int
    second_only: int
    same_training: bool
    untested: str


def match_runs(first: ScoredRun, second: ScoredRun) -> Match:
    """Find out whether two runs test the same recordings in the same folds."""
    tested = [_tested(run) for run in (first, second)]
    recordings = [set(rows["recording"]) for rows in tested]
    common = recordings[0] & recordings[1]
    most = max(len(found) for found in recordings)
    untested = ""
    if len(common) < LEAST_COMMON * most:
        untested = f"only {len(common):,} of up to {counted(most, 'recording')} are tested by both"
    elif _among(tested[0][_ROW], common) != _among(tested[1][_ROW], common):
        untested = "the same recordings are tested in other folds"
    known = set(first.division["recording"]) & set(second.division["recording"])
    return Match(
        common=len(common),
        first_only=len(recordings[0] - common),
        second_only=len(recordings[1] - common),
        same_training=_among(first.division, known) == _among(second.division, known),
        untested=untested,
    )


def compare_runs(
    runs: Mapping[str, ScoredRun],
    matches: Mapping[tuple[str, str], Match],
    targets: Targets,
    speakers: pd.Series,
    *,
    seed: int = 0,
    resamples: int = 10_000,
) -> pd.DataFrame:
    """Compare every two runs on every target, model by model, and best by best.

    Args:
        runs: by name.
        matches: of every two of them, as ``match_runs`` gives it, in the order of ``runs``.
        targets: each target with its ordered classes.
        speakers: speaker or NA by recording.
        seed: the same seed gives the same numbers.
        resamples: how many resamples, and how many exchanges, to draw.

    Returns:
        A row per target, two runs, and model that both have; another for the best models of the two
        runs, unless they are the same. ``target, metric`` (uar), ``first_run,
        first`` (a model), ``second_run, second, best`` (whether both are the best of their runs),
        ``first_value, second_value`` (UAR on the common rows), ``difference`` (first minus second),
        ``low, high, p, p_holm`` (corrected for the pairs of the target), ``rows, units, unit,
        equal`` (whether all answers are), ``untested`` (why all these are undefined, or empty).

    Raises:
        ValueError: two runs disagree about what is true of a recording; a run predicts a row twice;
            a recording that ``speakers`` doesn't know.
    """
    tables = []
    for target, classes in targets.items():
        called = {
            name: answers(run.answers[run.answers["target"] == target], _ROW).sort_index()
            for name, run in runs.items()
        }
        rows: list[dict[str, Any]] = []
        for names in combinations(runs, 2):
            pair = [called[name] for name in names]
            _check_truth(target, names, *pair)
            chosen = [runs[name].best for name in names]
            compared = _compare_two(
                *pair,
                models=_pairs(*pair, best=chosen),
                untested=matches[names].untested,
                classes=classes,
                speakers=speakers,
                seed=seed,
                resamples=resamples,
            )
            of_both = {"target": target, "metric": "uar"}
            of_both |= dict(zip(("first_run", "second_run"), names, strict=True))
            rows += [
                {**of_both, **row, "best": [row["first"], row["second"]] == chosen}
                for row in compared
            ]
        table = pd.DataFrame(rows, columns=list(RUN_COMPARISON_COLUMNS))
        table = table.astype(_TYPES)
        tables.append(table.assign(p_holm=holm(table["p"].where(~table["equal"]).to_numpy())))
    return pd.concat(tables, ignore_index=True)


def _tested(run: ScoredRun) -> pd.DataFrame:
    return run.division[run.division["part"] == "test"]


def _among(table: pd.DataFrame, recordings: set[str]) -> set[tuple[str, ...]]:
    """The rows of a table, in any order, of some recordings."""
    return set(table[table["recording"].isin(recordings)].itertuples(index=False, name=None))


def _check_truth(
    target: str, names: tuple[str, str], first: pd.DataFrame, second: pd.DataFrame
) -> None:
    one, other = (of_run[""].groupby("recording").first() for of_run in (first, second))
    one, other = one.align(other, join="inner")
    apart = one.index[one != other]
    if len(apart):
        raise ValueError(
            f"{names[0]} and {names[1]} disagree about the {target} of "
            f"{counted(len(apart), 'recording')} "
            f"that both test, such as {one[apart[0]]} against {other[apart[0]]}"
        )


def _pairs(
    first: pd.DataFrame, second: pd.DataFrame, *, best: list[str | None]
) -> list[tuple[str, str]]:
    """Models of the same name, then the best of both where these are two."""
    pairs = [(model, model) for model in first.columns[1:] if model in second.columns]
    one, other = best
    if one is not None and other is not None and (one, other) not in pairs:
        pairs.append((one, other))
    return pairs


def _compare_two(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    models: list[tuple[str, str]],
    untested: str,
    classes: list[str],
    speakers: pd.Series,
    seed: int,
    resamples: int,
) -> list[dict[str, Any]]:
    """What is found of each pair of models."""
    rows = first.index.intersection(second.index)
    if not untested and rows.empty:
        untested = "no recording that both test has a label"
    names = [{"first": one, "second": other, "untested": untested} for one, other in models]
    if untested or not models:
        return [{**pair, "unit": "", "equal": False} for pair in names]
    units, unit = unit_codes(rows.get_level_values("recording").tolist(), speakers)
    called = [encode(of[name].loc[rows], classes) for of in (first, second) for name in of.columns]
    places = [(0, name) for name in first.columns] + [(1, name) for name in second.columns]
    chosen = [(places.index((0, one)), places.index((1, other))) for one, other in models]
    found = differences(
        called[0], called, units, k=len(classes), seed=seed, resamples=resamples, pairs=chosen
    )
    return [
        {
            **pair,
            **{key: value for key, value in vars(each).items() if key not in pair},
            "first_value": each.first,
            "second_value": each.second,
            "rows": len(rows),
            "unit": unit,
            "equal": bool(np.array_equal(called[i], called[j])),
        }
        for pair, each, (i, j) in zip(names, found, chosen, strict=True)
    ]
