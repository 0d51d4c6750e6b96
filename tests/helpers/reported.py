"""Made-up runs, read, for tests of the report page."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from helpers.evidence import make_evidence
from helpers.results import LABELS, MODELS, TARGETS, build_data, with_tables
from speechnet.core.findings import Finding, as_table
from speechnet.core.types import Targets
from speechnet.report.data import ReportData

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>--><b>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 36">{}</svg>'
SECTIONS = [
    *("corpus", "models", "confusion", "learning", "people", "clusters", "parts"),
    *("mistakes", "provenance"),
]
CONFIG = "experiment: made_up\nseed_everything: 7\n"


def make_report_data(
    targets: Targets | None = None, *, whole: bool = True, **changes: Any
) -> ReportData:
    """A run of two models: all tables, or only those that every run has."""
    targets = targets or TARGETS
    data = build_data(targets, models=2, folds=3)
    if whole:
        evidence = make_evidence(targets, MODELS[:2], speakers=24, corpora=["one", "two"])
        data = with_tables(data, **evidence | make_told(targets))
    else:
        data = with_tables(data, history=None, clusters=None, projection=None)
    given = {"folder": "runs/made_up/version_0", "info": make_info(targets), "config": CONFIG}
    return replace(data, **(given | changes))


def make_info(targets: Targets, *, corpus: str = "spoken") -> dict[str, Any]:
    """What ``run.json`` says."""
    return {
        "experiment": "made_up",
        "seed": 7,
        "started": "2026-01-02T03:04:05+0000",
        "finished": "2026-01-02T03:14:05+0000",
        "speechnet": "0.1.0",
        "git": None,
        "python": "3.11.7",
        "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
        "versions": {"torch": "2.11.0"},
        "seconds": {"training": 12.5},
        "protocol": "3 folds, unseen speakers",
        "unit": "speaker",
        "labels": LABELS,
        "targets": targets,
        "features": {
            "functionals": {
                "kind": "vector",
                "columns": ["mfcc_00_mean"],
                "recipe": {"versions": {"soxr": "1.1.0"}},
            }
        },
        "corpus": {"name": corpus, "recordings": 60, "speakers": 24, "hours": 0.5, "excluded": 0}
        | {"fingerprint": "0123456789abcdef"},
        "clustering": {"findings": ["The clusters follow speaker."], "notes": []},
    }


def make_told(targets: Targets) -> dict[str, pd.DataFrame]:
    """The tables that only the report shows."""
    target, classes = list(targets.items())[-1]
    quiet = Finding("quiet", "warning", "recordings are quiet", 3, "a.wav, b.wav")
    mistake = {
        "target": target,
        "model": MODELS[0],
        "fold": "0",
        "file": "a/b.wav",
        "speaker": "s01",
        "gender": "female",
        "truth": classes[0],
        "predicted": classes[1],
        "confidence": 0.9,
        "start": 0.0,
        "end": 2.0,
        "clip": "mistakes/001.mp3",
        "picture": None,
        "unavailable": None,
    } | {f"p_{name}": 0.1 + 0.8 * (name == classes[1]) for name in classes}
    return {
        "audit": as_table([quiet]),
        "excluded": pd.DataFrame(
            [("c.wav", "silent", "nothing")], columns=["file", "reason", "detail"]
        ),
        "dropped": pd.DataFrame(
            [(target, "x", 9, "unknown")], columns=["target", "label", "count", "why"]
        ),
        "calibration": pd.DataFrame(
            [(MODELS[0], target, "0", 1.5, 0.1, 0.05)],
            columns=["model", "target", "fold", "temperature", "ece_before", "ece_after"],
        ),
        "search": pd.DataFrame(
            [("0", "knn", target, '{"n_neighbors": 3}', 0.6, 0.1, True)],
            columns=["fold", "model", "target", "candidate", "mean", "sd", "chosen"],
        ),
        "mistakes": pd.DataFrame([mistake]),
    }


class Read(HTMLParser):
    """A page as a browser takes it apart.

    Attributes:
        source: the page.
        elements: every tag with its attributes.
        tables: by caption the rows, each a list of its cells' texts; the headings first.
        texts: all text that stands in no script and no style.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self.source = text
        self._rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(text)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in {"script", "style"}:
            return
        self.texts.append(data)
        if inside == "caption":
            self.tables[data.strip()] = self._rows
        elif inside in {"td", "th"}:
            self._rows[-1][-1] += data
