"""Rebuild the figures and the report of a run from its folder alone; nothing is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from speechnet.config.yaml_file import read_yaml
from speechnet.console.messages import output, say
from speechnet.console.progress import working
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors
from speechnet.core.reading import read_config_text, read_regular
from speechnet.core.types import Targets, encode
from speechnet.evaluation.mistakes import confident_mistakes
from speechnet.evaluation.roc import RocCurve, roc_curves
from speechnet.experiment import manifest as checksums
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_location import check_writable
from speechnet.report.html import ReportData, page
from speechnet.report.tables import Tables

_EVIDENCE: Final = (
    "comparisons",
    "inflation",
    "reliability",
    "risk_coverage",
    "groups",
    "gaps",
    "speakers",
    "ablation",
    "importance",
    "cross",
    "clustering",
)
"""Tables whose figures are drawn where the run folder has them."""
_TOLD: Final = ("audit", "excluded", "dropped", "calibration", "search", "mistakes")
"""Tables that only the report shows."""
_HEARD: Final = re.compile(r"mistakes/\d+\.(mp3|svg)")
"""What ``mistakes.csv`` may name: nothing else in the folder, and nothing outside it."""
_LARGEST: Final = 2**26
"""Bytes of a figure or a clip."""


def draw_figures(run: RunFolder) -> list[Path]:
    """Draw every figure that the run folder has tables for.

    Args:
        run: a run whose tables are written.

    Returns:
        The files, PNG and SVG, below ``figures/``.
    """
    # Imported here: a report can be written without anything being drawn.
    from speechnet.report.figures.draw import draw_all

    folder = run.path / "figures"
    with storage_errors(folder):
        return draw_all(_tables(run), folder)


def rebuild(path: Path, *, figures: bool = True) -> Path:
    """Draw a finished run's figures anew and write its report; the verb ``report``.

    Args:
        path: the run folder.
        figures: whether they are drawn; else the report shows those that are there.

    Returns:
        The report.

    Raises:
        DataError: it is no run folder, or damaged.
        StorageError: no space, or no permission.
    """
    run = RunFolder.open(path)
    check_writable(path)
    with _damage_told(run):
        if figures:
            with working("drawing figures"):
                draw_figures(run)
        with working("writing the report"):
            written = write_report(run)
    say(str(written), to=output)
    return written


def write_report(run: RunFolder) -> Path:
    """Write ``report.html``, whole or not at all, with the figures that there are.

    Args:
        run: a finished run.

    Returns:
        The file.

    Raises:
        DataError: a table or a figure is damaged.
        StorageError: no space, or no permission.
    """
    run.write_text("report.html", page(read_report_data(run)))
    return run.path / "report.html"


def read_report_data(run: RunFolder) -> ReportData:
    """Read all that a report is made of.

    Args:
        run: a finished run, of an older version too: what it lacks is left out.

    Raises:
        DataError: a table is damaged, or names files that are none of its own.
    """
    with _damage_told(run):
        return _material(run)


@contextmanager
def _damage_told(run: RunFolder) -> Iterator[None]:
    """Name the run if its tables can't be made sense of.

    Sums that fit say that nothing was changed by accident; they are no signature.
    """
    try:
        yield
    except DataError as error:
        if str(run.path) in str(error):
            raise
        raise DataError(f"{run.path} can't be reported: {error}") from error
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise DataError(
            f"{run.path} can't be reported: its tables are damaged "
            f"({type(error).__name__}: {error}); copy the folder anew from where it was made"
        ) from error


def _material(run: RunFolder) -> ReportData:
    told = {name: _read(run, f"{name}.csv") for name in _TOLD}
    heard = _heard(run, told["mistakes"])
    sums = checksums.read_sums(run.path) if (run.path / checksums.NAME).exists() else {}
    config = run.path / "config.yaml"
    return ReportData(
        folder=str(run.path),
        tables=_tables(run),
        tied=_tied(run, told["mistakes"]),
        info=run.info,
        config=read_config_text(config),
        settings=read_yaml(config),
        figures={path.stem: _drawn(path) for path in sorted((run.path / "figures").glob("*.svg"))},
        clips={name: content for name, content in heard.items() if name.endswith(".mp3")},
        pictures={
            name: content.decode() for name, content in heard.items() if name.endswith(".svg")
        },
        checksums=sums,
        **told,
    )


def _tied(run: RunFolder, mistakes: pd.DataFrame | None) -> dict[str, int]:
    """By target how many mistakes tie with the last one that was chosen, if one of them wasn't."""
    if mistakes is None or mistakes.empty:
        return {}
    predictions = run.read_predictions()
    models = dict(zip(mistakes["target"].astype(str), mistakes["model"].astype(str), strict=True))
    every = confident_mistakes(predictions, models, count=len(predictions))
    tied = {}
    for target, rows in every.groupby("target"):
        shown = int((mistakes["target"] == target).sum())
        confidence = rows["confidence"].to_numpy(np.float64)
        if shown < len(confidence) and confidence[shown] == confidence[shown - 1]:
            tied[str(target)] = int((confidence == confidence[shown]).sum())
    return tied


def _heard(run: RunFolder, mistakes: pd.DataFrame | None) -> dict[str, bytes]:
    """The clips and pictures of the mistakes that are there, by the name that the table has."""
    if mistakes is None:
        return {}
    found = {}
    for name in map(str, pd.concat([mistakes["clip"], mistakes["picture"]]).dropna()):
        if not _HEARD.fullmatch(name):
            raise DataError(
                f"{run.path}/mistakes.csv is damaged: it names {name!r}, expected "
                "mistakes/<number>.mp3 or .svg"
            )
        if (path := run.path / name).is_file():
            found[name] = read_regular(path, largest=_LARGEST)
    return found


def _drawn(path: Path) -> str:
    """A figure's text; no sums vouch for figures, which may be drawn again at any time."""
    try:
        return read_regular(path, largest=_LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise DataError(f"the figure {path} can't be read: {said}; remove it") from error


def _tables(run: RunFolder) -> Tables:
    targets: Targets = run.info["targets"]
    predictions = run.read_predictions()
    corpus = run.read_table("corpus.csv")
    history = _read(run, "history.csv")
    explained = run.info.get("clustering", {}).get("explained")
    return Tables(
        targets=targets,
        scores=run.read_table("scores.csv"),
        confusion=run.read_table("confusion.csv"),
        roc=_curves(predictions, targets),
        majority=_majority(predictions, targets),
        history=history,
        clusters=_read(run, "clusters.csv"),
        projection=_read(run, "projection.csv"),
        variance=(explained[0], explained[1]) if explained else None,
        corpus=corpus.set_index("file"),
        statistics=corpus[["file", "duration"]],
        unit=run.info.get("unit"),
        references=read_references(run),
        **{name: _read(run, f"{name}.csv") for name in _EVIDENCE},
    )


def read_references(run: RunFolder) -> pd.DataFrame:
    """The published results of the run's protocol, that its own can be held against.

    Args:
        run: a run whose ``run.json`` has the references.

    Returns:
        Columns system, metric, value in per cent, source; without rows where there are none.
    """
    columns = ["system", "metric", "value", "source"]
    return pd.DataFrame(run.info.get("references", []), columns=columns)


def _read(run: RunFolder, name: str) -> pd.DataFrame | None:
    return run.read_table(name) if (run.path / name).exists() else None


def _curves(
    predictions: pd.DataFrame, targets: Targets
) -> dict[tuple[str, str], dict[str, RocCurve]]:
    """The test part's curves, all folds pooled."""
    test = predictions[predictions["part"] == "test"]
    curves: dict[tuple[str, str], dict[str, RocCurve]] = {}
    for (model, target), rows in test.groupby(["model", "target"], sort=False):
        classes = targets[str(target)]
        probability = rows[[f"p_{name}" for name in classes]].to_numpy(np.float64)
        curves[str(model), str(target)] = roc_curves(
            encode(rows["truth"], classes), probability, classes
        )
    return curves


def _majority(predictions: pd.DataFrame, targets: Targets) -> dict[str, float]:
    """The share of the test part's most frequent class."""
    test = predictions[predictions["part"] == "test"].drop_duplicates(["file", "fold", "target"])
    shares = {}
    for target in targets:
        truth = test.loc[test["target"] == target, "truth"]
        if len(truth):
            shares[target] = float(truth.value_counts(normalize=True).iloc[0])
    return shares
