"""The most confident mistakes, to be looked at and heard."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from speechnet.core.wording import counted, plural
from speechnet.report.html.svg import inline_svg
from speechnet.report.names import model_name, percent
from speechnet.report.report_data import ReportData

_UNKNOWN: Final = "unknown"
_NOTHING_S: Final = 0.05
"""A part that leaves out less, in seconds, is the whole recording to a listener."""


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
        sound: the clip as a ``data:`` address; empty where it can't be heard.
        picture: waveform and mel spectrogram; None where there is none.
        unavailable: why something is missing.
    """

    title: str
    facts: dict[str, str]
    likelihoods: list[Likelihood]
    sound: str
    picture: Markup | None
    unavailable: str


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


def mistakes(report_data: ReportData) -> list[Mistakes]:
    """The most confident mistakes of each target that has any in the run folder."""
    table = report_data.mistakes
    if table is None:
        return []
    found = []
    for (target, model), rows in table.groupby(["target", "model"], sort=False):
        if str(target) in report_data.tables.targets:
            shown = [_mistake(row, report_data) for _, row in rows.iterrows()]
            note = _tied(report_data, str(target), float(rows["confidence"].iloc[-1]))
            found.append(Mistakes(str(target), model_name(str(model)), shown, note))
    return found


def _tied(report_data: ReportData, target: str, confidence: float) -> str:
    count = report_data.tied.get(target, 0)
    tie = f"{counted(count, 'mistake')} {plural(count, 'ties', 'tie')}"
    return f"{tie} at {percent(confidence)} %; not all of them are shown." if count else ""


def heard(report_data: ReportData) -> str:
    """What the clips are, in a sentence; empty where there are none."""
    if not report_data.clips:
        return ""
    rate = report_data.setting("data", "audio", "sample_rate")
    resampled = f"resampled to {rate:,} Hz, " if rate else ""
    trimmed = "trimmed, " if report_data.setting("data", "audio", "trim_db") is not None else ""
    return (
        f"Clips are what the features begin with: mono, {resampled}{trimmed}not denoised, loudness "
        "unchanged; at most 6 s, as MP3."
    )


def why_none(report_data: ReportData) -> str:
    """What keeps mistakes from being shown."""
    if report_data.setting("report", "mistakes") == 0:
        return "No mistakes are shown: report.mistakes is 0."
    if report_data.mistakes is not None:
        return "No mistakes: every recording of the test part was recognised."
    return (
        "No mistakes were chosen in this run; report.mistakes says how many are, and report.audio "
        "whether they can be heard."
    )


def _mistake(row: Any, report_data: ReportData) -> Mistake:
    truth, predicted = str(row["truth"]), str(row["predicted"])
    title = f"{truth} taken for {predicted}, {percent(float(row['confidence']))} % sure"
    clip, image = _text(row["clip"]), _text(row["picture"])
    drawn = None
    if image in report_data.pictures:
        drawn = inline_svg(
            report_data.pictures[image],
            name=f"Waveform and mel spectrogram of {_text(row['file'])}",
            description=f"{row['target']}: {title}.",
        )
    return Mistake(
        title=title,
        facts=_facts(row, report_data),
        likelihoods=_likelihoods(row, report_data.tables.targets[str(row["target"])]),
        sound=_address(report_data.clips[clip]) if clip in report_data.clips else "",
        picture=drawn,
        unavailable=_text(row["unavailable"]),
    )


def _facts(row: Any, report_data: ReportData) -> dict[str, str]:
    speaker = _text(row["speaker"]) or _UNKNOWN
    gender = _text(row["gender"])
    facts = {
        "file": _text(row["file"]),
        "speaker": f"{speaker}, {gender}" if gender else speaker,
        "fold": _text(row["fold"]),
    }
    if pd.notna(row["start"]) and pd.notna(row["end"]):
        start, end = float(row["start"]), float(row["end"])
        if start > _NOTHING_S or abs(end - _duration(report_data, facts["file"])) > _NOTHING_S:
            facts["part"] = f"{start:.1f} to {end:.1f} s"
    return facts


def _duration(report_data: ReportData, file: str) -> float:
    """Of a recording in seconds; infinite where it isn't known."""
    known = report_data.tables.statistics
    found = [] if known is None else known.loc[known["file"] == file, "duration"].to_list()
    return float(found[0]) if found else math.inf


def _likelihoods(row: Any, classes: list[str]) -> list[Likelihood]:
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
