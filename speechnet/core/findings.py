"""Findings: what limits a score, as records that terminal, page and tables show in one order.

The audit makes findings from a corpus and its folds, the report makes them from scores. Their order
is decided here alone, by what they do to a score:

1. it means something else than it seems to;
2. how uncertain it is, or that it is no better than chance;
3. what is good to know.

So a speaker who gives the class away comes before an interval, however wide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Literal

import pandas as pd

from speechnet.core.errors import DataError
from speechnet.core.reading import PlainError, parse_json

Severity = Literal["fault", "warning", "note", "result"]

SEVERITIES: Final[tuple[Severity, ...]] = ("fault", "warning", "note", "result")
"""A fault: the scores don't mean what they seem to. A warning: they may not, or recordings are
lost. A note: nothing is wrong, but it is good to know. A result limits nothing."""

MEANING: Final = (
    "synthetic",
    "leakage_speaker",
    "leakage_duplicate",
    "seen_in_pretraining",
    "copies_disagree",
    "fault",
    "per_speaker",
    "confounding",
    "sentence_confounding",
    "corpus_confounding",
    "bandwidth_confounding",
    "gender_confounding",
    "one_speaker_class",
    "inflation",
    "unlike_training",
    "leakage_near_duplicate",
    "one_speaker",
    "speakers_unknown",
    "two_genders",
    "chosen_on_test",
    "chosen_on_few",
)
"""Checks whose findings make a score mean something else, the strongest first; ``fault`` stands for
every fault of a check that isn't listed."""

WIDTH: Final = ("chance", "few_speakers", "wide_interval")
"""Checks whose findings say how certain a score is."""

REST: Final = (
    "unlisted_pretraining",
    "excluded",
    "near_duplicates",
    "bandwidth",
    "single_class",
    "speaker_normalisation",
    "leakage_sentence",
)
"""Checks whose findings are good to know; those of checks that aren't listed follow them."""

FOREMOST: Final = 3
"""The number of findings on a first screen."""

_ORDER: Final = {check: place for place, check in enumerate((*MEANING, *WIDTH, *REST))}
_STRENGTH: Final = ("certainty", "difference", "width", "share", "count")
"""Numbers by which findings of one check are ordered: the first that a finding has."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        check: what found it, a name of ``MEANING``, ``WIDTH`` or ``REST``, or another one.
        severity: one of ``SEVERITIES``.
        what: the finding in one sentence without a full stop; where something is counted, the rest
            of the sentence after ``count``: "files are ...".
        count: how many; None where nothing is counted.
        detail: why it matters, or where it was found; may be empty.
        subject: the target it is about; empty where it is about all of them.
        numbers: what was measured, by name; shares are in [0, 1].
    """

    check: str
    severity: Severity
    what: str
    count: int | None = None
    detail: str = ""
    subject: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The finding in one sentence without a full stop."""
        return self.what if self.count is None else f"{self.count:,} {self.what}"


FINDING_COLUMNS: Final = tuple(each.name for each in fields(Finding))


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in order: by check, then by severity, then by size."""

    def rank(finding: Finding) -> tuple[int, int, float]:
        measured = {"count": finding.count or 0, **finding.numbers}
        strength = next(measured[name] for name in _STRENGTH if name in measured)
        return _place(finding), SEVERITIES.index(finding.severity), -strength

    return sorted(findings, key=rank)


def foremost(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of a first screen: at most ``FOREMOST``, of as many checks as there are.

    Args:
        findings: as ``ranked`` gives them.

    Returns:
        Those of ``MEANING`` and ``WIDTH``, in order; a second one of a check, such as of another
        target, only where there is room. If there are none, the first of the rest.
    """
    first_of = {finding.check: finding for finding in reversed(findings)}
    weighty = [each for each in findings if _place(each) < len(MEANING) + len(WIDTH)]
    firsts_first = sorted(weighty, key=lambda each: first_of[each.check] is not each)
    return ranked(firsts_first[:FOREMOST]) or list(findings[:1])


def as_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as ``audit.csv`` holds them: ``FINDING_COLUMNS``, ``numbers`` as JSON."""
    rows = [vars(each) | {"numbers": json.dumps(dict(each.numbers))} for each in findings]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def from_table(table: pd.DataFrame) -> list[Finding]:
    """The findings of ``audit.csv``.

    Raises:
        DataError: its numbers can't be read.
    """
    return [
        Finding(
            check=row["check"],
            severity=row["severity"],
            what=row["what"],
            count=None if pd.isna(row["count"]) else int(row["count"]),
            detail="" if pd.isna(row["detail"]) else row["detail"],
            subject="" if pd.isna(row["subject"]) else row["subject"],
            numbers=_numbers(row["numbers"]),
        )
        for row in table.to_dict("records")
    ]


def _numbers(text: object) -> dict[str, float]:
    try:
        found = parse_json(str(text))
    except PlainError as error:
        raise DataError(f"the table of findings is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"the table of findings has {text!r:.40}, expected numbers by name")
    return found


def _place(finding: Finding) -> int:
    other = _ORDER["fault"] if finding.severity == "fault" else len(_ORDER)
    return _ORDER.get(finding.check, other)
