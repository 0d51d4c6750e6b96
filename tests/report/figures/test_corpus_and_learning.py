"""The figures of the network's training, the clusters and the corpus."""

import numpy as np
import pandas as pd
import pytest
from helpers.overlaps import visible_texts
from helpers.results import TARGETS, build_data, draw, with_tables

from speechnet.core.errors import DataError
from speechnet.report.data import classes_by_gender

pytestmark = pytest.mark.slow


def legend(ax: object) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_curves_follow_the_log() -> None:
    """A line for each fold and column, and a mark at each fold's chosen epoch."""
    data = build_data(TARGETS, folds=3)
    history, figure = data.table("history"), draw(data, "learning_curves")
    loss, uar = figure.axes
    assert len(loss.lines) == 3 * 2 + 1
    assert len(uar.lines) == 3 * 3 + 1
    assert legend(loss) == ["Development part", "Training part", "Chosen epoch"]
    assert legend(uar) == ["Mean of targets", "gender", "emotion", "Chosen epoch"]
    first = history.query("fold == 0")
    np.testing.assert_allclose(loss.lines[0].get_ydata(), first["dev_loss"])
    np.testing.assert_allclose(uar.lines[0].get_ydata(), first["dev_uar"])
    wanted = history.query("chosen")["dev_uar"]
    assert len(wanted) == 3
    np.testing.assert_allclose(uar.lines[-1].get_ydata(), wanted)
    assert "3 folds" in figure.get_suptitle()


def test_every_member_has_its_own_line() -> None:
    """Networks of one fold are not strung together."""
    data = build_data(TARGETS, folds=2)
    history = data.table("history")
    both = pd.concat([history.assign(member=0), history.assign(member=1)], ignore_index=True)
    figure = draw(with_tables(data, history=both), "learning_curves")
    assert len(figure.axes[0].lines) == 2 * 2 * 2 + 1
    np.testing.assert_allclose(
        figure.axes[0].lines[1].get_ydata(), history.query("fold == 0")["dev_loss"]
    )
    assert figure.get_suptitle() == "Learning curves, a line for each of 2 folds and 2 networks"


def test_every_model_has_its_own_picture() -> None:
    """With its name in the title, and no curve of another."""
    data = build_data(TARGETS, folds=2)
    history = data.table("history").drop(columns="model")
    both = pd.concat([history.assign(model=name) for name in ("cnn", "mlp")], ignore_index=True)
    figure = draw(with_tables(data, history=both), "learning_curves", "learning_curves_cnn")
    assert len(figure.axes[0].lines) == 2 * 2 + 1
    assert figure.get_suptitle().startswith(f"Learning curves: {data.label('cnn')}, a line")


def test_without_a_development_part_there_is_one_panel() -> None:
    """The training loss stands alone."""
    figure = draw(build_data(TARGETS, dev=False), "learning_curves")
    (ax,) = figure.axes
    assert legend(ax) == ["Training part"]
    assert figure.get_suptitle() == "Learning curves"


def test_rows_without_a_value_leave_no_hole() -> None:
    """A log with a row for training and one for development gives unbroken lines."""
    history = pd.DataFrame(
        {
            "model": "mlp",
            "fold": 0,
            "member": 0,
            "epoch": [0, 0, 1, 1],
            "train_loss": [np.nan, 1, np.nan, 0.5],
            "dev_loss": [2, np.nan, 1.5, np.nan],
        }
    )
    (ax,) = draw(with_tables(build_data(TARGETS), history=history), "learning_curves").axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[2, 1.5], [1, 0.5]]


def test_log_without_epochs_is_an_error() -> None:
    """The error names the column."""
    data = with_tables(build_data(TARGETS), history=pd.DataFrame({"fold": [0]}))
    with pytest.raises(
        DataError, match="history has the columns fold, but not model, member, epoch"
    ):
        draw(data, "learning_curves")


def test_clusters_are_a_grid_below_the_labels() -> None:
    """Titles name labels, methods and k; axes name the share of variance."""
    data = build_data(TARGETS, n=200)
    corpus = data.table("corpus").drop(columns="sentence")
    figure = draw(with_tables(data, corpus=corpus), "clusters")
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    methods = ["K-means", "Gaussian mixture", "Agglomerative"]
    assert titles == ["True gender", "True emotion"] + [
        f"{method}, k = {k}" for method in methods for k in (2, 4, 10)
    ]
    shown = {text.get_text() for text in visible_texts(figure)}
    assert {"PC1 (31 % of variance)", "PC2 (14 % of variance)", *TARGETS["emotion"]} <= shown


def test_every_point_is_drawn_once() -> None:
    """Each panel's points are the projection's; a file without a label is left out."""
    data = build_data({"gender": TARGETS["gender"]}, n=200)
    corpus = data.table("corpus").drop(columns="sentence")
    corpus.loc[:49, "gender"] = None
    figure = draw(with_tables(data, corpus=corpus), "clusters")
    wanted = data.table("projection")[["pc1", "pc2"]].to_numpy()
    for ax, points in ((figure.axes[0], wanted[50:]), (figure.axes[3], wanted)):
        drawn = np.vstack([line.get_xydata() for line in ax.lines])
        np.testing.assert_array_equal(drawn[np.lexsort(drawn.T)], points[np.lexsort(points.T)])
        assert all(line.get_rasterized() for line in ax.lines if len(line.get_xdata()))


def test_a_single_component_is_drawn() -> None:
    """Without a second component the points lie on a line."""
    data = build_data(TARGETS, n=50)
    projection = data.table("projection").assign(pc2=np.nan)
    figure = draw(with_tables(data, projection=projection), "clusters")
    assert sum(np.isfinite(line.get_xydata()).all() for line in figure.axes[0].lines) > 0
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 50


def test_corpus_bars_are_the_counts() -> None:
    """Classes by gender, the median duration and the recordings of each speaker."""
    data = build_data(TARGETS, n=200, speakers=7)
    corpus, figure = data.table("corpus"), draw(data, "corpus")
    classes, durations, speakers = figure.axes
    for container, gender in zip(classes.containers, ["female", "male"], strict=True):
        rows = corpus[corpus["gender"] == gender]
        counts = [int((rows["emotion"] == name).sum()) for name in TARGETS["emotion"]]
        assert [bar.get_width() for bar in container] == counts
    assert sum(bar.get_height() for bar in durations.patches) == 200
    assert legend(durations) == [f"median {corpus['duration'].median():.1f} s"]
    counts = sorted(corpus["speaker"].value_counts(), reverse=True)
    assert [bar.get_height() for bar in speakers.patches] == counts
    shown = {text.get_text() for text in visible_texts(figure)}
    assert {*TARGETS["emotion"], "female", "male", "Duration (s)"} <= shown


def test_gender_alone_is_drawn_once() -> None:
    """There is no "gender by gender"."""
    data = build_data({"gender": ["female", "male"]}, n=60)
    corpus, figure = data.table("corpus"), draw(data, "corpus")
    (bars,) = figure.axes[0].containers
    counts = corpus["gender"].value_counts()
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


def test_unknown_durations_are_a_gap() -> None:
    """Without any duration the panel says so."""
    data = build_data(TARGETS, n=40)
    corpus = data.table("corpus").assign(duration=np.nan)
    figure = draw(with_tables(data, corpus=corpus), "corpus")
    assert "undefined" in [text.get_text() for text in visible_texts(figure)]
