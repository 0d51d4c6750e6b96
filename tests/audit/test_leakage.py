"""Whatever stands on both sides of a fold is named, and nothing else is."""

import numpy as np
import pandas as pd
from helpers.tables import corpus_table

from speechnet.audit.leakage import leakage
from speechnet.core.types import Fold

NO_PAIRS = pd.DataFrame({"first": [], "second": []}, dtype=object)


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def listed(found: pd.DataFrame) -> list[list[object]]:
    return found.astype(object).where(found.notna(), None).to_numpy().tolist()


def each_its_own(table: pd.DataFrame) -> pd.Series:
    """Digests of recordings without exact copies."""
    return pd.Series([f"{row}" for row in range(len(table))], index=table.index)


def six_recordings() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "speaker": ["a", "a", "b", "b", "c", None],
            "sentence": ["1", "2", "1", "3", None, None],
        },
        index=pd.Index([f"{row}.wav" for row in range(6)], name="file"),
        dtype=object,
    )


def test_a_clean_division_has_no_row() -> None:
    """Missing names aren't a speaker that is on both sides."""
    table = six_recordings().assign(sentence=None)
    folds = [Fold(rows(0, 1), rows(2, 3), rows(4)), Fold(rows(2, 3, 5), rows(), rows(0, 1))]
    pairs = pd.DataFrame({"first": ["0.wav"], "second": ["1.wav"]})
    found = leakage(table, folds, digests=each_its_own(table), near=pairs)
    assert found.columns.tolist() == ["fold", "kind", "value", "train", "test", "tested"]
    assert found.empty


def test_each_kind_of_leak_is_named() -> None:
    """With how many recordings stand on either side; dev rows count as trained on."""
    table = six_recordings()
    digests = pd.Series(["x", "y", "z", "x", "y", "y"], index=table.index)
    pairs = pd.DataFrame({"first": ["2.wav", "0.wav"], "second": ["5.wav", "1.wav"]})
    fold = Fold(train=rows(0, 2), dev=rows(1), test=rows(3, 4, 5))
    found = leakage(table, [fold], digests=digests, near=pairs)
    assert listed(found) == [
        [0, "speaker", "b", 1, 1, None],
        [0, "duplicate", "0.wav = 3.wav", 1, 1, "3.wav"],
        [0, "duplicate", "1.wav = 4.wav", 1, 1, "4.wav"],
        [0, "duplicate", "1.wav = 5.wav", 1, 1, "5.wav"],
        [0, "near_duplicate", "2.wav ~ 5.wav", 1, 1, "5.wav"],
    ]


def test_near_duplicates_are_named_from_the_side_that_is_trained_on() -> None:
    """Whichever comes first in the pair; one that is excluded or left out leaks nothing."""
    table = six_recordings()
    pairs = pd.DataFrame(
        {"first": ["0.wav", "gone.wav", "4.wav"], "second": ["5.wav", "0.wav", "1.wav"]}
    )
    fold = Fold(train=rows(5, 3), dev=rows(), test=rows(0, 4))
    found = leakage(table, [fold], digests=each_its_own(table), near=pairs)
    assert listed(found) == [[0, "near_duplicate", "5.wav ~ 0.wav", 1, 1, "0.wav"]]


def test_a_recording_with_several_copies_is_named_once() -> None:
    """In each fold in which it is tested, with how many of its copies are trained on."""
    table = six_recordings().assign(sentence=None, speaker=None)
    digests = pd.Series(["x", None, None, "x", "x", None], index=table.index)
    pairs = pd.DataFrame(
        {"first": ["1.wav", "1.wav", "2.wav"], "second": ["2.wav", "5.wav", "5.wav"]}
    )
    folds = [Fold(rows(0, 1, 2, 3), rows(), rows(4, 5)), Fold(rows(3, 5), rows(2), rows(1, 4))]
    found = leakage(table, folds, digests=digests, near=pairs)
    assert listed(found) == [
        [0, "duplicate", "0.wav = 4.wav", 2, 1, "4.wav"],
        [0, "near_duplicate", "1.wav ~ 5.wav", 2, 1, "5.wav"],
        [1, "duplicate", "3.wav = 4.wav", 1, 1, "4.wav"],
        [1, "near_duplicate", "2.wav ~ 1.wav", 2, 1, "1.wav"],
    ]


def test_a_random_division_by_sets() -> None:
    """In several folds, compared with sets and counts."""
    table = corpus_table(speakers=20, each=4)
    rng = np.random.default_rng(0)
    table["sentence"] = rng.choice([f"t{number}" for number in range(30)], len(table))
    folds = []
    for _ in range(3):
        order = rng.permutation(len(table))
        folds.append(Fold(order[:40], order[40:50], order[50:]))
    found = leakage(table, folds, digests=each_its_own(table), near=NO_PAIRS)
    expected = set()
    for number, fold in enumerate(folds):
        seen, test = table.iloc[[*fold.train, *fold.dev]], table.iloc[fold.test]
        for kind in ("speaker", "sentence"):
            for value in set(seen[kind]) & set(test[kind]):
                counts = [int((part[kind] == value).sum()) for part in (seen, test)]
                expected.add((number, kind, value, *counts, None))
    assert {tuple(row) for row in listed(found)} == expected
    assert len(found) == len(expected) > 50
