"""The table that passes from the models to evaluation."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from speechnet.audio.signal_statistics import SignalStatistics
from speechnet.config.data import check_names
from speechnet.core.columns import SIGNAL_STATISTICS, TIMELINE_BEGINS, TIMELINE_ENDS
from speechnet.core.errors import ConfigError
from speechnet.core.predictions import join, predictions_table
from speechnet.core.types import PREDICTION_COLUMNS
from speechnet.inference.output import columns_of

TARGETS = {"gender": ["female", "male"], "emotion": ["sad", "angry", "happy"]}
FILES = ["a.wav", "b.wav", "c.wav"]
PROBABILITIES = {
    "gender": np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]),
    "emotion": np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.3, 0.4, 0.3]]),
}


def table_of(labels: list[list[int]], rows: int = 3, model: str = "knn") -> pd.DataFrame:
    return predictions_table(
        {target: values[:rows] for target, values in PROBABILITIES.items()},
        np.array(labels, dtype=np.int64).reshape(rows, 2),
        FILES[:rows],
        TARGETS,
        part="test",
        fold=2,
        model=model,
    )


def test_rows_and_columns() -> None:
    """A row for each file and target; the truth and the likeliest class by name."""
    table = table_of([[0, 2], [0, 0], [1, 1]])
    assert list(table.columns) == [
        *PREDICTION_COLUMNS,
        "p_female",
        "p_male",
        "p_sad",
        "p_angry",
        "p_happy",
    ]
    assert table["file"].tolist() == FILES * 2
    assert table["target"].tolist() == ["gender"] * 3 + ["emotion"] * 3
    assert table["truth"].tolist() == ["female", "female", "male", "happy", "sad", "angry"]
    assert table["predicted"].tolist() == ["female", "male", "female", "happy", "sad", "angry"]
    assert set(table["part"]) == {"test"}
    assert set(table["fold"]) == {2}
    assert set(table["model"]) == {"knn"}
    np.testing.assert_array_equal(
        table.query("target == 'emotion'")[["p_sad", "p_angry", "p_happy"]],
        PROBABILITIES["emotion"],
    )


def test_other_targets_probabilities_are_nan() -> None:
    """A class's column is empty in the rows of a target that has no such class."""
    table = table_of([[0, 2], [0, 0], [1, 1]])
    assert table.query("target == 'gender'")[["p_sad", "p_angry", "p_happy"]].isna().all(axis=None)
    assert table.query("target == 'emotion'")[["p_female", "p_male"]].isna().all(axis=None)


def test_rows_without_a_label_are_left_out() -> None:
    """Each target keeps the rows that it has a label for, with their own probabilities."""
    table = table_of([[-1, 2], [1, -1], [-1, -1]])
    assert table[["file", "target"]].to_numpy().tolist() == [
        ["b.wav", "gender"],
        ["a.wav", "emotion"],
    ]
    assert table["p_male"].iloc[0] == 0.8
    assert table["p_happy"].iloc[1] == 0.7


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(rows: int) -> None:
    """An empty part has all columns, of the same types, and joins without a word."""
    whole, few = table_of([[0, 2], [0, 0], [1, 1]]), table_of([[0, 1]] * rows, rows)
    assert len(few) == 2 * rows
    joined = join([few, whole, few], TARGETS)
    assert joined.dtypes.equals(whole.dtypes)
    assert len(joined) == len(whole) + 4 * rows
    assert (joined.dtypes[[name for name in joined if name.startswith("p_")]] == np.float64).all()


def test_join() -> None:
    """Tables of several models stand below each other, renumbered."""
    one, other = table_of([[0, 2]] * 3), table_of([[1, 1]] * 3, model="svm")
    joined = join([one, other], TARGETS)
    assert joined["model"].tolist() == ["knn"] * 6 + ["svm"] * 6
    assert joined.index.tolist() == list(range(12))


def test_a_class_of_two_targets_has_one_column() -> None:
    """Targets may share a class; its column holds each row's own target's probability."""
    targets = {"smokes": ["no", "yes"], "drinks": ["yes", "no"]}
    values = np.array([[0.3, 0.7]])
    table = predictions_table(
        {"smokes": values, "drinks": values},
        np.array([[0, 0]]),
        ["a.wav"],
        targets,
        part="dev",
        fold=0,
        model="mlp",
    )
    assert [name for name in table if name.startswith("p_")] == ["p_no", "p_yes"]
    assert table["p_yes"].tolist() == [0.7, 0.3]
    assert table["predicted"].tolist() == ["yes", "no"]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (
            {"emotion": ["angry"], "emotion_angry": None},
            "target emotion_angry would .* also the cl",
        ),
        (
            {"emotion_angry": None, "emotion": ["angry"]},
            "class angry of emotion would .* also the t",
        ),
        ({"a": ["b_c"], "a_b": ["c"]}, "the class c of a_b would .* also the class b_c of a;"),
        ({"file": None}, "the target file would .* tables of answers have; rename"),
        ({"far": ["a"], "x": ["a"]}, "the target far would .* tables of answers have"),
        ({"channel": ["taken"], "channels": None}, "'channels' is a signal statistic"),
        ({"../x": None}, "can't be used, expected"),
        ({"": None}, "can't be used, expected"),
        ({"a\x1b[0m": None}, r"'a\\x1b\[0m' can't be used"),
    ],
)
def test_names_that_can_not_be_columns(targets: dict[str, list[str] | None], said: str) -> None:
    """Two columns of one name, and names of which no file can be made."""
    with pytest.raises(ConfigError, match=said):
        check_names(targets)


def test_no_column_of_ours_is_a_target() -> None:
    """Whatever is in a table of answers, and every signal statistic."""
    statistics = [field.name for field in dataclasses.fields(SignalStatistics)]
    assert list(SIGNAL_STATISTICS) == statistics
    for name in {*columns_of({}), *TIMELINE_BEGINS, *TIMELINE_ENDS, *statistics}:
        with pytest.raises(ConfigError, match=r"^data"):
            check_names({name: None})
    check_names({"sample": ["rate"]})  # in no table beside a statistic


def test_names_that_can() -> None:
    """A class may be called like one of another target: the columns differ."""
    check_names({"a": ["x", "y"], "b": ["x", "a"], "a b": None, "état": ["日本"]})
