"""Turns of phrase that the corpus reader's messages share."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
