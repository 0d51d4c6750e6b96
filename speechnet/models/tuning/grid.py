"""The candidates of a search: every combination of some values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

Candidate = dict[str, Any]
"""Hyper-parameters by name."""


def combinations(values: Mapping[str, Sequence[Any]]) -> list[Candidate]:
    """Every combination, in the order of scikit-learn's ``ParameterGrid``: it decides ties.

    Args:
        values: of each hyper-parameter, not empty.

    Returns:
        Candidates whose keys stand in the order of ``values``. The last of the sorted names varies
        fastest.

    Raises:
        ValueError: a hyper-parameter has no values.
    """
    if empty := [name for name, choices in values.items() if not choices]:
        raise ValueError(f"{empty[0]} is empty, expected at least one value")
    names = sorted(values)
    found = (
        dict(zip(names, chosen, strict=True))
        for chosen in product(*(values[name] for name in names))
    )
    return [{name: one[name] for name in values} for one in found]
