"""What a reader must know to compare runs, as records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from speechnet.comparison.runs import OpenRun
from speechnet.comparison.settings import SEED, same_experiment
from speechnet.core.findings import Finding
from speechnet.core.wording import all_of, counted, plural
from speechnet.evaluation.run_significance import Match
from speechnet.report.names import model_name

_Runs = Mapping[str, OpenRun]
_Matches = Mapping[tuple[str, str], Match]


def notes_on(runs: _Runs, matches: _Matches, pairs: pd.DataFrame) -> Iterator[Finding]:
    """What keeps runs from being compared, and what a difference may be due to.

    Args:
        runs: by name.
        matches: how far the divisions of every two are the same.
        pairs: as ``compare_runs`` gives them.
    """
    yield from _protocols(runs)
    yield from _untested(runs, matches)
    yield from _rows(matches)
    yield from _repeats(runs, pairs)
    yield from _left_out(runs)
    yield from _unchosen(runs)
    yield from _versions(runs)


def _protocols(runs: _Runs) -> Iterator[Finding]:
    """Another protocol is another task, however alike the scores look."""
    said = _by_value({name: str(run.info["protocol"]) for name, run in runs.items()})
    if len(said) > 1:
        words = "; ".join(f"{all_of(names)}: {protocol}" for protocol, names in said.items())
        yield _note("protocols", f"Not the same task, as the protocols differ. {words}.")


def _untested(runs: _Runs, matches: _Matches) -> Iterator[Finding]:
    reasons = _by_value({f"{a} and {b}": match.untested for (a, b), match in matches.items()})
    reasons.pop("", None)
    for reason, who in reasons.items():
        yield _note("untested", f"Side by side only, not tested: {', '.join(who)}, as {reason}.")
    if any("folds" in reason for reason in reasons):
        seeds = _by_value({name: str(run.info.get("seed")) for name, run in runs.items()})
        if len(seeds) > 1:
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
        lacking = [
            f"{there} tests {n} that {not_there} doesn't" for n, there, not_there in only if n
        ]
        if lacking:
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
    for names in _same_experiments(runs):
        seeds = _by_value({name: str(runs[name].info.get("seed")) for name in names})
        if len(seeds) > 1:
            yield _note(
                "other_seeds",
                f"{all_of(names)} are the same experiment with other seeds ({_values(seeds)}): "
                "their differences show roughly how much that alone brings.",
            )
        for repeated in (repeated for repeated in seeds.values() if len(repeated) > 1):
            of_both = pairs["first_run"].isin(repeated) & pairs["second_run"].isin(repeated)
            same = pairs.loc[of_both, "equal"].all()
            found = "the same answers" if same else "other answers"
            what = f"{all_of(repeated)} are the same experiment again, and gave {found}."
            yield _note("repeated", what, equal=bool(same))


def _same_experiments(runs: _Runs) -> list[list[str]]:
    groups: list[list[str]] = []
    for name, run in runs.items():
        for group in groups:
            if same_experiment(runs[group[0]].settings, run.settings):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]


def _left_out(runs: _Runs) -> Iterator[Finding]:
    """Targets and models that not all runs have."""
    for what, key in (("target", "targets"), ("model", "models")):
        having: dict[str, list[str]] = {}
        for name, run in runs.items():
            for each in run.info[key]:
                having.setdefault(each, []).append(name)
        for each, names in having.items():
            if len(names) < len(runs):
                name = model_name(each) if key == "models" else each
                have = plural(len(names), "has", "have")
                yield _note(f"{what}_lacking", f"Only {all_of(names)} {have} the {what} {name}.")


def _unchosen(runs: _Runs) -> Iterator[Finding]:
    names = [name for name, run in runs.items() if run.best is None]
    if names:
        yield _note(
            "no_best",
            f"No dev part tells which model of {all_of(names)} is the best; none is compared as "
            "such.",
        )


def _versions(runs: _Runs) -> Iterator[Finding]:
    every = {name: dict(run.info.get("versions", {})) for name, run in runs.items()}
    for name, run in runs.items():
        every[name] |= {"speechnet": run.info.get("speechnet"), "python": run.info.get("python")}
    packages = dict.fromkeys(package for versions in every.values() for package in versions)
    said = []
    for package in packages:
        found = _by_value({name: str(versions.get(package)) for name, versions in every.items()})
        if len(found) > 1:
            said.append(f"{package} {_values(found)}")
    if said:
        yield _note("versions", f"Made with other versions: {'; '.join(said)}.")


def _note(check: str, what: str, **numbers: float) -> Finding:
    return Finding(check, "note", what, numbers=numbers)


def _by_value(values: Mapping[str, str]) -> dict[str, list[str]]:
    """Who has which value."""
    having: dict[str, list[str]] = {}
    for name, value in values.items():
        having.setdefault(value, []).append(name)
    return having


def _values(having: Mapping[str, Iterable[str]]) -> str:
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in having.items())
