"""The sections of what went in: the corpus with its audit, and how to repeat the run."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd

from speechnet.core.wording import counted
from speechnet.report.figures.corpus import classes_by_gender
from speechnet.report.findings import audited, findings_of
from speechnet.report.html.parts import (
    Cell,
    Column,
    Empty,
    Heading,
    Item,
    Section,
    Sentences,
    Table,
    count,
    picture,
    sentence,
    words,
)
from speechnet.report.names import readable
from speechnet.report.report_data import ReportData

_MARKS = {"fault": "fault", "warning": "warn"}
_UNNAMED = "RUN"
"""Stands for a run folder that can't be named without folders of the machine."""


def corpus_section(report_data: ReportData) -> Section:
    """What was recorded, and what the audit found in it."""
    return Section(
        "corpus",
        "Corpus and audit",
        "Corpus",
        "Who speaks, how often and for how long; and what an automatic look found wrong.",
        list(_corpus_items(report_data)),
    )


def _corpus_items(report_data: ReportData) -> Iterator[Item]:
    if "corpus" in report_data.figures:
        yield picture(
            report_data.figures["corpus"],
            name="The corpus at a glance",
            caption="Recordings of each class by gender, how long they are, and how many each "
            "speaker has.",
        )
    if report_data.tables.corpus is not None:
        yield _counts(report_data.tables.corpus, report_data)
    if report_data.audit is None:
        yield Empty("No audit: this run was made before runs were audited.")
    elif report_data.audit.empty:
        yield Empty("The audit found nothing: no copies, no leaks, no faulty recordings.")
    else:
        yield _findings(report_data.audit)
    others = [each for each in findings_of(report_data) if not audited(each, report_data)]
    if others:
        yield Heading("What else limits the scores")
        yield Sentences([f"{each.line}. {sentence(each.detail)}" for each in others])
    if report_data.excluded is not None and len(report_data.excluded):
        yield _excluded(report_data.excluded)
    else:
        yield Empty("No recording was excluded.")
    if report_data.dropped is not None and len(report_data.dropped):
        yield _dropped(report_data.dropped)


def _counts(corpus: pd.DataFrame, report_data: ReportData) -> Table:
    """Recordings of each class by gender, and how many speakers they come from."""
    tables = {
        target: classes_by_gender(corpus, target=target, classes=classes)
        for target, classes in report_data.tables.targets.items()
        if target != "gender" or len(report_data.tables.targets) == 1
    }
    genders = [str(name) for name in next(iter(tables.values())).columns]
    rows = []
    for target, counts in tables.items():
        for label, row in counts.iterrows():
            speakers = corpus.loc[(corpus[target] == label).fillna(value=False), "speaker"]
            numbers = [*row, row.sum(), speakers.nunique()]
            rows.append([*words([target, label]), *(count(float(each)) for each in numbers)])
    headings = [*map(readable, genders), "all", "speakers"]
    columns = [Column("target"), Column("class"), *(Column(each, "n") for each in headings)]
    return Table("Recordings of each class", columns, rows)


def _findings(audit: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(str(row.severity), mark=_MARKS.get(str(row.severity), "")),
            count(float(row.count)),
            Cell(str(row.what)),
            Cell(str(row.detail)),
        ]
        for row in audit.fillna({"detail": ""}).to_records(index=False)
    ]
    columns = [Column("severity"), Column("count", "n"), Column("what", "long")]
    return Table(
        "What the audit found",
        [*columns, Column("detail", "long")],
        rows,
        "A fault: the scores don't mean what they seem to. A warning: they may not, or recordings "
        "are lost. A note: good to know.",
    )


def _excluded(excluded: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(str(reason)),
            count(len(found)),
            *words([found["file"].iloc[0], found["detail"].iloc[0]]),
        ]
        for reason, found in excluded.groupby("reason", sort=False)
    ]
    columns = [Column("reason"), Column("recordings", "n"), Column("the first of them", "long")]
    return Table("Excluded", [*columns, Column("why", "long")], rows, "All are in excluded.csv.")


def _dropped(dropped: pd.DataFrame) -> Table:
    rows = [
        [*words([row["target"], row["label"]]), count(float(row["count"])), Cell(str(row["why"]))]
        for _, row in dropped.iterrows()
    ]
    columns = [Column("target"), Column("label"), Column("recordings", "n"), Column("why", "long")]
    return Table("Left out by the configuration", columns, rows)


@dataclass(frozen=True)
class Provenance:
    """Where a run comes from. It is told without the folders of the machine it ran on.

    Attributes:
        facts: by heading.
        commands: what repeats it, in a shell.
        where: what stands for the run folder in them, in words; empty where it is named.
        elsewhere: whether the corpus can be told to lie somewhere else.
        config: ``config.yaml``, of absolute paths the last part only.
        shortened: whether it has any.
        tables: seconds, versions, checksums.
    """

    facts: dict[str, str]
    commands: list[str]
    where: str
    elsewhere: bool
    config: str
    shortened: bool
    tables: list[Table]


def provenance(report_data: ReportData) -> Provenance:
    """What is needed to make the same run again, and to see that it is the same."""
    info = report_data.info
    corpus, machine = info["corpus"], info.get("machine", {})
    digest = hashlib.sha256(report_data.config.encode()).hexdigest()
    shown = _from_here(report_data)
    facts = {
        "Run": "/".join(PurePath(report_data.folder).parts[-2:]) if shown == _UNNAMED else shown,
        "Made": f"{info.get('started')} to {info.get('finished')}",
        "speechnet": f"{info.get('speechnet')}, revision {info.get('git') or 'unknown'}",
        "Python": f"{info.get('python')} on {machine.get('system')}, {machine.get('cores')} cores",
        "Seed": str(info.get("seed")),
        "Features": counted(len(info["features"]), "column"),
        "Corpus, features and labels": f"fingerprint {corpus.get('fingerprint')}",
        "config.yaml": f"sha256 {digest}",
    }
    if not report_data.checksums:
        facts["Files"] = "not verified: this run has no checksums"
    folder = shlex.quote(shown)
    commands = [
        f"python -m speechnet fit --config {shlex.quote(shown + '/config.yaml')}",
        f"python -m speechnet test --run {folder}",
        f"python -m speechnet report --run {folder}",
    ]
    config = _without_places(report_data.config, report_data.settings)
    return Provenance(
        facts=facts,
        commands=commands,
        where="; RUN is this run's folder" if shown == _UNNAMED else "",
        elsewhere=bool(report_data.setting("data", "corpus", "root")),
        config=config,
        shortened=config != report_data.config,
        tables=list(_provenance_tables(report_data)),
    )


def _from_here(report_data: ReportData) -> str:
    """The run folder as it is named from where ``fit`` was run, without folders of the machine."""
    folder, out = PurePath(report_data.folder), PurePath(str(report_data.setting("out") or "/"))
    if not folder.is_absolute():
        return report_data.folder
    named = out.joinpath(*folder.parts[-2:])  # which a run that was moved isn't any more
    there = not out.is_absolute() and folder.parts[-len(named.parts) :] == named.parts
    return str(named) if there else _UNNAMED


def _without_places(config: str, settings: object) -> str:
    """The text of a configuration, of absolute paths the last part only."""
    for path in sorted(set(_absolute(settings)), key=len, reverse=True):
        short = f"…/{PurePath(path).name}"
        for written in (path, path.replace("'", "''")):  # as it is, and in single quotes
            config = config.replace(written, short)
    return config


def _absolute(settings: object) -> Iterator[str]:
    """Every text below some settings that is an absolute path."""
    if isinstance(settings, Mapping):
        settings = list(settings.values())
    if isinstance(settings, list):
        for each in settings:
            yield from _absolute(each)
    elif isinstance(settings, str) and PurePath(settings).is_absolute() and settings != "/":
        yield settings


def _provenance_tables(report_data: ReportData) -> Iterator[Table]:
    info = report_data.info
    packages = info.get("versions", {}) | info.get("recipe", {}).get("versions", {})
    versions = [words(pair) for pair in packages.items()]
    yield Table("Versions", [Column("package"), Column("version")], versions)
    spent = [
        [Cell(stage), Cell(f"{float(seconds):,.1f}", float(seconds))]
        for stage, seconds in info.get("seconds", {}).items()
    ]
    yield Table("Time spent", [Column("stage"), Column("seconds", "n")], spent)
    if report_data.checksums:
        yield Table(
            "Checksums",
            [Column("file"), Column("sha256", "long")],
            [words(pair) for pair in report_data.checksums.items()],
            "As in SHA256SUMS: sha256sum --check SHA256SUMS",
            folded=True,
        )
