"""The command ``compare``: runs compared, and which of their differences are shown.

Conventions:
    Runs can be compared if they have a target in common and tell the same classes of it apart, and
    if any two of them test some recording both; a recording is known by its samples, wherever it
    lies and whatever it is called. Otherwise they are refused. What is tested, and what only stands
    side by side, ``speechnet.evaluation.run_significance`` decides; the notes give the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Final

import pandas as pd

from speechnet.comparison.figure import draw_runs
from speechnet.comparison.inputs import check_given
from speechnet.comparison.notes import notes_on
from speechnet.comparison.page import compare_page
from speechnet.comparison.result import (
    SCORE_COLUMNS,
    ComparedRun,
    RunComparison,
    in_sentences,
    settings_in_words,
)
from speechnet.comparison.runs import OpenRun, labels_of, open_runs
from speechnet.comparison.settings import differing
from speechnet.comparison.terminal import runs_table
from speechnet.console.messages import output, say
from speechnet.console.progress import working
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors, write_whole
from speechnet.core.metrics import shown
from speechnet.core.types import Targets
from speechnet.evaluation.run_significance import Match, compare_runs, match_runs
from speechnet.experiment.run_tables import table_bytes
from speechnet.report.drawing.style import save
from speechnet.report.names import model_name
from speechnet.report.scores import models_of, scores_by_key
from speechnet.report.terminal import printable

_SETTINGS: Final = 12  # how many keys are listed in the terminal


def compare(paths: Sequence[Path], *, out: Path | None) -> RunComparison:
    """Compare runs, and print what comes of it.

    Args:
        paths: the run folders, at least two.
        out: the folder for the tables, the figure and the page; None writes nothing.

    Raises:
        ConfigError: fewer than two runs, more than there are letters, or one given twice; ``out``
            is a run folder.
        DataError: a run can't be opened, or can't be compared with another.
        StorageError: ``out`` can't be written to.
    """
    check_given(paths, out)
    with working("comparing runs"):
        comparison = _compare(open_runs(paths))
    for run in comparison.runs:
        say(f"{run.name}  {printable(run.path)}", to=output)
        say(f"   {run.facts['best']}", to=output)
    for line in settings_in_words(comparison, most=_SETTINGS):
        say(printable(line).plain, to=output)
    output.print(runs_table(comparison))
    for note in comparison.notes:
        say(note.line, to=output, style="yellow")
    for line in in_sentences(comparison):
        say(line, to=output)
    if out is None:
        say("--out FOLDER writes all pairs as CSV, a figure, and a page for the browser.")
    else:
        say(f"Page: {_write(comparison, out)}", to=output)
    return comparison


def _compare(runs: Mapping[str, OpenRun]) -> RunComparison:
    matches = {(a, b): match_runs(runs[a].scored, runs[b].scored) for a, b in combinations(runs, 2)}
    speakers = pd.concat([run.corpus for run in runs.values()])
    try:
        targets = _common_targets({name: run.info["targets"] for name, run in runs.items()})
        _check_recordings(runs, matches)
        pairs = compare_runs(
            {name: run.scored for name, run in runs.items()},
            matches,
            targets,
            speakers.drop_duplicates("recording").set_index("recording")["speaker"],
        )
    except ValueError as error:
        who = ", ".join(f"{name} is {run.folder.path}" for name, run in runs.items())
        raise DataError(f"the runs can't be compared: {error}. {who}") from error
    units = {run.info.get("unit") for run in runs.values()}
    return RunComparison(
        targets=targets,
        runs=_described(runs),
        scores=pd.concat([_scores(name, run, targets) for name, run in runs.items()]),
        pairs=pairs,
        settings=differing({name: run.settings for name, run in runs.items()}),
        notes=list(notes_on(runs, matches, pairs)),
        labels=labels_of(runs),
        unit=units.pop() if len(units) == 1 else None,
    )


def _common_targets(of_run: Mapping[str, Targets]) -> Targets:
    """The targets that all runs have; a ValueError unless they tell the same classes apart."""
    first, *others = of_run
    common = [target for target in of_run[first] if all(target in of_run[run] for run in others)]
    if not common:
        said = "; ".join(f"{name} has {', '.join(targets)}" for name, targets in of_run.items())
        raise ValueError(f"they have no target in common: {said}")
    for target, other in product(common, others):
        classes, theirs = of_run[first][target], of_run[other][target]
        if set(theirs) != set(classes):
            raise ValueError(
                f"of {target}, {first} tells {len(classes)} classes apart ({', '.join(classes)}), "
                f"{other} {len(theirs)} ({', '.join(theirs)}). A UAR over other classes measures "
                "another task: fit one of them again with the other's data.targets"
            )
    return {target: of_run[first][target] for target in common}


def _check_recordings(
    runs: Mapping[str, OpenRun], matches: Mapping[tuple[str, str], Match]
) -> None:
    for pair, match in matches.items():
        if not match.common:
            first, second = (
                f"{run} (corpus {runs[run].info['corpus'].get('name')})" for run in pair
            )
            raise ValueError(
                f"{first} and {second} test no recording in common. To score a run on another "
                "corpus: python -m speechnet test --run RUN --corpus NAME --root FOLDER"
            )


def _scores(name: str, run: OpenRun, targets: Targets) -> pd.DataFrame:
    """The scores of a run that are shown; see ``RunComparison.scores``."""
    metrics = [each.name for each in shown("page")]
    found = scores_by_key(run.scores[run.scores["metric"].isin(metrics)])
    rows = []
    for key in product(models_of(run.scores), targets, ("dev", "test"), metrics):
        if key in found:
            value, _, pooled, low, high = found[key]
            rows.append((name, *key, value, low, high, pooled, run.scored.best == key[0]))
    return pd.DataFrame(rows, columns=[*SCORE_COLUMNS])


def _described(runs: Mapping[str, OpenRun]) -> list[ComparedRun]:
    """Each run under the end of its path, as long as it takes to tell all of them apart."""
    paths = {name: run.folder.path.absolute() for name, run in runs.items()}
    titles = next(
        titles
        for length in range(2, 1 + max(len(path.parts) for path in paths.values()))
        if len(set(titles := ["/".join(path.parts[-length:]) for path in paths.values()]))
        == len(paths)
    )
    return [
        ComparedRun(name, title, str(path), _facts(runs[name]))
        for (name, path), title in zip(paths.items(), titles, strict=True)
    ]


def _facts(run: OpenRun) -> dict[str, str]:
    info, corpus, labels = run.info, run.info["corpus"], run.folder.labels
    versions = [f"{name} {version}" for name, version in info.get("versions", {}).items()]
    facts = {
        "corpus": corpus.get("name"),
        **{name: corpus.get(name) for name in ("recordings", "speakers", "excluded")},
        "features": sum(len(one["columns"]) for one in info["features"].values()),
        "protocol": info["protocol"],
        "models": ", ".join(model_name(each, labels) for each in info["models"]),
        "best": f"{model_name(run.best.model, labels)}, {run.best.reason}"
        if run.best
        else "unknown: no dev part tells",
        **{name: info.get(name) for name in ("seed", "started")},
        "revision": info.get("git"),
        "versions": ", ".join([f"speechnet {info.get('speechnet')}", *versions]),
    }
    return {name: "unknown" if value is None else str(value) for name, value in facts.items()}


def _write(comparison: RunComparison, out: Path) -> Path:
    """The tables, the figure and the page."""
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, table in (
            ("comparison", comparison.pairs),
            ("scores", comparison.scores),
            ("settings", comparison.settings),
        ):
            write_whole(out / f"{name}.csv", table_bytes(table))
        _, svg = save(draw_runs(comparison), out, "comparison")
        page = out / "compare.html"
        write_whole(page, compare_page(comparison, svg.read_text(encoding="utf-8")).encode())
    return page
