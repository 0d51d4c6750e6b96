"""The figure of a timeline shows the numbers given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.overlaps import clashes, off_the_page, visible_texts
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from speechnet.core.types import Targets
from speechnet.report.drawing.timeline import clock, draw_timeline

pytestmark = pytest.mark.slow

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad", "neutral"]}


def make_timeline(
    n: int, targets: Targets = TARGETS, *, model: str = "mlp", reasons: dict[int, str] | None = None
) -> pd.DataFrame:
    """Windows of 3 s, every 1.5 s; those with a reason have neither numbers nor a label."""
    rng = np.random.default_rng(n)
    start = 1.5 * np.arange(n)
    reason = np.full(n, "", dtype=object)
    for place, why in (reasons or {}).items():
        reason[place] = why
    columns: dict[str, object] = {"start": start, "end": start + 3, "model": model}
    for target, classes in targets.items():
        p = rng.dirichlet(np.ones(len(classes)), n)
        labels = np.array(classes, dtype=object)[p.argmax(axis=1)]
        labels[reason != ""], p[reason != ""] = "", np.nan
        columns[target] = labels
        columns |= {f"{target}_{name}": p[:, i] for i, name in enumerate(classes)}
    return pd.DataFrame(columns | {"reason": reason})


def steps(ax: Axes, label: str | None = None) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Tops, edges and bottoms of a panel's layers, or of what goes by a label."""
    found = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    named = [p for p in found if p.get_label() == label] if label else found
    return [
        (tops, edges, np.broadcast_to(bottoms, tops.shape))
        for tops, edges, bottoms in (patch.get_data() for patch in named)
    ]


def test_layers_are_the_probabilities() -> None:
    """Stacked in the order of the classes; a window reaches half way to its neighbours."""
    table = make_timeline(6)
    figure = draw_timeline(table, TARGETS, model="mlp")
    for ax, (target, classes) in zip(figure.axes, TARGETS.items(), strict=True):
        layers = steps(ax)
        assert len(layers) == len(classes)
        for (tops, edges, bottoms), name in zip(layers, classes, strict=True):
            np.testing.assert_allclose(tops - bottoms, table[f"{target}_{name}"])
            np.testing.assert_allclose(edges, [0, 2.25, 3.75, 5.25, 6.75, 8.25, 10.5])
        np.testing.assert_allclose(layers[-1][0], 1)
        assert ax.get_ylabel() == target
        shown = [text.get_text() for text in ax.get_legend().get_texts()]
        assert shown == classes


def test_silence_and_faults_are_shaded() -> None:
    """Each where it is, over the whole height, with no layer there."""
    table = make_timeline(8, reasons={2: "silent", 3: "silent", 6: "too_short"})
    figure = draw_timeline(table, TARGETS, model="mlp")
    for ax in figure.axes:
        for label, places in (("Silence", [2, 3]), ("Can't be used", [6])):
            ((tops, _, bottoms),) = steps(ax, label)
            assert np.flatnonzero(tops == 1).tolist() == places
            assert np.isnan(np.delete(tops, places)).all()
            assert (bottoms == 0).all()
        assert np.flatnonzero(np.isnan(steps(ax)[0][0])).tolist() == [2, 3, 6]
    silent = make_timeline(3, reasons=dict.fromkeys(range(3), "silent"))
    ((tops, *_),) = steps(draw_timeline(silent, TARGETS, model="mlp").axes[0], "Silence")
    np.testing.assert_array_equal(tops, 1)


def test_windows_without_a_label_are_marked() -> None:
    """By a bar above the panel of the target that lacks it, not where nothing was heard."""
    table = make_timeline(5, reasons={4: "silent"})
    table.loc[[1, 2], "emotion"] = ""
    gender, emotion = draw_timeline(table, TARGETS, model="mlp").axes
    label = "No label: not sure enough"
    assert steps(gender, label) == []
    ((tops, _, bottoms),) = steps(emotion, label)
    assert np.flatnonzero(~np.isnan(tops)).tolist() == [1, 2]
    assert (bottoms > 1).all()


def test_what_is_unlike_the_training_data_is_hatched() -> None:
    """In each panel, from a novelty above 1 on; where it isn't known nothing is."""
    table = make_timeline(5, reasons={4: "silent"})
    label = "Unlike the training data"
    assert all(steps(ax, label) == [] for ax in draw_timeline(table, TARGETS, model="mlp").axes)
    table["novelty"] = [0.4, 1.2, 2.5, 1.0, np.nan]
    for ax in draw_timeline(table, TARGETS, model="mlp").axes:
        ((tops, _, _),) = steps(ax, label)
        assert np.flatnonzero(~np.isnan(tops)).tolist() == [1, 2]


def test_hours_are_drawn_by_means() -> None:
    """4,800 windows in 400 steps: the means of twelve, as the footer says; silence only if all."""
    reasons = dict.fromkeys(range(24, 36), "silent") | {40: "silent", 60: "not_finite"}
    table = make_timeline(4_800, reasons=reasons)
    figure = draw_timeline(table, TARGETS, model="mlp")
    tops, edges, _ = steps(figure.axes[0])[0]
    expected = table["gender_female"].to_numpy().reshape(400, 12)
    silent = np.arange(400) == 2
    np.testing.assert_array_equal(np.isnan(tops), silent)
    np.testing.assert_allclose(tops[~silent], np.nanmean(expected[~silent], axis=1))
    assert (edges[0], edges[-1]) == (0, 1.5 * 4_799 + 3)
    np.testing.assert_allclose(np.diff(edges)[1:-1], 18)
    ((shade, *_),) = steps(figure.axes[0], "Silence")
    np.testing.assert_array_equal(~np.isnan(shade), silent)
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "Each step is the mean of 12 neighbouring windows."
    assert draw_timeline(make_timeline(400), TARGETS, model="mlp").legends == []


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0:00"), (0.5, "0:00.5"), (59.96, "1:00"), (75.25, "1:15.2"), (7_200, "120:00")],
)
def test_a_clock(seconds: float, expected: str) -> None:
    """Minutes and seconds, with tenths only where there are any."""
    assert clock(seconds) == expected


@pytest.mark.parametrize("n", [1, 6, 300, 4_800])
@pytest.mark.parametrize("classes", [4, 9])
def test_texts_have_room(n: int, classes: int) -> None:
    """From three seconds to two hours, with few classes and many."""
    names = ["angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised", "bored"]
    targets = {"gender": ["female", "male"], "emotion": names[:classes]}
    reasons = {1: "silent", 3: "too_short"} if n > 5 else {}
    table = make_timeline(n, targets, reasons=reasons)
    table.loc[0, "emotion"] = ""
    figure = draw_timeline(table, targets, model="mlp")
    figure.canvas.draw()
    found = visible_texts(figure)
    assert clashes(figure, found) == []
    assert off_the_page(figure, found) == []
    assert len([t for t in found if ":" in t.get_text()]) >= 4


def test_one_model_at_a_time() -> None:
    """Of several the caller names one."""
    both = pd.concat([make_timeline(3), make_timeline(3, model="svm")])
    figure = draw_timeline(both, TARGETS, model="svm", labels={"svm": "SVM"})
    assert figure.get_suptitle() == "SVM: probabilities over time"
    assert len(steps(figure.axes[0])[0][0]) == 3
