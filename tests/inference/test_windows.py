"""Recordings of any length, window by window, and the files of their timelines."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import speechnet
from speechnet.audio import blocks
from speechnet.audio.config import AudioConfig
from speechnet.core.errors import ConfigError, DataError, Excluded
from speechnet.corpus.synthetic.synthesis import synthesise
from speechnet.experiment.saved_run import SavedRun
from speechnet.inference.predictor import Predictor
from speechnet.inference.windows import Windows, summarise, write_timeline

RATE = 8_000
EMOTIONS = ["angry", "happy", "sad", "neutral"]


@pytest.fixture(scope="module")
def recogniser(tiny_run: Path) -> Predictor:
    """Two models of the finished run."""
    loaded = speechnet.load(tiny_run, model="all")
    loaded.models = ["svm", "logreg"]
    return loaded


@pytest.fixture
def fresh(tiny_run: Path) -> Predictor:
    """One model, whose configuration may be changed."""
    return Predictor(SavedRun(tiny_run), model="logreg")


def speech(seconds: float, *, rate: int = RATE) -> np.ndarray:
    """Synthetic speech without a pause, float32 mono."""
    said = [
        synthesise(gender="male", emotion=emotion, sentence=2, speaker=n, sample_rate=rate)
        for n, emotion in enumerate(EMOTIONS)
    ]
    y = np.concatenate(said)
    return np.resize(y, round(seconds * rate))


def expect(
    recogniser: Predictor, table: pd.DataFrame, y: np.ndarray, spans: list[tuple[int, int]]
) -> None:
    """The table's windows are these spans of samples, each as it is recognised by itself."""
    first = table[table["model"] == recogniser.models[0]]
    np.testing.assert_allclose(first[["start", "end"]].to_numpy() * RATE, spans, atol=1e-6)
    assert table["model"].tolist() == recogniser.models * len(spans)
    rows = iter(table.itertuples(index=False))
    for start, end in spans:
        for one in recogniser.predict_all(y[start:end], RATE).values():
            row = next(rows)._asdict()
            assert row["reason"] == ""
            assert row["novelty"] == pytest.approx(one.novelty, rel=1e-9)
            assert (row["far"], row["unlike"] == "yes") == (one.far, one.unlike)
            assert row["bandwidth"] == one.bandwidth
            for target, label in one.labels.items():
                assert row[target] == label
                for name, p in one.probabilities[target].items():
                    assert row[f"{target}_{name}"] == pytest.approx(p, abs=1e-9)


def test_windows_are_slices(recogniser: Predictor) -> None:
    """Each is what the slice that NumPy cuts gives by itself, in stereo too."""
    y = speech(4.0)
    y = np.stack([y, 0.5 * y[::-1]], axis=1)
    table = recogniser.timeline(y, RATE, window=1.5, hop=1.0)
    expect(recogniser, table, y, [(0, 12_000), (8_000, 20_000), (16_000, 28_000), (24_000, 32_000)])
    assert list(table) == [
        *("start", "end", "model"),
        *("gender", "gender_female", "gender_male"),
        *("emotion", *(f"emotion_{name}" for name in EMOTIONS)),
        *("novelty", "unlike", "far", "bandwidth"),
        "reason",
    ]


def test_a_short_end_joins(recogniser: Predictor) -> None:
    """A last window of less than ``min_duration`` belongs to the one before; one of that stands."""
    y = speech(3.2)
    table = recogniser.timeline(y[: 2 * RATE + 2_399], RATE, window=1.0, hop=1.0)
    expect(recogniser, table, y, [(0, 8_000), (8_000, 18_399)])
    table = recogniser.timeline(y[: 2 * RATE + 2_400], RATE, window=1.0, hop=1.0)
    expect(recogniser, table, y, [(0, 8_000), (8_000, 16_000), (16_000, 18_400)])


def test_a_short_recording_is_one_window(recogniser: Predictor) -> None:
    """Then the timeline says what ``predict`` says, and so does its summary."""
    y = speech(2.0)
    table = recogniser.timeline(y, RATE)
    expect(recogniser, table, y, [(0, len(y))])
    found, expected = summarise(table, recogniser.targets), recogniser.predict_all(y, RATE)
    assert list(found) == list(expected)
    for model, one in expected.items():
        assert found[model].labels == one.labels


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4_000),
    st.integers(100, 1_000),
    st.floats(0.1, 1.0),
    st.sampled_from([1_000, 997, 441]),
    st.lists(st.integers(1, 900), min_size=1, max_size=5),
)
def test_the_layout(n: int, window_ms: int, overlap: float, rate: int, sizes: list[int]) -> None:
    """Whatever the blocks, windows start at the hop's multiples and cover all, the last joined."""
    window, hop = window_ms / 1_000, max(0.1, window_ms / 1_000 * overlap)
    windows = Windows(window, hop, math.inf)
    y = np.arange(n, dtype=np.float32)[:, None]
    pieces = np.split(y, np.unique(np.clip(np.cumsum(sizes), 0, n - 1)))
    found = [
        (first, len(one))
        for first, one in windows.cut([p for p in pieces if len(p)], rate, shortest=0.1)
        if np.testing.assert_array_equal(one, y[first : first + len(one)]) is None
    ]
    length, starts = round(window * rate), [0]
    while starts[-1] + length < n and n - round(len(starts) * hop * rate) >= 0.1 * rate:
        starts.append(round(len(starts) * hop * rate))
    assert [first for first, _ in found] == starts
    assert [size for _, size in found[:-1]] == [length] * (len(starts) - 1)
    assert sum(found[-1]) == n


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_file_is_its_samples(
    recogniser: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Read in blocks of any size, whatever the format."""
    path = tmp_path / f"x.{kind.lower()}"
    y = np.stack([speech(4, rate=16_000), speech(4, rate=16_000)], axis=1)
    soundfile.write(path, y, 16_000, format=kind)
    monkeypatch.setattr(blocks, "_BLOCK", 9_999)
    found = recogniser.timeline_of_file(path, window=1.0, hop=0.7)
    expected = recogniser.timeline(*soundfile.read(path), window=1.0, hop=0.7)
    assert len(found) == 12
    # soundfile.read seeks first, which changes an MP3's last bits.
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-5 if kind == "MP3" else 1e-6)


def test_what_is_planted_is_found(fresh: Predictor) -> None:
    """Silence, a click in silence that trimming leaves too little of, and a NaN, in their places.

    The rest is as if they weren't there, and a threshold empties labels only.
    """
    fresh.run.config.data.audio.trim_db, fresh.run.config.data.audio.min_duration = 30.0, 0.4
    y = speech(8)
    y[2 * RATE : 4 * RATE] = 1e-6 * np.sin(np.arange(2 * RATE))
    y[5 * RATE : 6 * RATE] = 0
    y[5 * RATE + 4_000 : 5 * RATE + 4_002] = 0.5, -0.5
    y[7 * RATE + 10] = np.nan
    table = fresh.timeline(y, RATE, window=1, hop=1, abstain=0.6)
    reasons = ["", "", "silent", "silent", "", "too_short", "", "not_finite"]
    assert table["reason"].tolist() == reasons
    usable = table["reason"] == ""
    values = table.filter(regex="_").to_numpy(float)
    assert np.isnan(values[~usable]).all()
    assert (table.loc[~usable, ["gender", "emotion"]] == "").all(axis=None)
    for second in np.flatnonzero(usable):
        alone = fresh.predict(y[second * RATE : (second + 1) * RATE], RATE, abstain=0.6)
        numbers = [p for by in alone.probabilities.values() for p in by.values()]
        np.testing.assert_allclose(values[second], numbers, atol=1e-9)
        row = table.loc[second, ["gender", "emotion"]]
        assert [label or None for label in row] == list(alone.labels.values())
    assert (table.loc[usable, "emotion"] == "").any()


def test_the_whole_is_the_mean(recogniser: Predictor) -> None:
    """Of the windows that sound, those without a label included; a threshold is of the mean."""
    y = speech(4)
    y[RATE : 2 * RATE] = 0
    table = recogniser.timeline(y, RATE, window=1, hop=1, abstain=1.0)
    found = summarise(table, recogniser.targets)
    for model in recogniser.models:
        alone = [
            recogniser.predict(y[s * RATE : (s + 1) * RATE], RATE, model=model).probabilities
            for s in (0, 2, 3)
        ]
        for target, by_class in found[model].probabilities.items():
            for name, p in by_class.items():
                assert p == pytest.approx(np.mean([one[target][name] for one in alone]), abs=1e-9)
            assert found[model].labels[target] == max(by_class, key=by_class.__getitem__)
        heard = table[(table["model"] == model) & (table["reason"] == "")]
        assert found[model].novelty == pytest.approx(heard["novelty"].mean())
        assert found[model].bandwidth == heard["bandwidth"].max()
    unsure = summarise(table, recogniser.targets, abstain=1.0)
    assert unsure["svm"].labels == {"gender": None, "emotion": None}
    with pytest.raises(Excluded, match="silent: not one of 3 windows can be used"):
        summarise(recogniser.timeline(np.zeros(3 * RATE), RATE, window=1, hop=1), {})


def test_the_run_bounds_windows_not_recordings(fresh: Predictor, tmp_path: Path) -> None:
    """A long recording is taken whatever ``max_duration`` and ``max_samples`` say of a file."""
    audio = fresh.run.config.data.audio
    audio.max_duration, audio.max_samples = 1.0, 2 * RATE
    path = tmp_path / "x.wav"
    soundfile.write(path, np.stack([speech(3.0)] * 2, axis=1), RATE)
    with pytest.raises(Excluded, match="too_long"):
        fresh.predict(*soundfile.read(path))
    assert fresh.timeline_of_file(path, window=1, hop=1)["reason"].tolist() == [""] * 3
    with pytest.raises(ConfigError, match=r"window is 1\.5 s, the run takes 0\.3 to 1 s"):
        fresh.timeline_of_file(path, window=1.5)
    soundfile.write(path, np.zeros((3 * RATE, 3)), RATE)
    with pytest.raises(Excluded, match="too_large: 8,000 frames of 3 channels"):
        fresh.timeline_of_file(path, window=1, hop=1)
    with pytest.raises(Excluded, match="too_large"):
        fresh.timeline(np.zeros((3 * RATE, 3)), RATE, window=1, hop=1)


@pytest.mark.parametrize(
    ("asked", "audio", "expected"),
    [
        ({}, {}, (3, 1.5, 20)),
        ({"longer_than": None}, {}, (3, 1.5, 300)),
        ({"longer_than": None}, {"max_duration": None}, (3, 1.5, math.inf)),
        ({"longer_than": None}, {"max_duration": 10}, (3, 1.5, 10)),
        ({}, {"max_duration": 2}, (2, 1, 2)),
        ({}, {"min_duration": 4}, (4, 2, 20)),
        ({"longer_than": 5, "length": 2, "hop": 0.5}, {"max_duration": 10}, (2, 0.5, 5)),
        ({"longer_than": 5, "length": 2, "hop": 2}, {}, (2, 2, 5)),
    ],
)
def test_windows_of_a_run(
    asked: dict[str, Any], audio: dict[str, Any], expected: tuple[float, float, float]
) -> None:
    """Defaults follow from the recordings that the run takes."""
    assert Windows.of(AudioConfig(**audio), **asked) == Windows(*expected)


@pytest.mark.parametrize(
    ("window", "hop", "abstain", "match"),
    [
        (0.2, 0.2, 0.0, r"window is 0\.2 s, the run takes 0\.3 to 300 s"),
        (301, 1.0, 0.0, "window is 301 s"),
        (math.inf, 1.0, 0.0, "window is inf s"),
        (math.nan, 1.0, 0.0, "window is nan s"),
        (1.0, 1.1, 0.0, r"hop is 1\.1 s, expected 0\.1 s to the window's 1 s"),
        (1.0, 0.05, 0.0, "hop is 0.05 s"),
        (1.0, math.nan, 0.0, "hop is nan s"),
        (1.0, 1.0, 2.0, "abstain is 2.0"),
    ],
)
def test_settings_that_make_no_sense(
    recogniser: Predictor, tmp_path: Path, window: float, hop: float, abstain: float, match: str
) -> None:
    """Refused before a file is opened."""
    with pytest.raises(ConfigError, match=match):
        recogniser.timeline(speech(2), RATE, window=window, hop=hop, abstain=abstain)
    with pytest.raises(ConfigError, match=match):
        recogniser.timeline_of_file(tmp_path / "none.wav", window=window, hop=hop, abstain=abstain)


def test_recordings_that_cannot_be_used(recogniser: Predictor, tmp_path: Path) -> None:
    """As a whole: missing, too short, cut, a rate that can't be; samples of the wrong kind."""
    path = tmp_path / "x.wav"
    with pytest.raises(Excluded, match="missing"):
        recogniser.timeline_of_file(path)
    soundfile.write(path, speech(5), RATE)
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(Excluded, match=r"truncated: 0\.044 s: 700 bytes fewer"):
        recogniser.timeline_of_file(path)
    soundfile.write(path, speech(0.2), RATE)
    with pytest.raises(Excluded, match=r"too_short: 0\.200 s"):
        recogniser.timeline_of_file(path)
    soundfile.write(path, speech(2), 1_000)
    with pytest.raises(Excluded, match="bad_rate: found 1000 Hz"):
        recogniser.timeline_of_file(path)
    with pytest.raises(Excluded, match="bad_rate: found 1000 Hz"):
        recogniser.timeline(speech(2), 1_000)
    with pytest.raises(Excluded, match="empty"):
        recogniser.timeline(np.zeros(0), RATE)
    with pytest.raises(DataError, match=r"y has shape \(64, 16000\)"):
        recogniser.timeline(np.zeros((64, 16_000)), RATE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_length_takes_no_memory(tiny_run: Path, tmp_path: Path) -> None:
    """20 minutes need hardly more than 5: they are 160 MB of samples more.

    Speech between long silences, as silence takes least time; what is kept of a window that can't
    be used counts too.
    """
    y, pause = speech(6, rate=44_100), np.zeros(144 * 44_100, np.float32)
    for minutes in (5, 20):
        with soundfile.SoundFile(tmp_path / f"{minutes}.wav", "w", 44_100, 1) as sound:
            for _ in range(minutes * 60 // 150):
                sound.write(y)
                sound.write(pause)
    code = f"""
from pathlib import Path
import speechnet
recogniser = speechnet.load({str(tiny_run)!r}, model="logreg")
for minutes in (5, 20):
    table = recogniser.timeline_of_file(Path({str(tmp_path)!r}) / f"{{minutes}}.wav", hop=3.0)
    status = Path("/proc/self/status").read_text()
    print(len(table), (table["reason"] == "").sum(), status.split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (few, *_, before), (many, spoken, after) = (
        map(int, x.split()) for x in done.stdout.splitlines()
    )
    assert (few, many, spoken) == (100, 400, 16)
    assert after - before < 40_000  # KiB


TARGETS = {"gender": ["female", "male"]}


def _timeline(*models: str) -> pd.DataFrame:
    """Two windows, the second of silence."""
    nan = math.nan
    rows = [(0.0, 3.0, model, "male", 0.25, 0.75, 0.5, "no", "", 3999.6, "") for model in models]
    rows += [(1.5, 4.123456, model, "", nan, nan, nan, "", "", nan, "silent") for model in models]
    columns = ["start", "end", "model", "gender", "gender_female", "gender_male"]
    return pd.DataFrame(rows, columns=[*columns, "novelty", "unlike", "far", "bandwidth", "reason"])


def test_table_and_figure(tmp_path: Path) -> None:
    """A table that reads back, without meaningless digits, and a figure."""
    folder = tmp_path / "new" / "folder"
    write_timeline(folder, _timeline("mlp"), TARGETS, name="rec/a b.wav", number=7)
    assert sorted(path.name for path in folder.iterdir()) == [
        f"0007_a_b.{ending}" for ending in ("csv", "png", "svg")
    ]
    assert (folder / "0007_a_b.csv").read_text().splitlines() == [
        "start,end,model,gender,gender_female,gender_male,novelty,unlike,far,bandwidth,reason",
        "0.000,3.000,mlp,male,0.250000,0.750000,0.500000,no,,4000,",
        "1.500,4.123,mlp,,,,,,,,silent",
    ]
    assert (folder / "0007_a_b.svg").read_bytes().startswith(b"<?xml")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Figures that would have been written: model, folder and name of each."""
    saved: list[object] = []
    monkeypatch.setattr(
        "speechnet.report.drawing.timeline.draw_timeline", lambda *_, model, **__: model
    )
    monkeypatch.setattr("speechnet.report.drawing.style.save", lambda *given: saved.append(given))
    return saved


def test_a_figure_for_each_model(tmp_path: Path, drawn: list[object]) -> None:
    """Its name follows the recording's; a single window has none: the table says it all."""
    write_timeline(tmp_path, _timeline("mlp", "svm"), TARGETS, name="a.wav", number=12345)
    assert drawn == [(model, tmp_path, f"12345_a_{model}") for model in ("mlp", "svm")]
    write_timeline(tmp_path, _timeline("mlp").head(1), TARGETS, name="a.wav", number=1)
    assert len(drawn) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001_a.csv", "12345_a.csv"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd", "0001_passwd"),
        ("..", "0001_recording"),
        ("a.wav#t=1.5,3", "0001_a_wav_t_1_5_3"),
        (r"new\x0aline; rm -rf $HOME.wav", "0001_new_x0aline_rm_rf_HOME"),
        ("<script>.flac", "0001_script"),
        ("ß" * 300 + ".wav", "0001_" + "ß" * 40),
        (".hidden.ogg", "0001_hidden"),
    ],
)
@pytest.mark.usefixtures("drawn")
def test_no_name_leads_elsewhere(tmp_path: Path, name: str, stem: str) -> None:
    """Whatever a recording is called, its files lie in the folder, and any system can hold them."""
    write_timeline(tmp_path / "t", _timeline("mlp"), TARGETS, name=name, number=1)
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert [path.name for path in (tmp_path / "t").iterdir()] == [f"{stem}.csv"]
