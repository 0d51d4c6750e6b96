"""The figures of the network's training, the clusters and the corpus."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from speechnet.core.errors import DataError
from speechnet.core.types import Targets
from speechnet.report.figures.clusters import draw_clusters
from speechnet.report.figures.corpus import classes_by_gender, draw_corpus
from speechnet.report.figures.learning import draw_learning_curves
from speechnet.report.tables import Tables

pytestmark = pytest.mark.slow

Build = Callable[..., Tables]
Texts = Callable[[Figure], list[Text]]


def legend(ax: object) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_curves_follow_the_log(build: Build, targets: Targets) -> None:
    """A line for each fold and column, and a mark at each fold's chosen epoch."""
    tables = build(targets, folds=3)
    figure = draw_learning_curves(tables.history)
    loss, uar = figure.axes
    assert len(loss.lines) == 3 * 2 + 1
    assert len(uar.lines) == 3 * 3 + 1
    assert legend(loss) == ["Development part", "Training part", "Chosen epoch"]
    assert legend(uar) == ["Mean of targets", "gender", "emotion", "Chosen epoch"]
    first = tables.history.query("fold == 0")
    np.testing.assert_allclose(loss.lines[0].get_ydata(), first["dev_loss"])
    np.testing.assert_allclose(uar.lines[0].get_ydata(), first["dev_uar"])
    wanted = tables.history.query("chosen")["dev_uar"]
    assert len(wanted) == 3
    np.testing.assert_allclose(uar.lines[-1].get_ydata(), wanted)
    assert "3 folds" in figure.get_suptitle()


def test_every_member_has_its_own_line(build: Build, targets: Targets) -> None:
    """Networks of one fold are not strung together."""
    history = build(targets, folds=2).history
    both = pd.concat([history.assign(member=0), history.assign(member=1)], ignore_index=True)
    figure = draw_learning_curves(both)
    assert len(figure.axes[0].lines) == 2 * 2 * 2 + 1
    np.testing.assert_allclose(
        figure.axes[0].lines[1].get_ydata(), history.query("fold == 0")["dev_loss"]
    )
    assert figure.get_suptitle() == "Learning curves: a line for each of 2 folds and 2 networks"


def test_without_a_development_part_there_is_one_panel(build: Build, targets: Targets) -> None:
    """The training loss stands alone."""
    figure = draw_learning_curves(build(targets, dev=False).history)
    (ax,) = figure.axes
    assert legend(ax) == ["Training part"]
    assert figure.get_suptitle() == "Learning curves"


def test_rows_without_a_value_leave_no_hole() -> None:
    """A log with a row for training and one for development gives unbroken lines."""
    history = pd.DataFrame(
        {
            "fold": 0,
            "epoch": [0, 0, 1, 1],
            "train_loss": [np.nan, 1, np.nan, 0.5],
            "dev_loss": [2, np.nan, 1.5, np.nan],
        }
    )
    (ax,) = draw_learning_curves(history).axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[2, 1.5], [1, 0.5]]


def test_log_without_epochs_is_an_error() -> None:
    """The error names the column."""
    with pytest.raises(DataError, match="learning curves has the columns fold, but not epoch"):
        draw_learning_curves(pd.DataFrame({"fold": [0]}))


def test_clusters_are_a_grid_below_the_labels(build: Build, targets: Targets, texts: Texts) -> None:
    """Titles name labels, methods and k; axes name the share of variance."""
    tables = build(targets, n=200)
    labels = tables.corpus[["gender", "emotion"]]
    figure = draw_clusters(
        tables.clusters, tables.projection, variance=(0.312, 0.144), labels=labels
    )
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    methods = ["K-means", "Gaussian mixture", "Agglomerative"]
    assert titles == ["True gender", "True emotion"] + [
        f"{method}, k = {k}" for method in methods for k in (2, 4, 10)
    ]
    shown = {text.get_text() for text in texts(figure)}
    assert {"PC1 (31 % of variance)", "PC2 (14 % of variance)", *targets["emotion"]} <= shown


def test_every_point_is_drawn_once(build: Build, targets: Targets) -> None:
    """Each panel's points are the projection's; a file without a label is left out."""
    tables = build(targets, n=200)
    labels = tables.corpus[["gender"]].copy()
    labels.iloc[:50] = None
    figure = draw_clusters(tables.clusters, tables.projection, variance=(0.3, 0.1), labels=labels)
    wanted = tables.projection[["pc1", "pc2"]].to_numpy()
    for ax, points in ((figure.axes[0], wanted[50:]), (figure.axes[3], wanted)):
        drawn = np.vstack([line.get_xydata() for line in ax.lines])
        np.testing.assert_array_equal(drawn[np.lexsort(drawn.T)], points[np.lexsort(points.T)])
        assert all(line.get_rasterized() for line in ax.lines if len(line.get_xdata()))


def test_a_single_component_is_drawn(build: Build, targets: Targets) -> None:
    """Without a second component the points lie on a line."""
    tables = build(targets, n=50)
    figure = draw_clusters(
        tables.clusters,
        tables.projection.assign(pc2=np.nan),
        variance=(1.0, 0.0),
        labels=tables.corpus[["gender"]],
    )
    assert sum(np.isfinite(line.get_xydata()).all() for line in figure.axes[0].lines) > 0
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 50


def test_corpus_bars_are_the_counts(build: Build, targets: Targets, texts: Texts) -> None:
    """Classes by gender, the median duration and the recordings of each speaker."""
    tables = build(targets, n=200, speakers=7)
    figure = draw_corpus(tables.corpus, tables.statistics, targets)
    classes, durations, speakers = figure.axes
    for container, gender in zip(classes.containers, ["female", "male"], strict=True):
        rows = tables.corpus[tables.corpus["gender"] == gender]
        counts = [int((rows["emotion"] == name).sum()) for name in targets["emotion"]]
        assert [bar.get_width() for bar in container] == counts
    assert sum(bar.get_height() for bar in durations.patches) == 200
    assert legend(durations) == [f"median {tables.statistics['duration'].median():.1f} s"]
    counts = sorted(tables.corpus["speaker"].value_counts(), reverse=True)
    assert [bar.get_height() for bar in speakers.patches] == counts
    shown = {text.get_text() for text in texts(figure)}
    assert {*targets["emotion"], "female", "male", "Duration (s)"} <= shown


def test_gender_alone_is_drawn_once(build: Build) -> None:
    """There is no "gender by gender"."""
    targets = {"gender": ["female", "male"]}
    tables = build(targets, n=60)
    figure = draw_corpus(tables.corpus, tables.statistics, targets)
    (bars,) = figure.axes[0].containers
    counts = tables.corpus["gender"].value_counts()
    assert [bar.get_width() for bar in bars] == [counts["female"], counts["male"]]
    assert figure.axes[0].get_title() == "Gender"


def test_missing_labels_are_counted_apart() -> None:
    """No gender counts as unknown; no emotion doesn't count; an unseen class counts 0."""
    corpus = pd.DataFrame(
        {"gender": ["male", None, "female", "male"], "emotion": ["sad", "sad", None, "sad"]}
    )
    counts = classes_by_gender(corpus, target="emotion", classes=["happy", "sad"])
    assert counts.loc["sad"].to_dict() == {"male": 2, "unknown": 1}
    assert counts.loc["happy"].sum() == 0


def test_unknown_durations_are_a_gap(build: Build, targets: Targets, texts: Texts) -> None:
    """Without any duration the panel says so."""
    tables = build(targets, n=40)
    figure = draw_corpus(tables.corpus, tables.statistics.assign(duration=np.nan), targets)
    assert "undefined" in [text.get_text() for text in texts(figure)]
