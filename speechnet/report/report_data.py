"""What a report is made of: the tables, files and words of one run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from speechnet.evaluation.selection import Choice, choose_model
from speechnet.report.tables import Score, Tables, models_of, scores_by_key


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """One run, read. What is None, or isn't there, a run lacks.

    Attributes:
        folder: the run folder, as it is named to the reader.
        tables: what the figures are drawn from.
        info: what ``run.json`` says.
        config: the text of ``config.yaml``.
        settings: the same, read.
        figures: the SVG of each figure by its file's stem.
        audit: columns ``check, severity, what, count, detail``.
        excluded: columns ``file, reason, detail``.
        dropped: columns ``target, label, count, why``.
        calibration: columns ``model, target, fold, temperature, ece_before, ece_after, ...``.
        search: columns ``fold, model, target, candidate, mean, sd, rank, chosen, ...``.
        mistakes: columns ``target, model, fold, file, speaker, gender, truth, predicted,
            confidence, start, end, clip, picture, unavailable`` and ``p_<class>``.
        tied: by target how many mistakes are as confident as the last one of ``mistakes``, where
            not all of them are among it.
        clips: the bytes of each MP3 that ``mistakes`` names.
        pictures: the SVG of each picture that it names.
        checksums: the sum of each file in ``SHA256SUMS``.
    """

    folder: str
    tables: Tables
    info: Mapping[str, Any]
    config: str
    settings: Mapping[str, Any]
    figures: Mapping[str, str]
    audit: pd.DataFrame | None = None
    excluded: pd.DataFrame | None = None
    dropped: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    search: pd.DataFrame | None = None
    mistakes: pd.DataFrame | None = None
    tied: Mapping[str, int] = field(default_factory=dict)
    clips: Mapping[str, bytes]
    pictures: Mapping[str, str]
    checksums: Mapping[str, str]

    @property
    def chance(self) -> dict[str, tuple[float, float]]:
        """By target where 95 % of the models lie that know nothing of it."""
        found = self.info.get("chance", {})
        return {
            target: (float(ends[0]), float(ends[1]))
            for target, ends in found.items()
            if None not in ends
        }

    @property
    def unit(self) -> str:
        """What intervals are drawn over, in words of the reader's."""
        return self.tables.unit or "recording"

    @property
    def shown(self) -> str | None:
        """The name of ``best``."""
        return None if self.best is None else self.best.model

    @cached_property
    def best(self) -> Choice | None:
        """The best model, whose details are told; None where all scores are undefined."""
        return choose_model(self.tables.scores, models_of(self.tables.scores), self.search)

    def score(self, *, model: str, target: str, part: str, metric: str) -> Score:
        """One score, as ``find_score`` finds it."""
        return self._scores.get((model, target, part, metric), Score(math.nan))

    @cached_property
    def _scores(self) -> dict[tuple[str, str, str, str], Score]:
        """All at once: hundreds are looked up among thousands of rows."""
        return scores_by_key(self.tables.scores)

    def setting(self, *keys: str) -> Any:
        """A key of the configuration; None where an older run has no such key."""
        found: Any = self.settings
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found
