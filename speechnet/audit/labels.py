"""Copies of a recording with different labels, at least one of which is wrong."""

from __future__ import annotations

from typing import Final

import pandas as pd

from speechnet.core.types import Targets

DISPUTED_COLUMNS: Final = ("first", "second", "copy", "column", "label", "other")

_SAME_SAMPLES: Final = "the same samples as "  # and the original: why a duplicate is excluded


def originals(excluded: pd.DataFrame) -> pd.Series:
    """The originals of excluded exact copies, files by file; see ``disputed``."""
    copies = excluded[excluded["reason"] == "duplicate"].set_index("file")["detail"]
    return copies.astype(object).str.removeprefix(_SAME_SAMPLES)


def disputed(
    labels: pd.DataFrame,
    targets: Targets,
    *,
    digests: pd.Series,
    excluded: pd.DataFrame,
    near: pd.DataFrame,
) -> pd.DataFrame:
    """Find copies whose speakers or labels differ.

    An exact copy is compared with the first recording of the same samples, near-copies pair by
    pair. A missing label differs from nothing; pairs without a row in ``labels`` are left out.

    Args:
        labels: index ``file``, columns ``speaker`` and the targets, including the excluded copies
            if these are to be compared.
        targets: each target with its classes.
        digests: a hash of each used recording's samples, by file.
        excluded: columns ``file, reason, detail``.
        near: columns ``first`` and ``second``.

    Returns:
        Columns ``first, second, copy, column, label, other``: a row for each pair and each column
        in which they differ. ``copy`` is ``exact`` (these come first) or ``near``, never both.
    """
    pairs = _copies(digests, excluded, near)
    pairs = pairs[pairs["first"].isin(labels.index) & pairs["second"].isin(labels.index)]
    tables = [pd.DataFrame(columns=list(DISPUTED_COLUMNS), dtype=object)]
    for column in dict.fromkeys(["speaker", *targets]):
        label, other = (labels[column].reindex(pairs[side]).array for side in ("first", "second"))
        compared = pairs.assign(column=column, label=label, other=other).dropna()
        differs = compared["label"].astype(object) != compared["other"].astype(object)
        tables.append(compared[differs].astype(object))
    # By pair, in the order of the pairs; within a pair, in the order of the columns.
    return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)


def _copies(digests: pd.Series, excluded: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """Pairs of copies, columns ``first, second, copy``, each pair once."""
    aside = originals(excluded)
    digests = digests.dropna()
    first = digests.drop_duplicates()
    known = pd.Series(first.index, index=first.array, dtype=object)
    kept = digests.drop(first.index)
    tables = [
        pd.DataFrame({"first": aside.array, "second": aside.index, "copy": "exact"}),
        pd.DataFrame({"first": known[kept].array, "second": kept.index, "copy": "exact"}),
        near[["first", "second"]].assign(copy="near"),
    ]
    pairs = pd.concat(tables, ignore_index=True).astype(object)
    either = pd.Series([frozenset(pair) for pair in pairs[["first", "second"]].to_numpy()])
    return pairs[~either.duplicated().to_numpy()].reset_index(drop=True)
