"""Copies of one recording that are not labelled alike: at least one of the labels is wrong."""

from __future__ import annotations

from typing import Final

import pandas as pd

from speechnet.core.types import Targets

DISPUTED_COLUMNS: Final = ("first", "second", "copy", "column", "label", "other")

_SAME_SAMPLES: Final = "the same samples as "
"""What the detail of a recording that is excluded as ``duplicate`` says before the original."""


def originals(excluded: pd.DataFrame) -> pd.Series:
    """Name the original of each exact copy that is excluded.

    Args:
        excluded: columns ``file, reason, detail``.

    Returns:
        The originals' files, indexed by the copies' files.
    """
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
    """Compare the speakers and the labels of copies.

    An exact copy is compared with the first recording of the same samples, of near-copies each
    pair. What is unknown of either disagrees with nothing; a pair of which one file has no row in
    ``labels`` is passed over.

    Args:
        labels: index ``file``, columns ``speaker`` and the targets; of the copies that are set
            aside too, if these are to be compared.
        targets: each target with its classes.
        digests: a hash of each used recording's samples, indexed by file.
        excluded: columns ``file, reason, detail``.
        near: columns ``first`` and ``second``, files that are near-duplicates of one another.

    Returns:
        Columns ``first, second, copy, column, label, other``: a row for each pair and each column
        of ``labels`` that they differ in, with the label of the first and that of the other. The
        copy is ``exact`` or ``near``. Exact ones come first; no pair is in it as both.
    """
    pairs = _copies(digests, excluded, near)
    pairs = pairs[pairs["first"].isin(labels.index) & pairs["second"].isin(labels.index)]
    tables = [pd.DataFrame(columns=list(DISPUTED_COLUMNS), dtype=object)]
    for column in dict.fromkeys(["speaker", *targets]):
        label, other = (labels[column].reindex(pairs[side]).array for side in ("first", "second"))
        compared = pairs.assign(column=column, label=label, other=other).dropna()
        differs = compared["label"].astype(object) != compared["other"].astype(object)
        tables.append(compared[differs].astype(object))
    # By pair, in the order of the pairs, and within it in that of the columns.
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
