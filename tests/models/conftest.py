"""A network trained for a moment, and what trains it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.tables import TARGETS, speech_data
from threadpoolctl import threadpool_limits

from speechnet.config.trainer_factory import TrainerFactory
from speechnet.data.datamodule import SpeechDataModule
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.trainer import NetworkTrainer

SETTINGS = {
    "accelerator": "cpu",
    "devices": 1,
    "max_epochs": 3,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tables this small are slower on several threads, and far slower on a busy machine."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def data() -> SpeechDataModule:
    """Eight speakers, 64 recordings, 6 features."""
    return speech_data()


@pytest.fixture
def hard() -> SpeechDataModule:
    """Classes that overlap, so that dev scores go up and down and candidates differ."""
    return speech_data(signal=0.5)


@pytest.fixture
def trainer_of(tmp_path: Path) -> Callable[..., NetworkTrainer]:
    """``trainer_of(data, max_epochs=5)``: trains on the CPU by the settings given."""

    def make(data: SpeechDataModule, **settings: Any) -> NetworkTrainer:
        factory = TrainerFactory(SETTINGS | settings, tmp_path)
        return NetworkTrainer(rows=data, targets=TARGETS, scaling="standard", make_trainer=factory)

    return make


@pytest.fixture
def fit(tmp_path: Path, trainer_of: Callable[..., NetworkTrainer]) -> Callable[..., Any]:
    """``fit(data, MLP(...), max_epochs=5)``: the checkpoint and the epochs' records."""

    def run(
        data: SpeechDataModule,
        config: MLP | None = None,
        *,
        seed: int = 0,
        name: str = "mlp_0",
        **settings: Any,
    ) -> tuple[Path, list[dict[str, float]]]:
        fold = data.folds[0]
        return trainer_of(data, **settings).fit(
            config or MLP(hidden=[8], dropout=0.1),
            train=fold.train,
            dev=fold.dev,
            seed=seed,
            folder=tmp_path,
            name=name,
        )

    return run
