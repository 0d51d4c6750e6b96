"""Extractors that go by the names of recordings, alone and beside others that hear them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import faults

from speechnet.audio.config import AudioConfig
from speechnet.config.data import DataConfig
from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import DataError
from speechnet.corpus.config import CorpusConfig
from speechnet.data.datamodule import SpeechDataModule
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction import outcomes
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import Extractor
from speechnet.features.functionals import Functionals
from speechnet.features.table import Table

NAMES = ["a.wav", "b.wav", "copy.wav", "silent.wav", "absent.wav"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Sound recordings, a copy, a silent one, and one that the table lacks."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    a, b = (faults.speech(i, 0.4) for i in range(2))
    for name, y in zip(NAMES, (a, b, a, 0 * a, faults.speech(2, 0.4)), strict=True):
        soundfile.write(folder / name, y, faults.RATE)
    write_table(tmp_path, 1)
    return folder


def write_table(folder: Path, factor: float) -> None:
    frame = pd.DataFrame({"file": NAMES[:-1], "x": factor * np.arange(4), "y": 1})
    frame[::-1].to_csv(folder / "t.csv", index=False)


def run(root: Path, **extractors: Extractor) -> Extraction:
    table = pd.DataFrame(None, index=pd.Index(NAMES, name="file"), columns=[*CORPUS_COLUMNS])
    table = table.assign(path=NAMES, start=np.nan, end=np.nan)
    recipe = Recipe(AudioConfig(), DenoiseConfig(method="none"), extractors)
    return extract_features(root, table, recipe, cache_dir=root.parent / "cache")


def test_recordings_are_checked_like_all_others(root: Path) -> None:
    """Once: another table costs no decoding. Rows stand in the order of the corpus."""
    table = Table(str(root.parent / "t.csv"))
    found = run(root, table=table)
    assert found.index == ("a.wav", "b.wav")
    assert found.features.matrix.X.tolist() == [[0, 1], [1, 1]]
    assert found.features.matrix.names == ("table_x", "table_y")
    reasons = dict(zip(found.excluded["file"], found.excluded["reason"], strict=True))
    expected = {"copy.wav": "duplicate", "silent.wav": "silent", "absent.wav": "not_in_table"}
    assert reasons == expected
    assert found.statistics["duration"].tolist() == pytest.approx([0.4, 0.4], abs=1e-3)
    assert found.computed == 3  # the copy has the same bytes
    write_table(root.parent, 10)
    again = run(root, table=table)
    assert again.features.matrix.X.tolist() == [[0, 1], [10, 1]]
    assert again.computed == 0


def test_beside_an_extractor_that_hears(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns in the order of the extractors; what the other has cached is not decoded again."""
    cheap = Functionals(preset=None, include={"mfcc": ["mean"]})
    alone = run(root, functionals=cheap)
    monkeypatch.setattr(outcomes, "load_at_rates", None)  # nothing may be decoded
    found = run(root, functionals=cheap, table=Table(str(root.parent / "t.csv")))
    assert found.index == ("a.wav", "b.wav")
    heard = alone.features.matrix.X[[alone.index.index(file) for file in found.index]]
    np.testing.assert_array_equal(found.features.matrix.X[:, :-2], heard)
    np.testing.assert_array_equal(found.features.matrix.X[:, -2:], [[0, 1], [1, 1]])
    assert found.features.matrix.names[-2:] == ("table_x", "table_y")


def test_an_empty_table(root: Path) -> None:
    """Of no recording of the corpus: no row, and no failure."""
    (root.parent / "t.csv").write_text("file,x\nother.wav,1\n")
    found = run(root, table=Table(str(root.parent / "t.csv")))
    assert found.features.matrix.X.shape == (0, 1)
    assert set(found.excluded["reason"]) == {"not_in_table"}


def test_a_table_that_lacks_too_many(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends the run before anything is decoded; an audit goes on."""
    monkeypatch.setattr(outcomes, "load_at_rates", None)  # nothing may be decoded
    config = DataConfig(
        corpus=CorpusConfig(
            name="folders", root=str(root.parent), labels={"emotion": {"corpus": "sad"}}
        ),
        targets={"emotion": None},
        cache_dir=str(root.parent / "cache"),
    )
    config.features.table = Table(str(root.parent / "t.csv"))
    module = SpeechDataModule(config, seed=0)
    message = r"1 of 5 recordings can't be used.*1 not_in_table\. The first: corpus/absent\.wav"
    with pytest.raises(DataError, match=message):
        module.prepare_data()
    monkeypatch.undo()
    module = SpeechDataModule(config, seed=0)
    module.load_corpus()
    module.extract(at_any_rate=True)
    assert module.extraction.index == ("corpus/a.wav", "corpus/b.wav")
