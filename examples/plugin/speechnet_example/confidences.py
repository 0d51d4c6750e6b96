"""A figure: one function from a run's tables to what is drawn of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from speechnet.report.figure import FIGURES, Drawing


@FIGURES.register("confidences")
def confidences(data: Any) -> Iterator[Drawing]:
    """How sure the models are of themselves, a figure for each target."""
    for target in data.targets_in("predictions", part="test"):
        yield Drawing(
            file=f"confidences_{target}",
            section="confusion",
            title=f"Confidences: {target}",
            caption="Shares of the test recordings by the probability of the class predicted.",
            draw=partial(_draw, data, target),
            target=target,
        )


def _draw(data: Any, target: str) -> Any:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.add_subplot()
    rows = data.table("predictions", target=target, part="test")
    columns = [f"p_{name}" for name in data.targets[target]]
    for model, of_model in rows.groupby("model", sort=False):
        highest = of_model[columns].max(axis=1)
        counts, edges = np.histogram(highest, bins=10, range=(0, 1))
        axes.stairs(100 * counts / counts.sum(), edges, label=data.label(model))
    axes.set(xlabel="probability of the class predicted", ylabel="recordings (%)")
    axes.legend(frameon=False)
    return figure
