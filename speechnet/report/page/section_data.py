"""The sections of what went in: the corpus with its audit, and how to repeat the run."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import pandas as pd

from speechnet.report.figures_corpus import classes_by_gender
from speechnet.report.names import readable
from speechnet.report.page.findings import audited, findings_of
from speechnet.report.page.material import Material
from speechnet.report.page.parts import (
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
from speechnet.wording import counted

_MARKS = {"fault": "fault", "warning": "warn"}
_UNNAMED = "RUN"
"""Stands for a run folder that can't be named without folders of the machine."""


def corpus_section(material: Material) -> Section:
    """What was recorded, and what the audit found in it."""
    return Section(
        "corpus",
        "Corpus and audit",
        "Corpus",
        "Who speaks, how often and for how long; and what an automatic look found wrong.",
        list(_corpus_items(material)),
    )


def _corpus_items(material: Material) -> Iterator[Item]:
    if "corpus" in material.figures:
        yield picture(
            material.figures["corpus"],
            name="The corpus at a glance",
            caption="Recordings of each class by gender, how long they are, and how many each "
            "speaker has.",
        )
    if material.tables.corpus is not None:
        yield _counts(material.tables.corpus, material)
    if material.audit is None:
        yield Empty("No audit: this run was made before runs were audited.")
    elif material.audit.empty:
        yield Empty("The audit found nothing: no copies, no leaks, no faulty recordings.")
    else:
        yield _findings(material.audit)
    others = [each for each in findings_of(material) if not audited(each, material)]
    if others:
        yield Heading("What else limits the scores")
        yield Sentences([f"{each.line}. {sentence(each.detail)}" for each in others])
    if material.quarantine is not None and len(material.quarantine):
        yield _set_aside(material.quarantine)
    else:
        yield Empty("No recording was set aside.")
    if material.dropped is not None and len(material.dropped):
        yield _dropped(material.dropped)


def _counts(corpus: pd.DataFrame, material: Material) -> Table:
    """Recordings of each class by gender, and how many speakers they come from."""
    tables = {
        target: classes_by_gender(corpus, target=target, classes=classes)
        for target, classes in material.tables.targets.items()
        if target != "gender" or len(material.tables.targets) == 1
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


def _set_aside(quarantine: pd.DataFrame) -> Table:
    rows = [
        [
            Cell(str(reason)),
            count(len(found)),
            *words([found["file"].iloc[0], found["detail"].iloc[0]]),
        ]
        for reason, found in quarantine.groupby("reason", sort=False)
    ]
    columns = [Column("reason"), Column("recordings", "n"), Column("the first of them", "long")]
    return Table("Set aside", [*columns, Column("why", "long")], rows, "All are in quarantine.csv.")


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


def provenance(material: Material) -> Provenance:
    """What is needed to make the same run again, and to see that it is the same."""
    info = material.info
    corpus, machine = info["corpus"], info.get("machine", {})
    digest = hashlib.sha256(material.config.encode()).hexdigest()
    shown = _from_here(material)
    facts = {
        "Run": "/".join(PurePath(material.folder).parts[-2:]) if shown == _UNNAMED else shown,
        "Made": f"{info.get('started')} to {info.get('finished')}",
        "speechnet": f"{info.get('speechnet')}, revision {info.get('git') or 'unknown'}",
        "Python": f"{info.get('python')} on {machine.get('system')}, {machine.get('cores')} cores",
        "Seed": str(info.get("seed")),
        "Features": counted(len(info["features"]), "column"),
        "Corpus, features and labels": f"fingerprint {corpus.get('fingerprint')}",
        "config.yaml": f"sha256 {digest}",
    }
    if not material.checksums:
        facts["Files"] = "not verified: this run has no checksums"
    folder = shlex.quote(shown)
    commands = [
        f"python -m speechnet fit --config {shlex.quote(shown + '/config.yaml')}",
        f"python -m speechnet test --run {folder}",
        f"python -m speechnet report --run {folder}",
    ]
    config = _without_places(material.config, material.settings)
    return Provenance(
        facts=facts,
        commands=commands,
        where="; RUN is this run's folder" if shown == _UNNAMED else "",
        elsewhere=bool(material.setting("data", "corpus", "root")),
        config=config,
        shortened=config != material.config,
        tables=list(_provenance_tables(material)),
    )


def _from_here(material: Material) -> str:
    """The run folder as it is named from where ``fit`` was run, without folders of the machine."""
    folder, out = PurePath(material.folder), PurePath(str(material.setting("out") or "/"))
    if not folder.is_absolute():
        return material.folder
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


def _provenance_tables(material: Material) -> Iterator[Table]:
    info = material.info
    packages = info.get("versions", {}) | info.get("recipe", {}).get("versions", {})
    versions = [words(pair) for pair in packages.items()]
    yield Table("Versions", [Column("package"), Column("version")], versions)
    spent = [
        [Cell(stage), Cell(f"{float(seconds):,.1f}", float(seconds))]
        for stage, seconds in info.get("seconds", {}).items()
    ]
    yield Table("Time spent", [Column("stage"), Column("seconds", "n")], spent)
    if material.checksums:
        yield Table(
            "Checksums",
            [Column("file"), Column("sha256", "long")],
            [words(pair) for pair in material.checksums.items()],
            "As in SHA256SUMS: sha256sum --check SHA256SUMS",
            folded=True,
        )
