"""All figures together: which are drawn and written, and that nothing overlaps."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.evidence import LONG_SPEAKER, make_evidence, with_intervals
from helpers.overlaps import clashes, off_the_page, visible_texts
from helpers.results import build_data, draw, with_tables
from matplotlib.figure import Figure

from speechnet.core.errors import DataError
from speechnet.report.data import ReportData
from speechnet.report.drawing.style import SVG_DPI
from speechnet.report.figure import FIGURES, Drawing, draw_all, drawings_of

pytestmark = pytest.mark.slow

EMOTIONS = ["angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised"]
LONG = ["pleasantly_surprised_and_calm", "x", "très_heureux_Обрадованный_καλή_surprised"]
LONG_MODEL = "a_model_with_a_name_of_forty_characters_"
LONG_CORPUS = "a_corpus_of_speech_with_a_very_long_name"
SHAPES = {
    "three targets": (
        {"gender": ["female", "male"], "emotion": EMOTIONS[:4], "age": ["young", "old"]},
        ["mlp"],
        ["ravdess", "emodb"],
        1,
    ),
    "little of everything": ({"emotion": ["sad", "happy"]}, ["mlp", "knn"], ["ravdess"], 2),
    "much of everything": (
        {"emotion": [*LONG, *EMOTIONS]},
        ["mlp", "knn", "svm", "logreg", "sklearn_mlp", LONG_MODEL],
        ["ravdess", LONG_CORPUS, "Ærøskøbing_Ελλάδα"],
        6,
    ),
}
KNOWN = [
    "ablation", "clusters", "clusters_chance", "comparisons", "confusion", "corpus", "cross",
    "gender_recall", "importance", "inflation", "layer_weights", "learning_curves", "members",
    "reliability", "risk_coverage", "robustness", "roc", "scores", "speakers",
]  # fmt: skip
VALUES = [
    "difference", "low", "high", "p", "p_holm", "random", "disjoint", "confidence", "accuracy",
    "risk", "recall", "gap", "uar", "baseline", "drop", "value", "null_mean", "null_sd",
]  # fmt: skip


def whole(shape: str) -> ReportData:
    """A run with every table."""
    targets, models, corpora, folds = SHAPES[shape]
    speakers = 300 if "much" in shape else 24
    evidence = make_evidence(targets, models, speakers=speakers, corpora=corpora)
    data = build_data(targets, models=models, folds=folds)
    scores = with_intervals(data.scores) if "three" not in shape else data.scores
    return with_tables(data, scores=scores, **evidence)


def known_files(data: ReportData) -> set[str]:
    """The files of the figures that these tests know, whatever figure is added."""
    found = drawings_of(data)
    return {each.file for name in KNOWN for each in found.get(name, [])}


def drawings(data: ReportData) -> dict[str, Drawing]:
    """Every drawing by its file."""
    return {each.file: each for found in drawings_of(data).values() for each in found}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_overlaps(shape: str) -> None:
    """No two texts of a figure intersect, and none leaves the page."""
    found = drawings(whole(shape))
    assert len(found) > 15
    if "three" not in shape:
        del found["clusters"]  # the slowest figure
    for name, drawing in found.items():
        figure = drawing.draw()
        texts = visible_texts(figure)
        assert not clashes(figure, texts), name
        assert not off_the_page(figure, texts), name


def test_overlap_is_found() -> None:
    """The check above does see two texts on top of each other."""
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.5, 0.5, "two")
    figure.text(0.99, 0.1, "too far")
    assert clashes(figure, visible_texts(figure)) == [("one", "two")]
    assert off_the_page(figure, visible_texts(figure)) == ["too far"]


def test_there_is_a_figure_for_each_table() -> None:
    """Each under a safe name; gender by gender and a UAR of one class are not drawn."""
    targets = {"gender": ["female", "male"], "a/b": EMOTIONS[:2]}
    models = ["m/1", "knn"]
    evidence = make_evidence(targets, models, speakers=9, corpora=["one", "two"])
    speakers = evidence["speakers"]
    only = speakers.assign(uar=speakers["uar"].mask(speakers["target"] == "gender"))
    data = build_data(targets, models=models)
    data = with_tables(data, **evidence | {"speakers": only})
    by_target = ["confusion", "roc", "reliability", "ablation", "robustness", "cross"]
    assert known_files(data) == {
        *("uar", "accuracy", "comparisons", "inflation", "risk_coverage", "learning_curves"),
        "members_ensemble",
        "layer_weights",
        *("corpus", "clusters", "clusters_chance", "gender_recall_a_b", "speakers_a_b"),
        *(f"{name}_{target}" for name in by_target for target in ("gender", "a_b")),
        *(f"importance_{target}_m_1" for target in ("gender", "a_b")),
    }
    assert all(each.title and each.caption for each in drawings(data).values())


def test_what_a_run_lacks_is_not_drawn() -> None:
    """No table, an empty one, rows of other targets or of the dev part, no chance level."""
    data = whole("little of everything")
    always = {"scores", "confusion", "predictions"}
    kept = {name: data.tables[name] for name in always}
    bare = {"uar", "accuracy", "confusion_emotion", "roc_emotion"}
    assert known_files(replace(data, tables=kept)) == bare
    others = {name: table for name, table in data.tables.items() if name not in always}
    empty = {name: table.iloc[:0] for name, table in others.items()}
    assert known_files(with_tables(data, **empty)) == bare
    elsewhere = {
        name: table.assign(**{column: "dev" for column in ("target", "part") if column in table})
        for name, table in others.items()
    }
    more = {"learning_curves", "layer_weights", "corpus", "clusters", "clusters_chance"}
    assert known_files(with_tables(data, **elsewhere)) == bare | more


def test_tables_of_nan_are_drawn() -> None:
    """Where nothing is defined there are no points, and still no error and no warning."""
    data = whole("little of everything")
    lost = {
        name: table.assign(**{column: np.nan for column in VALUES if column in table})
        for name, table in data.tables.items()
    }
    found = drawings(with_tables(data, **lost))
    assert "speakers_emotion" not in found
    del found["clusters"]
    for name, drawing in found.items():
        figure = drawing.draw()
        assert not clashes(figure, visible_texts(figure)), name


def test_a_missing_column_is_an_error() -> None:
    """The error names the table and the column, for each table that a figure is made of."""
    data = whole("little of everything")
    for table, column, figure in (
        ("scores", "part", "scores"),
        ("groups", "recall", "gender_recall"),
        ("gaps", "higher", "gender_recall"),
        ("references", "system", "scores"),
    ):
        less = with_tables(data, **{table: data.tables[table].drop(columns=column)})
        with pytest.raises(DataError, match=rf"{table} has the columns .* but not {column}: pass"):
            next(iter(FIGURES[figure](less))).draw()


def test_what_is_drawn_is_written(tmp_path: Path) -> None:
    """As PNG and SVG; neither a date nor a path is in the file."""
    data = build_data({"gender": ["female", "male"]}, models=1, n=20)
    few = replace(data, tables={name: data.tables[name] for name in ("scores", "history")})
    drawn = draw_all(drawings_of(few), tmp_path / "figures")
    names = {each.file for each in drawn}
    assert names >= {"uar", "accuracy", "learning_curves"} == known_files(few)
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    text = (tmp_path / "figures" / "uar.svg").read_text()
    assert "<dc:date>" not in text
    assert not re.search(r"/(home|root|tmp)/", text)


def test_clouds_of_points_stay_small(tmp_path: Path) -> None:
    """20,000 points in each of 13 panels make an SVG below a megabyte."""
    data = build_data(SHAPES["three targets"][0], models=1, n=20_000, speakers=400)
    svg = tmp_path / "clusters.svg"
    draw(data, "clusters").savefig(svg, dpi=SVG_DPI)
    assert svg.stat().st_size < 1_000_000


def test_an_unknown_gender_and_a_numbered_speaker_are_drawn() -> None:
    """A missing gender is named so; a speaker may be a number."""
    data = whole("little of everything")
    speakers = data.table("speakers").replace({"speaker": {LONG_SPEAKER: 7}})
    speakers["gender"] = speakers["gender"].where(speakers["gender"] == "female")
    figure = draw(with_tables(data, speakers=speakers), "speakers")
    assert {"female", "unknown gender"} <= {text.get_text() for text in visible_texts(figure)}
