"""All figures of how much the scores are worth: what is written, and that nothing overlaps."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.evidence import LONG_SPEAKER, make_comparisons, make_evidence, with_intervals
from helpers.overlaps import clashes, off_the_page
from matplotlib.figure import Figure
from matplotlib.text import Text

from speechnet.core.errors import DataError
from speechnet.core.types import Targets
from speechnet.report.figures import draw as figures_module
from speechnet.report.figures.draw import draw_all
from speechnet.report.tables import Tables

pytestmark = pytest.mark.slow

Build = Callable[..., Tables]

EMOTIONS = ["angry", "happy", "sad", "neutral", "calm", "fearful", "disgust", "surprised"]
LONG = "très_heureux_Обрадованный_καλή_surprised"
LONG_MODEL = "a_model_with_a_name_of_forty_characters_"
LONG_CORPUS = "a_corpus_of_speech_with_a_very_long_name"
SHAPES = {
    "little of everything": ({"emotion": ["sad", "happy"]}, ["mlp", "knn"], 2, ["ravdess"]),
    "much of everything": (
        {"emotion": [LONG, *EMOTIONS, "bored", "tired", "whispered_very_softly"]},
        ["mlp", "knn", "svm", "logreg", "sklearn_mlp", LONG_MODEL],
        300,
        ["ravdess", LONG_CORPUS, "Ærøskøbing_Ελλάδα"],
    ),
}
VALUES = [
    "difference", "low", "high", "p", "p_holm", "random", "disjoint", "confidence", "accuracy",
    "risk", "recall", "gap", "uar", "baseline", "drop", "value", "null_mean", "null_sd",
]  # fmt: skip


def whole(build: Build, targets: Targets, models: list[str], speakers: int = 24) -> Tables:
    """The tables of a run with all of its evidence, and without the figures of before."""
    tables = build(targets, models=len(models), n=40)
    names = dict(zip(tables.scores["model"].unique(), models, strict=True))
    scores = with_intervals(tables.scores.replace({"model": names}))
    evidence = make_evidence(targets, models, speakers=speakers, corpora=["ravdess", "emodb"])
    none = {"clusters": None, "history": None, "corpus": None}
    return replace(tables, scores=scores, **none, **evidence)


def new_drawings(tables: Tables) -> figures_module.Drawings:
    """What draws the figures that the evidence is for."""
    return {
        "uar": figures_module._model_drawings(tables)["uar"],
        **figures_module._evidence_drawings(tables),
        **figures_module._target_drawings(tables),
        **figures_module._data_drawings(tables),
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_of_the_evidence_overlaps(
    build: Build, texts: Callable[[Figure], list[Text]], shape: str
) -> None:
    """No two texts of a figure intersect, and none leaves the page."""
    targets, models, speakers, corpora = SHAPES[shape]
    tables = whole(build, targets, models, speakers)
    cross = make_evidence(targets, models, speakers=2, corpora=corpora)["cross"]
    for name, draw in new_drawings(replace(tables, cross=cross)).items():
        figure = draw()
        found = texts(figure)
        assert not clashes(figure, found), name
        assert not off_the_page(figure, found), name


def test_there_is_a_figure_for_each_table(build: Build) -> None:
    """Each under a safe name; gender by gender and a UAR of one class are not drawn."""
    tables = whole(build, {"gender": ["female", "male"], "a/b": EMOTIONS[:2]}, ["m/1", "knn"])
    of_one_class = tables.speakers["target"] == "gender"
    speakers = tables.speakers.assign(uar=tables.speakers["uar"].mask(of_one_class))
    assert list(new_drawings(replace(tables, speakers=speakers))) == [
        "uar",
        "comparisons",
        "inflation",
        "risk_coverage",
        "reliability_gender",
        "ablation_gender",
        "importance_gender_m_1",
        "cross_gender",
        "reliability_a_b",
        "gender_recall_a_b",
        "speakers_a_b",
        "ablation_a_b",
        "importance_a_b_m_1",
        "cross_a_b",
        "clusters_chance",
    ]


def test_the_evidence_is_written_with_the_rest(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new figures go the way of the others."""
    monkeypatch.setattr(figures_module, "save", lambda _, folder, name: [folder / name])
    tables = build({"emotion": EMOTIONS[:2]}, models=1, n=20)
    pairs = make_comparisons(tables.targets, ["mlp", "knn"])
    bare = replace(tables, clusters=None, history=None, corpus=None, comparisons=pairs)
    names = [path.name for path in draw_all(bare, tmp_path)]
    assert names == ["accuracy", "uar", "confusion_emotion", "roc_emotion", "comparisons"]


def test_empty_tables_draw_nothing(build: Build) -> None:
    """Nor do tables of other targets, of the development part, or without a chance level."""
    tables = whole(build, {"emotion": EMOTIONS[:3]}, ["mlp", "knn"])
    frames = {
        field.name: table
        for field in fields(tables)
        if isinstance(table := getattr(tables, field.name), pd.DataFrame)
        and field.name not in ("scores", "confusion", "statistics")
    }
    empty = replace(tables, **{name: table.iloc[:0] for name, table in frames.items()})
    assert list(new_drawings(empty)) == ["uar"]
    new_drawings(empty)["uar"]()
    elsewhere = {
        name: table.assign(**{column: "dev" for column in ("target", "part") if column in table})
        for name, table in frames.items()
    }
    without = elsewhere["clustering"].drop(columns=["null_mean", "null_sd"])
    assert list(new_drawings(replace(tables, **elsewhere | {"clustering": without}))) == ["uar"]


def test_tables_of_nan_are_drawn(build: Build, texts: Callable[[Figure], list[Text]]) -> None:
    """Where nothing is defined there are no points, and still no error and no warning."""
    tables = whole(build, {"emotion": EMOTIONS[:3]}, ["mlp", "knn"])
    lost = {
        field.name: table.assign(**{name: np.nan for name in VALUES if name in table})
        for field in fields(tables)
        if isinstance(table := getattr(tables, field.name), pd.DataFrame)
    }
    drawings = new_drawings(replace(tables, **lost))
    assert "speakers_emotion" not in drawings
    assert len(drawings) == 10
    for name, draw in drawings.items():
        figure = draw()
        assert not clashes(figure, texts(figure)), name


@pytest.mark.parametrize(
    ("table", "column", "figure"),
    [
        ("comparisons", "p_holm", "comparisons"),
        ("inflation", "random", "inflation"),
        ("reliability", "confidence", "reliability_emotion"),
        ("risk_coverage", "risk", "risk_coverage"),
        ("groups", "recall", "gender_recall_emotion"),
        ("gaps", "higher", "gender_recall_emotion"),
        ("speakers", "classes", "speakers_emotion"),
        ("ablation", "baseline", "ablation_emotion"),
        ("importance", "drop", "importance_emotion_mlp"),
        ("cross", "seen", "cross_emotion"),
        ("clustering", "against", "clusters_chance"),
        ("references", "system", "uar"),
    ],
)
def test_a_missing_column_is_an_error(build: Build, table: str, column: str, figure: str) -> None:
    """The error names the column."""
    tables = whole(build, {"emotion": EMOTIONS[:3]}, ["mlp", "knn"])
    less = getattr(tables, table).drop(columns=column)
    with pytest.raises(DataError, match=rf"has the columns .* but not {column}: pass"):
        new_drawings(replace(tables, **{table: less}))[figure]()


@pytest.mark.parametrize("table", ["comparisons", "groups", "speakers", "cross"])
def test_a_table_without_targets_is_an_error(build: Build, table: str) -> None:
    """Before any figure is drawn."""
    tables = whole(build, {"emotion": EMOTIONS[:3]}, ["mlp", "knn"])
    less = getattr(tables, table).drop(columns="target")
    with pytest.raises(DataError, match="but not target: pass"):
        new_drawings(replace(tables, **{table: less}))


def test_an_unknown_gender_and_a_numbered_speaker_are_drawn(
    build: Build, texts: Callable[[Figure], list[Text]]
) -> None:
    """A missing gender is named so; a speaker may be a number."""
    tables = whole(build, {"emotion": EMOTIONS[:3]}, ["mlp"], speakers=6)
    names = {LONG_SPEAKER: 7}
    speakers = tables.speakers.replace({"speaker": names})
    speakers["gender"] = speakers["gender"].where(speakers["gender"] == "female")
    drawings = new_drawings(replace(tables, speakers=speakers))
    shown = {text.get_text() for text in texts(drawings["speakers_emotion"]())}
    assert {"female", "unknown gender"} <= shown
