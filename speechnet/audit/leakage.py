"""Speakers, sentences and copies of recordings on both sides of a fold."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from speechnet.core.types import Fold, Int64

LEAKAGE_COLUMNS: Final = ("fold", "kind", "value", "train", "test", "tested")


def leakage(
    table: pd.DataFrame, folds: list[Fold], *, digests: pd.Series, near: pd.DataFrame
) -> pd.DataFrame:
    """List what is tested and is also in the train or dev part.

    ``digests`` is a hash of each recording's samples by file; ``near`` has the columns ``first``
    and ``second``.

    Returns:
        Columns ``fold, kind, value, train, test, tested``. ``kind`` is speaker, sentence, duplicate
        (the same samples) or near_duplicate. ``value`` is the speaker or the sentence, ``train``
        the number of its recordings in the train and dev parts, ``test`` in the test part. Copies
        have one row for each ``tested`` recording (missing for the other kinds), whose value is
        the first copy that is trained on and the tested recording, joined by " = " or " ~ ".
    """
    files = table.index.to_numpy(dtype=object)
    hashes = pd.factorize(digests.reindex(table.index))[0]
    pairs = np.stack(
        [table.index.get_indexer(pd.Index(near[side])) for side in ("first", "second")], axis=1
    )
    pairs = pairs[(pairs >= 0).all(axis=1)]
    leaks: list[tuple[int, str, str, int, int, str | None]] = []
    for number, fold in enumerate(folds):
        seen, test = np.concatenate([fold.train, fold.dev]), fold.test
        for kind in ("speaker", "sentence"):
            parts = [table[kind].iloc[rows].value_counts() for rows in (seen, test)]
            both = pd.concat(parts, axis=1, join="inner").reindex(table[kind].unique()).dropna()
            for name, train, count in both.astype(int).itertuples(name=None):
                leaks.append((number, kind, str(name), train, count, None))
        for kind, sign, copies in (
            ("duplicate", "=", _same(hashes, seen, test)),
            ("near_duplicate", "~", _across(pairs, seen, test)),
        ):
            for tested, trained in copies.items():
                value = f"{files[trained[0]]} {sign} {files[tested]}"
                leaks.append((number, kind, value, len(trained), 1, str(files[tested])))
    return pd.DataFrame(leaks, columns=list(LEAKAGE_COLUMNS))


def _same(codes: Int64, seen: Int64, test: Int64) -> dict[int, list[int]]:
    """By tested row the seen rows with the same code; -1 isn't a code."""
    rows: dict[int, list[int]] = {}
    for row in np.sort(seen):
        rows.setdefault(int(codes[row]), []).append(int(row))
    rows.pop(-1, None)
    return {int(row): rows[code] for row in np.sort(test) if (code := int(codes[row])) in rows}


def _across(pairs: Int64, seen: Int64, test: Int64) -> dict[int, list[int]]:
    """By tested row the seen rows that form a pair with it, in the order of the pairs."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    across = both[np.isin(both[:, 0], seen) & np.isin(both[:, 1], test)]
    rows: dict[int, list[int]] = {}
    for trained, tested in across.tolist():
        rows.setdefault(tested, []).append(trained)
    return rows
