"""Tests of which recordings are taken window by window, and of their timelines' files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.audio.config import AudioConfig
from speechnet.core.errors import ConfigError
from speechnet.inference.timelines import Windowing, write_timeline

TARGETS = {"gender": ["female", "male"]}


@pytest.mark.parametrize(
    ("asked", "audio", "expected"),
    [
        (Windowing(), AudioConfig(), (20, 3, 1.5)),
        (Windowing(longer_than=None), AudioConfig(), (300, 3, 1.5)),
        (Windowing(longer_than=None), AudioConfig(max_duration=None), (math.inf, 3, 1.5)),
        (Windowing(longer_than=None), AudioConfig(max_duration=10), (10, 3, 1.5)),
        (Windowing(), AudioConfig(max_duration=2), (2, 2, 1)),
        (Windowing(), AudioConfig(min_duration=4), (20, 4, 2)),
        (Windowing(5, 2, 0.5), AudioConfig(max_duration=10), (5, 2, 0.5)),
        (Windowing(5, 2, 2), AudioConfig(), (5, 2, 2)),
    ],
)
def test_windows_of_a_run(
    asked: Windowing, audio: AudioConfig, expected: tuple[float, float, float]
) -> None:
    """What isn't said follows from the recordings that the run takes."""
    windows = asked.within(audio)
    assert (windows.longer_than, windows.window, windows.hop) == expected
    assert windows.timelines is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Windowing(longer_than=0), r"--long is 0 s, expected more than 0"),
        (Windowing(window=-1), r"--window is -1 s, expected more than 0"),
        (Windowing(longer_than=math.nan), r"--long is nan s, expected more than 0"),
        (Windowing(hop=0), r"--hop is 0 s, expected more than 0"),
        (Windowing(hop=4), r"hop is 4 s, expected 0.1 s to the window's 3 s"),
        (Windowing(hop=0.05), r"hop is 0.05 s, expected 0.1 s"),
        (Windowing(window=11), r"window is 11 s, the run takes 0.3 to 10 s"),
        (Windowing(window=0.2), r"window is 0.2 s, the run takes 0.3 to 10 s"),
    ],
)
def test_windows_that_can_not_be(asked: Windowing, message: str) -> None:
    """They are refused before anything is computed."""
    with pytest.raises(ConfigError, match=message):
        asked.within(AudioConfig(max_duration=10))


def _timeline(*models: str) -> pd.DataFrame:
    """Two windows, the second of silence."""
    rows = [
        {"start": 0.0, "end": 3.0, "model": model, "gender": "male", "reason": ""}
        | {"gender_female": 0.25, "gender_male": 0.75}
        | {"novelty": 0.5, "unlike": "no", "far": "", "bandwidth": 3999.6}
        for model in models
    ]
    rows += [
        {"start": 1.5, "end": 4.123456, "model": model, "gender": "", "reason": "silent"}
        | {"gender_female": np.nan, "gender_male": np.nan}
        | {"novelty": np.nan, "unlike": "", "far": "", "bandwidth": np.nan}
        for model in models
    ]
    columns = ["start", "end", "model", "gender", "gender_female", "gender_male"]
    return pd.DataFrame(rows)[[*columns, "novelty", "unlike", "far", "bandwidth", "reason"]]


def test_table_and_figure(tmp_path: Path) -> None:
    """A table that reads back, digits that mean nothing left out, and a figure."""
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


def test_no_figure_of_a_single_window(tmp_path: Path) -> None:
    """The table says it all."""
    write_timeline(tmp_path, _timeline("mlp").head(1), TARGETS, name="a.wav", number=1)
    assert [path.name for path in tmp_path.iterdir()] == ["0001_a.csv"]


def test_a_figure_for_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name stands behind the recording's."""
    drawn = []
    monkeypatch.setattr("speechnet.report.drawing.timeline.draw_timeline", lambda *_, model: model)
    monkeypatch.setattr("speechnet.report.drawing.style.save", lambda *given: drawn.append(given))
    write_timeline(tmp_path, _timeline("mlp", "svm"), TARGETS, name="a.wav", number=12345)
    assert drawn == [(model, tmp_path, f"12345_a_{model}") for model in ("mlp", "svm")]
    assert [path.name for path in tmp_path.iterdir()] == ["12345_a.csv"]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd", "0001_passwd"),
        ("..", "0001_recording"),
        ("a.wav#t=1.5,3", "0001_a_wav_t_1_5_3"),
        (r"new\x0aline; rm -rf $HOME.wav", "0001_new_x0aline_rm_rf_HOME"),
        ("<script>.flac", "0001_script"),
        ("😀.wav", "0001_recording"),
        ("ß" * 300 + ".wav", "0001_" + "ß" * 40),
        (".hidden.ogg", "0001_hidden"),
        ("CON.wav", "0001_CON"),
    ],
)
def test_no_name_leads_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, stem: str
) -> None:
    """Whatever a recording is called, its files lie in the folder, and any system can hold them."""
    monkeypatch.setattr("speechnet.report.drawing.timeline.draw_timeline", lambda *_, model: model)
    monkeypatch.setattr("speechnet.report.drawing.style.save", lambda *_: [])
    write_timeline(tmp_path / "t", _timeline("mlp"), TARGETS, name=name, number=1)
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert [path.name for path in (tmp_path / "t").iterdir()] == [f"{stem}.csv"]
