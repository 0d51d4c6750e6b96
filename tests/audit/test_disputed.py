"""Copies that are labelled differently are named with both labels, and no others are."""

import pandas as pd

from speechnet.audit.labels import disputed

TARGETS = {"emotion": ["happy", "sad"]}
NO_PAIRS = pd.DataFrame({"first": [], "second": []}, dtype=object)
NONE_ASIDE = pd.DataFrame(columns=["file", "reason", "detail"], dtype=object)


def labels_of(**rows: tuple[object, object]) -> pd.DataFrame:
    """Files with their speakers and emotions."""
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["speaker", "emotion"], dtype=object
    )
    return table.rename_axis("file")


def digests_of(labels: pd.DataFrame, **same: str) -> pd.Series:
    """A hash of each file, its name unless it is said to be the ``same`` as another."""
    return pd.Series({file: same.get(file, file) for file in labels.index}, dtype=object)


def pairs_of(*pairs: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["first", "second"], dtype=object)


def test_an_exact_copy_that_was_excluded() -> None:
    """A row for each column that differs; the original is the one its detail names."""
    labels = labels_of(a=("anna", "happy"), b=("ben", "sad"), c=("anna", "happy"), d=("ben", "sad"))
    aside = pd.DataFrame(
        [
            ("b", "duplicate", "the same samples as a"),
            ("c", "duplicate", "the same samples as a"),
            ("d", "silent", "no sound above -60 dB"),
        ],
        columns=NONE_ASIDE.columns,
    )
    digests = digests_of(labels.loc[["a"]])
    found = disputed(labels, TARGETS, digests=digests, excluded=aside, near=NO_PAIRS)
    assert found.to_numpy().tolist() == [
        ["a", "b", "exact", "speaker", "anna", "ben"],
        ["a", "b", "exact", "emotion", "happy", "sad"],
    ]
    used = disputed(labels.loc[["a"]], TARGETS, digests=digests, excluded=aside, near=NO_PAIRS)
    assert used.empty
    assert used.columns.tolist() == found.columns.tolist()


def test_copies_that_are_all_used() -> None:
    """Each is compared with the first; a pair that sounds alike too is named once, as exact."""
    labels = labels_of(a=("anna", "happy"), b=("anna", "sad"), c=("ben", "happy"), d=("ben", "sad"))
    found = disputed(
        labels,
        TARGETS,
        digests=digests_of(labels, b="a", c="a"),
        excluded=NONE_ASIDE,
        near=pairs_of(("b", "a"), ("c", "d")),
    )
    assert found.to_numpy().tolist() == [
        ["a", "b", "exact", "emotion", "happy", "sad"],
        ["a", "c", "exact", "speaker", "anna", "ben"],
        ["c", "d", "near", "emotion", "happy", "sad"],
    ]


def test_what_is_unknown_disagrees_with_nothing() -> None:
    """Neither a missing speaker nor a missing label, whatever the missing value is."""
    labels = labels_of(a=("anna", None), b=(None, "sad"), c=(pd.NA, float("nan")))
    near = pairs_of(("a", "b"), ("b", "c"), ("a", "c"))
    found = disputed(
        labels, TARGETS, digests=digests_of(labels, c="b"), excluded=NONE_ASIDE, near=near
    )
    assert found.empty


def test_categories_are_compared_by_value() -> None:
    """A table's columns may be categorical, with whatever order of categories."""
    labels = labels_of(a=("anna", "happy"), b=("anna", "happy"), c=("anna", "sad")).astype(
        "category"
    )
    near = pairs_of(("a", "b"), ("b", "c"))
    found = disputed(labels, TARGETS, digests=digests_of(labels), excluded=NONE_ASIDE, near=near)
    assert found.to_numpy().tolist() == [["b", "c", "near", "emotion", "happy", "sad"]]
