"""What limits a score, as facts: one record each, in one order, for terminal, page and tables.

A finding is made where it is measured: by the audit from the corpus and its folds, by the report
from the scores. Which one comes first is decided here alone, by what it does to a score:

1. it makes the score mean something else than it seems to;
2. it says how uncertain the score is, or that it is none better than chance;
3. it is good to know.

So however wide an interval is, a speaker who gives the class away stands before it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
"""Checks whose findings make a score mean something else, what changes it most first; ``fault``
stands for every fault that isn't named."""

WIDTH: Final = ("chance", "few_speakers", "wide_interval")
"""Checks whose findings say how sure a score is."""

REST: Final = (
    "excluded",
    "near_duplicates",
    "bandwidth",
    "single_class",
    "speaker_normalisation",
    "leakage_sentence",
)
"""Checks whose findings are good to know; those that are named nowhere come behind them."""

FOREMOST: Final = 3
"""So many findings a first screen has."""

_ORDER: Final = {check: place for place, check in enumerate((*MEANING, *WIDTH, *REST))}
_LAST: Final = len(_ORDER)
_STRENGTH: Final = ("certainty", "difference", "width", "share", "count")
"""The number that tells which of two findings of one check comes first: the first of these."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        check: what found it, a name of ``MEANING``, ``WIDTH`` or ``REST``, or another one.
        severity: one of ``SEVERITIES``.
        what: the finding in one sentence without a full stop. It goes on where ``count`` leaves
            off: "3" "files are ...".
        count: of how many; None where nothing is counted, and ``what`` is a whole sentence.
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


FINDING_COLUMNS: Final = ("check", "severity", "what", "count", "detail", "subject", "numbers")


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings in order: what changes the meaning of a score most comes first.

    Of one check the severe ones come first, then those of the largest effect.
    """
    return sorted(findings, key=_rank)


def foremost(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of a first screen: at most ``FOREMOST``, of as many kinds as there are.

    Args:
        findings: as ``ranked`` gives them.

    Returns:
        Those that change what a score means or say how sure it is, in order. A second finding of a
        check, such as of another target, is among them only where there is room. Where there are
        none of either sort, the first of what is good to know.
    """
    first_of = {finding.check: finding for finding in reversed(findings)}
    weighty = [each for each in findings if _place(each) < len(MEANING) + len(WIDTH)]
    firsts = [each for each in weighty if first_of[each.check] is each]
    seconds = [each for each in weighty if first_of[each.check] is not each]
    return ranked([*firsts, *seconds][:FOREMOST]) or list(findings[:1])


def as_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as ``audit.csv`` holds them: ``FINDING_COLUMNS``, ``numbers`` as JSON."""
    rows = [
        [*(getattr(each, name) for name in FINDING_COLUMNS[:-1]), json.dumps(dict(each.numbers))]
        for each in findings
    ]
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS))


def from_table(table: pd.DataFrame) -> list[Finding]:
    """The findings of such a table; an older one lacks subjects and numbers.

    Raises:
        DataError: its numbers can't be read.
    """
    return [
        Finding(
            check=str(row["check"]),
            severity=row["severity"],
            what=str(row["what"]),
            count=_count(row["count"]),
            detail=_text(row.get("detail")),
            subject=_text(row.get("subject")),
            numbers=_numbers(_text(row.get("numbers")) or "{}"),
        )
        for row in table.to_dict("records")
    ]


def _rank(finding: Finding) -> tuple[int, int, float]:
    measured = {"count": finding.count or 0, **finding.numbers}
    strength = next(measured[name] for name in _STRENGTH if name in measured)
    return _place(finding), SEVERITIES.index(finding.severity), -strength


def _place(finding: Finding) -> int:
    other = _ORDER["fault"] if finding.severity == "fault" else _LAST
    return _ORDER.get(finding.check, other)


def _count(value: float | None) -> int | None:
    """A column that holds None anywhere is read as floats, with NaN there."""
    return None if value is None or math.isnan(value) else int(value)


def _numbers(text: str) -> dict[str, float]:
    try:
        found = parse_json(text)
    except PlainError as error:
        raise DataError(f"the table of findings is damaged: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"the table of findings has {text[:40]!r}, expected numbers by name")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
