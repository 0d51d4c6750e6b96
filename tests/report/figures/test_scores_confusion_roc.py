"""The figures that compare models show the numbers they are given."""

import numpy as np
import pandas as pd
import pytest
from helpers.overlaps import visible_texts
from helpers.results import TARGETS, build_data, draw, with_tables
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def hatched_gaps(figure: Figure) -> list[Rectangle]:
    """The patches that stand for what is undefined."""
    return [
        patch
        for patch in figure.findobj(Rectangle)
        if patch.get_hatch() and to_hex(patch.get_facecolor()) == "#ffffff"
    ]


def bar_lengths(figure: Figure, panel: int) -> list[float]:
    """The lengths of a panel's bars, from top to bottom."""
    bars = [
        bar
        for container in figure.axes[panel].containers
        if hasattr(container, "patches")
        for bar in container.patches
    ]
    return [bar.get_width() for bar in sorted(bars, key=lambda bar: bar.get_y())]


@pytest.mark.parametrize(("folds", "row"), [(1, "0"), (3, "mean")])
def test_bars_are_as_long_as_the_scores(folds: int, row: str) -> None:
    """Train and test of every model, the mean where there are folds."""
    data = build_data(TARGETS, models=3, folds=folds)
    scores, figure = data.scores, draw(data, "scores", "accuracy")
    for panel, target in enumerate(TARGETS):
        wanted = scores[(scores["target"] == target) & (scores["fold"] == row)]
        # rows go model by model, train before test
        wanted = wanted.query("metric == 'accuracy' and part != 'dev'")
        np.testing.assert_allclose(bar_lengths(figure, panel), wanted["value"])


def test_bars_tell_their_values() -> None:
    """Each test value is printed with its deviation, and the title counts the folds."""
    data = build_data(TARGETS, models=2, folds=3)
    scores, figure = data.scores, draw(data, "scores", "uar")
    shown = [text.get_text() for text in visible_texts(figure)]
    of_fold = scores.query("metric == 'uar' and part == 'test'").groupby("fold")["value"]
    means, sds = of_fold.get_group("mean"), of_fold.get_group("sd")
    for mean, sd in zip(means, sds, strict=True):
        assert f"{100 * mean:.1f} ± {100 * sd:.1f}" in shown
    assert "mean and sd over 3 folds" in figure.get_suptitle()
    assert {"MLP (network)", "KNN", "Gender (2 classes)", "chance 25.0", "chance 50.0"} <= {*shown}


def test_chance_is_the_level_given() -> None:
    """The accuracy of guessing is the majority's share, its UAR one over the number of classes."""
    data = build_data(TARGETS)
    predictions = data.table("predictions")
    often = (predictions["target"] == "emotion") & (predictions["truth"] == "sad")
    more = predictions[often].assign(file="b/" + predictions["file"])
    data = with_tables(data, predictions=pd.concat([predictions, more]))
    share = 2 * often.sum() / ((predictions["target"] == "emotion").sum() + often.sum())
    assert share == 0.4
    for metric, level in (("accuracy", "40.0"), ("uar", "25.0")):
        shown = [text.get_text() for text in visible_texts(draw(data, "scores", metric))]
        assert {f"chance {level}", "chance 50.0"} <= {*shown}


def test_undefined_score_is_a_gap() -> None:
    """A NaN has no bar; a hatch with a word stands in its place."""
    data = build_data(TARGETS, models=3)
    scores = data.scores
    lost = (scores["model"] == "knn") & (scores["part"] == "test")
    data = with_tables(data, scores=scores.assign(value=scores["value"].mask(lost)))
    figure = draw(data, "scores", "accuracy")
    assert len(bar_lengths(figure, 0)) == 5
    assert len(hatched_gaps(figure)) == len(TARGETS)
    assert [text.get_text() for text in visible_texts(figure)].count("undefined") == len(TARGETS)


def test_pooled_score_is_marked() -> None:
    """Where a fold lacks the score the pooled one is drawn, starred and explained."""
    data = build_data(TARGETS, models=2, folds=2)
    scores = data.scores
    lost = (scores["model"] == "knn") & scores["fold"].isin(["1", "mean", "sd"])
    data = with_tables(data, scores=scores.assign(value=scores["value"].mask(lost)))
    figure = draw(data, "scores", "accuracy")
    pooled = scores.query("model == 'knn' and fold == 'all' and metric == 'accuracy'")
    value = pooled.query("part == 'test' and target == 'emotion'")["value"].item()
    assert f"{100 * value:.1f}*" in [text.get_text() for text in visible_texts(figure)]
    assert "* all folds pooled" in " ".join(figure.get_suptitle().split())


def test_cells_hold_counts_and_shares() -> None:
    """Each cell's text is the count and its share of the row, unlisted pairs count 0."""
    data = build_data(TARGETS, models=2, folds=3)
    confusion, classes = data.table("confusion"), TARGETS["emotion"]
    figure = draw(data, "confusion", "confusion_emotion")
    for ax, model in zip(figure.axes, ["mlp", "knn"], strict=False):
        rows = confusion[(confusion["model"] == model) & (confusion["target"] == "emotion")]
        for i, truth in enumerate(classes):
            of_truth = rows[rows["truth"] == truth]
            total = of_truth["count"].sum()
            for j, predicted in enumerate(classes):
                count = of_truth[of_truth["predicted"] == predicted]["count"].sum()
                cell = ax.texts[i * len(classes) + j]
                assert cell.get_position() == (j, i)
                assert cell.get_text() == f"{count}\n{100 * count / total:.0f} %"
                assert ax.collections[0].get_array()[i, j] == pytest.approx(count / total)
    assert {*classes, "KNN", "True class"} <= {text.get_text() for text in visible_texts(figure)}
    assert "pooled over 3 folds" in figure.get_suptitle()


def test_class_without_recordings_is_hatched() -> None:
    """A row without a truth has no shares and says so."""
    data = build_data(TARGETS, models=1)
    confusion = data.table("confusion")
    data = with_tables(data, confusion=confusion[confusion["truth"] != "sad"])
    figure = draw(data, "confusion", "confusion_emotion")
    assert [text.get_text() for text in figure.axes[0].texts].count("no recordings") == 1
    assert len(figure.axes[0].texts) == 3 * 4 + 1
    assert len(hatched_gaps(figure)) == 1


def test_only_the_test_part_is_counted() -> None:
    """Rows of other parts and labels in another order change nothing."""
    rows = [("knn", "t", "test", "b", "a", 3), ("knn", "t", "test", "a", "a", 2)]
    columns = ["model", "target", "part", "truth", "predicted", "count"]
    table = pd.DataFrame([*rows, ("knn", "t", "train", "a", "b", 99)], columns=columns)
    data = build_data({"t": ["a", "b"]}, models=["knn"], confusion=table)
    figure = draw(data, "confusion")
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "2\n100 %",
        "0\n0 %",
        "3\n100 %",
        "0\n0 %",
    ]


def test_roc_legend_holds_the_areas() -> None:
    """The legend gives each AUC as it came in, and the lines are the curves."""
    data = build_data(TARGETS, models=2)
    roc, figure = data.roc, draw(data, "roc", "roc_emotion")
    for ax, model in zip(figure.axes, ["mlp", "knn"], strict=True):
        curves = roc[model, "emotion"]
        entries = [text.get_text() for text in ax.get_legend().get_texts()]
        assert entries == [
            "chance (AUC 0.50)",
            *(f"{name} (AUC {curves[name].auc:.2f})" for name in TARGETS["emotion"]),
            f"micro average (AUC {curves['micro'].auc:.2f})",
            f"macro average (AUC {curves['macro'].auc:.2f})",
        ]
        for line, curve in zip(ax.lines[1:], curves.values(), strict=True):
            np.testing.assert_array_equal(line.get_xydata(), np.c_[curve.fpr, curve.tpr])
        styles = [(str(line.get_color()), str(line.get_linestyle())) for line in ax.lines]
        assert len(set(styles)) == len(styles)


def test_undefined_curve_is_only_named() -> None:
    """A NaN area gives no line, and the legend says why."""
    data = build_data(TARGETS, models=1)
    predictions = data.table("predictions")
    data = with_tables(data, predictions=predictions[predictions["truth"] != "happy"])
    (ax,) = draw(data, "roc", "roc_emotion").axes
    entries = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"happy (undefined)", "macro average (undefined)"} <= {*entries}
    assert sum(len(line.get_xdata()) > 0 for line in ax.lines) == 1 + 3 + 1
