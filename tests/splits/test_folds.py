"""Protocols: who is kept apart, what is stratified."""

import numpy as np
import pandas as pd
import pytest
from helpers.divided import EMOBOX, corpora, folds_of
from helpers.tables import TARGETS, corpus_table
from hypothesis import given, settings
from hypothesis import strategies as st

from speechnet.core.errors import DataError
from speechnet.splits.folds import shared_speakers
from speechnet.splits.strata import strata_of

PROTOCOLS = ["speaker", "kfold", "loso", "predefined", "random"]


def settings_of(protocol: str) -> dict[str, object]:
    lists = {"speakers": [["s00", "s01"], ["s02", "s03"]]} if protocol == "predefined" else {}
    return {"protocol": protocol, "folds": 4} | lists


class TestEveryProtocol:
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_parts_are_all_rows_once(self, protocol: str) -> None:
        """The parts of a fold are disjoint, sorted, and together all rows."""
        table = corpus_table()
        for fold in folds_of(table, **settings_of(protocol)):
            parts = list(fold.parts().values())
            assert sorted(np.concatenate(parts)) == list(range(len(table)))
            assert all((np.diff(part) > 0).all() and part.dtype == np.int64 for part in parts)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_same_seed_same_folds(self, protocol: str) -> None:
        """The seed decides all that is drawn: the test parts, or the dev parts at least."""
        table = corpus_table()
        first, again, other = (
            folds_of(table, seed=seed, **settings_of(protocol)) for seed in (1, 1, 2)
        )
        tests = [
            [fold.test.tolist() for fold in folds] + [fold.dev.tolist() for fold in folds]
            for folds in (first, again, other)
        ]
        assert tests[0] == tests[1]
        assert tests[0] != tests[2]

    @pytest.mark.parametrize("protocol", ["speaker", "kfold", "loso"])
    @given(table=corpora(), seed=st.integers(0, 1000))
    @settings(max_examples=8, deadline=None)
    def test_no_speaker_in_two_parts(self, protocol: str, table: pd.DataFrame, seed: int) -> None:
        """Whatever the corpus, a speaker is in one part of a fold; or the corpus is refused."""
        try:
            folds = folds_of(table, seed=seed, protocol=protocol, folds=3)
        except DataError as error:
            assert "does not fit the protocol" in str(error)  # noqa: PT017 - one of two outcomes
            return
        speakers = table["speaker"].to_numpy()
        for fold in folds:
            groups = [set(speakers[part]) for part in fold.parts().values()]
            assert sum(map(len, groups)) == len(set(speakers))
        assert shared_speakers(table, folds) == []

    @pytest.mark.parametrize("protocol", ["kfold", "loso"])
    def test_each_row_is_tested_once(self, protocol: str) -> None:
        """The test parts of all folds are the corpus."""
        table = corpus_table(10, 8)
        folds = folds_of(table, **settings_of(protocol))
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(table)))
        assert len(folds) == (10 if protocol == "loso" else 4)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_no_dev_part(self, protocol: str) -> None:
        """dev: 0 leaves all that is not tested to training."""
        for fold in folds_of(corpus_table(), **settings_of(protocol), dev=0.0):
            assert len(fold.dev) == 0
            assert len(fold.train) + len(fold.test) == 64


class TestStratification:
    def test_speaker_holdout(self) -> None:
        """Of equal speakers the asked for share is held out, with equal classes and genders."""
        table = corpus_table(24, 8)
        (fold,) = folds_of(table, protocol="speaker", test=0.25, dev=0.2)
        assert len(fold.test) == 6 * 8
        assert len(fold.dev) == 4 * 8
        for part in fold.parts().values():
            assert set(table.iloc[part].groupby(["gender", "emotion"]).size()) == {len(part) // 8}

    def test_speaker_holdout_of_unequal_speakers(self) -> None:
        """Speakers of very different sizes still give nearly the share asked for."""
        sizes = np.random.default_rng(0).integers(2, 60, 40)
        who = np.repeat(np.arange(40), sizes)
        table = pd.DataFrame({"speaker": [f"s{k:02d}" for k in who]}).assign(
            gender=np.array(TARGETS["gender"], dtype=object)[who % 2],
            emotion=np.resize(np.array(TARGETS["emotion"], dtype=object), len(who)),
        )
        (fold,) = folds_of(table, protocol="speaker", test=0.25, dev=0.0)
        shares = (
            table.iloc[fold.test].groupby(["gender", "emotion"]).size()
            / table.groupby(["gender", "emotion"]).size()
        )
        assert shares.between(0.22, 0.28).all()

    def test_holdout_leaves_rare_classes_to_train_on(self) -> None:
        """A class of two speakers is never held out as a whole, whatever the seed."""
        table = corpus_table(20, 8, emotions=["angry", "happy", "sad"])
        table.loc[table["speaker"].isin(["s03", "s10"]), "emotion"] = "neutral"
        for seed in range(20):
            (fold,) = folds_of(table, seed=seed, protocol="speaker", test=0.4, dev=0.0)
            assert "neutral" in set(table["emotion"].iloc[fold.train])

    def test_kfold_of_equal_speakers(self) -> None:
        """Every fold tests as many speakers of each gender."""
        table = corpus_table(24, 8)
        for fold in folds_of(table, protocol="kfold", folds=4):
            assert table["speaker"].iloc[fold.test].nunique() == 6
            assert set(table.iloc[fold.test].groupby("gender").size()) == {24}

    def test_random_keeps_the_mixture(self) -> None:
        """Recordings are divided by class, without regard to speakers."""
        table = corpus_table(10, 8)
        (fold,) = folds_of(table, protocol="random", folds=1, test=0.3, dev=0.0)
        assert len(fold.test) == 24
        assert table["emotion"].iloc[fold.test].value_counts().between(5, 7).all()
        assert len(shared_speakers(table, [fold])) > 5

    def test_a_single_odd_row_is_no_obstacle(self) -> None:
        """One row of labels that no other has is divided like any other, without a warning."""
        table = corpus_table(10, 8)
        table.iloc[0, table.columns.get_loc("gender")] = None
        for protocol in PROTOCOLS:
            assert folds_of(table, **settings_of(protocol))
        assert folds_of(table, protocol="random", folds=1)

    def test_strata(self) -> None:
        """A code for each combination; a missing label is a value of its own."""
        table = corpus_table(2, 4)
        table.iloc[0, table.columns.get_loc("emotion")] = None
        codes = strata_of(table, TARGETS)
        pairs = [(row.gender, row.emotion) for row in table.itertuples()]
        assert codes.dtype == np.int64
        for one, code in zip(pairs, codes, strict=True):
            assert [other == one for other in pairs] == (codes == code).tolist()


class TestPredefined:
    def test_column_of_parts(self) -> None:
        """train, dev and test are taken as they stand; speakers need not be known."""
        table = corpus_table(6, 8).assign(part=np.resize(["train", "train", " test ", "dev"], 48))
        table["emotion"] = np.repeat(TARGETS["emotion"], 12)
        table["gender"] = np.resize(["female"] * 4 + ["male"] * 4, 48)
        table["speaker"] = None
        (fold,) = folds_of(table, protocol="predefined", column="part")
        assert fold.test.tolist() == list(range(2, 48, 4))
        assert fold.dev.tolist() == list(range(3, 48, 4))

    def test_column_of_usual_words(self) -> None:
        """Training, Validation and their like are the same parts under other names."""
        table = corpus_table(6, 8).assign(
            part=np.resize(["Training", "train", "TEST", "Devel", "train"], 48)
        )
        plain = table.assign(part=np.resize(["train", "train", "test", "dev", "train"], 48))
        for ours, theirs in zip(
            *(folds_of(one, protocol="predefined", column="part") for one in (table, plain)),
            strict=True,
        ):
            assert [*map(list, ours.parts().values())] == [*map(list, theirs.parts().values())]

    def test_column_without_dev(self) -> None:
        """A dev part is found among the speakers that are not tested."""
        table = corpus_table(8, 8)
        table["part"] = np.where(table["speaker"] < "s06", "train", "test")
        (fold,) = folds_of(table, protocol="predefined", column="part", dev=0.3)
        assert set(table["part"].iloc[fold.test]) == {"test"}
        assert table["speaker"].iloc[fold.dev].nunique() == 2

    def test_column_of_folds(self) -> None:
        """Any other names are folds, each of which is tested once; numbers are names too."""
        table = corpus_table(6, 8).assign(fold=np.repeat([3, 1, 2], 16))
        folds = folds_of(table, protocol="predefined", column="fold", dev=0.0)
        assert [fold.test[0] for fold in folds] == [16, 32, 0]
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(48))

    def test_emobox_folds_of_ravdess(self) -> None:
        """The 6 published folds: four actors each, all 24 tested once, none shared."""
        table = corpus_table(24, 8)
        table["speaker"] = [f"{int(name[1:]) + 1:02d}" for name in table["speaker"]]
        folds = folds_of(table, protocol="predefined", speakers=EMOBOX)
        for fold, actors in zip(folds, EMOBOX, strict=True):
            assert set(table["speaker"].iloc[fold.test]) == set(actors)
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(24 * 8))
        assert shared_speakers(table, folds) == []

    def test_shared_speakers_are_named(self) -> None:
        """A column may put a speaker on both sides; they are told, those without a name aside."""
        table = corpus_table(4, 8).assign(part=np.resize(["train", "test"], 32))
        table.loc[table["speaker"] == "s03", "part"] = "train"
        table["emotion"] = np.resize(np.repeat(TARGETS["emotion"], 2), 32)
        folds = folds_of(table, protocol="predefined", column="part", dev=0.0)
        assert shared_speakers(table, folds) == ["s00", "s01", "s02"]
        table["speaker"] = None
        assert shared_speakers(table, folds) == []
