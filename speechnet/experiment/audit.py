"""The command ``audit``, which also runs at the start of each ``fit``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from speechnet.audit.audit import run_audit
from speechnet.audit.composition import PERSONAL, normalising_harms, single_class_speakers
from speechnet.config.experiment import ExperimentConfig
from speechnet.console.messages import output, say
from speechnet.console.progress import file_progress, working
from speechnet.core.errors import DataError
from speechnet.core.findings import Finding, as_table
from speechnet.core.types import Targets
from speechnet.core.wording import counted, plural
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.description import announce
from speechnet.experiment.inflation import measure_inflation
from speechnet.experiment.parallel import parallel
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_location import check_writable, next_version
from speechnet.experiment.run_tables import write_tables
from speechnet.features.extraction.compute import rehearse
from speechnet.features.extraction.recipe import Recipe
from speechnet.report.findings import inflated
from speechnet.report.terminal import findings_table

_STYLES = {"fault": "red", "warning": "yellow", "note": ""}
_TWO_LINES = 155
"""Characters; a longer detail is left to the table."""


def audit(config: ExperimentConfig) -> Path:
    """Examine an experiment's corpus, features and folds without training a model.

    Returns:
        The folder of the tables, ``<out>/<experiment>/audits/version_<N>``.

    Raises:
        SpeechnetError: the corpus or the disk is at fault, or no recording can be used. A protocol
            that doesn't fit the corpus is a finding, not an error.
    """
    out = Path(config.out)
    check_writable(out)
    rehearse(config.data.recipe)
    data = SpeechDataModule(config.data, seed=config.seed_everything, progress=file_progress)
    with parallel(config.parallel):
        data.load_corpus()
        announce(data)
        data.extract(at_any_rate=True)
        if not data.extraction.index:
            data.check_share()  # raises with what is wrong with all of them
        misfits = _misfits(data)
        with working("auditing"):
            findings, inflation, tables = _examine(config, data, misfits)
    output.print(findings_table(findings))
    for finding in inflation:
        say(f"{finding.line} ({finding.detail})", to=output)
    folder = next_version(out / config.experiment / "audits")
    write_tables(folder, tables)
    say(f"Tables: {folder}", to=output)
    return folder


def audit_fit(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    """Audit what a run will be trained on: write the tables, and say the worst findings."""
    with run.stage("audit"):
        findings, inflation, tables = _examine(config, data)
        run.write_tables(tables)
    run.info["audit"] = {
        severity: sum(each.severity == severity for each in findings) for severity in _STYLES
    }
    for finding in findings:
        if finding.severity != "note":
            line = f"{finding.severity.capitalize()}: {finding.line}"
            whole = f"{line}: {finding.detail}"
            short = finding.detail and len(whole) <= _TWO_LINES
            say(whole if short else f"{line}; see audit.csv", style=_STYLES[finding.severity])
    for finding in inflation:
        say(f"{finding.line} ({finding.detail})")


def check_speaker_normalisation(
    config: ExperimentConfig, table: pd.DataFrame, targets: Targets
) -> None:
    """Refuse to standardise by speaker where that would remove a target; warn where it may.

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
            f"{', '.join(harmed)} only. Standardising by speaker removes just that: set it to "
            "false, or use speakers of several classes"
        )
    for target in targets:
        if target in PERSONAL:
            say(
                f"Features are standardised by speaker, which removes most of what tells a "
                f"speaker's {target}.",
                style="yellow",
            )
        elif count := len(single_class_speakers(table, target)):
            who = f"{counted(count, 'speaker')} {plural(count, 'has', 'have')}"
            say(
                f"Features are standardised by speaker, and {who} one class of {target} only, "
                "which can't be recognised any more.",
                style="yellow",
            )


def _misfits(data: SpeechDataModule) -> list[Finding]:
    """Why ``fit`` would refuse the corpus, as findings; makes the folds, none if they don't fit."""
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


def _examine(
    config: ExperimentConfig, data: SpeechDataModule, misfits: Sequence[Finding] = ()
) -> tuple[list[Finding], list[Finding], dict[str, pd.DataFrame]]:
    """Findings of the audit and of the inflation, and the tables by their file names."""
    _say_features(config.data.recipe)
    found = run_audit(
        data.table,
        data.targets,
        data.folds,
        matrix=data.matrix.averaged,
        statistics=data.extraction.statistics,
        excluded=data.excluded,
        config=config.evaluation.audit,
        highest=config.data.recipe.highest_frequency(),
        labels=data.corpus.table,
    )
    findings = [*misfits, *found.findings]
    inflation = measure_inflation(data, resamples=config.evaluation.resamples)
    tables = {
        "audit.csv": as_table(findings),
        "audit_files.csv": found.files,
        "near_duplicates.csv": found.near_duplicates,
        "disputed.csv": found.disputed,
        "leakage.csv": found.leakage,
        "composition.csv": found.composition,
        "inflation.csv": inflation,
    }
    return findings, inflated(inflation), tables


def _say_features(recipe: Recipe) -> None:
    """Say which features near-copies, clusters and the like are computed from."""
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
