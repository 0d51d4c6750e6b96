"""Every combination of values, as scikit-learn's grid has them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.model_selection import ParameterGrid

from speechnet.models.model import combinations


@pytest.mark.parametrize(
    "values",
    [{}, {"b": [1, 2], "a": ["x", None, "y"], "C": [0.1]}, {"lr": [3], "hidden": [[8], [4, 2]]}],
)
def test_combinations_are_those_of_scikit_learn(values: dict[str, list[Any]]) -> None:
    """The same ones in the same order; their keys in the order that was given."""
    found = combinations(values)
    assert found == list(ParameterGrid(values))
    assert all(list(one) == list(values) for one in found)


def test_no_value() -> None:
    """A hyper-parameter without values is named."""
    with pytest.raises(ValueError, match="lr is empty"):
        combinations({"gamma": [1], "lr": []})
