"""What the page says of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from speechnet.core.wording import counted
from speechnet.evaluation.selection import Choice
from speechnet.experiment.saved_run import SavedRun
from speechnet.report.names import interval_words, percent
from speechnet.report.scores import find_score

_SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class RunSummary:
    """What the page says of the run.

    Attributes:
        run: the experiment's name and version.
        corpus: what the models were trained on, in words.
        protocol: how training and test part were divided, in words.
        scores: by model and target the test UAR with its interval, in per cent, as text.
        best: the best model.
        chosen: why it is the best, in words.
        chance: by target what guessing would get, in per cent, as text.
        interval: what the intervals are, in words.
        calibrated: whether the probabilities are calibrated.
        synthetic: whether all, some or none of the training speech was made by a program.
    """

    run: str
    corpus: str
    protocol: str
    scores: dict[str, dict[str, str]]
    best: str
    chosen: str
    chance: dict[str, str]
    interval: str
    calibrated: bool
    synthetic: Literal["all", "some", "none"]


def summarise_run(run: SavedRun, *, best: Choice) -> RunSummary:
    """Summarise a run folder.

    Args:
        run: the run.
        best: the run's best model.

    Raises:
        DataError: the run folder is damaged.
    """
    info = run.folder.info
    scores = run.folder.read_table("scores.csv")
    corpus, path = info["corpus"], run.folder.path.absolute()
    return RunSummary(
        run=f"{path.parent.name}/{path.name}",
        corpus=(
            f"{corpus['name']}: {counted(corpus['recordings'], 'recording')} of "
            f"{counted(corpus['speakers'], 'speaker')}"
        ),
        protocol=info["protocol"],
        scores={
            model: {target: _score(scores, model, target) for target in run.targets}
            for model in run.models
        },
        best=best.model,
        chosen=best.reason,
        chance={target: percent(1 / len(classes)) for target, classes in run.targets.items()},
        interval=interval_words(info.get("unit")),
        calibrated=run.config.evaluation.calibrate,
        synthetic=_synthetic(run),
    )


def _score(scores: pd.DataFrame, model: str, target: str) -> str:
    return find_score(scores, model=model, target=target, part="test", metric="uar").text()


def _synthetic(run: SavedRun) -> Literal["all", "some", "none"]:
    data = run.config.data
    made = {corpus.name == _SYNTHETIC for corpus in data.corpora or [data.corpus]}
    if len(made) == 2:
        return "some"
    return "all" if True in made else "none"
