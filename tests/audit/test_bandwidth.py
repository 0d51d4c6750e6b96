"""Mixed bandwidths, and those that give a class or a corpus away."""

import numpy as np
import pandas as pd
import pytest
from helpers.audits import summarised
from helpers.tables import TARGETS, corpus_table

from speechnet.audit.bandwidth import bands, mixed, nearest_rate
from speechnet.core.findings import as_table


def told(table: pd.DataFrame, bandwidth: np.ndarray, highest: float = 11_025) -> pd.DataFrame:
    """The summary, by check."""
    heard = pd.Series(bandwidth, index=table.index, dtype=float)
    known = table.assign(bandwidth=bands(heard, highest))
    found = summarised(known, TARGETS, mixture=mixed(heard, highest))
    return as_table(found).set_index("check")


def test_a_mixture_is_counted_and_mended() -> None:
    """A third from a telephone, spread evenly: they are told, and give nothing away."""
    table = corpus_table()
    speakers = table["speaker"].astype("category").cat.codes.to_numpy()
    found = told(table, np.where(speakers % 3 == 0, 3_900, 22_000))
    assert found.index.tolist() == ["bandwidth"]
    row = found.loc["bandwidth"]
    assert row["count"] == int((speakers % 3 == 0).sum())
    assert "most end at 22 kHz, these at 3.9 kHz" in row["detail"]
    assert "data.audio.sample_rate 8000" in row["detail"]


@pytest.mark.parametrize("highest", [11_025, 7_000])
def test_what_features_do_not_see_is_no_mixture(highest: float) -> None:
    """16 kHz and 48 kHz differ above 8 kHz; a few odd ones are none, nor is silence."""
    table = corpus_table()
    bandwidth = np.full(len(table), 24_000.0)
    bandwidth[::2] = 8_000
    bandwidth[5] = np.nan
    assert told(table, bandwidth, highest).empty
    bandwidth[:1] = 4_000
    assert told(table, bandwidth, highest).empty


def test_a_bandwidth_that_gives_a_class_away_is_a_warning() -> None:
    """The angry came by telephone; of two corpora one did."""
    table = corpus_table()
    angry = (table["emotion"] == "angry").to_numpy()
    row = told(table, np.where(angry, 4_000, 24_000)).loc["bandwidth_confounding"]
    assert (row["severity"], row["subject"]) == ("warning", "emotion")
    half = np.arange(len(table)) < len(table) / 2
    table = table.assign(corpus=np.where(half, "studio", "calls"))
    found = told(table, np.where(half, 24_000, 4_000)).loc[["bandwidth_confounding"]]
    assert "corpus" in found["subject"].tolist()


def test_the_nearest_rate_keeps_the_band() -> None:
    """Of those that recordings usually have."""
    cuts = [3_400, 4_000, 7_300, 8_000, 11_000, 16_000, 24_000]
    rates = [8_000, 8_000, 16_000, 16_000, 22_050, 32_000, 48_000]
    assert [nearest_rate(cut) for cut in cuts] == rates
