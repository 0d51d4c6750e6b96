"""How unlike a run's training data recordings are: measured in ``fit``, and said in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from speechnet.audit.bandwidth import nearest_rate
from speechnet.config.data import DataConfig
from speechnet.core.columns import NOVELTY_COLUMNS
from speechnet.core.wording import counted, khz, listing
from speechnet.models.novelty import Novelty, novelties

if TYPE_CHECKING:
    from speechnet.data.datamodule import SpeechDataModule  # needs Lightning
    from speechnet.features.extraction.recipe import Recipe

TABLE: Final = "novelty.csv"

MEASURED: Final = tuple(name for name in NOVELTY_COLUMNS if name != "unlike")
"""The columns of ``NOVELTY_COLUMNS`` but ``unlike``, which follows from the novelty."""

_NARROWER: Final = 0.8
"""A band counts as narrower if it ends below this share of the training data's."""
_MOST: Final = 0.8
"""Share of the unlike recordings that the band must explain for a sample rate to be advised."""


def fit_novelty(data: SpeechDataModule, fold: int, folder: Path) -> pd.DataFrame:
    """Save the distribution of a fold's training rows in its folder, and measure its test rows.

    Returns:
        Columns ``file, fold, novelty, far``; no rows without vectors.

    Raises:
        OSError: there is no space or no permission.
    """
    train, test = data.folds[fold].train, data.folds[fold].test
    if not data.matrix.names:
        return pd.DataFrame(columns=["file", "fold", "novelty", "far"])
    X, averaged = data.feature_set.matrix.averaged.X, data.config.recipe.averaged
    fitted = Novelty.fit(X[train], list(data.table["speaker"].iloc[train]))
    fitted.save(folder)
    found = novelties([fitted], X[test], [*averaged], [*averaged.values()])
    files = [data.matrix.index[row] for row in test]
    return pd.DataFrame({"file": files, "fold": fold, "novelty": found.novelty, "far": found.far})


def bandwidths(statistics: pd.DataFrame) -> dict[str, float]:
    """The percentiles p5, p50 and p95 of the recordings' bandwidths in Hz; empty if unknown."""
    found = statistics["bandwidth"].dropna()
    return {f"p{p}": float(np.percentile(found, p)) for p in (5, 50, 95)} if len(found) else {}


def unlike_in_words(
    recordings: pd.DataFrame,
    config: DataConfig,
    trained: Mapping[str, Any],
    *,
    labelled: bool = True,
) -> str | None:
    """Say how many recordings are unlike a run's training data, and in what; None if none is.

    Args:
        recordings: columns ``MEASURED``, bandwidths in Hz, a row for each recording.
        config: the run's ``data``.
        trained: the result of ``bandwidths`` for the training data.
        labelled: whether such recordings get labels.
    """
    unlike = recordings[recordings["novelty"] > 1]
    if unlike.empty:
        return None
    one = len(unlike) == 1
    many = f"{len(unlike):,} of {counted(len(recordings), 'recording')}"
    worth = "mean little, however sure" if labelled else "are left out"
    clauses = [
        f"{'This recording' if len(recordings) == 1 else many} {'is' if one else 'are'} unlike the "
        f"training data: {'its' if one else 'their'} labels {worth}"
    ]
    apart = _of_another_band(unlike["bandwidth"], config, trained)
    rest = unlike.loc[~apart, "far"]
    if apart.any():
        subject = "Its band ends" if one else f"The band of {apart.sum():,} of them ends"
        ends = float(unlike.loc[apart, "bandwidth"].median())
        band = f"{subject} at {khz(ends)}, that of the training data at {khz(trained['p50'])}"
        if apart.mean() >= _MOST:
            rate = nearest_rate(min(ends, trained["p50"]))
            band += f": train with data.audio.sample_rate {rate}"
        clauses.append(band)
    if len(rest):
        others = " in the others" if apart.any() else ""
        far = str(rest.iloc[0]) if one else ""
        clauses.append(f"What lies far{others}: {far or _farthest(rest, config.recipe)}")
    return ". ".join(clauses)


def _of_another_band(
    bandwidth_hz: pd.Series, config: DataConfig, trained: Mapping[str, Any]
) -> pd.Series:
    """Which recordings have a narrower band than the training data, or a wider one if more do."""
    if not trained:
        return pd.Series(data=False, index=bandwidth_hz.index)
    highest = config.recipe.highest_frequency()
    seen, usual = bandwidth_hz.clip(upper=highest), min(trained["p50"], highest)
    narrow, wide = seen < _NARROWER * usual, seen > usual / _NARROWER
    apart: pd.Series = narrow if narrow.sum() >= wide.sum() else wide
    return apart


def _farthest(far: pd.Series, recipe: Recipe) -> str:
    """The groups of columns that lie far in most of the recordings."""
    group = recipe.averaged
    named = (words.rsplit(maxsplit=2)[0] for text in far if text for words in text.split(", "))
    counts = Counter(group[column] for column in named)
    if not counts:
        return "no single feature, but their combination"
    return listing(f"{name} ({count:,})" for name, count in counts.most_common(3))
