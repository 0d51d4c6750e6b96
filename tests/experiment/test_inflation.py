"""What a random split would have reported."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.tables import corpus_table, speech_data
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.significance import differences
from speechnet.experiment import inflation
from speechnet.experiment.inflation import measure_inflation
from speechnet.splits.config import SplitConfig


def speakers_with_habits(speakers: int = 12, each: int = 24) -> SpeechDataModule:
    """Each speaker says each emotion in a way of their own, and no two alike."""
    table = corpus_table(speakers, each)
    rng = np.random.default_rng(1)
    who, emotion = np.repeat(np.arange(speakers), each), np.arange(speakers * each) % 4
    habits = rng.normal(scale=3, size=(speakers, 4, 10))
    X = habits[who, emotion] + rng.normal(size=(speakers * each, 10))
    return speech_data(table, X=X.astype(np.float32))


def test_what_only_a_random_split_can_learn() -> None:
    """Nearly all is right where speakers are seen, chance is left where they aren't."""
    table = measure_inflation(speakers_with_habits()).set_index("target")
    emotion = table.loc["emotion"]
    assert emotion["random"] > 0.9
    assert emotion["disjoint"] < 0.45
    assert emotion["difference"] == pytest.approx(emotion["random"] - emotion["disjoint"])
    assert 0.4 < emotion["low"] < emotion["difference"] < emotion["high"]
    assert tuple(emotion[["recordings", "speakers"]]) == (288, 12)


def test_as_many_resamples_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """``evaluation.resamples`` holds for the intervals here too."""
    asked = []

    def spy(*given: Any, resamples: int, **more: Any) -> Any:
        asked.append(resamples)
        return differences(*given, resamples=resamples, **more)

    monkeypatch.setattr(inflation, "differences", spy)
    measure_inflation(speakers_with_habits(4, 8), resamples=123)
    assert asked
    assert {*asked} == {123}


def test_the_two_numbers_are_those_of_scikit_learn() -> None:
    """The same SVM in plain cross-validation, with and without regard to speakers."""
    data = speakers_with_habits(8, 12)
    y, groups = data.labels[:, 1], data.table["speaker"].to_numpy()
    X = data.X.astype(np.float64)

    def pooled(folds: object) -> float:
        predicted = np.zeros_like(y)
        for fit, held in folds:  # type: ignore[attr-defined]
            model = make_pipeline(
                StandardScaler(), SVC(C=5, class_weight="balanced", break_ties=True)
            )
            predicted[held] = model.fit(X[fit], y[fit]).predict(X[held])
        return float(recall_score(y, predicted, average="macro"))

    found = measure_inflation(data).set_index("target").loc["emotion"]
    random = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
    grouped = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, groups)
    assert found["random"] == pytest.approx(pooled(random))
    assert found["disjoint"] == pytest.approx(pooled(grouped))


def test_speakers_that_differ_in_nothing_inflate_nothing() -> None:
    """The interval holds zero."""
    found = measure_inflation(speech_data(corpus_table(12, 16), signal=0.4))
    assert ((found["low"] < 0) & (found["high"] > 0)).all()


@pytest.mark.parametrize("speakers", [[None], ["one"]])
def test_nothing_is_said_where_speakers_are_unknown_or_one(speakers: list[str | None]) -> None:
    """No number is made up."""
    table = corpus_table(2, 32)
    table["speaker"] = pd.Series(speakers * len(table), index=table.index, dtype=object)
    split = SplitConfig(protocol="random", folds=1)
    assert measure_inflation(speech_data(table, split=split)).empty


def test_a_class_of_a_single_speaker_takes_no_part() -> None:
    """It could not be trained on where it is tested."""
    table = corpus_table(6, 8)
    table.loc[(table["emotion"] == "sad") & (table["speaker"] != "s00"), "emotion"] = pd.NA
    found = measure_inflation(speech_data(table)).set_index("target")
    assert found.loc["emotion", "recordings"] == int((table["emotion"].notna()).sum()) - 2
    assert found.loc["gender", "recordings"] == 48


def test_a_large_corpus_is_sampled_by_whole_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many speakers as stay within the bound."""
    monkeypatch.setattr(inflation, "MOST", 100)
    found = measure_inflation(speakers_with_habits(10, 24)).set_index("target")
    assert tuple(found.loc["emotion", ["recordings", "speakers"]]) == (96, 4)
