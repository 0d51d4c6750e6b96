"""Counts, lists and suggestions, as messages word them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A count with its noun: ``1 recording``, ``1,440 recordings``; ``nouns`` if not with an s."""
    return f"{count:,} {plural(count, noun, nouns)}"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """The noun alone, as ``counted`` has it; also for verbs, such as ``plural(n, "is", "are")``."""
    return noun if count == 1 else nouns or f"{noun}s"


def khz(hertz: float) -> str:
    """A frequency in kHz to three digits: ``3.95 kHz``."""
    return f"{hertz / 1000:.3g} kHz"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question in brackets with the nearest known word; empty if none is near."""
    by_folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[near[0]]!r}?)" if near else ""


def listing(items: Iterable[object], most: int = 10) -> str:
    """The items separated by commas; beyond ``most`` their number."""
    every = [str(item) for item in items]
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")


def all_of(items: Iterable[object]) -> str:
    """All items as in a sentence: ``0``, ``0 and 1``, ``0, 1 and 2``."""
    every = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(every[:-1]), *every[-1:]]))
