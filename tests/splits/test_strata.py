"""Holdouts that keep the mixture of strata, and folds inside a training part."""

import numpy as np
import pandas as pd
import pytest
from helpers.divided import codes_of, corpora
from helpers.tables import corpus_table
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit

from speechnet.core.errors import DataError
from speechnet.splits.strata import hold_out, inner_folds, shuffle


@pytest.mark.parametrize("seed", range(5))
def test_hold_out_is_the_best_of_scikit_learns_draws(seed: int) -> None:
    """Of 500 draws of speakers: the first that loses fewest strata, and is then nearest."""
    rng = np.random.default_rng(seed)
    speakers = np.array([f"s{k}" for k in rng.integers(0, 9, 120)], dtype=object)
    strata = rng.integers(0, 5, 120)
    strata[strata == 3] = 4  # a code that nothing has
    strata[speakers == "s1"] = 0
    totals = np.bincount(strata)

    def badness(held: np.ndarray) -> tuple[int, float]:
        counts = np.bincount(strata[held], minlength=len(totals))
        lost = sum(count == total > 0 for count, total in zip(counts, totals, strict=True))
        return lost, float(np.abs(counts - 0.3 * totals).sum())

    draws = GroupShuffleSplit(500, test_size=3, random_state=seed).split(strata, groups=speakers)
    rest, held = min(draws, key=lambda division: badness(division[1]))
    found = hold_out(strata, speakers, 0.3, seed=seed)
    assert found[0].tolist() == rest.tolist()
    assert found[1].tolist() == held.tolist()


def test_too_few_to_divide() -> None:
    """The share, the classes and the way out are named, in this program's own words."""
    with pytest.raises(
        DataError, match=r"6 recordings .* 0\.1 .* 3 combinations .* nearer to 0\.5"
    ) as caught:
        shuffle(np.array([0, 0, 1, 1, 2, 2]), 0.1, seed=0)
    assert "test_size" not in str(caught.value)


class TestInnerFolds:
    def test_speakers_apart_and_every_class(self) -> None:
        """Speakers are on one side; every class can be fitted; all rows are scored once."""
        table = corpus_table(10, 8)
        labels, speakers = codes_of(table), table["speaker"].to_numpy()
        pairs = inner_folds(labels, speakers, folds=5, seed=0)
        assert len(pairs) == 5
        assert sorted(np.concatenate([held for _, held in pairs])) == list(range(80))
        for fit, held in pairs:
            assert not set(speakers[fit]) & set(speakers[held])
            assert [set(column) for column in labels[fit].T] == [{0, 1}, {0, 1, 2, 3}]

    @given(table=corpora(), folds=st.integers(2, 6), grouped=st.booleans())
    @settings(max_examples=20, deadline=None)
    def test_any_corpus(self, table: pd.DataFrame, folds: int, grouped: bool) -> None:
        """At most as many folds as asked for; a missing label is no class that must be covered."""
        labels = codes_of(table)
        speakers = table["speaker"].to_numpy() if grouped else None
        pairs = inner_folds(labels, speakers, folds=folds, seed=0)
        assert 2 <= len(pairs) <= folds
        for fit, held in pairs:
            assert set(labels[fit, 1]) >= {0, 1, 2, 3}
            assert (labels[held] >= 0).any(axis=0).all()
            assert speakers is None or not set(speakers[fit]) & set(speakers[held])

    def test_one_row_without_a_label(self) -> None:
        """It can't be on both sides, and needn't."""
        labels = codes_of(corpus_table(6, 8))
        labels[0, 1] = -1
        assert len(inner_folds(labels, None, folds=5, seed=0)) == 5

    def test_fewer_folds_where_a_class_is_rare(self) -> None:
        """A class of two speakers allows folds in which one of them stays to fit on."""
        table = corpus_table(6, 8, emotions=["angry", "happy", "sad"])
        table.loc[table["speaker"].isin(["s00", "s01"]), "emotion"] = "neutral"
        labels = codes_of(table)
        for fit, _ in inner_folds(labels, table["speaker"].to_numpy(), folds=5, seed=0):
            assert 3 in labels[fit, 1]

    def test_refused(self) -> None:
        """A class of one speaker can't be both fitted on and kept apart."""
        table = corpus_table(6, 8, emotions=["angry", "happy", "sad"])
        table.loc[table["speaker"] == "s00", "emotion"] = "neutral"
        labels = codes_of(table)
        with pytest.raises(DataError, match="two parts of different speakers that both hold every"):
            inner_folds(labels, table["speaker"].to_numpy(), folds=5, seed=0)
        with pytest.raises(DataError, match="two parts that both hold every class"):
            inner_folds(labels[:3], None, folds=5, seed=0)
