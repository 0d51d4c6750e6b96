"""The most confident mistakes, to be looked at and heard."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from speechnet.core.wording import counted, plural
from speechnet.report.data import ReportData
from speechnet.report.html.parts import Row
from speechnet.report.html.svg import inline_svg
from speechnet.report.names import percent

_NOTHING_S: Final = 0.05  # seconds; a clip that leaves out less is called the whole recording


def mistakes(
    data: ReportData, clips: Mapping[str, bytes], pictures: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What the template shows of the most confident mistakes of each target that has any.

    ``clips`` and ``pictures`` are by the names that the table of mistakes has for them.
    """
    found = []
    durations = data.table("corpus").set_index("file")["duration"].to_dict()
    sounds = {
        name: f"data:audio/mpeg;base64,{base64.b64encode(clip).decode()}"
        for name, clip in clips.items()
    }
    table = data.table("mistakes")
    for (target, model), rows in table.groupby(["target", "model"], sort=False):
        if target not in data.targets:
            continue
        shown = [
            {
                "title": _title(row),
                "facts": _facts(row, durations),
                "likelihoods": _likelihoods(row, data.targets[str(target)]),
                "unavailable": _text(row["unavailable"]),
                "sound": sounds.get(_text(row["clip"]), ""),
                "picture": _picture(row, pictures),
            }
            for row in rows.to_dict("records")
        ]
        note = ""
        if count := data.tied_mistakes.get(str(target), 0):
            tie = f"{counted(count, 'mistake')} {plural(count, 'ties', 'tie')}"
            note = f"{tie} at {percent(rows['confidence'].iloc[-1])} %; not all of them are shown."
        found.append({"target": target, "model": data.label(model), "shown": shown, "note": note})
    return found


def clips_in_words(data: ReportData) -> str:
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


def _facts(row: Row, durations: Mapping[Any, float]) -> dict[str, str]:
    file, gender = _text(row["file"]), _text(row["gender"])
    speaker = _text(row["speaker"]) or "unknown"
    speaker = f"{speaker}, {gender}" if gender else speaker
    facts = {"file": file, "speaker": speaker, "fold": _text(row["fold"])}
    start, end = float(row["start"]), float(row["end"])
    if start > _NOTHING_S or abs(end - durations.get(file, math.inf)) > _NOTHING_S:
        facts["part"] = f"{start:.1f} to {end:.1f} s"  # never of NaN
    return facts


def _title(row: Row) -> str:
    sure = percent(float(row["confidence"]))
    return f"{row['truth']} taken for {row['predicted']}, {sure} % sure"


def _picture(row: Row, pictures: Mapping[str, str]) -> Markup | None:
    if (svg := pictures.get(_text(row["picture"]))) is None:
        return None
    name = f"Waveform and mel spectrogram of {_text(row['file'])}"
    return inline_svg(svg, name=name, description=f"{row['target']}: {_title(row)}.")


def _likelihoods(row: Row, classes: list[str]) -> list[tuple[str, float, str]]:
    """Each class with its probability in per cent, and whether it is the true or the chosen one."""
    marks = {str(row["predicted"]): "chosen", str(row["truth"]): "true"}
    return [
        (label, 100 * float(row[f"p_{label}"]), marks.get(label, "bar"))
        for label in classes
        if pd.notna(row.get(f"p_{label}"))
    ]


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]
