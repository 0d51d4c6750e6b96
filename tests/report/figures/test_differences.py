"""The figures of scores, differences and intervals show the numbers they are given."""

import numpy as np
from helpers.evidence import (
    make_ablation,
    make_comparisons,
    make_importance,
    make_inflation,
    make_references,
    with_intervals,
)
from helpers.overlaps import visible_texts
from helpers.results import TARGETS, build_data, draw, with_info, with_tables
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from speechnet.report.drawing.style import BLUE, GREY
from speechnet.report.figures.importance import ranked

MODELS = ["mlp", "knn", "svm"]


def points_of(ax: Axes, label: str) -> np.ndarray:
    """The points under a label of the legend, ``[n, 2]``."""
    (found,) = [
        each
        for each in ax.collections
        if isinstance(each, PathCollection) and each.get_label() == label
    ]
    return np.asarray(found.get_offsets())


def lines_of(ax: Axes, colour: str) -> np.ndarray:
    """Both ends of every whisker of a colour, ``[n, 2]``."""
    ends = [
        segment[:, 0]
        for each in ax.collections
        if isinstance(each, LineCollection) and to_hex(each.get_color()[0]) == colour.lower()
        for segment in each.get_segments()
    ]
    return np.array(ends)


def footer(figure: Figure) -> str:
    """The small print, in one line."""
    return " ".join(figure.legends[0].get_title().get_text().split())


def test_pairs_are_drawn_where_they_belong() -> None:
    """Points and whiskers are the table's; what isn't shown is grey; each row tells its numbers."""
    table = make_comparisons(TARGETS, MODELS)
    data = with_info(build_data(TARGETS, models=MODELS, comparisons=table), unit="recording")
    figure = draw(data, "comparisons")
    shown = {text.get_text() for text in visible_texts(figure)}
    for ax, target in zip(figure.axes, TARGETS, strict=True):
        rows = table[table["target"] == target].reset_index(drop=True)
        for label, colour, wanted in (
            ("difference shown", BLUE, rows[rows["p_holm"] <= 0.05]),
            ("no difference shown", GREY, rows[rows["p_holm"] > 0.05]),
        ):
            assert len(wanted)
            expected = np.c_[wanted["difference"], wanted.index]
            np.testing.assert_allclose(points_of(ax, label), expected)
            np.testing.assert_allclose(lines_of(ax, colour), wanted[["low", "high"]])
        for row in rows.itertuples():
            numbers = [100 * each for each in (row.difference, row.low, row.high)]
            p = "p < 0.001" if row.p_holm < 0.001 else f"p = {row.p_holm:.3f}"
            assert "{:+.1f} [{:+.1f}, {:+.1f}]".format(*numbers) + "\n" + p in shown
    assert "MLP (network)\nminus KNN" in shown
    assert footer(figure).startswith("Whisker: 95 % bootstrap interval over recordings.")


def test_inflation_is_between_two_points() -> None:
    """The whisker of the random split stands as far from the other point as the interval says."""
    table = make_inflation(TARGETS)
    figure = draw(build_data(TARGETS, inflation=table), "inflation")
    for ax, row in zip(figure.axes, table.itertuples(), strict=True):
        label = "random split: speakers on both sides"
        np.testing.assert_allclose(points_of(ax, label), [[row.random, 0]])
        np.testing.assert_allclose(points_of(ax, "unseen speakers"), [[row.disjoint, 0]])
        ends = [row.disjoint + row.low, row.disjoint + row.high]
        assert any(
            np.allclose(segment[:, 0], ends)
            for each in ax.collections
            if isinstance(each, LineCollection)
            for segment in each.get_segments()
        )
    shown = " ".join(text.get_text() for text in visible_texts(figure))
    assert f"{100 * row.random:.1f} against {100 * row.disjoint:.1f}" in shown


def test_whiskers_are_the_intervals() -> None:
    """Where there are intervals no deviation is drawn, and the caption says what is."""
    data = build_data(TARGETS, models=2, folds=3)
    scores = with_intervals(data.scores)
    figure = draw(with_tables(data, scores=scores), "scores", "uar")
    rows = scores.query("metric == 'uar' and part == 'test' and fold == 'mean'")
    shown = [text.get_text() for text in visible_texts(figure)]
    for ax, target in zip(figure.axes, TARGETS, strict=True):
        wanted = rows[rows["target"] == target]
        ends = [line.get_xdata() for line in ax.lines if line.get_marker() == "|"]
        np.testing.assert_allclose(ends, wanted[["low", "high"]])
        for row in wanted.itertuples():
            assert f"{100 * row.value:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}]" in shown
    assert not any("±" in text for text in shown)
    assert "(mean over 3 folds)" in figure.get_suptitle()
    assert footer(figure) == "Whisker: 95 % bootstrap interval over speakers, also in brackets."


def test_without_intervals_whiskers_are_deviations() -> None:
    """An older run, and one whose intervals are all undefined, look as they did."""
    data = build_data(TARGETS, models=2, folds=3)
    scores = data.scores
    uar = scores.query("metric == 'uar' and target == 'gender' and part == 'test'")
    by_fold = uar.pivot_table(index="model", columns="fold", values="value", sort=False)
    wanted = np.c_[by_fold["mean"] - by_fold["sd"], by_fold["mean"] + by_fold["sd"]]
    for table in (scores, scores.assign(low=np.nan, high=np.nan)):
        figure = draw(with_tables(data, scores=table), "scores", "uar")
        ends = [line.get_xdata() for line in figure.axes[0].lines if line.get_marker() == "|"]
        np.testing.assert_allclose(ends[1::2], wanted)
        assert not footer(figure)


def test_reference_results_stand_apart() -> None:
    """Below the emotions alone, highest first, of this metric, with their source in the caption."""
    data = build_data(TARGETS, references=make_references())
    figure = draw(data, "scores", "uar")
    gender, emotion = figure.axes
    assert not gender.child_axes
    (below,) = emotion.child_axes
    np.testing.assert_allclose(
        points_of(below, "reference"), np.c_[[0.753, 0.72, 0.7, 0.485], range(4)]
    )
    assert below.get_title() == "Reference results, not of this run"
    shown = {text.get_text() for text in visible_texts(figure)}
    assert {"Whisper large v3, frozen [1]", "75.3", "48.5"} <= shown
    assert "eGeMAPS functionals (openSMILE) and a linear SVM" in shown
    assert "not of this run: [1] Z. Ma et al., EmoBox, Interspeech 2024." in footer(figure)
    accuracy = draw(data, "scores", "accuracy")
    assert [len(ax.child_axes) for ax in accuracy.axes] == [0, 1]


def test_variants_stand_below_their_part() -> None:
    """Every point is at its variant's row; parts are headings; the baseline is in the title."""
    table = make_ablation(TARGETS, MODELS[:2])
    table.loc[0, "baseline"] = 0.5  # on other recordings
    figure = draw(build_data(TARGETS, ablation=table), "ablation", "ablation_gender")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:5] == ["denoise", "none", "stationary", "nonstationary", "features"]
    bold = [label.get_text() for label in figure.axes[0].get_yticklabels()
            if label.get_fontweight() == "bold"]  # fmt: skip
    assert bold == ["denoise", "features", "speakers", "heads"]
    for ax, model in zip(figure.axes, MODELS, strict=False):
        rows = table[(table["model"] == model) & (table["target"] == "gender")]
        drawn = np.vstack([points_of(ax, "difference shown"), points_of(ax, "no difference shown")])
        places = [labels.index(variant.replace("_", " ")) for variant in rows["variant"]]
        wanted = np.c_[rows["difference"], places]
        np.testing.assert_allclose(drawn[drawn[:, 1].argsort()], wanted)
        assert len(points_of(ax, "difference shown")) == (rows["p_holm"] <= 0.05).sum()
    assert figure.axes[0].get_title() == "MLP (network)\nas configured: UAR 50.0 to 57.6 %"
    assert figure.axes[1].get_title() == "KNN\nas configured: UAR 57.6 %"


def test_importance_is_ranked() -> None:
    """All groups and the twenty features that lose most; pale where the interval holds zero."""
    table = make_importance(TARGETS, ["svm", "knn"])
    data = build_data(TARGETS, importance=table)
    figure = draw(data, "importance", "importance_emotion_svm")
    rows = table[(table["model"] == "svm") & (table["target"] == "emotion")]
    for ax, level, count in zip(figure.axes, ("group", "feature"), (6, 20), strict=True):
        wanted = rows[rows["level"] == level].sort_values("drop", ascending=False).head(count)
        bars = ax.containers[0]
        np.testing.assert_allclose([bar.get_width() for bar in bars], wanted["drop"])
        np.testing.assert_allclose(lines_of(ax, "#000000"), wanted[["low", "high"]])
        sure = [to_hex(bar.get_facecolor()) == BLUE.lower() for bar in bars]
        assert sure == list((wanted["low"] > 0) | (wanted["high"] < 0))
        assert any(sure)
        assert not all(sure)
        labels = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
        assert labels == [name.replace("_", " ") for name in wanted["name"]]
    assert "the first 20 of 60" in figure.axes[1].get_title()
    lost = rows.assign(drop=rows["drop"].mask(rows["level"] == "group"))
    assert ranked(lost, level="group").empty


def test_a_column_of_the_tables_may_hold_numbers() -> None:
    """A variant called 4 and a part called 1, as a CSV gives them back."""
    table = make_ablation({"emotion": []}, ["mlp"]).head(2).assign(part=1, variant=[4, 5])
    figure = draw(build_data({"emotion": ["a", "b"]}, ablation=table), "ablation")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["1", "4", "5"]
