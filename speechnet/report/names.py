"""How names and numbers of the tables are written for a reader."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

UNDEFINED: Final = "–"  # noqa: RUF001 - a dash, as printed tables have it
"""Stands in a table for a value that is undefined."""

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
"""For models that are called by the names that tables have for them."""

_UNPRINTABLE: Final = "\N{REPLACEMENT CHARACTER}"  # a lone surrogate can't be written to an SVG

_ABSOLUTE: Final = re.compile(
    r"""(?m)(?:(?<=["'\[])|(?<=[:,-] )|^)(?:[A-Za-z]:)?[\\/](?:[^"\n]*[\\/])?(?=[^"\\/\n])"""
)
"""All but the last part of a path, where a value of a YAML or JSON text begins with one."""

_METHODS: Final = {
    "kmeans": "K-means",
    "gmm": "Gaussian mixture",
    "gaussian_mixture": "Gaussian mixture",
    "agglomerative": "Agglomerative",
}


def readable(name: object, *, width: int = 18) -> str:
    """Any value as a label, with blanks for underscores, in lines of at most ``width``."""
    text = "".join(
        each if each.isprintable() or each.isspace() else _UNPRINTABLE for each in str(name)
    )
    return textwrap.fill(text.replace("_", " "), width=width)


def in_line(name: object) -> str:
    """A name as a title holds it, in one line."""
    return readable(name, width=200)


def heading(target: str) -> str:
    """A target's name above its panel or its table."""
    return readable(target, width=40).capitalize()


def without_places(text: str) -> str:
    """A path, setting or configuration, its absolute paths without the folders that they are in."""
    return _ABSOLUTE.sub("…/", text)


def model_name(model: object, labels: Mapping[str, str]) -> str:
    """The name a model goes by in figures and tables; one without a label keeps its own."""
    return labels.get(str(model), str(model).replace("_", " "))


def method_name(method: str) -> str:
    """The name a clustering method goes by; an unknown one keeps its own."""
    return _METHODS.get(method, method.replace("_", " "))


def percent(value: float, sd: float = math.nan, *, pooled: bool = False) -> str:
    """A share in [0, 1] as a percentage with one decimal: ``60.3``, ``60.3 ± 2.1`` or ``60.3*``.

    ``sd`` is its standard deviation, NaN where there is none; a star marks a ``pooled`` score that
    stands in for a mean. A value that is NaN gives ``UNDEFINED``.
    """
    if math.isnan(value):
        return UNDEFINED
    spread = "" if math.isnan(sd) else f" ± {100 * sd:.1f}"
    return f"{100 * value:.1f}{spread}{'*' if pooled else ''}"


def percent_interval(value: float, low: float, high: float) -> str:
    """A share in [0, 1] as a percentage with its interval, if it has one: ``60.3 [55.1, 65.0]``."""
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return percent(value)
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def points(difference: float, low: float = math.nan, high: float = math.nan) -> str:
    """A difference of shares in percentage points: ``+4.1`` or ``+4.1 [-0.2, +8.3]``.

    It lies in [-1, 1], and NaN gives ``UNDEFINED``; the ends are NaN where there is no interval.
    """
    if math.isnan(difference):
        return UNDEFINED
    middle, *ends = (f"{round(100 * each, 1) + 0.0:+.1f}" for each in (difference, low, high))
    return middle if math.isnan(low) or math.isnan(high) else f"{middle} [{', '.join(ends)}]"


def p_value(p: float) -> str:
    """A p value with its name: ``p = 0.012``, ``p < 0.001``; nothing where there is none."""
    if math.isnan(p):
        return ""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def interval_words(unit: str | None) -> str:
    """The name of an interval; ``unit`` is what the bootstrap draws, such as ``speaker``."""
    return f"95 % bootstrap interval over {unit}s" if unit else "95 % bootstrap interval"


def sentence(text: str) -> str:
    """A finding as a whole sentence: a capital first, a full stop last."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
