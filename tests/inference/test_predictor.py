"""Tests of a finished run as a library: one sound."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from skops import io as skops_io

import speechnet
from speechnet.cli.main import main
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.core.types import FeatureSet
from speechnet.corpus.synthetic.synthesis import synthesise
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.extractor import Sound
from speechnet.features.functionals import Functionals
from speechnet.inference.prediction import Prediction
from speechnet.inference.predictor import Predictor
from speechnet.models.scikit.estimators import FittedEstimators
from speechnet.models.scikit.files import TRUSTED
from speechnet.models.training.fitted import FittedNetworks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recogniser(tiny_run: Path) -> Predictor:
    """All models of the finished run."""
    return speechnet.load(tiny_run, model="all")


def voice(speaker: int = 1, rate: int = 8_000, emotion: str = "angry") -> np.ndarray:
    """Synthetic speech, float32 mono."""
    return synthesise(
        gender="female", emotion=emotion, sentence=1, speaker=speaker, sample_rate=rate
    )


def numbers(found: Prediction) -> list[float]:
    """All its probabilities in order."""
    return [p for classes in found.probabilities.values() for p in classes.values()]


def predicted(out: Path, run: Path, *paths: Path, model: str) -> list[dict[str, str]]:
    """The rows that the command ``predict`` writes."""
    command = ["predict", "--run", str(run), "--model", model, "--out", str(out)]
    assert main([*command, *map(str, paths)]) == 0
    with out.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def agrees(found: Prediction, row: dict[str, str]) -> None:
    """Compare with a row of that table, which has six decimals."""
    for target, label in found.labels.items():
        assert row[target] == label
        for name, p in found.probabilities[target].items():
            assert float(row[f"{target}_{name}"]) == pytest.approx(p, abs=1e-6)


def test_a_light_import() -> None:
    """Whoever imports the package waits for neither torch nor numpy."""
    code = "import speechnet, sys; print({'torch', 'numpy', 'librosa'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_the_verb_predict_says(tiny_run: Path, recogniser: Predictor, tmp_path: Path) -> None:
    """The same labels and probabilities as for files of the same samples, stereo and 44.1 kHz."""
    paths = []
    for number, kind in enumerate(["PCM_16", "PCM_24", "FLOAT"]):
        left, right = voice(number, 44_100), voice(number + 5, 44_100)
        n = min(len(left), len(right))
        paths.append(tmp_path / f"{kind}.wav")
        soundfile.write(paths[-1], np.stack([left[:n], right[:n]], axis=1), 44_100, subtype=kind)
    found = {str(path): recogniser.predict_all(*soundfile.read(path)) for path in paths}
    rows = predicted(tmp_path / "out.csv", tiny_run, *paths, model="all")
    assert len(rows) == 12
    for row in rows:
        agrees(found[row["file"]][row["model"]], row)


def test_the_sum_written_out(tiny_run: Path, recogniser: Predictor) -> None:
    """Features of librosa, scikit-learn's pipelines, each fold's temperature, and their mean."""
    y = voice(3)
    y = y - y.mean()
    frames = {"n_fft": 512, "hop_length": 256}
    mfcc = librosa.feature.mfcc(y=y, sr=8_000, n_mfcc=12, n_mels=40, **frames)
    crossings = librosa.feature.zero_crossing_rate(y, frame_length=512, hop_length=256)
    row = np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1), crossings.mean(axis=1)])[None]
    expected = []
    for fold in (0, 1):
        folder = tiny_run / f"fold_{fold}"
        pipeline = skops_io.load(folder / "logreg_emotion.skops", trusted=list(TRUSTED))
        warm = json.loads((folder / "logreg_temperature.json").read_text())["emotion"]
        powers = pipeline.predict_proba(row)[0] ** (1 / warm)
        expected.append(powers / powers.sum())
    found = recogniser.predict(voice(3), 8_000, model="logreg").probabilities["emotion"]
    assert list(found) == ["angry", "happy", "sad", "neutral"]
    np.testing.assert_allclose(list(found.values()), np.mean(expected, axis=0), atol=2e-4)


def test_an_svm_needs_no_wrappers(tiny_run: Path) -> None:
    """Step by step its probabilities are those of scikit-learn's whole estimator, to the bit."""
    classifier = FittedEstimators.load(tiny_run / "fold_0", "svm", SavedRun(tiny_run).targets)
    X = np.random.default_rng(0).normal(size=(50, 25)).astype(np.float32)
    for target, found in classifier.predict_proba(X).items():
        expected = classifier.estimators[target].predict_proba(X.astype(np.float64))
        np.testing.assert_array_equal(found, expected)


def test_real_speech(tiny_run: Path, ravdess: Path, tmp_path: Path) -> None:
    """A recording of RAVDESS, as samples and as a file."""
    path = sorted(ravdess.rglob("*.flac"))[7]
    (row,) = predicted(tmp_path / "out.csv", tiny_run, path, model="best")
    agrees(speechnet.load(str(tiny_run)).predict(*soundfile.read(path, dtype="int16")), row)


@pytest.mark.parametrize(
    ("scale", "dtype"), [(2**15, np.int16), (2**31, np.int32), (1, np.float64), (1, np.float16)]
)
def test_kinds_of_samples(recogniser: Predictor, scale: int, dtype: type[np.generic]) -> None:
    """Full scale is that of the type; a column is mono."""
    steps = np.round(np.clip(voice(), -0.99, 0.99) * 2**9) / 2**9  # what each of them can hold
    expected = recogniser.predict(steps.astype(np.float32), 8_000)
    y = (steps * scale).astype(dtype)
    assert recogniser.predict(y, 8_000) == expected
    assert recogniser.predict(y[:, None], np.int64(8_000)) == expected
    assert recogniser.predict(np.asfortranarray(np.stack([y, y], axis=1)), 8_000.0) == expected
    assert recogniser.predict(np.stack([y, y]), 8_000) == expected
    assert recogniser.predict(torch.tensor(y[None]), 8_000) == expected
    if dtype is np.float64:
        assert recogniser.predict(y.tolist(), 8_000) == expected
        assert recogniser.predict(torch.tensor(y, requires_grad=True), 8_000) == expected


@pytest.mark.parametrize(
    ("y", "sr", "match"),
    [
        (np.zeros((3, 4, 5)), 8_000, r"y has shape \(3, 4, 5\), expected \[n\] or \[n, channels\]"),
        (np.float32(1), 8_000, "y is the number .*; the order is predict"),
        (8_000, np.zeros(8_000), "the order is predict"),
        (None, 8_000, r"y has shape \(\), expected \[n\]"),
        ("a.wav", 8_000, r"y is the name of a file.*soundfile\.read"),
        (Path("a.wav"), None, "y is the name of a file"),
        ((np.zeros(8_000), 8_000), None, "y is a pair"),
        ([[0.0, 0.1], [0.0]], 8_000, "y can't be read as an array of samples"),
        (np.zeros((8, 0)), 8_000, r"y has shape \(8, 0\)"),
        (np.zeros((64, 8_000)), 8_000, r"64 samples of 8000 channels; .* give y\.T"),
        (np.zeros(8_000, complex), 8_000, "y holds complex128, expected floats or integers"),
        (np.zeros(8_000, bool), 8_000, "y holds bool"),
        (np.zeros(8_000, np.int64), 8_000, "y holds int64"),
        (["a", "b"], 8_000, "y holds <U1"),
        (np.zeros(8_000), 8_000.5, r"sr is 8000\.5, expected a whole number of Hz"),
        (np.zeros(8_000), float("nan"), "sr is nan"),
        (np.zeros(8_000), float("inf"), "sr is inf"),
        (np.zeros(8_000), "8000", "sr is '8000'"),
        (np.zeros(8_000), None, "sr isn't given"),
        (np.zeros(8_000), np.zeros(8_000), "sr is of the type ndarray"),
        (np.zeros(8_000), True, "sr is True"),
    ],
)
def test_what_is_no_sound(recogniser: Predictor, y: object, sr: object, match: str) -> None:
    """Another shape, type or rate is named, with what was expected."""
    with pytest.raises(DataError, match=match):
        recogniser.predict(y, sr)


@pytest.mark.parametrize(
    ("y", "sr", "reason"),
    [
        (np.zeros(8_000), 8_000, "silent: digital silence"),
        (np.full(8_000, 0.3), 8_000, r"silent: a constant level \(0\.3\)"),
        (np.zeros(0), 8_000, "empty: there are no samples"),
        (voice()[:2_000], 8_000, r"too_short: 0\.250 s, at least 0\.3 expected"),
        (np.full(8_000, np.nan), 8_000, "not_finite: 8000 of 8000 samples"),
        (np.full(8_000, 1e200), 8_000, "not_finite"),
        (voice() * 2**15, 8_000, "unscaled: .*, full scale is 1: divide them by 32768"),
        (np.round(voice() * 30), 8_000, "unscaled"),
        (voice(), 100, "bad_rate: found 100 Hz, expected 4000 to 384000"),
        (voice(), -8_000, "bad_rate"),
        (voice(), 10**400, "bad_rate"),
        (np.broadcast_to(voice()[:4_000, None], (4_000, 3_000)), 8_000, None),
    ],
)
def test_sounds_that_cannot_be_used(
    recogniser: Predictor, y: np.ndarray, sr: float, reason: str | None
) -> None:
    """Each is excluded with the reason code that a file of it gets; many channels are no fault."""
    if reason is None:
        assert set(recogniser.predict(y, sr).labels) == {"gender", "emotion"}
        return
    with pytest.raises(Excluded, match=reason):
        recogniser.predict(y, sr)


def test_the_bounds_of_the_run_hold(tiny_run: Path) -> None:
    """Its longest duration, its most samples and its trimming, as for files."""
    one = Predictor(SavedRun(tiny_run), model="logreg")
    audio = one.run.config.data.audio
    y = voice()
    audio.max_duration = 0.5
    with pytest.raises(Excluded, match=r"too_long: .*, at most 0\.5 expected"):
        one.predict(y, 8_000)
    audio.max_duration, audio.max_samples = None, len(y)
    with pytest.raises(Excluded, match="too_large"):
        one.predict(np.stack([y, y], axis=1), 8_000)
    audio.trim_db = 30.0
    trimmed = librosa.effects.trim(y - y.mean(), top_db=30)[0]
    audio.remove_dc, expected = False, one.predict(y - y.mean(), 8_000)
    audio.trim_db = None
    np.testing.assert_allclose(numbers(one.predict(trimmed, 8_000)), numbers(expected), atol=1e-6)


def test_abstaining(recogniser: Predictor) -> None:
    """A label needs the threshold's probability; the probabilities stay."""
    sure = recogniser.predict(voice(), 8_000)
    highest = max(sure.probabilities["emotion"].values())
    label = max(sure.probabilities["emotion"], key=sure.probabilities["emotion"].__getitem__)
    at = recogniser.predict(voice(), 8_000, abstain=highest)
    assert sure.labels["emotion"] == at.labels["emotion"] == label
    above = recogniser.predict(voice(), 8_000, abstain=float(np.nextafter(highest, 1)))
    assert above.labels["emotion"] is None
    assert above.probabilities == sure.probabilities
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match=r"abstain is .*, expected a probability, 0 to 1"):
            recogniser.predict(voice(), 8_000, abstain=wrong)


def test_models(tiny_run: Path, recogniser: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that was loaded unless told; one row of features serves all."""
    assert recogniser.models == ["mlp", "knn", "logreg", "svm"]
    described: list[str] = []
    extract = Functionals.extract

    def counted(self: Functionals, clips: list[np.ndarray], sound: Sound) -> list[object]:
        described.extend(str(sound.sample_rate) for _ in clips)
        return list(extract(self, clips, sound))

    with monkeypatch.context() as patched:
        patched.setattr(Functionals, "extract", counted)
        found = recogniser.predict_all(voice(), 8_000)
    assert described == ["8000"]
    assert list(found) == recogniser.models
    assert recogniser.predict(voice(), 8_000) == found["mlp"]
    assert recogniser.predict(voice(), 8_000, model="svm") == found["svm"]
    assert speechnet.load(tiny_run).models == [SavedRun(tiny_run).best().model]
    only = speechnet.load(tiny_run, model="svm")
    assert only.predict(voice(), 8_000) == found["svm"]
    with pytest.raises(ConfigError, match=r"model mlp is not among those loaded \(svm\)"):
        only.predict(voice(), 8_000, model="mlp")
    with pytest.raises(ConfigError, match="the run has mlp, knn, logreg, svm"):
        speechnet.load(tiny_run, model="gmm")
    with pytest.raises(DataError, match="there is no run folder"):
        speechnet.load(tiny_run / "none")


def test_features_at_hand(recogniser: Predictor) -> None:
    """Probabilities are the run's, to the bit; other columns are refused."""
    X = np.random.default_rng(0).normal(size=(3, 25)).astype(np.float32)
    found = recogniser.recognise(FeatureSet.vectors(X), [4_000.0] * 3)
    for model in recogniser.models:
        for target, expected in recogniser.run.predict_proba(model, FeatureSet.vectors(X)).items():
            rows = [[*one[model].probabilities[target].values()] for one in found]
            np.testing.assert_array_equal(rows, expected)
    with pytest.raises(DataError, match=r"have shape \(3, 24\), expected the run's \[n, 25\]"):
        recogniser.recognise(FeatureSet.vectors(X[:, :24]), [4_000.0] * 3)


def test_classifiers_are_read_once(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is loaded, and never again."""
    loaded = speechnet.load(tiny_run, model="all")

    def again(*_: object) -> object:
        raise AssertionError("read a second time")

    monkeypatch.setattr(FittedEstimators, "load", again)
    monkeypatch.setattr(FittedNetworks, "load", again)
    assert len(loaded.predict_all(voice(), 8_000)) == 4


def test_a_run_that_compares_recordings(tiny_run: Path) -> None:
    """One sound can't be standardised by its speaker; what to do instead is said."""
    one = Predictor(SavedRun(tiny_run), model="logreg")
    one.run.config.data.per_speaker = True
    calls: list[Callable[[], object]] = [
        lambda: one.predict(voice(), 8_000),
        lambda: one.predict_all(voice(), 8_000),
        lambda: one.timeline(voice(), 8_000, window=0.5, hop=0.5),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match=r"per_speaker.*predict with --speakers"):
            call()


def test_a_step_that_fails(recogniser: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in computing features is the reason ``failed``, as in extraction."""

    def broken(_: Functionals, clips: list[np.ndarray], sound: Sound) -> list[object]:
        raise ArithmeticError(f"{len(clips)} at {sound.sample_rate} Hz")

    monkeypatch.setattr(Functionals, "extract", broken)
    with pytest.raises(Excluded, match="failed: ArithmeticError: 1 at 8000 Hz"):
        recogniser.predict(voice(), 8_000)


def test_several_threads(recogniser: Predictor) -> None:
    """Each gets what it would alone, and the process keeps its number of threads."""
    sounds = [voice(speaker) for speaker in range(6)]
    expected = [recogniser.predict_all(y, 8_000) for y in sounds]
    before = torch.get_num_threads()
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(recogniser.predict_all, y, 8_000) for y in sounds * 5]
        found = [job.result() for job in jobs]
        inside = pool.submit(torch.get_num_threads).result()
    assert found == expected * 5
    assert torch.get_num_threads() == inside == before
