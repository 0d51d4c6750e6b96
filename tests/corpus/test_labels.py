"""Mapping and filtering labels."""

import pandas as pd
import pytest

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import Targets
from speechnet.corpus.labels import Classes, Labels, choose_rows, dropped_table, map_labels

EMOTIONS = ["angry", "calm", "calm", "happy", "sad", None]
GENDERS = ["male", "male", "female", None, "female", None]


def table(**columns: list[str | None]) -> pd.DataFrame:
    columns = columns or {"emotion": EMOTIONS, "gender": GENDERS}
    rows = len(next(iter(columns.values())))
    text = {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    return pd.DataFrame(
        {"file": range(rows), "where": [f"line {i + 2}" for i in range(rows)]} | text
    )


def apply_labels(
    table: pd.DataFrame, *, labels: Labels, targets: Classes, complete: bool = True
) -> tuple[pd.DataFrame, Targets, pd.DataFrame]:
    table, mapped = map_labels(table, labels=labels, targets=targets)
    table, classes, dropped = choose_rows(table, targets=targets, complete=complete)
    return table, classes, dropped_table([*mapped, *dropped])


def drops(dropped: pd.DataFrame) -> list[tuple[object, ...]]:
    assert list(dropped.columns) == ["target", "label", "count", "why"]
    return list(dropped.itertuples(index=False, name=None))


def test_all_classes() -> None:
    """Without a list, all classes that occur, in the vocabulary's order."""
    kept, targets, dropped = apply_labels(
        table(), labels={}, targets={"emotion": None, "gender": None}
    )
    assert targets == {"emotion": ["angry", "happy", "sad", "calm"], "gender": ["female", "male"]}
    assert list(kept["file"]) == [0, 1, 2, 3, 4]
    assert drops(dropped) == [("", "", 1, "no label for any target")]


def test_listed_classes() -> None:
    """Labels that aren't listed are dropped and counted; a missing one still serves the other."""
    targets = {"emotion": ["sad", "angry"], "gender": None}
    kept, resolved, dropped = apply_labels(table(), labels={}, targets=targets)
    assert list(kept["file"]) == [0, 4]
    assert resolved == {"emotion": ["sad", "angry"], "gender": ["female", "male"]}
    assert drops(dropped) == [
        ("emotion", "calm", 2, "not among the classes"),
        ("emotion", "happy", 1, "not among the classes"),
        ("", "", 1, "no label for any target"),
    ]


def test_count_calm_as_neutral() -> None:
    """A label is renamed."""
    kept, resolved, _ = apply_labels(
        table(), labels={"emotion": {"calm": "neutral"}}, targets={"emotion": None}
    )
    assert resolved == {"emotion": ["angry", "happy", "sad", "neutral"]}
    assert list(kept["emotion"]) == ["angry", "neutral", "neutral", "happy", "sad"]


def test_drop_calm() -> None:
    """A label mapped to null takes its rows away, counted, those of other targets too."""
    targets = {"emotion": None, "gender": None}
    kept, resolved, dropped = apply_labels(
        table(), labels={"emotion": {"calm": None}}, targets=targets
    )
    assert "calm" not in resolved["emotion"]
    assert list(kept["file"]) == [0, 3, 4]
    assert ("emotion", "calm", 2, "mapped to null") in drops(dropped)


def test_swap() -> None:
    """Renaming happens at once, not in a chain."""
    labels = {"emotion": {"sad": "happy", "happy": "sad"}}
    kept, _, _ = apply_labels(table(), labels=labels, targets={"emotion": None})
    assert list(kept["emotion"]) == ["angry", "calm", "calm", "sad", "happy"]


def test_codes_as_yaml_reads_them() -> None:
    """A code that YAML reads as a number still fits its label."""
    kept, _, _ = apply_labels(
        table(take=["1", "2"]),
        labels={"take": {2: None}},  # type: ignore[dict-item]
        targets={"take": None},
    )
    assert list(kept["take"]) == ["1"]


def test_classes_of_ones_own() -> None:
    """Renamed and listed labels may go beyond the vocabulary."""
    labels = {"emotion": {"angry": "high", "happy": "high", "calm": "low", "sad": "low"}}
    _, resolved, _ = apply_labels(table(), labels=labels, targets={"emotion": None})
    assert resolved == {"emotion": ["high", "low"]}
    own = table(emotion=["contempt", "sad"])
    _, resolved, _ = apply_labels(own, labels={}, targets={"emotion": ["sad", "contempt"]})
    assert resolved == {"emotion": ["sad", "contempt"]}


def test_other_columns_can_filter() -> None:
    """Labels of a column that is no target can be dropped too."""
    own = table(emotion=["sad", "sad"], take=["1", "2"])
    kept, _, dropped = apply_labels(own, labels={"take": {"2": None}}, targets={"emotion": None})
    assert list(kept["file"]) == [0]
    assert drops(dropped) == [("take", "2", 1, "mapped to null")]


@pytest.mark.parametrize(
    ("labels", "targets", "message"),
    [
        ({"emotion": {"clam": "neutral"}}, {"emotion": None}, r"'clam' \(did you mean 'calm'\?\)"),
        ({"emotoin": {}}, {"emotion": None}, r"labels: .*'emotoin' \(did you mean 'emotion'\?\)"),
        ({}, {"gendre": None}, r"targets: .*'gendre' \(did you mean 'gender'\?\); it has emotion"),
        ({}, {"where": None}, "no column 'where'"),
        ({}, {}, "data.targets is empty"),
        ({}, {"emotion": ["sad", "sad"]}, "must list each class once"),
        ({}, {"emotion": []}, "must list each class once"),
        (
            {"emotion": {"calm": "neutrl"}},
            {"emotion": ["angry", "neutral"]},
            r"becomes 'neutrl', .*\(did you mean 'neutral'\?\)",
        ),
    ],
)
def test_wrong_configuration(
    labels: dict[str, dict[str, str | None]], targets: dict[str, list[str] | None], message: str
) -> None:
    """A misspelt column, label or class is named together with the nearest one."""
    with pytest.raises(ConfigError, match=message):
        apply_labels(table(), labels=labels, targets=targets)


def test_class_without_rows() -> None:
    """A listed class that no row has is refused with the counts of what there is."""
    with pytest.raises(DataError, match=r"labelled bored; there are angry \(1\), calm \(2\)"):
        apply_labels(table(), labels={}, targets={"emotion": ["angry", "calm", "bored"]})


def test_class_lost_to_another_target() -> None:
    """Classes are counted after all targets have dropped their rows."""
    own = table(emotion=["sad", "calm"], gender=["female", "male"])
    with pytest.raises(DataError, match=r"data\.targets\.gender: no row is labelled male"):
        apply_labels(own, labels={}, targets={"emotion": ["sad"], "gender": ["female", "male"]})


def test_target_without_labels() -> None:
    """A target that no row has a label for is refused."""
    own = table(emotion=["sad", "calm"], gender=[None, None])
    with pytest.raises(DataError, match="no row has a label for 'gender'"):
        apply_labels(own, labels={}, targets={"emotion": None, "gender": None})
