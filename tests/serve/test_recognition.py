"""What is drawn and said of an upload, and of the run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.faults import encoded, speech

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import Clip, load
from speechnet.config.experiment import ExperimentConfig
from speechnet.core.errors import Excluded
from speechnet.corpus.config import CorpusConfig
from speechnet.evaluation.selection import Choice
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.functionals import Functionals
from speechnet.inference.predictor import Predictor
from speechnet.serve.limits import Limits
from speechnet.serve.page import about
from speechnet.serve.recognition import UploadRecogniser, pitch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("hz", [90.0, 220.0, 440.0])
@pytest.mark.parametrize("sr", [8_000, 22_050])
def test_the_pitch_of_a_tone_is_its_frequency(hz: float, sr: int) -> None:
    """Where it sounds; silence has none."""
    t = np.arange(2 * sr) / sr
    y = (np.sin(2 * np.pi * hz * t) * (t > 1)).astype(np.float32)
    f0 = pitch(y, sr, Functionals(), hop_length=sr // 50)
    assert f0.shape == (101,)
    assert np.isnan(f0[:40]).all()
    np.testing.assert_allclose(f0[60:-10], hz, rtol=0.01)


def test_noise_beyond_the_range_has_no_pitch() -> None:
    """What the search gives up on at an end of its range is not drawn."""
    t = np.arange(16_000) / 16_000
    y = np.sin(2 * np.pi * 30 * t).astype(np.float32)  # below the lowest
    assert np.isnan(pitch(y, 16_000, Functionals(), hop_length=320)).mean() > 0.9


@pytest.fixture(scope="module")
def predictor(tiny_run: Path) -> Predictor:
    return Predictor(SavedRun(tiny_run), model="all")


@pytest.mark.skipif(sys.platform != "linux", reason="there are no files in memory")
def test_an_upload_is_never_on_the_disk(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nothing is left of it, however the process ends."""
    recogniser = UploadRecogniser(predictor, best="svm", limits=Limits())
    existed = []

    def watched(path: Path, config: AudioConfig) -> Clip:
        existed.append(path.resolve().exists())
        return load(path, config)

    monkeypatch.setattr("speechnet.serve.recognition.load", watched)
    found = recogniser.recognise(encoded(speech(1, 1.0, 16_000), "FLAC", rate=16_000))
    assert found.statistics.duration == 1.0
    assert existed
    assert not any(existed)


def test_the_bounds_are_those_of_the_demo(predictor: Predictor) -> None:
    """However the run itself bounds and trims recordings."""
    sound = np.pad(speech(1, 1.0, 16_000), 8_000)
    found = UploadRecogniser(predictor, best="svm", limits=Limits()).recognise(
        encoded(sound, "FLAC", rate=16_000)
    )
    said = found.statistics
    assert (said.sample_rate, said.channels, said.duration) == (16_000, 1, 2.0)
    assert found.player is not None
    assert found.player.startswith("data:audio/flac;base64,")
    assert found.timeline is None
    assert "<img" in found.sound
    strict = UploadRecogniser(predictor, best="svm", limits=Limits(max_minutes=0.02))
    for content, reason in ((encoded(sound, "WAV"), "too_long"), (b"no sound", "unreadable")):
        with pytest.raises(Excluded, match=reason):
            strict.recognise(content)


@pytest.mark.parametrize(
    ("names", "synthetic"),
    [(["synthetic"], "all"), (["ravdess"], "none"), (["ravdess", "synthetic"], "some")],
)
def test_the_page_tells_synthetic_speech(tiny_run: Path, names: list[str], synthetic: str) -> None:
    """Of one corpus or several."""
    run = SavedRun(tiny_run)
    data: ExperimentConfig = run.config
    corpora = [CorpusConfig(name=name) for name in names]
    data.data.corpora = corpora if len(corpora) > 1 else []
    data.data.corpus = CorpusConfig() if len(corpora) > 1 else corpora[0]
    assert about(run, Choice("svm", "only"))["synthetic"] == synthetic


def test_the_page_tells_how_good_the_models_are(tiny_run: Path, tmp_path: Path) -> None:
    """Each model's test UAR as the scores have it, and what guessing would get."""
    copied = tmp_path / "version_7"
    shutil.copytree(tiny_run, copied)
    run = SavedRun(copied)
    told = about(run, Choice("svm", "only"))
    assert told["run"] == f"{tmp_path.name}/version_7"
    assert told["chance"] == {"gender": "50.0", "emotion": "25.0"}
    assert told["best"] == "svm"
    assert list(told["scores"]) == run.models
    scores = run.folder.read_table("scores.csv")
    uar = scores.query("part == 'test' and metric == 'uar'").set_index(["model", "target", "fold"])
    for model, texts in told["scores"].items():
        for target, text in texts.items():
            shown = float(text.split()[0].rstrip("*"))
            folds = [f for f in ("mean", "all") if (model, target, f) in uar.index]
            values = [100 * uar.loc[(model, target, fold), "value"] for fold in folds]
            assert any(shown == pytest.approx(value, abs=0.051) for value in values)
