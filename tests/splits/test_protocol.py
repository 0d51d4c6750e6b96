"""The protocol files: complete, true to their corpora, and found by name."""

from collections import Counter
from dataclasses import FrozenInstanceError
from typing import get_args, get_type_hints

import pandas as pd
import pytest

from speechnet.core.errors import ConfigError
from speechnet.corpus.definition import load_definition
from speechnet.splits.config import SplitConfig, describe
from speechnet.splits.protocol import PROTOCOLS, load_protocol

OWN = {"speaker", "kfold", "loso", "predefined", "random"}
# Recordings by speaker and by emotion, as the files of EmoDB's and URDU's distributions have them.
EMODB_SPEAKERS = {
    "03": 49, "08": 58, "09": 43, "10": 38, "11": 55,
    "12": 35, "13": 61, "14": 69, "15": 56, "16": 71,
}  # fmt: skip
EMODB_EMOTIONS = {
    "angry": 127, "bored": 81, "disgust": 46, "fearful": 69, "happy": 71, "sad": 62, "neutral": 79,
}  # fmt: skip
URDU = {
    "angry": {"SM1": 22, "SM2": 28, "SM3": 2, "SM4": 48},
    "happy": {
        "SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2, "SM3": 2,
        "SM5": 8, "SM6": 10, "SM7": 28, "SM17": 2, "SM18": 2, "SM19": 2,
    },
    "neutral": {"SF9": 4, "SM3": 8, "SM5": 72, "SM20": 10, "SM21": 4, "SM22": 2},
    "sad": {
        "SF10": 2, "SF11": 4, "SM6": 4, "SM23": 6, "SM24": 38, "SM25": 40, "SM26": 2, "SM27": 4,
    },
}  # fmt: skip


def test_every_name_has_a_file_and_every_file_a_name() -> None:
    """data.split.protocol takes what is shipped, and nothing that is not."""
    assert set(get_args(get_type_hints(SplitConfig)["protocol"])) - OWN == set(PROTOCOLS)


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_files(name: str) -> None:
    """Each speaker or file is tested once; the corpus and its labels are known here."""
    protocol = load_protocol(name)
    tested = [one for fold in protocol.folds for one in fold]
    assert len(set(tested)) == len(tested)
    assert len(tested) == protocol.recordings or sorted(tested) == sorted(protocol.speakers)
    for corpus in protocol.corpora:
        labels = load_definition(corpus).fields["emotion"].map.values()
        assert set(labels) == set(protocol.classes)
    assert set(protocol.absent) <= set(range(len(protocol.folds)))
    for reference in protocol.references:
        assert reference.metric in {"uar", "accuracy"}
        assert 100 / len(protocol.classes) < reference.value < 100
        assert reference.source
    with pytest.raises(FrozenInstanceError):
        protocol.name = "other"  # type: ignore[misc]


def test_emodb_files_are_the_corpus() -> None:
    """The 535 files by speaker and by emotion; every speaker in every fold; 107 files each."""
    protocol, definition = load_protocol("emobox-emodb-5"), load_definition("emodb")
    rows = [definition.labels_of_name(name) for fold in protocol.folds for name in fold]
    table = pd.DataFrame([row or {} for row in rows])
    assert Counter(table["speaker"]) == EMODB_SPEAKERS
    assert Counter(table["emotion"]) == EMODB_EMOTIONS
    assert [len(fold) for fold in protocol.folds] == [107] * 5
    for fold in protocol.folds:
        assert {name[:2] for name in fold} == set(protocol.speakers)
    # The same files say which speakers lack an emotion, as the other protocol has it.
    counts = pd.crosstab(table["speaker"], table["emotion"])
    loso = load_protocol("emodb-loso")
    lacking = {
        number: tuple(label for label in loso.classes if counts.loc[speaker, label] == 0)
        for number, (speaker,) in enumerate(loso.folds)
    }
    assert {number: labels for number, labels in lacking.items() if labels} == loso.absent


def test_urdu_folds() -> None:
    """All speakers of the distribution; only the emotion that must be is absent from a fold."""
    protocol = load_protocol("urdu-speaker-5")
    assert {name for by_speaker in URDU.values() for name in by_speaker} == set(protocol.speakers)
    assert sum(sum(by_speaker.values()) for by_speaker in URDU.values()) == protocol.recordings
    lacking = {
        number: tuple(label for label, by_speaker in URDU.items() if not by_speaker.keys() & fold)
        for number, fold in enumerate(map(set, protocol.folds))
    }
    assert {number: labels for number, labels in lacking.items() if labels} == protocol.absent


def test_unknown_name() -> None:
    """The names there are are said."""
    with pytest.raises(ConfigError, match=r"'ravdess' .*did you mean 'ravdess-emobox-6'\?"):
        load_protocol("ravdess")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"protocol": "ravdess-emobox-6"}, "EmoBox's 6 folds of RAVDESS, unseen speakers"),
        (
            {"protocol": "emobox-emodb-5"},
            "EmoBox's 5 folds of EmoDB, speakers shared between train and test",
        ),
        ({"protocol": "speaker"}, "one split, unseen speakers"),
        ({"protocol": "kfold", "folds": 3}, "3 folds, unseen speakers"),
        ({"protocol": "loso"}, "each speaker left out once, unseen speakers"),
        (
            {"protocol": "predefined", "speakers": [["a"], ["b"]]},
            "2 folds as listed, unseen speakers",
        ),
        ({"protocol": "predefined", "column": "part"}, "folds of the column part"),
        ({"protocol": "random"}, "random split, 5 folds, without regard to speakers"),
    ],
)
def test_in_words(settings: dict[str, object], words: str) -> None:
    """A caption says whether speakers were unseen."""
    assert describe(SplitConfig(**settings)) == words


def test_speakers_shared_is_no_grouped_split() -> None:
    """What holds for a random split holds for folds that share their speakers."""
    grouped = {name: SplitConfig(protocol=name).grouped for name in list(PROTOCOLS)}
    assert [name for name, apart in grouped.items() if not apart] == ["emobox-emodb-5"]


def test_departures() -> None:
    """What keeps a score from being compared with the published ones is said; else nothing."""
    protocol = load_protocol("savee-loso")
    assert protocol.departures(480, {"emotion": list(protocol.classes)[::-1]}) == []
    assert protocol.departures(478, {"emotion": ["angry", "sad"]}) == [
        "2 emotions (angry, sad), published are results for 7 (angry, disgust, fearful, happy, "
        "neutral, sad, surprised)",
        "478 recordings of 480",
    ]
    assert len(protocol.departures(480, {"gender": ["female", "male"]})) == 1
