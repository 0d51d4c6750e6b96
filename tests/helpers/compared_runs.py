"""Invented runs to compare, for tests."""

from __future__ import annotations

from string import ascii_uppercase

import numpy as np
import pandas as pd

from helpers.results import LABELS
from speechnet.comparison.result import SCORE_COLUMNS, ComparedRun, RunComparison
from speechnet.core.findings import Finding
from speechnet.core.metrics import shown

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad"]}


def a_pair(
    runs: str = "AB", models: tuple[str, str] = ("svm", "svm"), **other: object
) -> dict[str, object]:
    """A difference that is shown, of 24 speakers, unless told otherwise."""
    return {
        "target": "emotion",
        "metric": "uar",
        "first_run": runs[0],
        "first": models[0],
        "second_run": runs[1],
        "second": models[1],
        "best": False,
        "first_value": 0.7,
        "second_value": 0.6,
        "difference": 0.1,
        "low": 0.05,
        "high": 0.15,
        "p": 0.004,
        "p_holm": 0.008,
        "rows": 100,
        "units": 24,
        "unit": "speaker",
        "equal": False,
        "untested": "",
    } | other


def make_comparison(
    pairs: list[dict[str, object]],
    *,
    runs: int = 2,
    models: tuple[str, ...] = ("svm", "knn"),
    titles: list[str] | None = None,
    settings: dict[str, list[str]] | None = None,
    notes: list[str] | None = None,
) -> RunComparison:
    """Runs whose scores are drawn at random; the first model is the best of each."""
    rng = np.random.default_rng(0)
    names = ascii_uppercase[:runs]
    scores = []
    for run in names:
        for target in TARGETS:
            for model in models:
                for part in ("dev", "test"):
                    for metric in (each.name for each in shown("page")):
                        value = rng.uniform(0.4, 0.9)
                        ends = value - 0.05, value + 0.06
                        key = (run, model, target, part, metric)
                        scores.append((*key, value, *ends, False, model == models[0]))
    titles = titles or [f"exp/version_{number}" for number in range(runs)]
    rows = [
        (key, run, value)
        for key, values in (settings or {}).items()
        for run, value in zip(names, values, strict=True)
    ]
    return RunComparison(
        targets=TARGETS,
        runs=[
            ComparedRun(name, title, f"/runs/{title}", {"seed": "0"})
            for name, title in zip(names, titles, strict=True)
        ],
        scores=pd.DataFrame(scores, columns=[*SCORE_COLUMNS]),
        pairs=pd.DataFrame(pairs, columns=list(a_pair())),
        settings=pd.DataFrame(rows, columns=["key", "run", "value"]),
        notes=[Finding("note", "note", note) for note in notes or []],
        labels=LABELS,
        unit="speaker",
    )
