"""The most confident mistakes, to be looked at and heard."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from speechnet.core.wording import counted, plural
from speechnet.report.data import ReportData
from speechnet.report.html.svg import inline_svg
from speechnet.report.names import percent

_UNKNOWN: Final = "unknown"
_NOTHING_S: Final = 0.05
"""A part that leaves out less, in seconds, is the whole recording to a listener."""
_Row = Mapping[Any, Any]
"""A row of ``mistakes.csv``."""


@dataclass(frozen=True)
class Likelihood:
    """What a model held of one class.

    Attributes:
        label: the class.
        share: its probability in per cent.
        mark: ``true`` for the right one, ``chosen`` for the one it said, else ``bar``.
    """

    label: str
    share: float
    mark: str


@dataclass(frozen=True)
class Mistake:
    """One recording that was taken for something else.

    Attributes:
        title: what was taken for what.
        facts: file, speaker and the like, by heading.
        likelihoods: the probability of every class.
        unavailable: why something is missing.
        sound: the clip as a ``data:`` address; empty where it can't be heard.
        picture: waveform and mel spectrogram; None where there is none.
    """

    title: str
    facts: dict[str, str]
    likelihoods: list[Likelihood]
    unavailable: str
    sound: str = ""
    picture: Markup | None = None


@dataclass(frozen=True)
class Mistakes:
    """Those of one target.

    Attributes:
        target: its name.
        model: whose mistakes they are.
        shown: the mistakes.
        note: that others could stand in their place; empty where none could.
    """

    target: str
    model: str
    shown: list[Mistake]
    note: str


def mistakes(
    data: ReportData, clips: Mapping[str, bytes], pictures: Mapping[str, str]
) -> list[Mistakes]:
    """The most confident mistakes of each target that has any in the run folder.

    Args:
        data: the run.
        clips: by the name that the table of mistakes has the bytes of each MP3.
        pictures: likewise the SVG of each picture.
    """
    found = []
    durations = data.table("corpus").set_index("file")["duration"].to_dict()
    table = data.table("mistakes")
    for (target, model), rows in table.groupby(["target", "model"], sort=False):
        classes = data.targets.get(str(target))
        if classes is None:
            continue
        shown = [
            replace(
                _mistake(row, classes, durations),
                sound=_address(clips[clip]) if (clip := _text(row["clip"])) in clips else "",
                picture=_picture(row, pictures),
            )
            for row in rows.to_dict("records")
        ]
        note = _tied(data, str(target), float(rows["confidence"].iloc[-1]))
        found.append(Mistakes(str(target), data.label(model), shown, note))
    return found


def _tied(data: ReportData, target: str, confidence: float) -> str:
    count = data.tied_mistakes.get(target, 0)
    tie = f"{counted(count, 'mistake')} {plural(count, 'ties', 'tie')}"
    return f"{tie} at {percent(confidence)} %; not all of them are shown." if count else ""


def heard(data: ReportData) -> str:
    """What the clips are, in a sentence."""
    rate = data.setting("data", "audio", "sample_rate")
    resampled = f"resampled to {rate:,} Hz, " if rate else ""
    trimmed = "trimmed, " if data.setting("data", "audio", "trim_db") is not None else ""
    return (
        f"Clips are what the features begin with: mono, {resampled}{trimmed}not denoised, loudness "
        "unchanged; at most 6 s, as MP3."
    )


def why_none(data: ReportData) -> str:
    """What keeps mistakes from being shown."""
    if data.setting("report", "mistakes") == 0:
        return "No mistakes are shown: report.mistakes is 0."
    if "mistakes" in data.tables:
        return "No mistakes: every recording of the test part was recognised."
    return (
        "No mistakes were chosen in this run; report.mistakes says how many are, and report.audio "
        "whether they can be heard."
    )


def _mistake(row: _Row, classes: list[str], durations: Mapping[Any, float]) -> Mistake:
    """A mistake without its sound and its picture."""
    file, gender = _text(row["file"]), _text(row["gender"])
    speaker = _text(row["speaker"]) or _UNKNOWN
    facts = {
        "file": file,
        "speaker": f"{speaker}, {gender}" if gender else speaker,
        "fold": _text(row["fold"]),
    }
    start, end = float(row["start"]), float(row["end"])
    if start > _NOTHING_S or abs(end - durations.get(file, math.inf)) > _NOTHING_S:
        facts["part"] = f"{start:.1f} to {end:.1f} s"  # never of NaN
    return Mistake(_title(row), facts, _likelihoods(row, classes), _text(row["unavailable"]))


def _title(row: _Row) -> str:
    sure = percent(float(row["confidence"]))
    return f"{row['truth']} taken for {row['predicted']}, {sure} % sure"


def _picture(row: _Row, pictures: Mapping[str, str]) -> Markup | None:
    svg = pictures.get(_text(row["picture"]))
    if svg is None:
        return None
    name = f"Waveform and mel spectrogram of {_text(row['file'])}"
    return inline_svg(svg, name=name, description=f"{row['target']}: {_title(row)}.")


def _likelihoods(row: _Row, classes: list[str]) -> list[Likelihood]:
    marks = {str(row["predicted"]): "chosen", str(row["truth"]): "true"}
    return [
        Likelihood(label, 100 * float(row[f"p_{label}"]), marks.get(label, "bar"))
        for label in classes
        if f"p_{label}" in row and pd.notna(row[f"p_{label}"])
    ]


def _address(clip: bytes) -> str:
    return f"data:audio/mpeg;base64,{base64.b64encode(clip).decode()}"


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]
