"""The figure of an encoder's layers."""

import pandas as pd
import pytest
from helpers.results import TARGETS, build_data, draw, with_tables

from speechnet.report.figure import FIGURES


def table() -> pd.DataFrame:
    """Two folds of a network, of a search that once chose the mean, and of the mean alone."""
    learnt = {(0, "mlp"): [0.2, 0.5, 0.3], (1, "mlp"): [0.1, 0.7, 0.2]}
    chosen = {(0, "svm"): [0, 0, 1], (1, "svm"): [1 / 3] * 3, (0, "knn"): [1 / 3] * 3}
    return pd.DataFrame(
        {"fold": fold, "model": model, "member": 0, "target": target, "features": "encoder"}
        | {"layer": layer, "name": str(4 * layer), "weight": weight}
        for target, some in ((None, learnt), ("emotion", chosen))
        for (fold, model), weights in some.items()
        for layer, weight in enumerate(weights)
    )


def test_weights_and_choices() -> None:
    """Means with one standard deviation; shares of all searches; layers by their own names."""
    data = with_tables(build_data(TARGETS, models=["mlp", "svm", "knn"]), layers=table())
    first, second = draw(data, "layer_weights").axes
    line, equal = first.lines
    assert line.get_ydata() == pytest.approx([0.15, 0.6, 0.25])
    assert equal.get_ydata() == pytest.approx([1 / 3] * 2)
    [band] = first.collections
    assert band.get_paths()[0].get_extents().y1 == pytest.approx(0.7)
    [mark] = second.lines
    assert list(mark.get_ydata()) == [0.5]
    assert round(float(mark.get_xdata()[0])) == 2
    assert [label.get_text() for label in second.get_xticklabels()] == ["0", "4", "8"]
    [drawing] = FIGURES["layer_weights"](data)
    assert "MLP (network) weighs layer 4 most, 60.0 %; equal weights would be 33.3 %" in (
        drawing.caption
    )
    assert "took layer 8 most often, in 1 of 2 searches, and the mean of all in 1" in (
        drawing.caption
    )
    assert "KNN" not in drawing.caption


def test_means_alone_are_no_figure() -> None:
    """There is nothing to see."""
    rows = table()
    data = with_tables(build_data(TARGETS), layers=rows[rows["model"] == "knn"])
    assert not list(FIGURES["layer_weights"](data))
