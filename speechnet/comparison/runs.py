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

    Args:
        paths: the run folders, no more than there are letters.

    Raises:
        DataError: one of them is missing, incomplete or damaged.
    """
    folders = [RunFolder.open(path) for path in paths]
    corpora = _name_recordings([folder.read_table("corpus.csv") for folder in folders])
    return {
        name: _open_one(folder, corpus)
        for name, folder, corpus in zip(ascii_uppercase, folders, corpora, strict=False)
    }


def _name_recordings(corpora: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Give each recording an id that it has in all runs: the digest of its samples.

    Runs of an older version lack that, and a corpus may hold a recording twice; then it is the
    file's name.
    """
    known = all("digest" in corpus and corpus["digest"].is_unique for corpus in corpora)
    known = known and not any(corpus["digest"].isna().any() for corpus in corpora)
    return [
        corpus[["file", "speaker"]].assign(recording=corpus["digest" if known else "file"])
        for corpus in corpora
    ]


def _open_one(folder: RunFolder, corpus: pd.DataFrame) -> OpenRun:
    scores = folder.read_table("scores.csv")
    recording = corpus.set_index("file")["recording"]
    division = folder.read_table("split.csv")[["file", "fold", "part"]]
    answers = folder.read_predictions(_ANSWERS, [("part", "==", "test")])
    named = [
        table.astype(str).assign(file=table["file"].map(recording)) for table in (division, answers)
    ]
    if any(table["file"].isna().any() for table in named):
        raise DataError(
            f"{folder.path} is damaged: split.csv or predictions.parquet has files that corpus.csv "
            "lacks"
        )
    division, answers = (table.rename(columns={"file": "recording"}) for table in named)
    choice = folder.best()
    best = choice if choice is not None and choice.fair else None
    scored = ScoredRun(division, answers, None if best is None else best.model)
    return OpenRun(folder, read_settings(folder.path), scores, corpus, scored, best)
