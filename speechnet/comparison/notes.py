"""What a reader must know to compare runs, as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from speechnet.comparison.runs import OpenRun, labels_of
from speechnet.comparison.settings import SEED, same_experiment
from speechnet.core.findings import Finding
from speechnet.core.wording import all_of, counted, plural
from speechnet.evaluation.run_significance import Match
from speechnet.report.names import model_name

_OWN = ("speechnet", "python")
_Runs = Mapping[str, OpenRun]
_Matches = Mapping[tuple[str, str], Match]


def notes_on(runs: _Runs, matches: _Matches, pairs: pd.DataFrame) -> Iterator[Finding]:
    """What keeps runs from being compared, and what a difference may be due to.

    Args:
        runs: by name.
        matches: how far the divisions of every two are the same.
        pairs: as ``compare_runs`` gives them.
    """
    protocols = _by_value({name: run.info["protocol"] for name, run in runs.items()})
    if len(protocols) > 1:  # another task, however alike the scores look
        words = "; ".join(f"{all_of(names)}: {protocol}" for protocol, names in protocols.items())
        yield _note("protocols", f"Not the same task, as the protocols differ. {words}.")
    yield from _untested(runs, matches)
    yield from _rows(matches)
    yield from _repeats(runs, pairs)
    yield from _left_out(runs)
    if unchosen := [name for name, run in runs.items() if run.best is None]:
        what = f"No dev part tells which model of {all_of(unchosen)} is the best; none is compared"
        yield _note("no_best", f"{what} as such.")
    yield from _versions(runs)


def _untested(runs: _Runs, matches: _Matches) -> Iterator[Finding]:
    reasons = _by_value({f"{a} and {b}": match.untested for (a, b), match in matches.items()})
    reasons.pop("", None)
    for reason, who in reasons.items():
        yield _note("untested", f"Side by side only, not tested: {', '.join(who)}, as {reason}.")
    seeds = _seeds(runs, runs)
    if len(seeds) > 1 and any("folds" in reason for reason in reasons):
        yield _note(
            "seeds",
            f"The folds depend on {SEED} ({_values(seeds)}): give the runs the same one, and "
            "their differences can be tested.",
        )


def _rows(matches: _Matches) -> Iterator[Finding]:
    for (a, b), match in matches.items():
        if match.untested:
            continue
        only = [(match.first_only, a, b), (match.second_only, b, a)]
        if lacking := [f"{who} tests {n} that {other} doesn't" for n, who, other in only if n]:
            yield _note(
                "recordings",
                f"{a} and {b} are compared on the {counted(match.common, 'recording')} that both "
                f"test: {', '.join(lacking)}.",
                common=match.common,
            )
        if not match.same_training:
            what = f"{a} and {b} test the same recordings in each fold, but train on others."
            yield _note("training", what)


def _repeats(runs: _Runs, pairs: pd.DataFrame) -> Iterator[Finding]:
    """Runs of the same settings, but for the seed."""
    groups: list[list[str]] = []
    for name, run in runs.items():
        alike = (each for each in groups if same_experiment(runs[each[0]].settings, run.settings))
        group = next(alike, None)
        groups.append([name]) if group is None else group.append(name)
    for names in groups:
        seeds = _seeds(runs, names)
        if len(seeds) > 1:
            yield _note(
                "other_seeds",
                f"{all_of(names)} are the same experiment with other seeds ({_values(seeds)}): "
                "their differences show roughly how much that alone brings.",
            )
        for repeated in (repeated for repeated in seeds.values() if len(repeated) > 1):
            of_both = pairs["first_run"].isin(repeated) & pairs["second_run"].isin(repeated)
            same = bool(pairs.loc[of_both, "equal"].all())
            found = "the same answers" if same else "other answers"
            what = f"{all_of(repeated)} are the same experiment again, and gave {found}."
            yield _note("repeated", what, equal=same)


def _left_out(runs: _Runs) -> Iterator[Finding]:
    """Targets and models that not all runs have."""
    labels = labels_of(runs)
    for what, key in (("target", "targets"), ("model", "models")):
        for each in dict.fromkeys(each for run in runs.values() for each in run.info[key]):
            names = [name for name, run in runs.items() if each in run.info[key]]
            if len(names) < len(runs):
                name = model_name(each, labels) if key == "models" else each
                have = plural(len(names), "has", "have")
                yield _note(f"{what}_lacking", f"Only {all_of(names)} {have} the {what} {name}.")


def _versions(runs: _Runs) -> Iterator[Finding]:
    every = {
        name: {**run.info.get("versions", {}), **{it: run.info.get(it) for it in _OWN}}
        for name, run in runs.items()
    }
    said = []
    for package in dict.fromkeys(package for versions in every.values() for package in versions):
        found = _by_value({name: versions.get(package) for name, versions in every.items()})
        if len(found) > 1:
            said.append(f"{package} {_values(found)}")
    if said:
        yield _note("versions", f"Made with other versions: {'; '.join(said)}.")


def _note(check: str, what: str, **numbers: float) -> Finding:
    return Finding(check, "note", what, numbers=numbers)


def _seeds(runs: _Runs, names: Iterable[str]) -> dict[str, list[str]]:
    return _by_value({name: runs[name].info.get("seed") for name in names})


def _by_value(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Who has which value, by its text."""
    having: dict[str, list[str]] = {}
    for name, value in values.items():
        having.setdefault(str(value), []).append(name)
    return having


def _values(having: Mapping[str, Iterable[str]]) -> str:
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in having.items())
