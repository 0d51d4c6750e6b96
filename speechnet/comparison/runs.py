"""Runs as the command ``compare`` reads them: answers, division, scores and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

import pandas as pd

from speechnet.comparison.settings import read_settings
from speechnet.core.errors import DataError
from speechnet.evaluation.run_significance import ScoredRun
from speechnet.evaluation.selection import Choice
from speechnet.experiment.run_folder import RunFolder

_ANSWERS: Final = ["file", "fold", "model", "target", "truth", "predicted"]


@dataclass(frozen=True)
class OpenRun:
    """A run as it is compared.

    Attributes:
        folder: the run folder.
        settings: what can change its answers, by dotted key.
        scores: its table of scores.
        corpus: file, recording (its id in all runs) and speaker of each row of its corpus.
        scored: its test part.
        best: the model that it would choose; None where nothing but the test part tells.
    """

    folder: RunFolder
    settings: Mapping[str, Any]
    scores: pd.DataFrame
    corpus: pd.DataFrame
    scored: ScoredRun
    best: Choice | None

    @property
    def info(self) -> dict[str, Any]:
        """What ``run.json`` says."""
        return self.folder.info


def open_runs(paths: Sequence[Path]) -> dict[str, OpenRun]:
    """Open runs to compare them, each under a letter, in the order given.

    A recording has an id in all runs: the digest of its samples, or the file's name where a corpus
    holds a recording twice or a run lacks digests.

    Args:
        paths: the run folders, no more than there are letters.

    Raises:
        DataError: one of them is missing, incomplete or damaged.
    """
    folders = [RunFolder.open(path) for path in paths]
    corpora = [folder.read_table("corpus.csv") for folder in folders]
    known = all(
        "digest" in corpus and corpus["digest"].is_unique and corpus["digest"].notna().all()
        for corpus in corpora
    )
    named = [
        corpus[["file", "speaker"]].assign(recording=corpus["digest" if known else "file"])
        for corpus in corpora
    ]
    return {
        name: _open_one(folder, corpus)
        for name, folder, corpus in zip(ascii_uppercase, folders, named, strict=False)
    }


def labels_of(runs: Mapping[str, OpenRun]) -> dict[str, str]:
    """What the models of all runs are called; the first run's label, if they differ."""
    labels: dict[str, str] = {}
    for run in runs.values():
        labels = run.folder.labels | labels
    return labels


def _open_one(folder: RunFolder, corpus: pd.DataFrame) -> OpenRun:
    scores = folder.read_table("scores.csv")
    recording = corpus.set_index("file")["recording"]

    def named(table: pd.DataFrame) -> pd.DataFrame:
        """The table as text, its files by their recordings' ids."""
        found = table["file"].map(recording)
        if found.isna().any():
            raise DataError(
                f"{folder.path} is damaged: split.csv or predictions.parquet has files that "
                "corpus.csv lacks"
            )
        return table.astype(str).assign(file=found).rename(columns={"file": "recording"})

    division = named(folder.read_table("split.csv")[["file", "fold", "part"]])
    answers = named(folder.read_predictions(_ANSWERS, [("part", "==", "test")]))
    choice = folder.best()
    best = choice if choice is not None and choice.fair else None
    scored = ScoredRun(division, answers, None if best is None else best.model)
    return OpenRun(folder, read_settings(folder.path), scores, corpus, scored, best)
