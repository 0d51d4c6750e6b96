"""What came out of a run, as records; what limits it are ``speechnet.report.findings``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from speechnet.core.findings import Finding
from speechnet.core.metrics import METRICS
from speechnet.core.wording import all_of, counted
from speechnet.evaluation.groups import UAR, worst_gap
from speechnet.evaluation.significance import SIGNIFICANT
from speechnet.report.data import ReportData
from speechnet.report.names import p_value, percent, percent_interval, points
from speechnet.report.worsened import CLEAN, worsened

_PUBLISHED_FOR: Final = "emotion"
HARDEST: Final = 3
"""How many of the hardest speakers are named."""
_CLAUSES: Final = 4  # how many differences are told; the others stand in the tables


def results(data: ReportData) -> list[Finding]:
    """What came out: the best model, differences, published results, who it is worse for.

    Their ``check`` is one of ``best_model, at_chance, difference, members, robustness, published,
    departures, gender_gap, hardest_speakers``, in this order.
    """
    every = (
        *(_best_model, at_chance, _differences, _members, _robustness, _published),
        *(_worse_for, _hardest_speakers),
    )
    return [finding for found in every for finding in found(data)]


def in_words(findings: Iterable[Finding], *checks: str, details: bool = True) -> list[str]:
    """Results of some checks in sentences, without a full stop.

    Without their numbers, the ``details``, what is true of several targets is said once.
    """
    lines: dict[str, list[str]] = {}
    for each in findings:
        if each.check in checks:
            line = f"{each.line} ({each.detail})" if details and each.detail else each.line
            lines.setdefault(line, []).extend([each.subject] if each.subject else [])
    return [f"{all_of(who)}: {line}" if who else line for line, who in lines.items()]


def _result(
    check: str, what: str, detail: str = "", *, subject: str = "", **numbers: float
) -> Finding:
    return Finding(check, "result", what, detail=detail, subject=subject, numbers=numbers)


def _best_model(data: ReportData) -> Iterator[Finding]:
    if (best := data.best) is not None:
        what = f"{data.label(best.model)} is {best.reason}"
        yield _result("best_model", what, score=best.score)


def at_chance(data: ReportData) -> Iterator[Finding]:
    """Which models recognise a target no better than one that knows nothing about it.

    Judged by the test UAR of all folds' rows together; ``uar`` is the highest of it.
    """
    rows = data.scores[(data.scores["part"] == "test") & (data.scores["metric"] == "uar")]
    for target, (low, high) in data.chance.items():
        pooled = rows[(rows["fold"] == "all") & (rows["target"] == target)]
        found = pooled.loc[pooled["value"] <= high, "model"]
        if len(found):
            what = f"no better than chance: {all_of(map(data.label, found))}"
            if high >= 1:
                what = f"too few test {data.unit or 'recording'}s to tell any model from chance"
            detail = f"models that know nothing of it reach {percent(low)} to {percent(high)} %"
            numbers = {"uar": float(pooled["value"].max()), "low": low, "high": high}
            numbers["models"] = len(found)
            yield _result("at_chance", what, detail, subject=target, **numbers)


def _differences(data: ReportData) -> Iterator[Finding]:
    for target in data.targets:
        rows = data.table("comparisons", target=target)
        rows = rows[rows["p_holm"].notna()]
        if len(rows):
            names = {side: rows[side].map(data.label) for side in ("first", "second")}
            yield difference(rows.assign(**names), subject=target)


def difference(rows: pd.DataFrame, *, subject: str, family: int | None = None) -> Finding:
    """Who is shown to be better than whom.

    Args:
        rows: pairs that were tested, columns ``first, second`` (names for readers), ``difference,
            low, high, p_holm, units, unit``; the difference in UAR.
        subject: the target.
        family: how many pairs the p values are corrected for; by default as many as there are.
    """
    shown = rows[rows["p_holm"] <= SIGNIFICANT]
    shown = shown.sort_values("difference", key=lambda by: -by.abs(), kind="stable")
    names = list(dict.fromkeys([*rows["first"], *rows["second"]]))
    losers: dict[str, list[str]] = {}
    for first, second, by in shown[["first", "second", "difference"]].itertuples(index=False):
        winner, loser = (first, second) if by > 0 else (second, first)
        losers.setdefault(winner, []).append(loser)
    clauses = list(_won_alike(names, losers))
    if len(clauses) > _CLAUSES:
        clauses[_CLAUSES:] = ["others, too"]
    if not clauses:
        every = len(rows) == len(names) * (len(names) - 1) / 2
        between = f"between the {len(names)} models" if every else f"in {len(rows)} pairs"
        between = f"between {all_of(names)}" if len(names) == 2 else between
        clauses = [f"no difference shown {between}"]
    elif len(shown) < len(rows):
        clauses.append("no other difference shown")
    listed = (rows if len(rows) == 1 else shown).head(_CLAUSES)
    detail = [*map(_by_points, listed.to_dict("records")), _tested(rows, family or len(rows))]
    numbers = {"pairs": len(rows), "shown": len(shown), "p": float(rows["p_holm"].min())}
    what = "; ".join(clauses)
    return Finding("difference", "result", what, None, "; ".join(detail), subject, numbers)


def _won_alike(names: list[str], losers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """One clause for all that are better than the same ones."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for winner, beaten in losers.items():
        alike.setdefault(tuple(sorted(beaten, key=names.index)), []).append(winner)
    for beaten, winners in alike.items():
        rest = len(winners) > 1 and len(winners) + len(beaten) == len(names)
        who = "all others" if rest else all_of(winners)
        yield f"{who} {'are' if len(winners) > 1 else 'is'} better than {all_of(beaten)}"


def _by_points(row: Mapping[Any, Any]) -> str:
    """A pair with its numbers, the better one first."""
    first, second = row["first"], row["second"]
    by, low, high, p = (row[name] for name in ("difference", "low", "high", "p_holm"))
    if by < 0:
        first, second, by, low, high = second, first, -by, -high, -low
    return f"{first} over {second} {points(by, low, high)} points, {p_value(p)}"


def _tested(rows: pd.DataFrame, family: int) -> str:
    """How it was tested, and whether anything could have come of it."""
    units, unit = int(rows["units"].min()), str(rows["unit"].iloc[0])
    words = f"paired permutation test over {counted(units, unit)}, Holm over "
    words += counted(family, "pair")
    least = min(1.0, 2.0 ** (1 - units) * family)  # all units favour the same of the two
    if least > SIGNIFICANT:
        words += f"; so few {unit}s can't show a difference: p is {least:.2g} at the very least"
    return words


def _members(data: ReportData) -> Iterator[Finding]:
    """Which models an ensemble is shown to be better with, or worse."""
    table = data.table("members")
    table = table[table["target"].isin([*data.targets])]
    for (model, target), rows in table.groupby(["model", "target"], sort=False):
        shown = rows["p_holm"] <= SIGNIFICANT
        names = rows["name"].map(data.label)
        helped, hurt = (
            names[shown & way] for way in (rows["difference"] > 0, rows["difference"] < 0)
        )
        ensemble = data.label(model)
        clauses = (
            [f"{ensemble} is better with {all_of(helped)} than without"] if len(helped) else []
        )
        clauses += [f"{ensemble} is worse with {all_of(hurt)} than without"] if len(hurt) else []
        if not clauses:
            clauses = [f"{ensemble} is not shown to need any one of {all_of(names)}"]
        detail = "; ".join(
            f"{name} {points(*ends)} points, {p_value(p)}"
            for name, *ends, p in zip(
                names, *(rows[c] for c in ("difference", "low", "high", "p_holm")), strict=True
            )
        )
        what, numbers = "; ".join(clauses), {"pairs": len(rows), "shown": int(shown.sum())}
        yield _result("members", what, detail, subject=str(target), **numbers)


def _robustness(data: ReportData) -> Iterator[Finding]:
    """How far the best model falls on worse recordings."""
    table = worsened(data)
    for target in data.targets_in("robustness"):
        rows = table[(table["target"] == target) & (table["model"] == data.shown)]
        clean, worse = (rows[(rows["effect"] == CLEAN) == own] for own in (True, False))
        gone, worse = (worse[worse["value"].isna() == none] for none in (True, False))
        if len(worse) and len(clean):
            lowest = worse.sort_values("value", kind="stable").iloc[0]
            before, after = float(clean["value"].iloc[0]), float(lowest["value"])
            every, label = counted(len(worse), "condition"), data.label(data.shown)
            what = f"{label} falls from {percent(before)} to {percent(after)} % UAR"
            what += f" with {lowest['words']}, the worst of {every}"
            if after >= before:
                what = f"{label} does not fall below its {percent(before)} % UAR in {every}"
            hardest = worse.groupby("effect", sort=False)["value"].idxmin()
            detail = "; ".join(
                f"{row['words']} {percent_interval(row['value'], row['low'], row['high'])} %"
                for _, row in worse.loc[hardest].iterrows()
            )
            if len(gone):
                detail += f"; too few recordings are left to score with {all_of([*gone['words']])}"
            numbers = {"uar": before, "lowest": after, "lost": int(worse["lost"].max())}
            yield _result("robustness", what, detail, subject=target, **numbers)


def _published(data: ReportData) -> Iterator[Finding]:
    """Published results of the protocol, beside the run's own."""
    table = data.table("references")
    for metric in sorted(METRICS.values(), key=lambda each: each.name != "uar"):
        known = table[table["metric"] == metric.name]
        if known.empty:
            continue
        where = {"target": _PUBLISHED_FOR, "part": "test", "metric": metric.name}
        own = [
            f"{data.label(model)} {data.score(model=model, **where).text()}"
            for model in data.models
        ]
        systems = zip(known["system"], known["value"], strict=True)
        published = "; ".join(f"{system} {value:.1f}" for system, value in systems)
        low, high = float(known["value"].min()), float(known["value"].max())
        yield _result(
            "published",
            f"published {metric.label} of this protocol: {low:.1f} to {high:.1f} "
            f"({counted(len(known), 'system')})",
            f"here {'; '.join(own)}. Published: {published}",
            subject=_PUBLISHED_FOR,
            low=low,
            high=high,
            systems=len(known),
        )
    if len(table) and (departures := data.info.get("departures")):
        what = f"Not quite what the published systems were scored on: {'; '.join(departures)}"
        yield _result("departures", what)


def _worse_for(data: ReportData) -> Iterator[Finding]:
    """The largest gap between genders of the best model."""
    best = str(data.shown)
    for target in data.targets_in("gaps"):
        gaps = data.table("gaps", target=target)
        if (gap := worst_gap(gaps, best, target)) is not None:
            what = "UAR" if gap.name == UAR else f"recall of {gap.name}"
            judged = "more than chance gives" if gap.certain else "which may be chance"
            what += f" of {gap.higher} speakers is above that of {gap.lower} ones by "
            what += f"{points(gap.gap, gap.low, gap.high)} points, {judged}"
            of = f"the largest of {(gaps['model'] == best).sum()} gaps of {data.label(best)}"
            numbers = {"gap": gap.gap, "low": gap.low, "high": gap.high}
            yield _result("gender_gap", what, of, subject=target, **numbers)


def _hardest_speakers(data: ReportData) -> Iterator[Finding]:
    """Those whom the best model recognises least."""
    for target in data.targets:
        rows = data.table("speakers", target=target)
        rows = hardest(rows[rows["model"] == data.shown].dropna(subset=["speaker"]))
        if len(rows) == HARDEST:
            lowest = rows["uar"].to_numpy(float)
            pairs = zip(rows["speaker"], lowest, strict=True)
            named = ", ".join(f"{speaker} ({percent(uar)})" for speaker, uar in pairs)
            what = f"hardest speakers for {data.label(data.shown)}: {named}"
            yield _result("hardest_speakers", what, subject=target, uar=float(lowest[0]))


def hardest(rows: pd.DataFrame) -> pd.DataFrame:
    """The speakers of the lowest UAR, the lowest first, of the rows of one model and target."""
    return rows.dropna(subset=["uar"]).sort_values("uar", kind="stable").head(HARDEST)
