"""Which columns a configuration gives, and what it refuses."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechnet.core.errors import ConfigError
from speechnet.features.functionals import PRESETS, Functionals

STATISTICS = ["mean", "std", "min", "max", "p0", "p05", "p50", "p100"]


def test_original_has_the_65_columns_of_the_experiment() -> None:
    """50 MFCC, 12 chroma, rolloff, centroid and the number of zero crossings, in this order."""
    names = Functionals(preset="original").columns
    assert names == (
        *(f"mfcc_{i:02d}_mean" for i in range(50)),
        *(f"chroma_{i:02d}_mean" for i in range(12)),
        "rolloff_mean",
        "centroid_mean",
        "zero_crossings_count",
    )
    assert len(names) == 65


def test_include_adds_replaces_and_drops() -> None:
    """An entry of ``include`` takes the place of the preset's; an empty one removes it."""
    config = Functionals(
        preset="original",
        include={"mfcc": ["std"], "chroma": [], "f0": ["p50", "max"]},
        n_mfcc=2,
    )
    assert config.columns == (
        "mfcc_00_std",
        "mfcc_01_std",
        "rolloff_mean",
        "centroid_mean",
        "zero_crossings_count",
        "f0_p50",
        "f0_max",
    )
    assert PRESETS["original"]["mfcc"] == ["mean"]


@given(
    st.dictionaries(
        st.sampled_from([name for name in Functionals().dimensions() if name != "zero_crossings"]),
        st.lists(st.sampled_from(STATISTICS), unique=True, min_size=1),
        min_size=1,
    )
)
def test_there_is_a_column_for_each_row_and_statistic(include: dict[str, list[str]]) -> None:
    """Any choice of features and statistics gives rows times statistics columns, all distinct."""
    config = Functionals(preset=None, include=include)
    sizes = config.dimensions()
    names = config.columns
    assert len(names) == sum(sizes[name] * len(stats) for name, stats in include.items())
    assert len(set(names)) == len(names)
    runs = [feature for feature, _ in itertools.groupby(n.rsplit("_", 1)[0] for n in names)]
    assert len(runs) >= len(include)


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"include": {"mfc": ["mean"]}}, "unknown feature 'mfc'; did you mean 'mfcc'"),
        ({"include": {"mfcc": ["median"]}}, "include.mfcc: unknown statistic 'median'"),
        ({"include": {"mfcc": ["p101"]}}, "unknown statistic 'p101'; expected mean, std"),
        ({"include": {"zero_crossings": ["mean"]}}, "'mean'; expected count"),
        ({"include": {"mfcc": ["count"]}}, "unknown statistic 'count'"),
        ({"include": {"mfcc": ["mean", "mean"]}}, "a statistic is listed twice"),
        ({"preset": None}, "nothing to compute"),
        ({"n_mfcc": 129}, r"n_mfcc is 129, expected 1 to n_mels \(128\)"),
        ({"n_mfcc": 0}, "n_mfcc is 0"),
        ({"f0_min": 700.0}, r"f0_min is 700 Hz, expected below f0_max \(600 Hz\)"),
    ],
)
def test_what_makes_no_sense_is_refused(setting: dict[str, object], match: str) -> None:
    """Each error says what was found and what was expected."""
    with pytest.raises(ConfigError, match=match):
        Functionals(**setting).check(22_050)


@pytest.mark.parametrize(
    ("setting", "highest"),
    [
        ({}, 7_000),
        ({"fmax": 5_000.0}, 5_000),
        ({"fmax": 1e9}, 11_025),
        ({"preset": "original"}, 11_025),
        ({"preset": None, "include": {"mfcc": ["mean"]}}, 11_025),
    ],
)
def test_the_highest_frequency_is_the_presets_unless_set(
    setting: dict[str, object], highest: float
) -> None:
    """And never beyond half the rate; all bins up to it are counted."""
    config = Functionals(**setting)
    assert config.highest_frequency(22_050) == highest
    centres = np.arange(config.n_fft // 2 + 1) * 22_050 / config.n_fft
    assert config.bins(22_050) == np.count_nonzero(centres <= highest)
