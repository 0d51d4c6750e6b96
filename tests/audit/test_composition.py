"""Who says what, compared with counts and formulas written out."""

import numpy as np
import pandas as pd
import pytest
from helpers.tables import TARGETS, corpus_table
from sklearn.metrics import mutual_info_score

from speechnet.audit.composition import (
    association,
    classes_by_gender_by_speaker,
    normalising_harms,
    single_class_speakers,
)


def table_of(rows: list[tuple[object, object]]) -> pd.DataFrame:
    """A corpus table of speakers and emotions."""
    table = pd.DataFrame(rows, columns=["speaker", "emotion"], dtype=object)
    return table.assign(gender="female", sentence=None).rename(index=lambda row: f"{row}.wav")


def random_table(seed: int = 0, n: int = 90) -> pd.DataFrame:
    """Speakers with unequal numbers of recordings and classes drawn by chance, some unknown."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "speaker": rng.choice(["a", "b", "c", "d", None], n, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
            "emotion": rng.choice(["angry", "happy", "sad", None], n, p=[0.5, 0.3, 0.15, 0.05]),
        },
        dtype=object,
    )
    return table.rename(index=lambda row: f"{row}.wav")


def test_counts_by_class_gender_and_speaker() -> None:
    """Each combination that occurs has its count; a missing label has none, a missing name has."""
    table = corpus_table(speakers=3, each=8)
    table.loc[["0000.wav", "0001.wav"], "emotion"] = None
    table.loc["0008.wav", "speaker"] = None
    counted = classes_by_gender_by_speaker(table, TARGETS)
    assert counted.columns.tolist() == ["target", "class", "gender", "speaker", "count"]
    for (target, label, gender, speaker), group in counted.groupby(
        ["target", "class", "gender", "speaker"], dropna=False
    ):
        same = table["speaker"].isna() if pd.isna(speaker) else table["speaker"] == speaker
        expected = ((table[target] == label) & (table["gender"] == gender) & same).sum()
        assert group["count"].tolist() == [expected]
    assert counted.groupby("target")["count"].sum().to_dict() == {"gender": 24, "emotion": 22}


def test_speakers_of_one_class_are_listed() -> None:
    """A single recording says nothing about its speaker."""
    table = table_of(
        [("a", "angry"), ("a", "angry"), ("b", "angry"), ("b", "sad"), ("c", "sad"), (None, "sad")]
    )
    found = single_class_speakers(table, "emotion")
    assert found.to_dict("records") == [{"speaker": "a", "class": "angry", "count": 2}]
    assert single_class_speakers(corpus_table(), "emotion").empty


def test_standardising_by_speaker_harms_from_a_share_of_speakers_on() -> None:
    """Half the speakers have one class here; gender, which all have one of, doesn't count."""
    table = table_of([("a", "angry"), ("a", "angry"), ("b", "angry"), ("b", "sad"), ("c", "sad")])
    assert normalising_harms(table, TARGETS, share=0.5) == ["emotion"]
    assert normalising_harms(table, TARGETS, share=0.51) == []
    assert normalising_harms(corpus_table(), TARGETS, share=0.0) == []


def test_the_rule_of_the_speakers_other_recordings() -> None:
    """UAR of the majority among the same speaker's others, row by row, ties shared."""
    table = random_table()
    known = table.dropna()
    recalls: dict[str, list[float]] = {}
    for file, (speaker, emotion) in known.iterrows():
        others = known.drop(index=file)
        counts = others.loc[others["speaker"] == speaker, "emotion"].value_counts()
        best = counts.index[counts == counts.max()]
        recalls.setdefault(emotion, []).append((emotion in best) / len(best))
    found = association(table, "emotion")
    assert found.uar == pytest.approx(np.mean([np.mean(hits) for hits in recalls.values()]))
    assert found.chance == pytest.approx(1 / 3)
    assert found.groups == 4


def test_certainty_is_corrected_for_chance() -> None:
    """By the mean mutual information of permuted labels; so chance gives 0 on average."""
    known = random_table().dropna()
    rng = np.random.default_rng(1)
    emotion = known["emotion"].to_numpy()
    permuted = [mutual_info_score(known["speaker"], rng.permutation(emotion)) for _ in range(200)]
    p = known["emotion"].value_counts(normalize=True)
    entropy = -(p * np.log(p)).sum()
    found = mutual_info_score(known["speaker"], emotion)
    expected = (found - np.mean(permuted)) / (entropy - np.mean(permuted))
    assert association(known, "emotion").certainty == pytest.approx(expected, abs=0.01)
    by_chance = [association(random_table(seed), "emotion").certainty for seed in range(20)]
    assert np.mean(by_chance) == pytest.approx(0, abs=0.015)


def test_extremes() -> None:
    """All of it, less than nothing in a balanced corpus, undefined without a choice."""
    single = table_of([(name, label) for name, label in zip("aabb", "xxyy", strict=True)])
    found = association(single, "emotion")
    assert (found.uar, found.certainty) == (1.0, pytest.approx(1.0))
    balanced = association(corpus_table(), "emotion")
    assert balanced.uar < balanced.chance == 0.25
    assert balanced.certainty < 0
    for rows in ([("a", "x"), ("a", "x")], [("a", "x"), ("b", "y")], [(None, "x"), (None, "y")]):
        assert np.isnan(association(table_of(rows), "emotion").uar)
