"""What is left of a run whose features are sequences alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.tables import speech_data

from speechnet.audio.config import AudioConfig
from speechnet.audit.audit import run_audit
from speechnet.audit.config import AuditConfig
from speechnet.config.data import FeaturesConfig
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError
from speechnet.core.types import FeatureSet, Sequences
from speechnet.data.datamodule import SpeechDataModule
from speechnet.denoise import DenoiseConfig
from speechnet.experiment.audit import _say_features
from speechnet.experiment.fit import _check
from speechnet.experiment.inflation import COLUMNS, measure_inflation
from speechnet.experiment.novelty import fit_novelty
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.functionals import Functionals
from speechnet.features.log_mel import LogMel
from speechnet.models.novelty import NAME


@pytest.fixture
def data() -> SpeechDataModule:
    """Frames of each recording, and no vector."""
    made = speech_data()
    n = len(made.table)
    frames = np.random.default_rng(0).normal(size=(2 * n, 3)).astype(np.float32)
    starts, names = np.arange(0, 2 * n + 1, 2), ("a", "b", "c")
    sequences = Sequences(frames, starts, made.extraction.index, names, 100.0)
    made.extraction = replace(made.extraction, features=FeatureSet({"log_mel": sequences}))
    made.__dict__.pop("feature_set", None)
    return made


def test_analyses_of_vectors_have_none(data: SpeechDataModule, tmp_path: Path) -> None:
    """No near-copies, no inflation, no novelty; the rest of the audit goes on."""
    assert data.matrix.X.shape == (len(data.table), 0)
    assert measure_inflation(data).columns.tolist() == [*COLUMNS]
    assert measure_inflation(data).empty
    found = fit_novelty(data, 0, tmp_path)
    assert found.columns.tolist() == ["file", "fold", "novelty", "far"]
    assert found.empty
    assert not (tmp_path / NAME).exists()
    numbers = ("duration", "sample_rate", "channels", "peak", "dc", "clipped", "silence", "snr")
    statistics = pd.DataFrame(1.0, index=data.table.index, columns=[*numbers, "bandwidth"])
    statistics = statistics.assign(
        digest=list(data.table.index), channel_taken=-1, channel_correlation=1.0
    )
    audit = run_audit(
        data.table.assign(sentence=None),
        data.targets,
        data.folds,
        matrix=data.matrix,
        statistics=statistics,
        excluded=data.excluded,
        config=AuditConfig(),
    )
    assert audit.near_duplicates.empty


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """By name; and of several extractors, which ones it is about."""
    alone = Recipe(AudioConfig(), DenoiseConfig(), {"log_mel": LogMel()})
    _say_features(alone)
    assert "data.features has no vectors (log_mel): near-copies" in capsys.readouterr().err
    _say_features(replace(alone, extractors={"functionals": Functionals(), "log_mel": LogMel()}))
    assert "are those of functionals alone" in " ".join(capsys.readouterr().err.split())


def test_cross_corpus_models_need_vectors() -> None:
    """Refused before anything is computed."""
    config = read_experiment(["--evaluation.cross", "true"])[0]
    config.data.features = FeaturesConfig(functionals=None, log_mel=LogMel())
    with pytest.raises(ConfigError, match=r"evaluation\.cross: its models take vectors"):
        _check(config)
