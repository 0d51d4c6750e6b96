"""The search of the network: candidates one by one and together, with the same outcome."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from helpers.tables import TARGETS

from speechnet.core.types import Int64
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.candidates import Candidate, Tried
from speechnet.models.neural.mlp import MLP
from speechnet.models.search import best, search
from speechnet.models.training import fitting
from speechnet.models.training.fitted import FittedNetworks
from speechnet.models.training.fitting import FitAndScoreNetwork, NetworkSearch
from speechnet.models.training.trainer import NetworkTrainer
from speechnet.splits.strata import inner_folds

pytestmark = pytest.mark.slow

SMALL = MLP(hidden=[8], dropout=0.1, lr=0.02, batch_size=8)


def inner(data: SpeechDataModule) -> list[tuple[Int64, Int64]]:
    """Two inner folds of the training part, of which one lacks a few rows."""
    fold = data.folds[0]
    speakers = data.table["speaker"].to_numpy()[fold.train]
    pairs = inner_folds(data.labels[fold.train], speakers, folds=2, seed=0)
    folds = [(fold.train[fit], fold.train[held]) for fit, held in pairs]
    return [(folds[0][0][:-3], folds[0][1]), folds[1]]


@pytest.fixture
def alone_on(
    trainer_of: Callable[..., NetworkTrainer], tmp_path: Path
) -> Iterator[Callable[..., FitAndScoreNetwork]]:
    """``alone_on(data, max_epochs=5)``: what trains one candidate."""

    def make(data: SpeechDataModule, **settings: Any) -> FitAndScoreNetwork:
        trainer = trainer_of(data, **{"max_epochs": 10} | settings)
        return FitAndScoreNetwork(trainer, SMALL, data.folds[0].dev, "uar", 0, tmp_path)

    yield make
    assert not list(tmp_path.glob("*.ckpt"))


def together(
    alone: FitAndScoreNetwork, candidates: list[Candidate], *, parallel: bool = False
) -> tuple[list[Tried], list[int]]:
    """The search in stacks, and how many were told of."""
    folds, told = inner(alone.trainer.rows), list[int]()
    tried = search(NetworkSearch(alone), candidates, folds, parallel=parallel, on_done=told.append)
    return tried, told


class TestAlone:
    def test_the_better_candidate_wins(
        self, data: SpeechDataModule, alone_on: Callable[..., FitAndScoreNetwork]
    ) -> None:
        """A rate of learning that learns beats one that doesn't; a failed one can't win."""
        candidates = [{"lr": 1e-9}, {"lr": 0.02}, {"lr": 1e30, "norm": "none"}]
        tried = search(alone_on(data), candidates, inner(data), parallel=False)
        assert best(tried) is tried[1]
        assert "training diverged" in tried[2].error

    def test_score_is_of_the_held_rows(
        self, data: SpeechDataModule, alone_on: Callable[..., FitAndScoreNetwork]
    ) -> None:
        """The mean over targets of the UAR on labelled rows that weren't fitted on."""
        once, (fit, held) = alone_on(data), inner(data)[0]
        data.labels[held[::3], 1] = -1
        config = replace(once.base, lr=0.01)
        path, _ = once.trainer.fit(
            config, train=fit, dev=once.dev, seed=0, folder=once.folder, name="own"
        )
        proba = FittedNetworks.from_checkpoints([path]).predict_proba(data.X[held])
        path.unlink()
        expected = []
        for column, target in enumerate(TARGETS):
            truth, predicted = data.labels[held, column], proba[target].argmax(axis=1)
            classes = np.unique(truth[truth >= 0])
            expected.append(np.mean([(predicted[truth == c] == c).mean() for c in classes]))
        assert once({"lr": 0.01}, fit, held) == pytest.approx(np.mean(expected))


class TestTogether:
    def test_as_alone(
        self, hard: SpeechDataModule, alone_on: Callable[..., FitAndScoreNetwork]
    ) -> None:
        """The same scores to the last row, over shapes and settings; all were stacked."""
        alone = alone_on(hard)
        candidates: list[Candidate] = [
            {"lr": 0.05, "dropout": 0.3},
            {"lr": 0.01, "dropout": 0.5, "patience": 1, "weight_decay": 0.3},
            {"lr": 0.02, "dropout": 0.1, "class_weights": "none"},
            {"lr": 0.03},
            {"batch_size": 16, "optimizer": "sgd", "momentum": 0.5, "noise": 0.3},
            {"schedule": "plateau", "noise": 0.1, "activation": "tanh"},
        ]
        assert NetworkSearch(alone).groups(candidates) == [[0, 1, 3], [2], [4], [5]]
        tried, told = together(alone, candidates)
        assert sum(told) == 12
        assert tried == search(alone, candidates, inner(hard), parallel=False)
        assert len({one.scores for one in tried}) > 3  # or the equality would say little

    def test_failures_harm_no_other(
        self, hard: SpeechDataModule, alone_on: Callable[..., FitAndScoreNetwork]
    ) -> None:
        """Those that diverge fail as they do alone."""
        alone = alone_on(hard)
        candidates: list[Candidate] = [
            {"lr": 1e30, "norm": "none"},
            {"lr": 0.02, "norm": "none"},
            {"lr": 0.01, "norm": "none"},
        ]
        tried, told = together(alone, candidates)
        assert sum(told) == 6
        assert "training diverged" in tried[0].error
        again = search(alone, candidates, inner(hard), parallel=False)
        assert [one.error for one in tried] == [one.error for one in again]
        assert tried[1].scores == again[1].scores

    def test_no_dev_rows(
        self, hard: SpeechDataModule, alone_on: Callable[..., FitAndScoreNetwork]
    ) -> None:
        """Dev rows without labels stop nothing; a plateau has nothing to go by."""
        hard.labels[hard.folds[0].dev] = -1
        alone, candidates = (
            alone_on(hard),
            [{"lr": 0.05}, {"schedule": "plateau"}, {"lr": 0.1}, {"lr": 0.2}],
        )
        tried, _ = together(alone, candidates)
        assert tried[0] == search(alone, candidates, inner(hard), parallel=False)[0]
        assert "plateau needs a dev part" in tried[1].error

    @pytest.mark.parametrize("settings", [{"gradient_clip_val": 0.1}, {"max_epochs": -1}])
    def test_other_trainers(
        self,
        hard: SpeechDataModule,
        alone_on: Callable[..., FitAndScoreNetwork],
        settings: dict[str, Any],
    ) -> None:
        """Where more than epochs is asked of the trainer, each candidate is trained alone."""
        alone = alone_on(hard, **settings)
        alone = replace(alone, base=replace(SMALL, schedule="none", patience=1))
        candidates: list[Candidate] = [{"lr": lr} for lr in (0.02, 0.03, 0.04)]
        tried, told = together(alone, candidates)
        assert told == [1] * 6
        assert tried == search(alone, candidates, inner(hard), parallel=False)

    def test_small_stacks_and_processes(
        self,
        hard: SpeechDataModule,
        alone_on: Callable[..., FitAndScoreNetwork],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """However many are trained at once, and wherever, the scores stay."""
        alone, candidates = alone_on(hard), [{"lr": 0.02, "dropout": p} for p in (0.1, 0.2, 0.4)]
        whole, told = together(alone, candidates)
        assert told == [3, 3]
        monkeypatch.setattr(fitting, "_PARAMETERS", 1)
        with joblib.parallel_config(backend="threading", n_jobs=1):
            parts, _ = together(alone, candidates, parallel=True)
        assert parts == whole


class TestFailures:
    def test_a_fold_that_can_t_be_scored_costs_its_candidate_alone(
        self,
        data: SpeechDataModule,
        alone_on: Callable[..., FitAndScoreNetwork],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """As where it is trained alone."""
        real = FitAndScoreNetwork.score

        def refuse(self: FitAndScoreNetwork, network: FittedNetworks, held: Int64) -> float:
            if network.networks[0].config.lr == 0.1:
                raise ValueError("no row has a label")
            return real(self, network, held)

        monkeypatch.setattr(FitAndScoreNetwork, "score", refuse)
        tried, _ = together(alone_on(data), [{"lr": 0.01}, {"lr": 0.1}, {"lr": 0.02}])
        assert tried[0].error == ""
        assert "ValueError: no row has a label" in tried[1].error
