"""Folds inside a training part: speakers apart, every class on both sides."""

import numpy as np
import pandas as pd
import pytest
from helpers.divided import codes_of, corpora
from helpers.tables import corpus_table
from hypothesis import given, settings
from hypothesis import strategies as st

from speechnet.core.errors import DataError
from speechnet.splits.inner import inner_folds


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
