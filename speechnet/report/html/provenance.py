"""Where a run comes from, and how to repeat it."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final

import pandas as pd

from speechnet.core.wording import counted
from speechnet.report.data import ReportData
from speechnet.report.html.parts import Table, decimal, text
from speechnet.report.names import without_places

_UNNAMED: Final = "RUN"
"""Stands for a run folder that can't be named without folders of the machine."""
_UNITS: Final = {"vector": "column", "sequence": "column per frame"}


def provenance(data: ReportData, checksums: Mapping[str, str]) -> dict[str, Any]:
    """What is needed to make the same run again, and to see that it is the same.

    It names no folder of the machine that the run was made on. ``checksums`` are by file, empty
    where the run has none.
    """
    info = data.info
    machine = info.get("machine", {})
    features = (
        f"{name} ({counted(len(one['columns']), _UNITS[one['kind']])})"
        for name, one in info["features"].items()
    )
    shown = _from_here(data)
    facts = {
        "Run": "/".join(PurePath(data.folder).parts[-2:]) if shown == _UNNAMED else shown,
        "Made": f"{info.get('started')} to {info.get('finished')}",
        "speechnet": f"{info.get('speechnet')}, revision {info.get('git') or 'unknown'}",
        "Python": f"{info.get('python')} on {machine.get('system')}, {machine.get('cores')} cores",
        "Seed": str(info.get("seed")),
        "Features": ", ".join(features),
        "Corpus, features and labels": f"fingerprint {info['corpus'].get('fingerprint')}",
        "config.yaml": f"sha256 {hashlib.sha256(data.config.encode()).hexdigest()}",
    }
    if not checksums:
        facts["Files"] = "not verified: this run has no checksums"
    config = without_places(data.config)
    return {
        "facts": facts,
        "commands": [
            f"python -m speechnet fit --config {shlex.quote(shown + '/config.yaml')}",
            f"python -m speechnet test --run {shlex.quote(shown)}",
            f"python -m speechnet report --run {shlex.quote(shown)}",
        ],
        "where": "; RUN is this run's folder" if shown == _UNNAMED else "",
        "elsewhere": bool(data.setting("data", "corpus", "root")),
        "config": config,
        "shortened": config != data.config,
        "tables": list(_tables(info, checksums)),
    }


def _from_here(data: ReportData) -> str:
    """The run folder as it is named from where ``fit`` was run, without folders of the machine."""
    folder, out = PurePath(data.folder), PurePath(str(data.setting("out") or "/"))
    if not folder.is_absolute():
        return data.folder
    named = out.joinpath(*folder.parts[-2:])  # which a run that was moved isn't any more
    there = not out.is_absolute() and folder.parts[-len(named.parts) :] == named.parts
    return str(named) if there else _UNNAMED


def _tables(info: Mapping[str, Any], checksums: Mapping[str, str]) -> Iterator[Table]:
    packages = dict(info.get("versions", {}))
    for one in info["features"].values():
        packages |= one["recipe"]["versions"]
    if used := [
        {"feature": name, **one["provenance"], "seen": ", ".join(one["provenance"]["seen"])}
        for name, one in info["features"].items()
        if one.get("provenance")
    ]:
        columns = {
            "feature": text("feature"),
            "computed with": text("what"),
            "licence": text("licence"),
            "trained on": text("seen"),
            "source": text("source", kind="long"),
        }
        yield Table.of("Weights and programs of others", pd.DataFrame(used), columns)
    yield Table.of("Versions", _pairs(packages), {"package": text("key"), "version": text("value")})
    seconds = {"stage": text("key"), "seconds": decimal("value", 1)}
    yield Table.of("Time spent", _pairs(info.get("seconds", {})), seconds)
    if checksums:
        columns = {"file": text("key"), "sha256": text("value", kind="long")}
        note, file = "As in SHA256SUMS: sha256sum --check SHA256SUMS", "SHA256SUMS"
        sums = _pairs(checksums)
        yield Table.of("Checksums", sums, columns, note=note, folded=True, file=file)


def _pairs(found: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame([*found.items()], columns=["key", "value"])
