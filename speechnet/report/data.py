"""What a report is made of: the tables of one run, in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.types import Targets, encode
from speechnet.evaluation.mistakes import confident_mistakes
from speechnet.evaluation.roc import RocCurve, roc_curves
from speechnet.evaluation.selection import Choice, choose_model
from speechnet.report.names import NO_LABELS, model_name
from speechnet.report.scores import Score, models_of, scores_by_key

_UNKNOWN: Final = "unknown"

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "scores": ("model", "target", "part", "fold", "metric", "value"),
    "confusion": ("model", "target", "part", "truth", "predicted", "count"),
    "predictions": ("file", "model", "target", "part", "fold", "truth", "predicted"),
    "history": ("model", "fold", "member", "epoch"),
    "clusters": ("file", "method", "k", "cluster"),
    "projection": ("file", "pc1", "pc2"),
    "clustering": ("method", "k", "against", "metric", "value", "null_mean", "null_sd", "p"),
    "corpus": ("file", "speaker", "gender", "duration"),
    "references": ("system", "metric", "value", "source"),
    "comparisons": ("target", "first", "second", "difference", "low", "high", "p_holm"),
    "members": (
        *("model", "target", "name", "alone", "together", "without"),
        *("difference", "low", "high", "p_holm"),
    ),
    "robustness": (
        *("effect", "severity", "model", "target", "part", "fold", "metric"),
        *("value", "low", "high", "lost"),
    ),
    "inflation": ("model", "target", "random", "disjoint", "difference", "low", "high"),
    "reliability": ("model", "target", "part", "low", "high", "count", "confidence", "accuracy"),
    "risk_coverage": ("model", "target", "part", "coverage", "risk"),
    "groups": ("model", "target", "class", "gender", "recall", "low", "high"),
    "gaps": ("model", "target", "class", "higher", "lower", "gap", "low", "high", "certain"),
    "speakers": ("model", "target", "speaker", "gender", "classes", "uar"),
    "ablation": (
        *("part", "variant", "model", "target", "baseline", "difference"),
        *("low", "high", "p_holm"),
    ),
    "importance": ("model", "target", "level", "name", "drop", "low", "high"),
    "cross": ("model", "target", "train", "test", "uar", "low", "high", "seen"),
    "audit": ("check", "severity", "what", "count", "detail", "subject", "numbers"),
    "excluded": ("file", "reason", "detail"),
    "dropped": ("target", "label", "count", "why"),
    "calibration": ("model", "target", "fold", "temperature", "ece_before", "ece_after"),
    "layers": ("fold", "model", "member", "target", "features", "layer", "name", "weight"),
    "search": ("fold", "model", "target", "candidate", "mean", "sd", "chosen"),
    "mistakes": (
        *("target", "model", "fold", "file", "speaker", "gender", "truth", "predicted"),
        *("confidence", "start", "end", "clip", "picture", "unavailable"),
    ),
}
"""What is read of each table of a run folder. Scores, differences, recalls and the ends of their
intervals are shares; durations are in seconds; ``references`` are in per cent."""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """One run.

    Attributes:
        folder: the run folder, as it is named to the reader.
        info: what ``run.json`` says.
        tables: the tables of the run folder by their file's stem, and ``references``; what a run
            lacks isn't there.
        config: the text of ``config.yaml``.
        settings: the same, read.
    """

    folder: str
    info: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    config: str
    settings: Mapping[str, Any]

    def table(self, name: str, *, target: str = "", part: str = "") -> pd.DataFrame:
        """The rows of a table; without any where the run has no such table.

        Args:
            name: the stem of its file in the run folder, such as ``speakers``.
            target: of one target alone.
            part: of one part alone: ``train``, ``dev`` or ``test``.

        Raises:
            DataError: it lacks one of its ``COLUMNS``.
        """
        needed = COLUMNS.get(name, ())
        found = self.tables.get(name)
        if found is None or found.empty:
            return pd.DataFrame(columns=[*needed])
        if missing := [column for column in needed if column not in found]:
            raise DataError(
                f"the table {name} has the columns {', '.join(map(str, found))}, but not "
                f"{', '.join(missing)}: pass the table as the run folder holds it"
            )
        for column, wanted in (("target", target), ("part", part)):
            if wanted:
                found = found[found[column] == wanted]
        return found

    def check_tables(self) -> None:
        """Read every table that a report may use.

        Raises:
            DataError: one can't be read, or lacks one of its ``COLUMNS``.
        """
        for name in COLUMNS:
            self.table(name)

    def targets_in(self, name: str, *, part: str = "") -> list[str]:
        """The targets that a table has rows of."""
        return [each for each in self.targets if len(self.table(name, target=each, part=part))]

    @property
    def targets(self) -> Targets:
        """The ordered classes of each target."""
        targets: Targets = self.info["targets"]
        return targets

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The table of scores; ``fold`` is a number, ``all``, ``mean`` or ``sd``."""
        return self.table("scores")

    @cached_property
    def models(self) -> list[str]:
        """The models by name, in the order of the scores."""
        return models_of(self.scores)

    def label(self, model: object) -> str:
        """What a model is called for readers."""
        return model_name(model, self.info.get("labels", NO_LABELS))

    @property
    def unit(self) -> str | None:
        """What intervals are drawn over, ``speaker`` or ``recording``; None if it isn't known."""
        return self.info.get("unit")

    @property
    def chance(self) -> dict[str, tuple[float, float]]:
        """By target, the interval that holds 95 % of UARs by chance."""
        return {
            target: (float(low), float(high))
            for target, (low, high) in self.info.get("chance", {}).items()
            if low is not None and high is not None and math.isfinite(low + high)
        }

    @cached_property
    def best(self) -> Choice | None:
        """The best model, shown in detail; None where all scores are undefined."""
        searched = self.table("search")
        return choose_model(self.scores, self.models, None if searched.empty else searched)

    @property
    def shown(self) -> str | None:
        """The name of ``best``."""
        return None if self.best is None else self.best.model

    def score(self, *, model: str, target: str, part: str, metric: str) -> Score:
        """One score, as ``speechnet.report.scores.find_score`` finds it."""
        return self._scores.get((model, target, part, metric), Score(math.nan))

    @cached_property
    def _scores(self) -> dict[tuple[str, str, str, str], Score]:
        """All at once: hundreds are looked up among thousands of rows."""
        return scores_by_key(self.scores)

    def test_uar(self, model: str, target: str) -> Score:
        """The score that models are ranked by."""
        return self.score(model=model, target=target, part="test", metric="uar")

    @cached_property
    def roc(self) -> dict[tuple[str, str], dict[str, RocCurve]]:
        """The test part's ROC curves by model and target, all folds pooled."""
        curves = {}
        test = self.table("predictions", part="test")
        for (model, target), rows in test.groupby(["model", "target"], sort=False, observed=True):
            classes = self.targets[str(target)]
            probability = rows[[f"p_{name}" for name in classes]].to_numpy(np.float64)
            truth = encode(rows["truth"], classes)
            curves[str(model), str(target)] = roc_curves(truth, probability, classes)
        return curves

    @cached_property
    def majority(self) -> dict[str, float]:
        """The share of each target's most frequent class in the test part."""
        test = self.table("predictions", part="test").drop_duplicates(["file", "fold", "target"])
        truths = test["truth"].astype(str).groupby(test["target"].astype(str))
        return {
            str(target): float((truth.value_counts() / len(truth)).max())
            for target, truth in truths
        }

    @cached_property
    def tied_mistakes(self) -> dict[str, int]:
        """By target how many mistakes tie with the last one in ``mistakes``, if one isn't in it."""
        mistakes = self.table("mistakes").astype({"target": str, "model": str})
        if mistakes.empty:
            return {}
        predictions = self.table("predictions")
        models = dict(zip(mistakes["target"], mistakes["model"], strict=True))
        every = confident_mistakes(predictions, models, count=len(predictions))
        tied = {}
        for target, rows in every.groupby("target", observed=True):
            shown = int((mistakes["target"] == target).sum())
            confidence = rows["confidence"].to_numpy(np.float64)
            if shown < len(confidence) and confidence[shown] == confidence[shown - 1]:
                tied[str(target)] = int((confidence == confidence[shown]).sum())
        return tied

    def setting(self, *keys: str) -> Any:
        """A key of the configuration; None where there is none."""
        found: Any = self.settings
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found


def counts(corpus: pd.DataFrame, targets: Targets) -> dict[str, pd.DataFrame]:
    """Recordings of each class by gender, and how many speakers they come from, by target.

    Args:
        corpus: with columns ``speaker, gender`` and one for each target.
        targets: their ordered classes. Gender itself, which the columns say already, is only among
            them if it is alone.

    Returns:
        A row for each class, the columns of ``classes_by_gender``, ``all`` and ``speakers``.
    """
    found = {}
    for target, classes in targets.items():
        if target != "gender" or len(targets) == 1:
            by_gender = classes_by_gender(corpus, target=target, classes=classes)
            speakers = corpus["speaker"].groupby(corpus[target].astype(object)).nunique()
            more = {"all": by_gender.sum(axis=1), "speakers": speakers.reindex(classes)}
            found[target] = by_gender.assign(**more).fillna(0).astype(int)
    return found


def classes_by_gender(corpus: pd.DataFrame, *, target: str, classes: list[str]) -> pd.DataFrame:
    """Recordings of each class: int64, a row per class, a column per gender, ``unknown`` last.

    One without a gender counts as ``unknown``; one without the target's label isn't counted.
    """
    gender = corpus["gender"].astype("object").where(corpus["gender"].notna(), _UNKNOWN)
    counts = pd.crosstab(corpus[target].astype("object"), gender)
    columns = sorted(counts.columns, key=lambda name: (name == _UNKNOWN, str(name)))
    return counts.reindex(index=classes, columns=columns, fill_value=0)
