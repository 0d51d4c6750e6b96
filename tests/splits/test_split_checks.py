"""Settings and corpora that don't fit are refused, with all that is wrong."""

import numpy as np
import pandas as pd
import pytest
from helpers.divided import folds_of
from helpers.tables import corpus_table

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import Fold
from speechnet.splits.checks import check_folds


def without(table: pd.DataFrame, speakers: int) -> pd.DataFrame:
    table = table.copy()
    table.iloc[:speakers, table.columns.get_loc("speaker")] = None
    return table


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"protocol": "kfold", "folds": 1}, r"data\.split\.folds is 1, expected 2 or more"),
            ({"protocol": "predefined"}, "either column or speakers"),
            (
                {"protocol": "predefined", "column": "part", "speakers": [["s00"]]},
                "either column or speakers",
            ),
            (
                {"protocol": "predefined", "column": "parts"},
                "no column 'parts'; it has speaker, gender, emotion",
            ),
            (
                {"protocol": "predefined", "speakers": [["s00"], ["s01", "s00"]]},
                "tests s00 more than once",
            ),
            (
                {"protocol": "predefined", "speakers": [[f"s{k:02d}" for k in range(8)]]},
                "a fold tests every speaker",
            ),
        ],
    )
    def test_settings(self, settings: dict[str, object], match: str) -> None:
        """Settings that can't be meant are named with the key."""
        with pytest.raises(ConfigError, match=match):
            folds_of(corpus_table(), **settings)

    @pytest.mark.parametrize(
        ("table", "settings", "match"),
        [
            (
                without(corpus_table(), 3),
                {"protocol": "kfold"},
                r"3 of 64 recordings have no speaker.*protocol: random",
            ),
            (without(corpus_table(), 3), {"protocol": "speaker"}, "have no speaker"),
            (
                without(corpus_table(), 64).assign(fold=np.repeat([1, 2], 32)),
                {"protocol": "predefined", "column": "fold"},
                r"have no speaker.*data\.split\.dev: 0",
            ),
            (
                corpus_table(3),
                {"protocol": "kfold", "folds": 5},
                r"3 speakers \(s00, s01, s02\), the kfold protocol needs at least 5",
            ),
            (corpus_table(2), {"protocol": "loso"}, "1 speaker is left to train on in a fold"),
            (
                corpus_table(),
                {"protocol": "predefined", "speakers": [["s00", "anna"]]},
                "names anna, not in the corpus; its speakers are s00, s01",
            ),
            (
                corpus_table(),
                {"protocol": "predefined", "speakers": [["s00"], []]},
                "fold 1: the test part is empty",
            ),
            (
                corpus_table(4, 4).assign(part=["train"] * 12 + [None] * 4),
                {"protocol": "predefined", "column": "part"},
                "4 of 16 recordings have nothing in the column 'part'",
            ),
            (
                corpus_table(4, 4).assign(part=["Train"] * 8 + ["Test1"] * 4 + ["Test2"] * 4),
                {"protocol": "predefined", "column": "part"},
                r"""--data\.corpus\.labels\.part '\{"Test1": \.\.\., "Test2": \.\.\.\}'""",
            ),
            (
                corpus_table(4, 4).assign(part="all"),
                {"protocol": "predefined", "column": "part"},
                "holds only 'all', expected two folds",
            ),
            (
                corpus_table(4, 4).assign(part=["train"] * 12 + ["dev"] * 4),
                {"protocol": "predefined", "column": "part"},
                "fold 0: the test part is empty",
            ),
            (
                corpus_table(8, 8, emotions=["angry", "happy", "sad"]),
                {"protocol": "kfold", "folds": 2},
                "folds 0, 1: no emotion 'neutral' to train on",
            ),
            (corpus_table(1, 4), {"protocol": "random"}, "4 recordings, too few for .* = 5"),
            (
                corpus_table(1, 8),
                {"protocol": "random", "folds": 1, "test": 0.05},
                r"8 recordings can't be divided by data\.split's 0\.05",
            ),
        ],
    )
    def test_corpus(self, table: pd.DataFrame, settings: dict[str, object], match: str) -> None:
        """A corpus that doesn't fit is refused with what was found and what helps."""
        with pytest.raises(DataError, match=match):
            folds_of(table, **settings)

    def test_one_class(self) -> None:
        """A target of one class is nothing to learn."""
        rows = np.arange(4)
        table = corpus_table(1, 4)
        with pytest.raises(DataError, match=r"gender has one class \(female\)"):
            check_folds(table, {"gender": ["female"]}, [Fold(rows[:2], rows[:0], rows[2:])])

    def test_a_fault_of_many_folds_is_one_line(self) -> None:
        """All that is wrong is listed, a line for each class with its folds."""
        with pytest.raises(DataError) as caught:
            folds_of(corpus_table(8, 8, emotions=["angry"]), protocol="loso", dev=0.0)
        assert str(caught.value).splitlines()[1:-1] == [
            f"  folds 0, 1, 2, 3, 4, 5, 6, 7: no emotion {label!r} to train on"
            for label in ("happy", "sad", "neutral")
        ]

    def test_all_that_is_wrong_with_the_speakers(self) -> None:
        """Recordings without a speaker, too few speakers, unknown and doubled ones: one error."""
        lists = [["s00", "anna"], ["s00", "ben"]]
        with pytest.raises(DataError) as caught:
            folds_of(without(corpus_table(2), 3), protocol="predefined", speakers=lists)
        first, *faults = str(caught.value).splitlines()
        assert first == "the corpus does not fit the protocol predefined:"
        assert [line.split(",")[0] for line in faults] == [
            "  3 of 16 recordings have no speaker",
            "  data.split.speakers names anna",
            "  data.split.speakers tests s00 more than once; name each speaker once",
        ]

    @pytest.mark.parametrize("protocol", ["speaker", "kfold", "loso", "ravdess-emobox-6"])
    def test_one_speaker(self, protocol: str) -> None:
        """What can't be claimed, what can, and the setting that gives it; which works."""
        table = corpus_table(1, 40).assign(gender=["female", "male"] * 20)
        says = r"one speaker \(s00\), so nothing can be claimed about other speakers.*: random"
        with pytest.raises(DataError, match=says):
            folds_of(table, protocol=protocol)
        assert len(folds_of(table, protocol="random")) == 5
