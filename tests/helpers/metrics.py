"""Metrics more or less while a test runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from speechnet.core.metrics import METRICS, Place, metric, shown


@contextmanager
def one_more_metric(name: str, function: Callable[..., Any], **properties: Any) -> Iterator[None]:
    """Register a function as a metric, and take it out again, with what was said of it."""
    assert name not in METRICS  # our own come first
    metric(name, label=name, **properties)(function)
    try:
        yield
    finally:
        for kept in (METRICS._things, METRICS._packages, METRICS._refusals):
            kept.pop(name, None)


def hide_others(place: Place, *known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show no other metrics than these in a place, whichever are registered."""
    for each in shown(place):
        if each.name not in known:
            monkeypatch.delitem(METRICS._things, each.name)
