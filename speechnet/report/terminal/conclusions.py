"""What a run found, in sentences: the words below the table of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import pandas as pd

from speechnet.core.findings import Finding
from speechnet.core.types import Targets
from speechnet.core.wording import all_of, counted
from speechnet.evaluation.groups import worst_gap
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.names import (
    interval_words,
    model_name,
    percent,
    percent_interval,
    points,
)
from speechnet.report.tables import find_score, models_of

_METRICS: Final = {"uar": "UAR", "accuracy": "accuracy"}
_INFLATION: Final = ("random", "disjoint", "difference", "low", "high")
_MUCH: Final = 0.05
"""So much more, as a share, a random split has to report for a warning."""
_TWO_LINES: Final = 155
_HARDEST: Final = 3
"""How many of the hardest speakers are named."""


def recalls_in_words(predictions: Mapping[str, pd.DataFrame], targets: Targets) -> str:
    """What one model recognises of each part of one fold, as soon as that is known.

    Args:
        predictions: by part, ``target, truth, predicted``.
        targets: each target with its ordered classes.
    """
    said = []
    for part in sorted(set(predictions) - {"train"}, reverse=True):
        rows = predictions[part]
        hits = (rows["truth"] == rows["predicted"]).groupby([rows["target"], rows["truth"]]).mean()
        uars = hits.groupby(level="target").mean()
        named = (f"{target} {percent(uars[target])}" for target in targets if target in uars)
        said.append(f"{part} UAR {', '.join(named)}")
    return "; ".join(said)


def compared(comparisons: pd.DataFrame, targets: Targets) -> list[str]:
    """Which models are shown to be better than which.

    Args:
        comparisons: ``target, first, second, difference, low, high, p_holm, units, unit``, the
            difference in pooled test UAR.
        targets: each target with its ordered classes.

    Returns:
        A sentence for each target with two models or more.
    """
    sentences = []
    for target in targets:
        rows = comparisons[(comparisons["target"] == target) & comparisons["p_holm"].notna()]
        if rows.empty:
            continue
        shown = rows[rows["p_holm"] <= SIGNIFICANT]
        won = [_won(row) for _, row in shown.iterrows()]
        if not won:
            names = dict.fromkeys([*rows["first"], *rows["second"]])
            found = f"no difference shown between {_models(names)}"
        elif len(won) == len(rows):
            found = "; ".join(won)
        else:
            found = f"{'; '.join(won)}; no other difference shown"
        row = rows.iloc[0]
        way = f"paired permutation test over {row['units']} {row['unit']}s, Holm"
        sentences.append(f"{target}: {found} ({way})")
    return sentences


def verdicts(comparisons: pd.DataFrame | None, targets: Targets) -> list[str]:
    """The same as ``compared`` in short: who, and neither by how much nor by which test.

    Args:
        comparisons: ``target, first, second, difference, p_holm``; None for a single model.
        targets: each target with its ordered classes.

    Returns:
        A line for each target with two models or more; one for those of which the same is true.
    """
    if comparisons is None:
        return []
    same: dict[str, list[str]] = {}
    for target in targets:
        rows = comparisons[(comparisons["target"] == target) & comparisons["p_holm"].notna()]
        models = list(dict.fromkeys([*rows["first"], *rows["second"]]))
        if not models:
            continue
        losers: dict[str, list[str]] = {}
        for _, row in rows[rows["p_holm"] <= SIGNIFICANT].iterrows():
            winner, loser = (row["first"], row["second"])[:: 1 if row["difference"] > 0 else -1]
            losers.setdefault(str(winner), []).append(str(loser))
        found = [*_won_alike(models, losers)]
        if not found:
            between = _models(models) if len(models) == 2 else f"the {len(models)} models"
            found = [f"no difference shown between {between}"]
        elif sum(map(len, losers.values())) < len(rows):
            found.append("no other difference shown")
        same.setdefault("; ".join(found), []).append(target)
    return [f"{all_of(names)}: {found}" for found, names in same.items()]


def _won_alike(models: Sequence[str], losers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """One clause for all that are better than the same models."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for winner, beaten in losers.items():
        alike.setdefault(tuple(sorted(beaten, key=models.index)), []).append(winner)
    for beaten, winners in alike.items():
        rest = len(winners) > 1 and len(winners) + len(beaten) == len(models)
        who = "all others" if rest else _models(winners)
        yield f"{who} {'are' if len(winners) > 1 else 'is'} better than {_models(beaten)}"


def published(references: pd.DataFrame | None) -> list[str]:
    """The range of the published results of a protocol, a line for each metric.

    Args:
        references: ``system, metric, value`` in per cent; None where there are none.
    """
    if references is None:
        return []
    return [
        f"emotion, published {name} of this protocol: {values.min():.1f} to {values.max():.1f} "
        f"({len(values)} system{'s' * (len(values) > 1)})"
        for metric, name in _METRICS.items()
        if len(values := references.loc[references["metric"] == metric, "value"])
    ]


def within_chance(scores: pd.DataFrame, chance: Mapping[str, tuple[float, float]]) -> list[str]:
    """Which models recognise a target no better than one that knows nothing about it.

    Args:
        scores: the table of scores.
        chance: by target, where 95 % of such models lie, in [0, 1].
    """
    pooled = scores[(scores["part"] == "test") & (scores["metric"] == "uar")]
    pooled = pooled[pooled["fold"] == "all"]
    sentences = []
    for target, (low, high) in chance.items():
        rows = pooled[(pooled["target"] == target) & (pooled["value"] <= high)]
        if len(rows):
            names = ", ".join(model_name(str(model)) for model in rows["model"])
            sentences.append(
                f"{target}: no better than chance ({percent(low)} to {percent(high)}): {names}"
            )
    return sentences


def groups_in_words(best: str, gaps: pd.DataFrame, speakers: pd.DataFrame) -> list[str]:
    """Who a model is worse for.

    Args:
        best: the model.
        gaps: ``model, target, class, higher, lower, gap, low, high``.
        speakers: ``model, target, speaker, uar``.

    Returns:
        A sentence for the largest gap between the genders, another for the hardest speakers.
    """
    sentences = []
    for target in dict.fromkeys(gaps["target"]):
        gap = worst_gap(gaps, best, target)
        if gap is None:
            continue
        what = "UAR" if gap.name == "uar" else f"recall of {gap.name}"
        of = len(gaps[(gaps["target"] == target) & (gaps["model"] == best)])
        judged = "more than chance gives" if gap.certain else "which may be chance:"
        sentences.append(
            f"{target}, {model_name(best)}: {what} of {gap.higher} speakers is above that of "
            f"{gap.lower} ones by {points(gap.gap, gap.low, gap.high)} points, "
            f"{judged} the largest of {of} gaps"
        )
    for target in dict.fromkeys(speakers["target"]):
        rows = speakers[(speakers["target"] == target) & (speakers["model"] == best)]
        rows = rows.dropna(subset=["uar", "speaker"]).nsmallest(_HARDEST, "uar")
        if len(rows) == _HARDEST:
            named = ", ".join(f"{row.speaker} ({percent(row.uar)})" for row in rows.itertuples())
            sentences.append(f"{target}, {model_name(best)}: hardest speakers {named}")
    return sentences


def references_in_words(
    scores: pd.DataFrame,
    references: pd.DataFrame,
    departures: Sequence[str] = (),
    *,
    unit: str | None,
) -> list[str]:
    """The published results of a protocol beside the run's own.

    Args:
        scores: the table of scores.
        references: ``system, metric, value`` in per cent, ``source``.
        departures: what keeps the two from being the same experiment.
        unit: what the intervals' bootstrap draws.
    """
    if references.empty:
        return []
    sentences = []
    for metric, name in _METRICS.items():
        known = references[references["metric"] == metric]
        if known.empty:
            continue
        own = "; ".join(_own(scores, model, metric) for model in models_of(scores))
        systems = zip(known["system"], known["value"], strict=True)
        published = "; ".join(f"{system} {value:.1f}" for system, value in systems)
        sentences.append(
            f"emotion, {name}: {own} ({interval_words(unit)}). Reference results for this "
            f"protocol: {published}"
        )
    if departures:
        sentences.append(f"Not quite what the references were scored on: {'; '.join(departures)}")
    return sentences


def inflated(inflation: pd.DataFrame) -> list[Finding]:
    """What a random split would have reported, a finding for each target.

    Args:
        inflation: ``target, random, disjoint, difference, low, high``.
    """
    findings = []
    for _, row in inflation.iterrows():
        target, numbers = str(row["target"]), {name: float(row[name]) for name in _INFLATION}
        random, disjoint = percent(row["random"]), percent(row["disjoint"])
        if shown := row["low"] > 0:
            by = counted(round(100 * row["difference"]), "point")
            what = f"A random split inflates {target} by {by}: {random} % UAR, not {disjoint} %"
        else:
            what = f"A random split is not shown to inflate {target}: {random} and {disjoint} % UAR"
        findings.append(
            Finding(
                "inflation",
                "warning" if shown and row["difference"] >= _MUCH else "note",
                what,
                detail=f"one SVM on random parts and on unseen speakers: "
                f"{points(row['difference'], row['low'], row['high'])} points",
                subject=target,
                numbers=numbers,
            )
        )
    return findings


def warnings_in_words(findings: Sequence[Finding]) -> list[str]:
    """The findings of a terminal's last lines.

    Args:
        findings: those that matter most, in order.

    Returns:
        A sentence for each. A single one has its reason too, if both fit into two lines.
    """
    sentences = [f"Warning: {each.line}." for each in findings]
    if len(findings) == 1 and (detail := findings[0].detail):
        whole = f"{sentences[0]} {detail[0].upper()}{detail[1:].rstrip('.')}."
        return [whole] if len(whole) <= _TWO_LINES else sentences
    return sentences


def _own(scores: pd.DataFrame, model: str, metric: str) -> str:
    found = find_score(scores, model=model, target="emotion", part="test", metric=metric)
    return f"{model_name(model)} {percent_interval(found.value, found.low, found.high)}"


def _won(row: pd.Series) -> str:
    """A difference that is shown, the better model first."""
    first, second = str(row["first"]), str(row["second"])
    difference, low, high = row["difference"], row["low"], row["high"]
    if difference < 0:
        first, second, difference, low, high = second, first, -difference, -high, -low
    by = points(difference, low, high)
    return f"{model_name(first)} is better than {model_name(second)} by {by} points"


def _models(models: Iterable[str]) -> str:
    return all_of([model_name(model) for model in models])
