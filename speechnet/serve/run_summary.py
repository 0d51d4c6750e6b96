"""What the page says of the run it shows, before anybody has spoken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from speechnet.core.wording import counted
from speechnet.evaluation.selection import Choice
from speechnet.experiment.saved_run import SavedRun
from speechnet.report.names import interval_words, model_name, percent, percent_interval
from speechnet.report.tables import find_score

_SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Standing:
    """How well a model did on recordings it had not seen.

    Attributes:
        model: its name for readers.
        scores: by target the test UAR with its interval, in per cent, as text.
        best: whether it is the run's best.
    """

    model: str
    scores: dict[str, str]
    best: bool


@dataclass(frozen=True)
class About:
    """What the page says of the run.

    Attributes:
        run: the experiment's name and version.
        corpus: what the models were trained on, in words.
        protocol: how training and test part were divided, in words.
        standings: every model's scores.
        chosen: why the best is the best, in words.
        chance: by target what guessing would get, in per cent, as text.
        interval: what the intervals are, in words.
        calibrated: whether the probabilities are calibrated.
        synthetic: whether all, some or none of the training speech was made by a program.
    """

    run: str
    corpus: str
    protocol: str
    standings: list[Standing]
    chosen: str
    chance: dict[str, str]
    interval: str
    calibrated: bool
    synthetic: Literal["all", "some", "none"]


def about(run: SavedRun, *, best: Choice) -> About:
    """Gather it from the run folder.

    Args:
        run: the run.
        best: the run's best model.

    Raises:
        DataError: the run folder is damaged.
    """
    info = run.folder.info
    scores = run.folder.read_table("scores.csv")
    corpus = info["corpus"]
    return About(
        run=f"{run.folder.path.absolute().parent.name}/{run.folder.path.absolute().name}",
        corpus=(
            f"{corpus['name']}: {counted(corpus['recordings'], 'recording')} of "
            f"{counted(corpus['speakers'], 'speaker')}"
        ),
        protocol=info["protocol"],
        standings=[
            Standing(
                model_name(model),
                {target: _score(scores, model, target) for target in run.targets},
                model == best.model,
            )
            for model in run.models
        ],
        chosen=best.reason,
        chance={target: percent(1 / len(classes)) for target, classes in run.targets.items()},
        interval=interval_words(info.get("unit")),
        calibrated=run.config.evaluation.calibrate,
        synthetic=_synthetic(run),
    )


def _score(scores: pd.DataFrame, model: str, target: str) -> str:
    score = find_score(scores, model=model, target=target, part="test", metric="uar")
    if score.has_interval:
        return percent_interval(score.value, score.low, score.high)
    return score.text()


def _synthetic(run: SavedRun) -> Literal["all", "some", "none"]:
    data = run.config.data
    made = {corpus.name == _SYNTHETIC for corpus in data.corpora or [data.corpus]}
    if len(made) == 2:
        return "some"
    return "all" if True in made else "none"
