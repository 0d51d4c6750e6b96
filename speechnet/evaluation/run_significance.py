"""Is one run better than another, or is it noise?

Runs are compared model by model of the same name, and by the best model of each. Difference,
interval and test are those of ``speechnet.evaluation.significance``.

A difference is tested only on rows that both runs predict: the same recordings, each tested in the
same fold. A speaker who is hard to recognise is then hard for both, and what remains is what the
runs do differently. Recordings missing in one run, such as excluded ones, are left out, as long as
the common ones are ``LEAST_COMMON`` of the larger test part. In other folds, the same recordings
are tested by models trained on other recordings: the division is then part of the difference, and
resampling speakers doesn't show how much it matters. Such runs are not tested against each other.

p values are corrected (Holm) for all tested pairs of a target. Two models that give the same
answers can't be found to differ, so they don't count (R. E. Tarone, "A Modified Bonferroni Method
for Discrete Data", Biometrics 46, 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, Final

import pandas as pd

from speechnet.core.types import Targets
from speechnet.core.wording import counted
from speechnet.evaluation.significance import answers, compare_answers, holm

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
    """What one run predicted on the test part, and on which recordings. All columns are text.

    Attributes:
        division: columns ``recording, fold, part``; a recording has the same id in all runs.
        answers: columns ``recording, fold, model, target, truth, predicted``.
        best: the run's best model; None if that isn't known.
    """

    division: pd.DataFrame
    answers: pd.DataFrame
    best: str | None


@dataclass(frozen=True)
class Match:
    """How far the divisions of two runs agree.

    ``common``, ``first_only`` and ``second_only`` count the recordings that both test, or one of
    them. ``same_training`` says whether the recordings of both are in the same parts of each fold,
    ``untested`` why the two aren't tested against each other, or nothing.
    """

    common: int
    first_only: int
    second_only: int
    same_training: bool
    untested: str


def match_runs(first: ScoredRun, second: ScoredRun) -> Match:
    """Find out whether two runs test the same recordings in the same folds."""
    tested = [run.division[run.division["part"] == "test"] for run in (first, second)]
    recordings = [set(rows["recording"]) for rows in tested]
    common = recordings[0] & recordings[1]
    most = max(map(len, recordings))
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


def _among(table: pd.DataFrame, recordings: set[str]) -> set[tuple[str, ...]]:
    """The rows of some recordings, in any order."""
    return set(table[table["recording"].isin(recordings)].itertuples(index=False, name=None))


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

    ``matches`` holds what ``match_runs`` gives for every two of ``runs``, in their order;
    ``speakers`` is speaker or NA by recording.

    Returns:
        A row for each target, two runs and common model, and one for the best models of the two
        runs unless these have the same name: ``target, metric`` (uar), ``first_run, first`` (a
        model), ``second_run, second, best`` (whether both are the best of their runs),
        ``first_value, second_value`` (UAR on the common rows), ``difference`` (first minus second),
        ``low, high, p, p_holm`` (corrected for the pairs of the target), ``rows, units, unit,
        equal`` (whether all answers are), ``untested`` (why all these are undefined, or empty).

    Raises:
        ValueError: two runs disagree about the truth; a run predicts a row twice; a recording is
            missing from ``speakers``.
    """
    tables = []
    for target, classes in targets.items():
        called = {
            name: answers(run.answers[run.answers["target"] == target], _ROW).sort_index()
            for name, run in runs.items()
        }
        compare = partial(
            compare_answers, classes=classes, speakers=speakers, seed=seed, resamples=resamples
        )
        rows: list[dict[str, Any]] = []
        for a, b in combinations(runs, 2):
            _check_truth(target, (a, b), called[a], called[b])
            best = (runs[a].best, runs[b].best)
            found = _compare_two(called[a], called[b], best, matches[a, b].untested, compare)
            rows += [{"first_run": a, "second_run": b, **row} for row in found]
        table = pd.DataFrame(rows, columns=[*RUN_COMPARISON_COLUMNS]).astype(_TYPES)
        p_holm = holm(table["p"].where(~table["equal"]).to_numpy())
        tables.append(table.assign(target=target, metric="uar", p_holm=p_holm))
    return pd.concat(tables, ignore_index=True)


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


def _compare_two(
    mine: pd.DataFrame,
    theirs: pd.DataFrame,
    best: tuple[str | None, str | None],
    untested: str,
    compare: Callable[..., list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Compare models of the same name, then the best of both if these are two."""
    models: list[tuple[str | None, str | None]] = [
        (model, model) for model in mine.columns[1:] if model in theirs.columns
    ]
    if None not in best and best not in models:
        models.append(best)
    pairs = [
        {"first": a, "second": b, "best": (a, b) == best, "unit": "", "equal": False}
        for a, b in models
    ]
    rows = mine.index.intersection(theirs.index)
    if not untested and rows.empty:
        untested = "no recording that both test has a label"
    if untested or not models:
        return [{**pair, "untested": untested} for pair in pairs]
    both = {("", ""): mine[""]} | {(0, m): mine[m] for m in mine.columns[1:]}
    both |= {(1, m): theirs[m] for m in theirs.columns[1:]}
    called = pd.DataFrame({place: labels.loc[rows] for place, labels in both.items()})
    columns = [((0, a), (1, b)) for a, b in models]
    found = compare(called, columns)
    return [
        {**pair, **each, "equal": called[a].equals(called[b]), "untested": ""}
        for pair, each, (a, b) in zip(pairs, found, columns, strict=True)
    ]
