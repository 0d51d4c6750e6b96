"""Mistakes are heard as they were recorded, or not at all."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.faults import RATE, encoded, speech

from speechnet.audio.config import AudioConfig
from speechnet.audio.spectrogram import mel_spectrogram
from speechnet.config.data import DataConfig, FeaturesConfig
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import StorageError
from speechnet.corpus.config import CorpusConfig
from speechnet.data.datamodule import SpeechDataModule
from speechnet.denoise import DenoiseConfig
from speechnet.experiment import mistakes as module
from speechnet.experiment.fit import fit
from speechnet.experiment.mistakes import mp3_bytes, picture_bytes, write_mistakes
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_tables import read_table
from speechnet.features.functionals import Functionals
from speechnet.report.config import ReportConfig
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow

HOSTILE = (
    b"<img src=x onerror=alert(1)>.wav",
    b"two\nlines.wav",
    b"x\\..\\..\\up.wav",
    b"~....wav",
    b'"quoted",=1+1.wav',
    b"no utf-8 \xff.wav",
    "naïve \u202e.wav".encode(),
)


def opened(
    root: Path, corpus: CorpusConfig, *, audio: AudioConfig, targets: tuple[str, ...] = ("emotion",)
) -> SpeechDataModule:
    """A corpus at hand, its features computed."""
    config = DataConfig(
        corpus=replace(corpus, root=str(root)),
        targets=dict.fromkeys(targets),
        audio=audio,
        denoise=DenoiseConfig(method="none"),
        features=FeaturesConfig(
            functionals=Functionals(preset=None, include={"zero_crossing_rate": ["mean"]})
        ),
        split=SplitConfig(),
        cache_dir=str(root.parent / "cache"),
    )
    data = SpeechDataModule(config, seed=0)
    data.prepare_data()
    return data


def folders(root: Path, recordings: dict[str, np.ndarray], **audio: float) -> SpeechDataModule:
    """A corpus of folders, one for each emotion; sounds by path."""
    for name, y in recordings.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, y, RATE, subtype="FLOAT")
    settings = replace(AudioConfig(sample_rate=16_000), **audio)
    return opened(root, CorpusConfig(name="folders"), audio=settings)


def all_mistaken(data: SpeechDataModule) -> pd.DataFrame:
    """Predictions that are all wrong, the first recording's most confident."""
    rows = []
    for target, classes in data.targets.items():
        for place, (file, truth) in enumerate(data.table[target].items()):
            wrong = next(name for name in classes if name != truth)
            sure = 0.95 - place / 100
            rest = (1 - sure) / (len(classes) - 1)
            shares = {f"p_{name}": sure if name == wrong else rest for name in classes}
            row = {"file": file, "part": "test", "fold": 0, "model": "knn", "target": target}
            rows.append(row | {"truth": truth, "predicted": wrong} | shares)
    return pd.DataFrame(rows)


def written(data: SpeechDataModule, folder: Path, **config: bool | int) -> pd.DataFrame:
    """The table of mistakes, read back from the run folder."""
    folder.mkdir()
    write_mistakes(
        ReportConfig(**({"mistakes": 20} | config)),
        data,
        run=RunFolder(folder, {}),
        predictions=all_mistaken(data),
        model="knn",
    )
    return read_table(folder / "mistakes.csv")


def heard(folder: Path, row: pd.Series) -> tuple[np.ndarray, int]:
    """What the clip of a mistake holds."""
    y, rate = soundfile.read(folder / row["clip"], dtype="float32")
    assert y.ndim == 1
    return y, rate


def agreement(clip: np.ndarray, y: np.ndarray) -> float:
    """The correlation of two sounds of the same length."""
    assert len(clip) == len(y)
    return float(np.corrcoef(clip, y)[0, 1])


def files_below(folder: Path) -> set[str]:
    """Every file and folder, relative."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


class TestWhatIsHeard:
    def test_real_speech_is_what_librosa_reads(self, ravdess: Path, tmp_path: Path) -> None:
        """As long, as loud and in the same shape as the recording at the features' rate."""
        sources = sorted((ravdess / "Actor_03").glob("*-0[34]-01-01-01-*"))
        assert len(sources) == 2
        for source, emotion in zip(sources, ("happy", "sad"), strict=True):
            (tmp_path / "corpus" / emotion).mkdir(parents=True)
            (tmp_path / "corpus" / emotion / source.name).write_bytes(source.read_bytes())
        data = opened(tmp_path / "corpus", CorpusConfig(name="folders"), audio=AudioConfig())
        found = written(data, tmp_path / "run")
        for source, (_, row) in zip(sources, found.iterrows(), strict=True):
            y, native = soundfile.read(source, dtype="float32")
            y = librosa.resample(y, orig_sr=native, target_sr=22_050, res_type="soxr_hq")
            clip, rate = heard(tmp_path / "run", row)
            assert (rate, row["start"]) == (22_050, 0)
            assert row["end"] == pytest.approx(len(y) / 22_050)
            assert agreement(clip, y - y.mean()) > 0.99
            assert clip.std() == pytest.approx(y.std(), rel=0.03)

    def test_the_table_tells_all(self, tmp_path: Path) -> None:
        """Its columns in order; confidence falls, and every picture is there."""
        (tmp_path / "corpus").mkdir()
        lines = ["file,speaker,gender,emotion"]
        for number, (gender, emotion) in enumerate([("f", "sad"), ("m", "happy")]):
            soundfile.write(tmp_path / "corpus" / f"{number}.wav", speech(number), RATE)
            lines.append(f"{number}.wav,0{number},{gender},{emotion}")
        (tmp_path / "corpus" / "labels.csv").write_text("\n".join(lines))
        targets = ("gender", "emotion")
        audio = AudioConfig(sample_rate=16_000)
        data = opened(tmp_path / "corpus", CorpusConfig(name="csv"), audio=audio, targets=targets)
        found = written(data, tmp_path / "run")
        assert list(found.columns) == [
            *("target", "model", "fold", "file", "speaker", "gender", "truth", "predicted"),
            *("confidence", "start", "end", "clip", "picture", "unavailable"),
            *("p_female", "p_male", "p_happy", "p_sad"),
        ]
        assert found["target"].tolist() == ["gender"] * 2 + ["emotion"] * 2
        assert found["speaker"].tolist() == ["00", "01"] * 2
        assert found["gender"].tolist() == ["female", "male"] * 2
        assert found["confidence"].tolist() == pytest.approx([0.95, 0.94] * 2)
        # One of each recording, though it is mistaken twice.
        assert found["clip"].tolist() == ["mistakes/001.mp3", "mistakes/002.mp3"] * 2
        assert found["picture"].tolist() == ["mistakes/001.svg", "mistakes/002.svg"] * 2
        assert found["unavailable"].isna().all()
        assert files_below(tmp_path / "run" / "mistakes") == {
            *("001.mp3", "001.svg", "002.mp3", "002.svg")
        }

    def test_silence_that_is_trimmed_is_not_heard(self, tmp_path: Path) -> None:
        """The seconds of the rest are those of the file, and six of them are kept."""
        silence = np.zeros(2 * RATE, np.float32)
        y = np.concatenate([silence, speech(3, 8.0), silence])
        data = folders(tmp_path / "a", {"sad/a.wav": y, "happy/b.wav": speech(4)}, trim_db=30.0)
        found = written(data, tmp_path / "run").set_index("file")
        row = found.loc["sad/a.wav"]
        assert row["start"] == pytest.approx(2.0, abs=0.15)
        assert row["end"] - row["start"] == pytest.approx(6.0)
        clip, rate = heard(tmp_path / "run", row)
        whole = librosa.resample(y - y.mean(), orig_sr=RATE, target_sr=rate, res_type="soxr_hq")
        first = round(row["start"] * rate)
        assert agreement(clip, whole[first : first + 6 * rate]) > 0.99
        features = librosa.effects.trim(whole, top_db=30.0)[1]
        assert first == features[0]

    def test_a_part_is_heard_alone(self, tmp_path: Path) -> None:
        """Of a long file that the corpus cuts into parts."""
        y = speech(5, 6.0)
        (tmp_path / "corpus").mkdir()
        soundfile.write(tmp_path / "corpus" / "long.wav", y, RATE)
        table = "file,emotion,start,end\nlong.wav,sad,1.5,2.5\nlong.wav,happy,3,4.25\n"
        (tmp_path / "corpus" / "labels.csv").write_text(table)
        audio = AudioConfig(sample_rate=16_000)
        data = opened(tmp_path / "corpus", CorpusConfig(name="csv"), audio=audio)
        found = written(data, tmp_path / "run")
        assert found[["start", "end"]].to_numpy().tolist() == [[1.5, 2.5], [3.0, 4.25]]
        clip, rate = heard(tmp_path / "run", found.iloc[1])
        part = y[3 * RATE : round(4.25 * RATE)]
        part = librosa.resample(part - part.mean(), orig_sr=RATE, target_sr=rate)
        assert agreement(clip, part) > 0.99


class TestMp3:
    @pytest.mark.parametrize(
        ("sr", "expected"),
        [(8_000, 8_000), (10_000, 11_025), (16_000, 16_000), (22_050, 22_050), (96_000, 48_000)],
    )
    def test_any_rate_is_played_at_its_speed(self, sr: int, expected: int) -> None:
        """An MP3 can have nine rates; others become the next."""
        y = speech(1, 1.0, sr)
        clip, rate = soundfile.read(io.BytesIO(mp3_bytes(y, sr)), dtype="float32")
        assert rate == expected
        assert abs(len(clip) / rate - 1.0) < 1e-3
        same = librosa.resample(y, orig_sr=sr, target_sr=rate)[: len(clip)]
        assert agreement(clip[: len(same)], same) > 0.97

    @pytest.mark.parametrize("peak", [1.0, 0.03, 0.001])
    def test_loudness_is_kept(self, peak: float) -> None:
        """A whisper stays one, and does not fall silent."""
        y = speech(2, 2.0)
        y *= np.float32(peak) / np.abs(y).max()
        clip, _ = soundfile.read(io.BytesIO(mp3_bytes(y, RATE)), dtype="float32")
        assert clip.std() == pytest.approx(y.std(), rel=0.05)
        assert agreement(clip, y) > 0.97

    def test_what_exceeds_full_scale_is_brought_down_to_it(self) -> None:
        """Cut off it would sound unlike the recording."""
        y = 30_000 * speech(2, 2.0)
        clip, _ = soundfile.read(io.BytesIO(mp3_bytes(y, RATE)), dtype="float32")
        assert 0.9 < np.abs(clip).max() < 1.1
        assert agreement(clip, y) > 0.97

    def test_six_seconds_are_small(self) -> None:
        """Twelve of them, embedded, stay far below a megabyte; and the same bytes each time."""
        y = speech(6, 6.0)
        assert mp3_bytes(y, RATE) == mp3_bytes(y, RATE)
        assert len(mp3_bytes(y, RATE)) < 60_000


class TestPicture:
    @pytest.mark.parametrize("sr", [8_000, 22_050, 48_000])
    def test_the_spectrogram_is_librosa_s(self, sr: int) -> None:
        """Its definition written out: power, Slaney's bands, decibels below the loudest."""
        y = speech(3, 1.5, sr)
        mel_db, frequencies, hop_length = mel_spectrogram(y, sr)
        n_fft = {8_000: 512, 22_050: 1_024, 48_000: 2_048}[sr]
        assert hop_length == sr // 50
        power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length)) ** 2
        mel = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=64) @ power
        expected = 10 * np.log10(np.maximum(mel, 1e-10)) - 10 * np.log10(mel.max())
        np.testing.assert_allclose(mel_db, np.maximum(expected, -80), atol=1e-3)
        assert len(frequencies) == 64

    def test_a_tone_lies_in_the_band_of_its_frequency(self) -> None:
        """The centres are where the bands are."""
        for hz in (200.0, 1_000.0, 5_000.0):
            tone = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
            mel_db, frequencies, _ = mel_spectrogram(tone, RATE)
            assert np.abs(frequencies - hz).argmin() == mel_db[:, 25].argmax()

    @pytest.mark.parametrize("seconds", [0.005, 3.0, 6.0])
    @pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")
    def test_every_length_has_a_small_picture(self, seconds: float) -> None:
        """Below 65 kB, an SVG to its end."""
        content = picture_bytes(speech(4, seconds), RATE)
        assert content.startswith(b"<?xml")
        assert content.rstrip().endswith(b"</svg>")
        assert len(content) < 65_000

    def test_silence_has_a_picture_too(self) -> None:
        """The six seconds of a long recording may hold nothing."""
        assert b"</svg>" in picture_bytes(np.zeros(RATE, np.float32), RATE)


class TestNames:
    def test_hostile_names_stay_in_the_table(self, tmp_path: Path) -> None:
        """Files are numbered; nothing is written anywhere else, and every name is read back."""
        root = tmp_path / "corpus"
        for number, name in enumerate(HOSTILE):
            folder = root / ("sad" if number % 2 else "happy")
            folder.mkdir(parents=True, exist_ok=True)
            path = os.path.join(os.fsencode(folder), name)  # noqa: PTH118 - bytes
            with open(path, "wb") as file:  # noqa: PTH123 - bytes
                file.write(encoded(speech(number), "WAV"))
        audio = AudioConfig(sample_rate=16_000)
        data = opened(root, CorpusConfig(name="folders"), audio=audio)
        before = files_below(tmp_path)
        found = written(data, tmp_path / "run")
        assert found["file"].tolist() == data.table.index.tolist()
        assert len(found) == len(HOSTILE)
        numbers = [f"{number:03d}" for number in range(1, len(HOSTILE) + 1)]
        assert found["clip"].tolist() == [f"mistakes/{number}.mp3" for number in numbers]
        assert files_below(tmp_path) - before == {
            *("run", "run/mistakes", "run/mistakes.csv"),
            *(f"run/mistakes/{number}.{kind}" for number in numbers for kind in ("mp3", "svg")),
        }
        pictures = [(tmp_path / "run" / name).read_text() for name in found["picture"]]
        assert not any("onerror" in picture or "lines" in picture for picture in pictures)


class TestUnavailable:
    @pytest.fixture
    def data(self, tmp_path: Path) -> SpeechDataModule:
        """Three recordings."""
        names = ("happy/a.wav", "happy/b.wav", "sad/c.wav")
        return folders(tmp_path / "corpus", {name: speech(i) for i, name in enumerate(names)})

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (Path.unlink, "there is no such file"),
            (lambda path: path.write_bytes(b""), "the file has 0 bytes"),
            (lambda path: path.write_bytes(b"<html>"), "this is a web page"),
            (
                lambda path: path.write_bytes(encoded(speech(9), "WAV")),
                "no longer holds the samples",
            ),
        ],
    )
    def test_what_can_not_be_read_any_more_has_the_reason(
        self, data: SpeechDataModule, tmp_path: Path, spoil: Callable[[Path], object], why: str
    ) -> None:
        """The others are there."""
        spoil(data.corpus.root / "happy" / "b.wav")
        found = written(data, tmp_path / "run")
        gone = found.iloc[1]
        assert why in gone["unavailable"]
        assert gone[["start", "end", "clip", "picture"]].isna().all()
        assert found["clip"].dropna().tolist() == ["mistakes/001.mp3", "mistakes/003.mp3"]
        assert files_below(tmp_path / "run" / "mistakes") == {
            *("001.mp3", "001.svg", "003.mp3", "003.svg")
        }

    def test_a_library_without_mp3_costs_no_run(
        self, data: SpeechDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The table says what was missing."""

        def refuse(*_args: object, **_options: object) -> None:
            raise ValueError("Unknown format: 'MP3'")

        monkeypatch.setattr(module.soundfile, "write", refuse)
        found = written(data, tmp_path / "run")
        assert (found["unavailable"] == "ValueError: Unknown format: 'MP3'").all()
        assert files_below(tmp_path / "run" / "mistakes") == set()

    def test_a_full_disk_is_told(
        self, data: SpeechDataModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is no fault of a recording."""

        def fail(*_args: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(module, "write_whole", fail)
        with pytest.raises(StorageError, match=r"no space left to write .*mistakes"):
            written(data, tmp_path / "run")

    def test_switched_off_nothing_of_sound_is_written(
        self, data: SpeechDataModule, tmp_path: Path
    ) -> None:
        """The table alone, with the probabilities."""
        found = written(data, tmp_path / "run", audio=False)
        assert files_below(tmp_path / "run") == {"mistakes.csv"}
        assert (found["unavailable"] == "switched off by report.audio").all()
        assert found[["start", "end", "clip", "picture"]].isna().all(axis=None)
        assert found["p_sad"].notna().all()

    def test_without_a_model_there_are_no_mistakes(
        self, data: SpeechDataModule, tmp_path: Path
    ) -> None:
        """The table is there, without rows."""
        (tmp_path / "run").mkdir()
        write_mistakes(
            ReportConfig(),
            data,
            run=RunFolder(tmp_path / "run", {}),
            predictions=all_mistaken(data),
            model=None,
        )
        assert read_table(tmp_path / "run" / "mistakes.csv").empty


class TestInARun:
    QUICK = (
        *("--models.mlp=null", "--models.knn=null", "--models.svm=null"),
        *("--evaluation.clustering.enabled=false", "--evaluation.resamples=100"),
    )

    def test_a_run_has_its_mistakes(self, tiny_run: Path) -> None:
        """Those of its predictions, each with a clip and a picture."""
        found = read_table(tiny_run / "mistakes.csv")
        predictions = pd.read_parquet(tiny_run / "predictions.parquet")
        test = predictions[predictions["part"] == "test"]
        for target, rows in found.groupby("target"):
            (model,) = rows["model"].unique()
            wrong = test[(test["target"] == target) & (test["model"] == model)]
            wrong = wrong[wrong["truth"] != wrong["predicted"]]
            best = wrong[[f"p_{name}" for name in wrong["truth"].unique()]].max(axis=1).max()
            assert rows["confidence"].iloc[0] >= best
            assert len(rows) == min(2, wrong["file"].nunique())
        for name in [*found["clip"], *found["picture"]]:
            assert (tiny_run / name).stat().st_size > 1_000

    @pytest.mark.parametrize("setting", ["--report.audio=false", "--report.mistakes=0"])
    def test_data_that_must_not_leave_stays(
        self, tiny_config: Path, tmp_path: Path, setting: str
    ) -> None:
        """No file of the whole run folder holds a sound, the report neither."""
        flags = ["--config", str(tiny_config), "--out", str(tmp_path), *self.QUICK, setting]
        run = fit(*read_experiment(flags))
        assert not (run / "mistakes").exists()
        assert (run / "mistakes.csv").exists() == ("audio" in setting)
        for path in (path for path in run.rglob("*") if path.is_file()):
            content = path.read_bytes()
            assert path.suffix not in {".mp3", ".wav", ".flac", ".ogg"}
            assert not content.startswith((b"RIFF", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xe3"))
            assert b"data:audio" not in content
