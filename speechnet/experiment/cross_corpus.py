"""Train on each corpus and test on every corpus.

Conventions:
    All cells of a target have the same classes, those that every corpus has (corpora without any
    label of the target are left out), so that they can be compared with each other and with
    chance. Across corpora a model is trained on all of one and tested on all of the other. Within a
    corpus, speakers are kept apart: five folds, or fewer if there are too few speakers for a class,
    their rows pooled.

    The models are not tuned, and see no changed copies, so that cells differ only in their
    recordings. Scaling is fitted on the training rows of each model. No speaker is assumed to be in
    two corpora.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd

from speechnet.console.messages import say
from speechnet.console.progress import working
from speechnet.core.errors import DataError
from speechnet.core.metrics import METRICS
from speechnet.core.types import Float32, Int64, Stack, encode
from speechnet.corpus.union import CORPUS, corpora_of_classes
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.intervals import intervals
from speechnet.evaluation.samples import Sample
from speechnet.models.scikit.model import untuned_models
from speechnet.models.scikit.pipelines import fit_untuned
from speechnet.splits.strata import inner_folds

COLUMNS: Final = (
    *("model", "target", "train", "test"),
    *("uar", "low", "high", "n", "seen", "unit"),
)

_FOLDS: Final = 5


def cross_matrix(data: SpeechDataModule, *, resamples: int = 10_000) -> pd.DataFrame:
    """Train on each corpus and test on every corpus; parallel as ``joblib.parallel_config`` says.

    Args:
        data: features and labels; the table has the column ``corpus``.
        resamples: the number of bootstrap samples.

    Returns:
        A row for each model, target, training and test corpus: the UAR, its 95 % bootstrap
        interval over the ``unit`` (speaker or recording), the ``n`` recordings tested, and
        ``seen``, whether both are the same corpus. The UAR is NaN within a corpus that can't be
        divided by speaker, the interval with too few speakers. Targets without two classes in two
        corpora are left out. Both are said.
    """
    rows: list[dict[str, Any]] = []
    for column, target in enumerate(data.targets):
        if (task := _task(data, column)) is None:
            continue
        with working(f"training across corpora, {target}"):
            for (model, train), predicted in _predictions(task).items():
                for test in task.corpora:
                    key = {"model": model, "target": target, "train": train, "test": test}
                    seen = {"seen": train == test}
                    rows.append(key | _score(task, predicted, test, resamples) | seen)
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class _Task:
    """One target, restricted to the ``k`` classes that every corpus has."""

    target: str
    corpora: list[str]
    X: Float32  # [n, d], raw
    y: Int64  # [n] in 0..k-1
    table: pd.DataFrame  # n rows
    classes: list[str]
    scaling: str
    seed: int
    stacks: Sequence[Stack]  # of the columns

    def rows(self, corpus: str) -> Int64:
        return np.flatnonzero(self.table[CORPUS] == corpus)


def _task(data: SpeechDataModule, column: int) -> _Task | None:
    """The rows and classes of one target; None if nothing can be compared, which is said."""
    target, classes = list(data.targets.items())[column]
    where = corpora_of_classes(data.table, target, classes)
    corpora = [c for c in data.table[CORPUS].unique() if any(c in has for has in where.values())]
    common = [label for label in classes if len(where[label]) == len(corpora)]
    if len(corpora) < 2 or len(common) < 2:
        say(
            f"Nothing to compare across corpora for {target}: labels of it are in "
            f"{', '.join(corpora) or 'none'}, and the classes that all of these have are "
            f"{', '.join(common) or 'none'}; at least two corpora and two classes are needed.",
            style="yellow",
        )
        return None
    rows = np.flatnonzero(data.table[target].isin(common))
    table = data.table.iloc[rows]
    y = encode(table[target], common)
    rest = data.config.scaling, data.seed, data.matrix.stacks
    return _Task(target, corpora, data.X[rows], y, table, common, *rest)


def _predictions(task: _Task) -> dict[tuple[str, str], Int64]:
    """By model and training corpus the predicted class of each row, -1 if it has none."""
    # Untuned: a search would need a dev part like the test corpus.
    models = untuned_models()
    jobs = [
        (model, train, fit, held)
        for train in task.corpora
        for fit, held in _divisions(task, train)
        for model in models
    ]
    rest = {"scaling": task.scaling, "seed": task.seed, "stacks": task.stacks}
    done = joblib.Parallel()(
        joblib.delayed(fit_untuned)(models[model], task.X, task.y, fit, held, **rest)
        for model, _, fit, held in jobs
    )
    found = {(model, train): np.full(len(task.y), -1) for model in models for train in task.corpora}
    for (model, train, _, held), predicted in zip(jobs, done, strict=True):
        found[model, train][held] = predicted
    return found


def _divisions(task: _Task, train: str) -> list[tuple[Int64, Int64]]:
    """Rows to fit on and to predict: the folds within the corpus, then all other corpora."""
    own = task.rows(train)
    across = (own, np.flatnonzero(task.table[CORPUS] != train))
    speakers = task.table["speaker"].iloc[own]
    why = "the speakers of some recordings are unknown"
    if speakers.notna().all():
        try:
            labels = task.y[own, np.newaxis]
            within = inner_folds(labels, speakers.to_numpy(), folds=_FOLDS, seed=task.seed)
            return [*((own[fit], own[held]) for fit, held in within), across]
        except DataError:
            why = "some class has one speaker only"
    say(
        f"{task.target} within {train} can't be tested by speakers that aren't trained on: {why}.",
        style="yellow",
    )
    return [across]


def _score(task: _Task, predicted: Int64, test: str, resamples: int) -> dict[str, Any]:
    """UAR on one corpus, and its interval."""
    rows = task.rows(test)
    truth, called = task.y[rows], predicted[rows]
    units, unit = unit_codes(list(task.table.index[rows]), task.table["speaker"])
    uar = low = high = float("nan")
    if (called >= 0).all():
        sample = Sample(
            classes=task.classes,
            fold=np.zeros_like(rows),
            unit=units,
            truth=truth,
            predicted=called,
            probability=np.eye(len(task.classes))[called],  # unused by the UAR
        )
        [uar] = sample.scores(METRICS["uar"])
        ends = intervals(sample, [METRICS["uar"]], seed=task.seed, resamples=resamples)
        low, high = ends["uar"]
    return {"uar": uar, "low": low, "high": high, "n": len(rows), "unit": unit}
