"""What limits a score: the records, and which of them comes first."""

from __future__ import annotations

import io
from itertools import permutations

import pandas as pd
import pytest

from speechnet.core.errors import DataError
from speechnet.core.findings import (
    FINDING_COLUMNS,
    MEANING,
    REST,
    WIDTH,
    Finding,
    as_table,
    foremost,
    from_table,
    ranked,
)


def a(check: str, severity: str = "warning", subject: str = "", **numbers: float) -> Finding:
    """A finding of a check."""
    return Finding(check, severity, "is so", subject=subject, numbers=numbers)  # type: ignore[arg-type]


def checks(findings: list[Finding]) -> list[str]:
    """By what they were found."""
    return [each.check for each in findings]


def test_the_meaning_of_a_score_stands_before_its_width() -> None:
    """Whatever the order in which they were found, and however wide an interval is."""
    found = [
        a("wide_interval", subject="gender", width=0.9),
        a("inflation", subject="emotion", difference=0.39),
        a("confounding", subject="emotion", certainty=0.2),
        a("quiet"),
    ]
    expected = ["confounding", "inflation", "wide_interval", "quiet"]
    for order in permutations(found):
        assert checks(ranked(order)) == expected


def test_every_check_has_one_place() -> None:
    """The three lists don't overlap, and their order is that of findings."""
    every = [*MEANING, *WIDTH, *REST]
    assert len(every) == len(set(every))
    assert checks(ranked(map(a, reversed(every)))) == every


def test_checks_without_a_place() -> None:
    """A fault changes what a score means; anything else is good to know."""
    found = [a("new"), a("excluded"), a("protocol", "fault"), a("confounding"), a("synthetic")]
    assert checks(ranked(found)) == ["synthetic", "protocol", "confounding", "excluded", "new"]


def test_of_one_check_the_strongest_comes_first() -> None:
    """By how much it is, and a fault before a warning."""
    found = [
        a("confounding", subject="one", certainty=0.2, uar=0.9),
        a("confounding", subject="two", certainty=0.7, uar=0.8),
        a("confounding", "fault", subject="three", certainty=0.1),
    ]
    assert [each.subject for each in ranked(found)] == ["three", "two", "one"]


def test_the_first_screen_has_three_of_as_many_kinds_as_there_are() -> None:
    """What is good to know only where there is nothing else; a check's second after all firsts."""
    many = [
        *(a("confounding", subject=each, certainty=0.5) for each in "abc"),
        a("inflation"),
        a("chance"),
        a("excluded"),
    ]
    assert checks(foremost(ranked(many))) == ["confounding", "inflation", "chance"]
    assert checks(foremost(ranked(many[:4]))) == ["confounding", "confounding", "inflation"]
    assert checks(foremost(ranked([a("chance"), a("excluded")]))) == ["chance"]
    assert checks(foremost(ranked([a("quiet"), a("excluded")]))) == ["excluded"]
    assert foremost([]) == []


def test_a_table_keeps_them() -> None:
    """Written as CSV and read back."""
    found = [
        Finding("confounding", "warning", "speakers", 38, "why", "emotion", {"uar": 0.96}),
        Finding("leakage_speaker", "fault", "speaker is", 1, "s1, s2"),
    ]
    table = pd.read_csv(io.StringIO(as_table(found).to_csv(index=False)))
    assert table.columns.tolist() == list(FINDING_COLUMNS)
    assert from_table(table) == found
    assert as_table([]).columns.tolist() == list(FINDING_COLUMNS)


def test_a_finding_that_counts_nothing_survives() -> None:
    """Alone and beside one that does, from memory and from a file."""
    found = [Finding("quiet", "note", "3 of 4 are so"), Finding("quiet", "note", "are", count=3)]
    for some in (found, found[:1]):
        table = as_table(some)
        read = pd.read_csv(io.StringIO(table.to_csv(index=False)))
        assert from_table(table) == from_table(read) == some


@pytest.mark.parametrize("numbers", ["{", "[1]", "[" * 100_000])
def test_damaged_numbers(numbers: str) -> None:
    """A sentence, not a traceback."""
    table = as_table([a("quiet", share=0.5)]).assign(numbers=numbers)
    with pytest.raises(DataError, match="the table of findings"):
        from_table(table)
