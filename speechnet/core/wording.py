"""Counts, lists and suggestions, as messages word them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A count with its noun: ``1 recording``, ``1,440 recordings``.

    Args:
        count: how many.
        noun: what one is called.
        nouns: what several are called, where an s doesn't make it of ``noun``.
    """
    return f"{count:,} {plural(count, noun, nouns)}"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """The noun alone, as ``counted`` has it; also for verbs, such as ``plural(n, "is", "are")``."""
    return noun if count == 1 else nouns or f"{noun}s"


def khz(hertz: float) -> str:
    """A frequency in kHz to three digits: ``3.95 kHz``."""
    return f"{hertz / 1000:.3g} kHz"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question in brackets that names the nearest known word; nothing if none is near."""
    by_folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[near[0]]!r}?)" if near else ""


def listing(items: Iterable[object], most: int = 10) -> str:
    """The items separated by commas, cut after ``most`` with a count of the rest."""
    every = [str(item) for item in items]
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")


def all_of(items: Iterable[object]) -> str:
    """All items as a sentence names them: ``0``, ``0 and 1``, ``0, 1 and 2``."""
    every = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(every[:-1]), *every[-1:]]))
