"""The one thing that a reader must know before believing a score."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import pandas as pd

from speechnet.report.closing import inflation_in_words, within_chance
from speechnet.report.names import listed, model_name, percent_interval
from speechnet.report.page.material import Material
from speechnet.report.page.parts import sentence
from speechnet.wording import counted, plural

_FEW: Final = 10
"""Of fewer speakers than this a bootstrap over speakers says little."""
_WIDE: Final = 0.2
"""An interval wider than this, from end to end, is remarked on."""
_MANY_BAD: Final = 0.05
"""From this share of recordings set aside on, it is remarked on."""
_SYNTHETIC: Final = "synthetic"
_MUCH: Final = 0.05
"""So much more, as a share, a random split has to report for a warning of its own."""
_IN_FOLDS: Final = re.compile(r"in (?P<folds>\d+) folds?: (?P<names>.+?)")

_UNBELIEVABLE: Final = ("leakage_speaker", "leakage_duplicate", "copies_disagree")
_UNKNOWN: Final = ("one_speaker", "speakers_unknown")
_CONFOUNDED: Final = (
    "leakage_near_duplicate",
    "near_duplicates",
    "confounding",
    "gender_confounding",
    "single_class",
    "speaker_normalisation",
)
_WORDING: Final = ("leakage_sentence",)
_MEANING: Final = {
    "leakage_speaker": ("How well a stranger is recognised isn't known.",),
}
"""What follows from a finding, where it doesn't say so itself."""


class Warned(NamedTuple):
    """A warning.

    Attributes:
        title: in a few words.
        text: why.
        audited: whether the table of the audit's findings says the same.
    """

    title: str
    text: str
    audited: bool = False


def warnings_of(material: Material) -> list[Warned]:
    """What limits the scores, what matters most first.

    The order: speech that nobody spoke; what makes the scores wrong (a speaker or a recording on
    both sides of the split, copies labelled differently, with what a random split reports); no
    better than chance; another task than it seems (features standardised by speaker); speakers
    unknown, or one; too few of them, or an interval too wide; confounded classes and near-copies;
    many recordings set aside; what others' random splits would show, if that is much more; the same
    sentences in training and test; recordings of poor quality.
    """
    return [
        *_synthetic(material),
        *_audited(material, _UNBELIEVABLE),
        *_other_faults(material),
        *_by_chance(material),
        *_by_speaker(material),
        *_audited(material, _UNKNOWN),
        *_uncertain(material),
        *_audited(material, _CONFOUNDED),
        *_set_aside(material),
        *_inflated(material),
        *_audited(material, _WORDING),
        *_poor(material),
    ]


def _synthetic(material: Material) -> Iterator[Warned]:
    names = str(material.info["corpus"].get("name", "")).split(" + ")
    if _SYNTHETIC in names:
        yield Warned(
            "The speech is synthetic",
            "Made-up voices say whether the program works, and nothing about people: no score "
            "here tells how well real speech is recognised.",
        )


def _audited(material: Material, checks: tuple[str, ...]) -> Iterator[Warned]:
    """Findings of the audit, in the order given."""
    table = _findings(material)
    for check in checks:
        for row in table[table["check"] == check].itertuples(index=False):
            detail = str(row.detail)
            if check in _WORDING:
                detail = _where(material, detail)
            text = " ".join([*_MEANING.get(check, ()), sentence(detail)])
            if check == "leakage_speaker" and material.tables.inflation is not None:
                text = " ".join([text, *_inflation_sentences(material)])
            yield Warned(f"{row.count} {row.what}", text, audited=True)


def _where(material: Material, detail: str) -> str:
    """Which sentences, and in how many folds; as the audit wrote it where that is another way."""
    found = _IN_FOLDS.fullmatch(detail)
    if found is None:
        return detail
    names = found["names"].split(", ")
    said = f"sentence{'s' * (len(names) > 1)} {listed(names)}"
    folds, of = int(found["folds"]), int(material.info.get("folds", 0))
    if of <= 1:
        return said
    return f"{said}, in {f'all {of}' if folds == of else f'{folds} of {of}'} folds"


def _other_faults(material: Material) -> Iterator[Warned]:
    table = _findings(material)
    for row in table[table["severity"] == "fault"].itertuples(index=False):
        if row.check not in _UNBELIEVABLE:
            yield Warned(f"{row.count} {row.what}", sentence(str(row.detail)), audited=True)


def _by_chance(material: Material) -> Iterator[Warned]:
    scores = material.tables.scores
    pooled = scores[(scores["part"] == "test") & (scores["metric"] == "uar")]
    best = pooled[pooled["fold"] == "all"].groupby("target")["value"].max()
    for target, (low, high) in material.chance.items():
        if target in best and best[target] <= high:
            found = within_chance(scores, {target: (low, high)})
            yield Warned(f"No model tells the {target} better than chance", sentence(found[0]))


def _by_speaker(material: Material) -> Iterator[Warned]:
    if material.setting("data", "features", "per_speaker"):
        yield Warned(
            "Another task than recognising a stranger",
            "Features are standardised by speaker, from all of a speaker's recordings: the scores "
            "hold for people of whom there are many, of every class, beforehand.",
        )


def _uncertain(material: Material) -> Iterator[Warned]:
    speakers = material.info["corpus"].get("speakers", 0)
    if material.tables.unit == "speaker" and 1 < speakers < _FEW:
        yield Warned(
            f"Only {counted(speakers, 'speaker')}",
            "What holds for so few may not hold for others, whatever the intervals say.",
        )
    for target in material.tables.targets:
        model = material.shown
        if model is None:
            continue
        score = material.score(model=model, target=target, part="test", metric="uar")
        if score.has_interval and score.high - score.low > _WIDE:
            reached = percent_interval(score.value, score.low, score.high)
            yield Warned(
                f"The scores of {target} are uncertain",
                f"{model_name(model)} reaches a test UAR of {reached} %: with other "
                f"{material.unit}s it could well be at either end.",
            )


def _set_aside(material: Material) -> Iterator[Warned]:
    corpus = material.info["corpus"]
    bad, used = int(corpus.get("set_aside", 0)), int(corpus.get("recordings", 0))
    if bad > _MANY_BAD * (bad + used):
        yield Warned(
            f"{bad:,} of {counted(bad + used, 'recording')} {plural(bad, 'was', 'were')} set aside",
            "If they differ from the rest, the scores hold for the rest only.",
        )


def _inflated(material: Material) -> Iterator[Warned]:
    shared = (_findings(material)["check"] == "leakage_speaker").any()
    sentences = _inflation_sentences(material, least=_MUCH)
    if sentences and not shared:
        yield Warned("Not to be held against results of random splits", " ".join(sentences))


def _poor(material: Material) -> Iterator[Warned]:
    table = _findings(material)
    said = {*_UNBELIEVABLE, *_UNKNOWN, *_CONFOUNDED, *_WORDING}
    for row in table[table["severity"] == "warning"].itertuples(index=False):
        if row.check not in said:
            yield Warned(f"{row.count} {row.what}", sentence(str(row.detail)), audited=True)


def _inflation_sentences(material: Material, *, least: float = 0.0) -> list[str]:
    """Of the targets where the difference is shown, and at least so large."""
    table = material.tables.inflation
    if table is None:
        return []
    shown = table[(table["low"] > 0) & (table["difference"] >= least)]
    return [sentence(each) for each in inflation_in_words(shown)]


def _findings(material: Material) -> pd.DataFrame:
    if material.audit is None:
        return pd.DataFrame(columns=["check", "severity", "what", "count", "detail"])
    return material.audit.fillna({"detail": ""})
