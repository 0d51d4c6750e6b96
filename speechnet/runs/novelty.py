"""What a run keeps of its training data, and what it says of recordings that are unlike it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from speechnet.audit.bandwidth import nearest_rate
from speechnet.columns import NEWS
from speechnet.config.data import DataConfig
from speechnet.models.novelty import Novelty, feature_of, novelties
from speechnet.wording import counted, khz, listing

if TYPE_CHECKING:
    from speechnet.datamodule import SpeechDataModule  # needs Lightning

TABLE: Final = "novelty.csv"

MEASURED: Final = tuple(name for name in NEWS if name != "unlike")
"""What is measured of ``speechnet.columns.NEWS``; whether it is unlike follows from the novelty."""

_NARROWER: Final = 0.8
"""A band that ends below this share of the training data's is another one."""


def fit_novelty(data: SpeechDataModule, fold: int, folder: Path) -> pd.DataFrame:
    """Keep what a fold's training rows are like, and measure its test rows by it.

    Args:
        data: features and folds.
        fold: which one.
        folder: where its models lie.

    Returns:
        Of the test rows ``file, fold, novelty, far``.

    Raises:
        OSError: there is no space or no permission.
    """
    train, test = data.folds[fold].train, data.folds[fold].test
    fitted = Novelty.fit(data.X[train], list(data.table["speaker"].iloc[train]))
    fitted.save(folder)
    found = novelties([fitted], data.X[test], data.matrix.names)
    files = [data.matrix.index[row] for row in test]
    return pd.DataFrame({"file": files, "fold": fold, "novelty": found.novelty, "far": found.far})


def bandwidths(facts: pd.DataFrame) -> dict[str, float]:
    """Where recordings end in Hz, for ``run.json``: 5 %, half and 95 % of them lie below."""
    found = facts["bandwidth"].dropna()
    return {f"p{p}": float(np.percentile(found, p)) for p in (5, 50, 95)} if len(found) else {}


def unlike_in_words(
    new: pd.DataFrame, config: DataConfig, trained: Mapping[str, Any]
) -> str | None:
    """One sentence or two about recordings that are unlike a run's training data.

    Args:
        new: columns ``MEASURED``, bandwidths in Hz, a row for each recording.
        config: the run's ``data``.
        trained: as ``bandwidths`` gives it; empty where it isn't known.

    Returns:
        None where there is none.
    """
    unlike = new[new["novelty"] > 1]
    if unlike.empty:
        return None
    one = len(unlike) == 1
    alone = len(new) == 1
    many = "This recording" if alone else f"{len(unlike):,} of {counted(len(new), 'recording')}"
    said = (
        f"{many} {'is' if one else 'are'} unlike the training data: "
        f"{'its' if one else 'their'} labels mean little, however sure"
    )
    band = _band_in_words(unlike["bandwidth"].dropna(), config, trained)
    if band:
        return f"{said}. {'Its' if one else 'Their'} band ends {band}"
    far = str(unlike["far"].iloc[0]) if one else ""
    return f"{said}. What lies far: {far or _farthest(unlike['far'])}"


def _band_in_words(heard: pd.Series, config: DataConfig, trained: Mapping[str, Any]) -> str:
    """What another bandwidth than the training data's explains, and what helps."""
    if not trained or heard.empty:
        return ""
    highest = config.features.highest(config.audio.sample_rate)
    seen, usual = float(min(heard.median(), highest)), min(trained["p50"], highest)
    if _NARROWER * usual <= seen <= usual / _NARROWER:
        return ""
    rate = nearest_rate(min(float(heard.median()), trained["p50"]))
    return (
        f"at {khz(float(heard.median()))}, that of the training data at "
        f"{khz(trained['p50'])}: train with data.audio.sample_rate {rate}"
    )


def _farthest(far: pd.Series) -> str:
    """The features whose columns lie far in most of the recordings."""
    named = (words.split()[0] for text in far if text for words in text.split(", "))
    counts = Counter(feature_of(column) for column in named)
    if not counts:
        return "no single column, but what goes together"
    return listing(f"{name} ({count:,})" for name, count in counts.most_common(3))
