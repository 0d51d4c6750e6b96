"""The command ``audit``, and the same at the start of each ``fit``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from speechnet.audit.audit import Audit, run_audit
from speechnet.audit.composition import PERSONAL, normalising_harms, single_class_speakers
from speechnet.config.experiment import ExperimentConfig
from speechnet.console.messages import output, say
from speechnet.console.progress import file_progress, working
from speechnet.core.errors import DataError
from speechnet.core.files import storage_errors, write_whole
from speechnet.core.findings import Finding, as_table
from speechnet.core.types import Targets
from speechnet.core.wording import counted, plural
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.announce import announce
from speechnet.experiment.inflation import measure_inflation
from speechnet.experiment.parallel import parallel
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_location import check_writable, next_version
from speechnet.experiment.run_tables import table_bytes
from speechnet.features.extraction.compute import rehearse
from speechnet.features.extraction.recipe import Recipe
from speechnet.report.findings import inflated
from speechnet.report.terminal import findings_table

_STYLES = {"fault": "red", "warning": "yellow", "note": ""}
_TWO_LINES = 155
"""Longer details, in characters, stand in the table alone."""


def audit(config: ExperimentConfig) -> Path:
    """Look a corpus over without training anything.

    Args:
        config: the experiment whose corpus, features and folds are looked at.

    Returns:
        The folder of the tables, ``<out>/<experiment>/audits/version_<N>``.

    Raises:
        SpeechnetError: the corpus or the disk is at fault, or no recording can be used. A protocol
            that does not fit the corpus is a finding, no error.
    """
    out = Path(config.out)
    check_writable(out)
    rehearse(config.data.recipe)
    data = SpeechDataModule(config.data, seed=config.seed_everything, progress=file_progress)
    with parallel(config.parallel):
        data.load_corpus()
        announce(data)
        data.extract()
        if not data.extraction.index:
            data.check_share()  # which says what is wrong with all of them
        misfits = _misfits(data)
        with working("auditing"):
            found = _run(config, data, misfits)
            inflation = measure_inflation(data)
    output.print(findings_table(found.findings))
    for finding in inflated(inflation):
        say(f"{finding.line} ({finding.detail})", to=output)
    folder = next_version(out / config.experiment / "audits")
    with storage_errors(folder):
        for name, table in _tables(found, inflation).items():
            write_whole(folder / name, table_bytes(table))
    say(f"Tables: {folder}", to=output)
    return folder


def audit_fit(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    """Audit what a run is about to be trained on: tables to its folder, the worst to the terminal.

    Args:
        config: the experiment.
        data: its features and folds.
        run: where the tables go.
    """
    with run.stage("audit"):
        found = _run(config, data)
        inflation = measure_inflation(data)
        for name, table in _tables(found, inflation).items():
            run.write_table(name, table)
    run.info["audit"] = {
        severity: sum(each.severity == severity for each in found.findings) for severity in _STYLES
    }
    for finding in found.findings:
        if finding.severity != "note":
            line = f"{finding.severity.capitalize()}: {finding.line}"
            whole = f"{line}: {finding.detail}"
            short = finding.detail and len(whole) <= _TWO_LINES
            say(whole if short else f"{line}; see audit.csv", style=_STYLES[finding.severity])
    for finding in inflated(inflation):
        say(f"{finding.line} ({finding.detail})")


def check_speaker_normalisation(
    config: ExperimentConfig, table: pd.DataFrame, targets: Targets
) -> None:
    """Refuse to standardise by speaker where that would take a target away; warn where it may.

    Args:
        config: the experiment.
        table: the corpus table.
        targets: each target's ordered classes.

    Raises:
        DataError: too many speakers have one class only.
    """
    if not config.data.per_speaker:
        return
    share = config.evaluation.audit.single_class
    harmed = normalising_harms(table, targets, share=share)
    if harmed:
        raise DataError(
            f"data.per_speaker: {share:.0%} or more of the speakers have one class of "
            f"{', '.join(harmed)} only. Standardising by speaker takes just that away: set it to "
            "false, or use speakers of several classes"
        )
    for target in targets:
        if target in PERSONAL:
            say(
                f"Features are standardised by speaker: what tells the {target} of a speaker is "
                "largely gone.",
                style="yellow",
            )
        elif count := len(single_class_speakers(table, target)):
            who = f"{counted(count, 'speaker')} {plural(count, 'has', 'have')}"
            say(
                f"Features are standardised by speaker, and {who} one class of {target} only: "
                "it can't be told any more.",
                style="yellow",
            )


def _misfits(data: SpeechDataModule) -> list[Finding]:
    """Why ``fit`` would refuse the corpus, as findings; makes the folds where it would not."""
    found = []
    for check, attempt in (("max_bad_share", data.check_share), ("protocol", data.setup)):
        try:
            attempt()
        except DataError as error:
            what = "reason for fit to refuse this corpus"
            found.append(Finding(check, "fault", what, 1, str(error)))
    if not hasattr(data, "folds"):
        data.folds = []
    return found


def _run(
    config: ExperimentConfig, data: SpeechDataModule, misfits: Iterable[Finding] = ()
) -> Audit:
    _say_features(config.data.recipe)
    found = run_audit(
        data.table,
        data.targets,
        data.folds,
        matrix=data.matrix,
        statistics=data.extraction.statistics,
        excluded=data.excluded,
        config=config.evaluation.audit,
        highest=config.data.recipe.highest_frequency(),
        labels=data.corpus.table,
    )
    return replace(found, findings=[*misfits, *found.findings])


def _say_features(recipe: Recipe) -> None:
    """Which features near-copies, clusters and the like are about: all vectors, or none."""
    named, vectors = list(recipe.extractors), recipe.vectors
    if not vectors:
        say(
            f"data.features has no vectors ({', '.join(named)}): near-copies, clusters, inflation "
            "and what is unlike the training data are left out",
            style="yellow",
        )
    elif vectors != named:
        say(
            "Near-copies, clusters, inflation and what is unlike the training data are those of "
            f"{', '.join(vectors)} alone"
        )


def _tables(found: Audit, inflation: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "audit.csv": as_table(found.findings),
        "audit_files.csv": found.files,
        "near_duplicates.csv": found.near_duplicates,
        "disputed.csv": found.disputed,
        "leakage.csv": found.leakage,
        "composition.csv": found.composition,
        "inflation.csv": inflation,
    }
