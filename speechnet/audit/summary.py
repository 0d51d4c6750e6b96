"""The findings of an audit, one record each, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import pandas as pd

from speechnet.audit.composition import (
    PERSONAL,
    association,
    normalising_harms,
    single_class_speakers,
)
from speechnet.audit.config import AuditConfig
from speechnet.audit.labels import originals
from speechnet.audit.recordings import FAULTS
from speechnet.core.findings import SEVERITIES, Finding, Severity, ranked
from speechnet.core.types import POLICY_REASONS, REASONS, Targets
from speechnet.core.wording import counted, listing, plural

_LEAKS: Final[dict[str, tuple[Severity, str, str]]] = {
    "duplicate": ("fault", "recording", "both trained on and tested: the same samples"),
    # No fault: of clean recordings that merely sound alike, 2 in 1,000 are taken for copies.
    "near_duplicate": ("warning", "recording", "tested whose likely near-copy is trained on"),
    "speaker": (
        "fault",
        "speaker",
        "both trained on and tested: the scores hold for known speakers only",
    ),
    "sentence": (
        "note",
        "sentence",
        "both trained on and tested: the scores say nothing about other wording",
    ),
}
"""For each kind of leak: its severity, its noun and the rest of the sentence."""

BANDWIDTH: Final = "bandwidth"

_CONFOUNDERS: Final = (
    ("confounding", "speaker", "speakers", "their voices"),
    ("sentence_confounding", "sentence", "sentences", "their words"),
    ("corpus_confounding", "corpus", "corpora", "how each of them was recorded"),
    ("bandwidth_confounding", BANDWIDTH, "bandwidths", "where a recording's band ends"),
)
"""What may give a class away: the check, the column, its plural, and what a model learns then."""

_HARMLESS: Final = POLICY_REASONS | {"stereo", "channels_cancel", "odd_rate"}


def summary(
    table: pd.DataFrame,
    targets: Targets,
    *,
    files: pd.DataFrame,
    near: pd.DataFrame,
    leaks: pd.DataFrame,
    dispute: pd.DataFrame,
    config: AuditConfig,
    mixture: Iterable[Finding] = (),
) -> list[Finding]:
    """Turn what the parts of the audit measured into findings.

    ``table`` is the corpus table, with columns ``speaker``, ``gender`` and the targets, and with
    ``bandwidth`` in octaves if it is known. The others come from ``examine``, ``find``,
    ``leakage``, ``disputed`` and ``mixed``.

    Returns:
        The findings by severity, the worst first, then in the order of ``core.findings``.
    """
    findings = [
        *_leaks(leaks),
        *_copies(dispute, near, len(table), config),
        *_speakers(table),
        *_confounding(table, targets, config),
        *mixture,
        *_recordings(files),
    ]
    return sorted(ranked(findings), key=lambda each: SEVERITIES.index(each.severity))


def _leaks(leaks: pd.DataFrame) -> Iterator[Finding]:
    for kind, (severity, noun, rest) in _LEAKS.items():
        found = leaks[leaks["kind"] == kind]
        # Each tested recording counts once, however many copies it has.
        values = found["value"][~found["tested"].fillna(found["value"]).duplicated()]
        if len(values):
            folds = counted(found["fold"].nunique(), "fold")
            quoted = (f'"{value}"' for value in values)  # a sentence has commas of its own
            detail = f"in {folds}: {listing(quoted, 5)}"
            what = f"{_are(len(values), noun)} {rest}"
            yield Finding(f"leakage_{kind}", severity, what, len(values), detail)


def _copies(
    dispute: pd.DataFrame, near: pd.DataFrame, count: int, config: AuditConfig
) -> Iterator[Finding]:
    if len(dispute):
        said = [
            f"{first} ({', '.join(pair['label'])}) {'=' if copy == 'exact' else '~'} "
            f"{second} ({', '.join(pair['other'])})"
            for (first, second, copy), pair in dispute.astype(str).groupby(
                ["first", "second", "copy"], sort=False
            )
        ]
        what = f"{plural(len(said), 'pair')} of copies labelled differently"
        yield Finding("copies_disagree", "fault", what, len(said), listing(said, 5))
    if len(near):
        what = f"{plural(len(near), 'pair')} of likely near-copies: re-encoded, trimmed or rescaled"
        pairs = listing(near["first"] + " ~ " + near["second"], 5)
        yield Finding("near_duplicates", "warning", what, len(near), pairs)
    if config.near_duplicates and count > config.near_duplicate_exact:
        what = f"{plural(count, 'recording')} searched for near-copies among neighbours only"
        detail = (
            f"more than evaluation.audit.near_duplicate_exact ({config.near_duplicate_exact:,}): "
            "about one pair in a hundred may be missed"
        )
        yield Finding("near_duplicates_missed", "note", what, count, detail)


def _speakers(table: pd.DataFrame) -> Iterator[Finding]:
    names = table["speaker"].dropna().unique()
    unknown = int(table["speaker"].isna().sum())
    if unknown:
        what = f"{plural(unknown, 'recording')} without a known speaker"
        detail = (
            "whether a speaker is both trained on and tested is unknown, so nothing can be "
            "claimed about unseen speakers; intervals resample recordings, and are too narrow "
            "where a speaker has several"
        )
        yield Finding("speakers_unknown", "warning", what, unknown, detail)
    elif len(names) == 1:
        detail = (
            "the scores say how well this one voice's recordings are told apart; nothing can be "
            "claimed about other people, nor about differences between women and men"
        )
        what = f"speaker in all recordings, {names[0]}"
        yield Finding("one_speaker", "warning", what, 1, detail)
    counts = table[["speaker", "gender"]].dropna().value_counts().sort_index()
    several = [
        f"{speaker} ({', '.join(f'{gender} {n}' for gender, n in of.droplevel(0).items())})"
        for speaker, of in counts.groupby(level="speaker", observed=True)
        if len(of) > 1
    ]
    if several:
        what = f"{plural(len(several), 'speaker')} of more than one gender"
        detail = f"a wrong label, or one name for two people: {listing(several, 5)}"
        yield Finding("two_genders", "warning", what, len(several), detail)


def _confounding(table: pd.DataFrame, targets: Targets, config: AuditConfig) -> Iterator[Finding]:
    harmed = normalising_harms(table, targets, share=config.single_class)
    *_, by_bandwidth = _CONFOUNDERS
    # If the bandwidth predicts the corpus, it is how a model recognises the corpus.
    if {"corpus", BANDWIDTH} <= set(table):
        yield from _confounder(table, "corpus", config, *by_bandwidth)
    for target in targets:
        personal = target in PERSONAL
        for check, by, nouns, learnt in _CONFOUNDERS:
            # A speaker always predicts a personal target, and so does a sentence of one speaker.
            if by in table and (not personal or by in ("corpus", BANDWIDTH)):
                yield from _confounder(table, target, config, check, by, nouns, learnt)
        why = ": whether a model recognises the class or the voice is unknown"
        yield from _of_one(table, target, "one_speaker_class", "speaker", why)
        if not personal:
            yield from _of_one(table, target, "gender_confounding", "gender")
            yield from _single_class(table, target, harmed=target in harmed)


def _confounder(
    table: pd.DataFrame,
    target: str,
    config: AuditConfig,
    check: str,
    by: str,
    nouns: str,
    learnt: str,
) -> Iterator[Finding]:
    """A column that predicts a target's class without being it."""
    found = association(table, target, by=by)
    if found.groups > 1 and found.certainty >= config.confounding:
        what = (
            f"{nouns} give the {target} away: {by} alone {100 * found.uar:.0f} % UAR, chance "
            f"{100 * found.chance:.0f} %"
        )
        detail = (
            f"a model may learn {learnt} instead of the {target}; the {by} removes "
            f"{100 * found.certainty:.0f} % of the uncertainty beyond chance"
        )
        numbers = {"uar": found.uar, "chance": found.chance, "certainty": found.certainty}
        yield Finding(check, "warning", what, found.groups, detail, target, numbers)


def _of_one(
    table: pd.DataFrame, target: str, check: str, by: str, why: str = ""
) -> Iterator[Finding]:
    """Classes that only one speaker has, or only one gender."""
    known = table[[by, target]].dropna()
    who = known.groupby(target, observed=True)[by].agg(["nunique", "first"])
    single = who.loc[who["nunique"] == 1, "first"]
    if len(known[by].unique()) > 1 and len(single):
        what = f"{plural(len(single), 'class', 'classes')} of {target} spoken by one {by} only"
        detail = listing((f"{label} ({name})" for label, name in single.items()), 5) + why
        yield Finding(check, "warning", what, len(single), detail, target)


def _single_class(table: pd.DataFrame, target: str, *, harmed: bool) -> Iterator[Finding]:
    single = single_class_speakers(table, target)
    if len(single):
        severity: Severity = "warning" if harmed else "note"
        what = f"{plural(len(single), 'speaker')} with recordings of one {target} only"
        pairs = (f"{s} ({c})" for s, c in zip(single["speaker"], single["class"], strict=True))
        yield Finding("single_class", severity, what, len(single), listing(pairs, 5), target)
    if harmed:
        what = f"{_are(len(single), 'speaker')} harmed if features are standardised by speaker"
        they = plural(len(single), "it has", "they have")
        detail = f"that would remove what distinguishes the {target}, for {they} only one"
        yield Finding("speaker_normalisation", "warning", what, len(single), detail, target)


def _recordings(files: pd.DataFrame) -> Iterator[Finding]:
    for fault, found in files.groupby("fault", sort=False):
        name = str(fault)
        severity: Severity = "note" if name in _HARMLESS else "warning"
        rest = FAULTS.get(name) or f"excluded: {REASONS.get(name, name)}"
        what = f"{_are(len(found), 'recording')} {rest}"
        yield Finding(name, severity, what, len(found), listing(_named(found, name), 5))


def _named(found: pd.DataFrame, fault: str) -> Iterable[str]:
    """The files; an exact copy with its original, an unusable file with its reason."""
    if fault in FAULTS:
        return found["file"]
    if fault != "duplicate":
        return (f"{file} ({why})" for file, why in zip(found["file"], found["detail"], strict=True))
    known = originals(found.rename(columns={"fault": "reason"}))
    return (f"{original} = {copy}" for copy, original in known.items())


def _are(count: int, noun: str) -> str:
    return f"{plural(count, noun)} {plural(count, 'is', 'are')}"
