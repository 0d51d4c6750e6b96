"""Small tables of features, labels and speakers that tests of splits and models stand on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from speechnet.config.data import DataConfig
from speechnet.core.types import (
    FeatureMatrix,
    Features,
    FeatureSet,
    Int64,
    Sequences,
    Stack,
    encode,
)
from speechnet.data.datamodule import SpeechDataModule
from speechnet.features.extraction.extract import Extraction
from speechnet.splits.config import SplitConfig

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad", "neutral"]}


def corpus_table(
    speakers: int = 8, each: int = 8, *, emotions: list[str] | None = None
) -> pd.DataFrame:
    """A corpus in which every speaker says each emotion equally often; genders alternate."""
    emotions = emotions or TARGETS["emotion"]
    n = speakers * each
    who = np.repeat(np.arange(speakers), each)
    return pd.DataFrame(
        {
            "speaker": [f"s{number:02d}" for number in who],
            "gender": np.array(TARGETS["gender"], dtype=object)[who % 2],
            "emotion": np.array(emotions, dtype=object)[np.arange(n) % len(emotions)],
        },
        index=pd.Index([f"{row:04d}.wav" for row in range(n)], name="file"),
    ).astype(object)


def features(labels: Int64, width: int = 6, *, signal: float = 2.0, seed: int = 0) -> np.ndarray:
    """float32 ``[n, width]``: noise around a centre of each class; far from zero, as sounds are."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(len(labels), width))
    for column in labels.T:
        centres = rng.normal(size=(column.max() + 1, width))
        X += signal * np.where(column[:, None] >= 0, centres[column], 0.0)
    return (50 + 3 * X).astype(np.float32)


def layered(data: SpeechDataModule, layers: int, *, told: int, frames: int = 0) -> SpeechDataModule:
    """The same rows as one layer of an encoder whose other layers are noise, of other sizes.

    Args:
        data: as ``speech_data`` makes it.
        layers: how many.
        told: the layer that has the features.
        frames: of each recording; 0 for vectors.
    """
    rng = np.random.default_rng(1)
    shape = (len(data.table), layers, max(1, frames), data.X.shape[1])
    X = rng.normal(size=shape) * 10.0 ** np.arange(layers)[:, None, None]
    X[:, told] = data.X[:, None]
    width = shape[-1]
    names = tuple(f"encoder_{layer}_mean_{i}" for layer in range(layers) for i in range(width))
    index, stacks = tuple(data.table.index), (Stack(0, layers, width),)
    rows = X.swapaxes(1, 2).reshape(-1, layers * width).astype(np.float32)
    if frames:
        starts = np.arange(len(index) + 1) * frames
        found: Features = Sequences(rows, starts, index, names, 100.0, stacks)
    else:
        found = FeatureMatrix(rows, index, names, stacks)
    data.extraction = replace(data.extraction, features=FeatureSet({"encoder": found}))
    del data.feature_set  # what was cached of the rows alone
    return data


def speech_data(
    table: pd.DataFrame | None = None,
    *,
    X: np.ndarray | None = None,
    width: int = 6,
    signal: float = 2.0,
    split: SplitConfig | None = None,
) -> SpeechDataModule:
    """A data module as it is once its features are computed; ``setup`` makes its folds."""
    table = corpus_table() if table is None else table
    data = SpeechDataModule(DataConfig(split=split or SplitConfig(test=0.25, dev=0.25)), seed=0)
    none = pd.DataFrame(columns=["file", "reason", "detail"])
    data.corpus = SimpleNamespace(table=table, targets=TARGETS, excluded=none, scales={})
    if X is None:
        codes = [encode(table[target], classes) for target, classes in TARGETS.items()]
        X = features(np.stack(codes, axis=1), width, signal=signal)
    names = tuple(f"feature_{column}" for column in range(X.shape[1]))
    matrix = FeatureMatrix(X, tuple(table.index), names)
    found = FeatureSet({"functionals": matrix})
    data.extraction = Extraction(found, pd.DataFrame(), none, computed=0)
    data.setup()
    return data
