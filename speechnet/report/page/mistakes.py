"""The most confident mistakes, to be looked at and heard."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup

from speechnet.report.names import model_name, percent
from speechnet.report.page.material import Material
from speechnet.report.page.svg import inline_svg

_UNKNOWN: Final = "unknown"


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
    """

    target: str
    model: str
    shown: list[Mistake]


def mistakes(material: Material) -> list[Mistakes]:
    """The most confident mistakes of each target that has any in the run folder."""
    table = material.mistakes
    if table is None:
        return []
    found = []
    for (target, model), rows in table.groupby(["target", "model"], sort=False):
        if str(target) in material.tables.targets:
            shown = [_mistake(row, material) for _, row in rows.iterrows()]
            found.append(Mistakes(str(target), model_name(str(model)), shown))
    return found


def why_none(material: Material) -> str:
    """What keeps mistakes from being shown."""
    if material.setting("report", "mistakes") == 0:
        return "No mistakes are shown: report.mistakes is 0."
    if material.mistakes is not None:
        return "No mistakes: every recording of the test part was recognised."
    return (
        "No mistakes were chosen in this run; report.mistakes says how many are, and report.audio "
        "whether they can be heard."
    )


def _mistake(row: Any, material: Material) -> Mistake:
    truth, predicted = str(row["truth"]), str(row["predicted"])
    title = f"{truth} taken for {predicted}, with {percent(float(row['confidence']))} %"
    clip, image = _text(row["clip"]), _text(row["picture"])
    drawn = None
    if image in material.pictures:
        drawn = inline_svg(
            material.pictures[image],
            name=f"Waveform and mel spectrogram of {_text(row['file'])}",
            description=f"{title}.",
        )
    return Mistake(
        title=title,
        facts=_facts(row),
        likelihoods=_likelihoods(row, material.tables.targets[str(row["target"])]),
        sound=_address(material.clips[clip]) if clip in material.clips else "",
        picture=drawn,
        unavailable=_text(row["unavailable"]),
    )


def _facts(row: Any) -> dict[str, str]:
    speaker = _text(row["speaker"]) or _UNKNOWN
    gender = _text(row["gender"])
    facts = {
        "file": _text(row["file"]),
        "speaker": f"{speaker}, {gender}" if gender else speaker,
        "fold": _text(row["fold"]),
    }
    if pd.notna(row["start"]) and pd.notna(row["end"]):
        facts["part"] = f"{float(row['start']):.1f} to {float(row['end']):.1f} s"
    return facts


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
