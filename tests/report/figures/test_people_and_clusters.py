"""The figures of probabilities, genders, speakers, corpora and clusters show the numbers given."""

import numpy as np
import pandas as pd
import pytest
from helpers.evidence import (
    make_clustering,
    make_cross,
    make_groups,
    make_reliability,
    make_risk_coverage,
    make_speakers,
)
from helpers.overlaps import visible_texts
from helpers.results import TARGETS, build_data, draw, with_tables
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.patches import Rectangle

from speechnet.evaluation.groups import worst_gap
from speechnet.report.figures.speakers import stacked
from speechnet.report.results import hardest

MODELS = ["mlp", "knn"]


def scattered(ax: object) -> dict[str, np.ndarray]:
    """The points of a panel by their label."""
    return {
        str(each.get_label()): np.asarray(each.get_offsets())
        for each in ax.collections
        if isinstance(each, PathCollection)
    }


def test_dots_are_the_bins_of_the_test_part() -> None:
    """Confidence and accuracy of the bins that hold any, counts below, the ECE in the title."""
    table = make_reliability(TARGETS, MODELS)
    data = build_data(TARGETS, models=MODELS, reliability=table)
    errors = {"mlp": 7.5, "knn": 12.5}
    ece = data.scores[data.scores["metric"] == "uar"].assign(metric="ece")
    ece["value"] = ece["model"].map(errors) / 100
    data = with_tables(data, scores=pd.concat([data.scores, ece]))
    figure = draw(data, "reliability", "reliability_emotion")
    chosen = table[(table["target"] == "emotion") & (table["part"] == "test")]
    for ax, model in zip(figure.axes, MODELS, strict=True):
        rows = chosen[chosen["model"] == model]
        held = rows[rows["count"] > 0]
        assert 0 < len(held) < len(rows)
        np.testing.assert_array_equal(ax.lines[1].get_xydata(), held[["confidence", "accuracy"]])
        (histogram,) = ax.child_axes
        bars = histogram.containers[0]
        assert [bar.get_height() for bar in bars] == list(rows["count"])
        np.testing.assert_allclose([bar.get_x() for bar in bars], rows["low"])
        assert ax.get_title().endswith(f"\nECE {errors[model]} points")


def test_risks_are_those_of_the_test_part() -> None:
    """A line for each model, by coverage whatever the order of the rows."""
    table = make_risk_coverage(TARGETS, MODELS)
    figure = draw(build_data(TARGETS, risk_coverage=table.iloc[::-1]), "risk_coverage")
    for ax, target in zip(figure.axes, TARGETS, strict=True):
        for line in ax.lines:
            model = {"MLP (network)": "mlp", "KNN": "knn"}[line.get_label()]
            rows = table[(table["model"] == model) & (table["target"] == target)]
            rows = rows[rows["part"] == "test"]
            np.testing.assert_array_equal(line.get_xydata(), rows[["coverage", "risk"]])


def test_recalls_are_drawn_by_gender() -> None:
    """A point for each class and gender, its whisker, and the largest gap in words and shaded."""
    groups, gaps = make_groups(TARGETS, MODELS)
    classes = TARGETS["emotion"]
    figure = draw(build_data(TARGETS, models=MODELS, groups=groups, gaps=gaps), "gender_recall")
    for ax, model in zip(figure.axes, MODELS, strict=True):
        rows = groups[groups["model"] == model].set_index("class")
        segments = np.vstack([
            [segment[:, 0] for segment in each.get_segments()]
            for each in ax.collections
            if isinstance(each, LineCollection)
        ])  # fmt: skip
        for gender, points in scattered(ax).items():
            wanted = rows[rows["gender"] == gender].loc[classes]
            np.testing.assert_allclose(points[:, 0], wanted["recall"])
            assert np.abs(points[:, 1] - np.arange(len(classes))).max() < 0.5
            for ends in wanted[["low", "high"]].to_numpy():
                assert np.isclose(segments, ends).all(axis=1).any()
        gap = gaps[gaps["model"] == model].sort_values("gap").iloc[-1]
        place = classes.index(gap["class"])
        (shade,) = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
        assert (shade.get_y(), shade.get_height()) == (place - 0.5, 1.0)
        assert f"largest gap: {gap['class']}\n{gap['higher']} above" in ax.get_title()
        assert f"by {100 * gap['gap']:.1f} [" in " ".join(ax.get_title().split())
    assert {*classes, "female", "male"} <= {text.get_text() for text in visible_texts(figure)}


def test_the_gap_that_is_named_is_the_one_of_the_words() -> None:
    """The largest of the classes and the UAR; it is shown to be one only where it is certain."""
    columns = ["model", "target", "class", "higher", "lower", "gap", "low", "high", "certain"]
    who = ("svm", "emotion")
    rows = [
        (*who, "uar", "male", "female", 0.1, 0.05, 0.3, True),
        (*who, "sad", "female", "male", 0.4, 0.1, 0.8, False),
        (*who, "calm", "male", "female", 0.2, 0.1, 0.3, True),
        (*who, "happy", "male", "female", np.nan, np.nan, np.nan, False),
    ]
    gaps = pd.DataFrame(rows, columns=columns)
    classes = ["sad", "calm", "happy"]
    groups, _ = make_groups({"emotion": classes}, ["svm"])
    for table, words, shaded in (
        (gaps, "sad female above male by 40.0 [10.0, 80.0] points, no difference shown", [-0.5]),
        (gaps.drop(index=1), "calm male above female by 20.0 [10.0, 30.0] points", [0.5]),
        (gaps.loc[[0]], "UAR male above female by 10.0 [5.0, 30.0] points", []),
    ):
        gap = worst_gap(table, "svm", "emotion")
        assert gap is not None
        data = build_data({"emotion": classes}, models=["svm"], groups=groups, gaps=table)
        (ax,) = draw(data, "gender_recall").axes
        title = " ".join(ax.get_title().split())
        assert title == f"SVM largest gap: {words}"
        assert gap.certain == ("no difference" not in title)
        found = [patch.get_y() for patch in ax.patches if isinstance(patch, Rectangle)]
        assert found == shaded
    (ax,) = draw(with_tables(data, gaps=gaps.loc[[3]]), "gender_recall").axes
    assert ax.get_title() == "SVM"


def test_of_many_models_the_best_are_shown() -> None:
    """Six panels, of the highest mean recall, in the table's order."""
    groups, _ = make_groups({"emotion": ["sad", "calm"]}, list("abcdefgh"))
    mean = groups.groupby("model")["recall"].mean().sort_values()
    figure = draw(build_data({"emotion": ["sad", "calm"]}, groups=groups), "gender_recall")
    assert [ax.get_title() for ax in figure.axes] == sorted(mean.index[2:])
    assert "the best 6 models" in figure.get_suptitle()


def test_every_speaker_has_a_point() -> None:
    """All but those without a UAR, in the colour of their gender; the hardest are listed."""
    table = make_speakers(TARGETS, MODELS, speakers=9)
    figure = draw(with_tables(build_data(TARGETS), speakers=table), "speakers", "speakers_emotion")
    (ax,) = figure.axes
    rows = table[(table["target"] == "emotion") & table["uar"].notna()]
    drawn = [each for each in ax.collections if isinstance(each, PathCollection)]
    by_model = [np.vstack([each.get_offsets() for each in drawn[at : at + 2]]) for at in (0, 3)]
    for place, (model, points) in enumerate(zip(MODELS, by_model, strict=True)):
        of_model = rows[rows["model"] == model]
        np.testing.assert_allclose(np.sort(points[:, 0]), np.sort(of_model["uar"]))
        assert np.abs(points[:, 1] - place).max() <= 0.4
        first = of_model.sort_values("uar").head(3)
        rings = np.asarray(drawn[3 * place + 2].get_offsets())
        np.testing.assert_allclose(np.sort(rings[:, 0]), first["uar"])
        names = first["speaker"].str.replace("_", " ")
        wanted = [f"{name}  {100 * uar:.1f}" for name, uar in zip(names, first["uar"], strict=True)]
        assert "\n".join(wanted) in {text.get_text() for text in visible_texts(figure)}
    female = table.query("model == 'mlp' and target == 'emotion' and gender == 'female'")["uar"]
    np.testing.assert_allclose(drawn[0].get_offsets()[:, 0], female.dropna())
    assert "of a single class: 1" in figure.legends[0].get_title().get_text()


def test_chance_is_drawn_where_it_is_one() -> None:
    """Speakers of three and of four classes have no common chance level."""
    table = make_speakers(TARGETS, MODELS, speakers=9)
    data = with_tables(build_data(TARGETS), speakers=table)
    (ax,) = draw(data, "speakers", "speakers_emotion").axes
    assert ax.lines[0].get_xdata()[0] == 0.25
    mixed = table.assign(classes=np.where(table["speaker"] == "03", 3, 4))
    (ax,) = draw(with_tables(data, speakers=mixed), "speakers", "speakers_emotion").axes
    assert not ax.lines


def test_equal_points_are_stacked() -> None:
    """Points of one value are apart, evenly about the row's middle and within it."""
    np.testing.assert_allclose(stacked(np.array([0.5, 0.5, 0.9])), [-0.055, 0.055, 0])
    offsets = stacked(np.full(300, 0.5))
    assert len(np.unique(offsets.round(6))) == 300
    assert np.abs(offsets).max() == pytest.approx(0.4)
    assert stacked(np.array([])).shape == (0,)


def test_the_hardest_have_a_score() -> None:
    """The lowest first; an undefined one is not the hardest."""
    rows = pd.DataFrame({"speaker": list("abcde"), "uar": [0.5, np.nan, 0.1, 0.9, 0.2]})
    assert list(hardest(rows)["speaker"]) == ["c", "e", "a"]


def test_cells_are_the_scores_across_corpora() -> None:
    """Rows are training corpora, columns test corpora; the same corpora are framed."""
    table = make_cross({"emotion": []}, MODELS, ["a", "b", "c"])
    lost = (table["train"] == "b") & (table["test"] == "c")
    table = table.assign(uar=table["uar"].mask(lost & (table["model"] == "mlp")))
    table = table[~(lost & (table["model"] == "knn"))].iloc[::-1]  # in any order
    figure = draw(build_data({"emotion": ["x", "y"]}, cross=table), "cross")
    for ax, (model, gap) in zip(
        figure.axes, {"knn": "not tested", "mlp": "undefined"}.items(), strict=False
    ):
        columns = [label.get_text() for label in ax.get_xticklabels()]
        words = {}
        for text in ax.texts:
            words.setdefault(tuple(np.round(text.get_position()).astype(int)), []).append(
                text.get_text()
            )
        rows = table[table["model"] == model].set_index(["train", "test"])
        for (train, test), row in rows.iterrows():
            place = (columns.index(test), columns.index(train))
            if np.isnan(row["uar"]):
                continue
            number, rest = words[place]
            assert number == f"{100 * row['uar']:.1f}"
            assert rest.startswith(f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]")
            assert rest.endswith("unseen speakers") == (train == test)
            assert ax.collections[0].get_array()[place[::-1]] == pytest.approx(row["uar"])
        assert words[columns.index("c"), columns.index("b")] == [gap]
        frames = [patch for patch in ax.patches if not patch.get_fill()]
        assert len(frames) == 3


def test_chance_is_a_band() -> None:
    """Two deviations about its mean, a panel for each label and each criterion without labels."""
    table = make_clustering(TARGETS)
    figure = draw(build_data(TARGETS, clustering=table), "clusters_chance")
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert titles == [
        *(f"Adjusted mutual information with {name}"
          for name in ("gender", "emotion", "speaker", "sentence")),
        "Silhouette",
        "Davies-Bouldin (lower is better)",
        "Calinski-Harabasz",
    ]  # fmt: skip
    for ax, (metric, label) in (
        (figure.axes[1], ("adjusted_mutual_information", "emotion")),
        (figure.axes[5], ("davies_bouldin", None)),
    ):
        rows = table[table["metric"] == metric]
        rows = rows[rows["against"] == label] if label else rows
        np.testing.assert_allclose(scattered(ax)["clusters"], np.c_[rows["value"], range(9)])
        bars = ax.containers[0]
        np.testing.assert_allclose(
            [bar.get_x() for bar in bars], rows["null_mean"] - 2 * rows["null_sd"]
        )
        np.testing.assert_allclose([bar.get_width() for bar in bars], 4 * rows["null_sd"])
    reaches = {ax.get_xlim() for ax in figure.axes[:4]}
    assert len(reaches) == 1  # so that labels can be compared
