"""The synthetic corpus: its sound, compared with librosa, and its files."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import joblib
import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import soundfile
from librosa.feature import spectral_centroid

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32
from speechnet.corpus.config import SynthConfig
from speechnet.corpus.synthetic import corpus as synthetic
from speechnet.corpus.synthetic import synthesis
from speechnet.corpus.synthetic.corpus import write_corpus
from speechnet.corpus.synthetic.phones import PHONES, SENTENCES
from speechnet.corpus.synthetic.synthesis import synthesise
from speechnet.corpus.synthetic.voices import EMOTIONS, Manner, draw_voice

SR = 22_050
SMALL = SynthConfig(speakers=2, sentences=2)


@cache
def speak(
    speaker: int, *, gender: str = "female", emotion: str = "neutral", sentence: int = 1
) -> Float32:
    """A recording, made once for all tests."""
    return synthesise(gender=gender, emotion=emotion, sentence=sentence, speaker=speaker)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small complete corpus, only to be read."""
    return write_corpus(tmp_path_factory.mktemp("synth"), SMALL).parent


def files(root: Path) -> dict[str, bytes]:
    """Every file's content under its relative name."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def spoken(y: Float32) -> float:
    """Seconds between the first and the last sound less than 30 dB below the loudest."""
    _, (start, end) = librosa.effects.trim(y, top_db=30, frame_length=512, hop_length=128)
    return float(end - start) / SR


def level(y: Float32) -> float:
    """Root mean square in dB."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(y)))))


def median_f0(y: Float32) -> float:
    """Median F0 over the louder half of the frames, by librosa's YIN."""
    f0 = librosa.yin(y, fmin=60, fmax=500, sr=SR)
    rms = librosa.feature.rms(y=y)[0]
    return float(np.median(f0[rms > np.median(rms)]))


@pytest.mark.parametrize(
    "change",
    [{"gender": "male"}, {"emotion": "sad"}, {"sentence": 2}, {"speaker": 2}, {"seed": 1}],
)
def test_every_argument_changes_the_sound(change: dict[str, str | int]) -> None:
    """No argument is ignored; the same arguments give the same samples."""
    base = {"gender": "female", "emotion": "neutral", "sentence": 1, "speaker": 1, "seed": 0}
    np.testing.assert_array_equal(synthesise(**base), synthesise(**base))
    assert not np.array_equal(synthesise(**base), synthesise(**(base | change)))


@pytest.mark.parametrize(
    ("gender", "low", "high"), [("male", 75.0, 165.0), ("female", 150.0, 290.0)]
)
def test_f0_is_in_the_range_of_the_gender(gender: str, low: float, high: float) -> None:
    """YIN finds the F0 of neutral speech where men's and women's lie."""
    for speaker in range(1, 7):
        assert low < median_f0(speak(speaker, gender=gender)) < high


def test_vocal_tract_is_a_cascade_of_resonators() -> None:
    """The transfer function of a vowel is the product of Klatt's resonators, by scipy's freqz."""
    vowel = PHONES["iy"][0]
    voice = replace(draw_voice("male", 1), tract=1.0)
    plan = synthesis._Plan(
        voice, Manner(*[0.0] * 9), np.array([vowel]), np.zeros(1), np.ones(1), np.zeros(1)
    )
    hertz = np.arange(0, SR / 2, 20.0)
    grid = synthesis._Grid(SR, SR // 80, np.array([0.4, 0.5]), hertz)
    response = synthesis._resonances(plan, grid, grid.times)

    expected = np.ones(len(hertz), dtype=complex)
    for formant in (vowel.f1, vowel.f2, vowel.f3, *range(3500, 9501, 1000)):
        pole = np.exp((-np.pi * (50 + 0.035 * formant) + 2j * np.pi * formant) / SR)
        a = np.real(np.poly([pole, pole.conjugate()]))
        expected *= scipy.signal.freqz([a.sum()], a, worN=hertz, fs=SR)[1]
    np.testing.assert_allclose(response[0], expected, rtol=1e-3)
    np.testing.assert_allclose(response[1], expected, rtol=1e-3)


def test_emotions_move_the_voice_as_stated() -> None:
    """Over speakers, anger is loud and fast, joy high, sadness soft and slow."""
    takes = {e: [speak(n, emotion=e) for n in range(1, 7)] for e in EMOTIONS}
    loudness = {e: np.mean([level(y) for y in ys]) for e, ys in takes.items()}
    seconds = {e: np.mean([spoken(y) for y in ys]) for e, ys in takes.items()}
    f0 = {e: np.mean([median_f0(y) for y in ys]) for e, ys in takes.items()}
    bright = {e: np.mean([spectral_centroid(y=y).mean() for y in ys]) for e, ys in takes.items()}
    assert loudness["angry"] > loudness["happy"] > loudness["neutral"] > loudness["sad"]
    assert max(seconds["angry"], seconds["happy"]) < seconds["neutral"] < seconds["sad"]
    assert min(f0["happy"], f0["angry"]) > f0["neutral"] > f0["sad"]
    assert bright["angry"] > bright["neutral"]


def test_sentences_differ() -> None:
    """All ten are different sequences of known sounds, and differ in length or spectrum."""
    assert len(set(SENTENCES)) == 10
    assert {p.removesuffix("1") for s in SENTENCES for p in s.split()} <= set(PHONES)
    mfcc = [librosa.feature.mfcc(y=speak(1, sentence=s)).mean(axis=1) for s in range(1, 11)]
    distance = np.linalg.norm(np.subtract.outer(mfcc, mfcc).diagonal(axis1=1, axis2=3), axis=-1)
    assert distance[~np.eye(10, dtype=bool)].min() > 1


def test_recordings_are_finite_unclipped_and_of_sensible_length() -> None:
    """Over speakers, sentences and emotions: 1.5 to 5.7 s, no clipping, silence at both ends."""
    for speaker in range(1, 13):
        y = speak(
            speaker,
            gender=("male", "female")[speaker % 2],
            sentence=1 + speaker % 10,
            emotion=EMOTIONS[speaker % 4],
        )
        assert y.dtype == np.float32
        assert np.isfinite(y).all()
        assert np.abs(y).max() < 1
        assert 1.5 <= y.size / SR <= 5.7
        edges = np.r_[y[: SR // 10], y[-SR // 20 :]]
        assert level(edges) < level(y) - 12


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100, 48_000])
def test_other_sample_rates(sample_rate: int) -> None:
    """The pitch and the length don't depend on the sample rate."""
    y = synthesise(
        gender="female", emotion="neutral", sentence=1, speaker=1, sample_rate=sample_rate
    )
    assert np.isfinite(y).all()
    assert y.size / sample_rate == pytest.approx(speak(1).size / SR, abs=0.05)
    resampled = librosa.resample(y, orig_sr=sample_rate, target_sr=SR)
    assert median_f0(resampled) == pytest.approx(median_f0(speak(1)), rel=0.05)


def test_labels_are_the_originals(corpus: Path) -> None:
    """The table has the original's columns and codes, and a row for every file; README warns."""
    assert "say nothing about people" in (corpus / "README.txt").read_text(encoding="utf-8")
    table = pd.read_csv(corpus / "labels.csv")
    assert list(table) == ["voice_id", "Text_ID", "Sex", "Age", "emotion_ID"]
    wavs = {path.stem: path for path in corpus.rglob("*.wav")}
    assert set(table["voice_id"]) == set(wavs)
    assert len(table) == len(wavs) == 2 * 2 * 4
    assert set(table["emotion_ID"]) == {1, 2, 3, 4}
    assert set(table["Text_ID"]) == {1, 2}
    assert set(table["Sex"]) == {0, 1}
    assert table["Age"].between(18, 65).all()
    assert table.groupby(table["voice_id"].str.split("_").str[0])["Age"].nunique().eq(1).all()


def test_files_hold_what_the_labels_say(corpus: Path) -> None:
    """Each WAV is 16-bit mono, and its samples are those of its labels, rounded."""
    emotion = {1: "angry", 2: "happy", 3: "sad", 4: "neutral"}
    for row in pd.read_csv(corpus / "labels.csv").itertuples():
        speaker = str(row.voice_id).split("_")[0]
        path = corpus / speaker / f"{row.voice_id}.wav"
        assert soundfile.info(path).subtype == "PCM_16"
        y, sr = soundfile.read(path, dtype="float32")
        expected = synthesise(
            gender=["male", "female"][row.Sex],
            emotion=emotion[row.emotion_ID],
            sentence=row.Text_ID,
            speaker=int(speaker[1:]),
        )
        assert sr == SR
        np.testing.assert_allclose(y, expected, atol=1 / 2**15)


def test_speakers_do_not_depend_on_how_many_there_are(corpus: Path, tmp_path: Path) -> None:
    """A corpus of one speaker is the first part of a corpus of two."""
    write_corpus(tmp_path, replace(SMALL, speakers=1))
    one, two = files(tmp_path), files(corpus)
    wavs = [name for name in one if name.endswith(".wav")]
    assert len(wavs) == 8
    assert all(one[name] == two[name] for name in wavs)


def test_workers_give_the_same_files_and_progress_is_counted(corpus: Path, tmp_path: Path) -> None:
    """Threads chosen from outside write the same bytes; ``on_file`` is called for each file."""
    calls: list[None] = []
    with joblib.parallel_config(backend="threading", n_jobs=2):
        write_corpus(tmp_path, SMALL, on_file=lambda: calls.append(None))
    assert len(calls) == 16
    assert files(tmp_path) == files(corpus)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the files written from here on."""
    names: list[str] = []
    write = synthetic.write_whole

    def spy(path: Path, content: bytes) -> None:
        names.append(path.name)
        write(path, content)

    monkeypatch.setattr(synthetic, "write_whole", spy)
    return names


def test_complete_corpus_is_left_alone(corpus: Path, written: list[str]) -> None:
    """A second call with the same configuration writes nothing and gives the same path."""
    assert write_corpus(corpus, SMALL) == corpus / "labels.csv"
    assert written == []


def test_broken_off_run_is_completed(corpus: Path, tmp_path: Path, written: list[str]) -> None:
    """Without labels, what is missing is written, the rest kept, and old leftovers removed."""
    write_corpus(tmp_path, SMALL)
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "s0002" / "s0002_t01_e3.wav").unlink()
    old, young = (tmp_path / "s0002" / f".{n}.wav.tmp" for n in ("old", "young"))
    old.write_bytes(b"RIFF")
    os.utime(old, (0, 0))
    young.write_bytes(b"RIFF")
    written.clear()
    write_corpus(tmp_path, SMALL)
    assert [name for name in written if name.endswith(".wav")] == ["s0002_t01_e3.wav"]
    assert written[-1] == "labels.csv"
    assert not old.exists()
    assert young.exists()
    young.unlink()
    assert files(tmp_path) == files(corpus)


def test_failure_in_the_middle_leaves_no_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk ends the run as OSError, without labels and without half a file."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "corpus").mkdir()
    monkeypatch.setattr("speechnet.core.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_corpus(tmp_path / "corpus", SMALL)
    assert files(tmp_path) == {}


def test_run_killed_at_its_first_file_is_completed(corpus: Path, tmp_path: Path) -> None:
    """A folder that holds nothing but a leftover counts as empty."""
    leftover = tmp_path / ".synth.json.0.tmp"
    leftover.write_bytes(b"{")
    os.utime(leftover, (0, 0))
    write_corpus(tmp_path, SMALL)
    assert files(tmp_path) == files(corpus)


def test_foreign_folders_are_refused(corpus: Path, tmp_path: Path) -> None:
    """Another corpus, other settings and a file are named, and nothing is written to them."""
    with pytest.raises(ConfigError, match="another synthetic corpus; name a new folder"):
        write_corpus(corpus, replace(SMALL, seed=1))
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"not empty and has no synth\.json"):
        write_corpus(tmp_path, SMALL)
    with pytest.raises(ConfigError, match="is a file, expected a folder"):
        write_corpus(tmp_path / "thesis.txt", SMALL)
    assert list(files(tmp_path)) == ["thesis.txt"]


def test_older_version_and_damaged_settings_are_refused(tmp_path: Path) -> None:
    """A corpus of another version of the synthesiser isn't taken for this one."""
    write_corpus(tmp_path, replace(SMALL, speakers=1, sentences=1))
    settings = json.loads((tmp_path / "synth.json").read_text())
    for text in (json.dumps(settings | {"synthesiser": 0}), '{"speakers": '):
        (tmp_path / "synth.json").write_text(text)
        with pytest.raises(ConfigError, match=r"expected .*'synthesiser'"):
            write_corpus(tmp_path, replace(SMALL, speakers=1, sentences=1))
