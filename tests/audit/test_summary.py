"""What the summary says of speakers, and of what they give away."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.audits import summarised
from helpers.tables import TARGETS, corpus_table

from speechnet.audit.config import AuditConfig
from speechnet.audit.labels import DISPUTED_COLUMNS
from speechnet.audit.leakage import LEAKAGE_COLUMNS
from speechnet.audit.recordings import FILE_COLUMNS
from speechnet.core.findings import as_table


def findings(table: pd.DataFrame, **parts: Any) -> pd.DataFrame:
    """The summary, by check."""
    return as_table(summarised(table, TARGETS, **parts)).set_index("check")


def test_a_balanced_corpus_has_none() -> None:
    """Every speaker says each emotion equally often."""
    assert findings(corpus_table()).empty


def test_that_not_all_were_compared_is_said() -> None:
    """From the size on that the configuration names, if near-copies are looked for at all."""
    table = corpus_table(speakers=130)
    few = AuditConfig(near_duplicate_exact=1_000)
    assert len(table) > 1_000
    assert findings(table, config=few).index.tolist() == ["near_duplicates_missed"]
    assert findings(table).empty
    few.near_duplicates = False
    assert findings(table, config=few).empty


def test_one_speaker_only() -> None:
    """The user is told what can be claimed and what can't."""
    found = findings(corpus_table(speakers=1, each=16))
    assert found.index.tolist() == ["one_speaker"]
    assert found.loc["one_speaker", "severity"] == "warning"
    assert "nothing can be claimed about other people" in found.loc["one_speaker", "detail"]


@pytest.mark.parametrize(("unknown", "what"), [(1, "recording"), (64, "recordings")])
def test_unknown_speakers(unknown: int, what: str) -> None:
    """How many recordings name none, and what follows from it."""
    table = corpus_table()
    table.iloc[:unknown, table.columns.get_loc("speaker")] = None
    found = findings(table)
    assert found.index.tolist() == ["speakers_unknown"]
    row = found.loc["speakers_unknown"]
    assert (row["what"], row["count"]) == (f"{what} without a known speaker", unknown)
    assert "nothing can be claimed about unseen speakers" in row["detail"]


def test_a_speaker_of_two_genders() -> None:
    """A label is wrong, or two people go by one name; what is not known contradicts nothing."""
    table = corpus_table()
    table.iloc[1, table.columns.get_loc("gender")] = None
    assert "two_genders" not in findings(table).index
    table.iloc[0, table.columns.get_loc("gender")] = "male"
    row = findings(table).loc["two_genders"]
    assert (row["severity"], row["what"], row["count"]) == (
        "warning",
        "speaker of more than one gender",
        1,
    )
    assert row["detail"].endswith("s00 (female 6, male 1)")


def test_speakers_of_one_emotion() -> None:
    """They give it away, and standardising by speaker would take it away."""
    table = corpus_table(speakers=8, each=8)
    for number, emotion in enumerate(["angry", "sad", "happy"]):
        table.loc[table["speaker"] == f"s{number:02d}", "emotion"] = emotion
    found = findings(table)
    assert found.index.tolist() == ["confounding", "single_class", "speaker_normalisation"]
    assert found["severity"].eq("warning").all()
    assert found.loc["single_class", "count"] == 3
    assert found.loc["single_class", "detail"] == "s00 (angry), s01 (sad), s02 (happy)"
    assert found.loc["speaker_normalisation", "detail"].endswith("for they have only one")
    few = corpus_table(speakers=8, each=8)
    few.loc[few["speaker"] == "s00", "emotion"] = "angry"
    assert findings(few)["severity"].to_dict() == {"single_class": "note"}


def test_a_single_one_is_spoken_of_as_one() -> None:
    """Of two speakers one has one emotion only."""
    table = corpus_table(speakers=2, each=8)
    table.loc[table["speaker"] == "s00", "emotion"] = "angry"
    found = findings(table)
    assert found.loc["single_class", "what"] == "speaker with recordings of one emotion only"
    row = found.loc["speaker_normalisation"]
    assert row["what"].startswith("speaker is harmed if")
    assert row["detail"].endswith("for it has only one")
    assert found.loc["gender_confounding", "what"] == "classes of emotion spoken by one gender only"


def test_a_class_of_one_gender() -> None:
    """Its other recordings may be found by gender alone."""
    table = corpus_table()
    women_only = (table["emotion"] == "sad") & (table["gender"] == "male")
    found = findings(table[~women_only])
    assert found.loc["gender_confounding", "what"] == "class of emotion spoken by one gender only"
    assert found.loc["gender_confounding", "detail"] == "sad (female)"


def test_many_are_counted_and_a_few_are_named() -> None:
    """Faults before warnings before notes, each with the first five."""
    leaks = pd.DataFrame(
        [(fold, kind, f"{kind}{n}", 1, 1, None) for fold in (0, 1) for kind, n in _leaks(7)],
        columns=list(LEAKAGE_COLUMNS),
    )
    files = pd.DataFrame(
        [(f"{n}.wav", fault, np.nan, "") for fault in ("stereo", "noisy") for n in range(2)],
        columns=list(FILE_COLUMNS),
    )
    found = findings(corpus_table(), leaks=leaks, files=files)
    assert found["severity"].to_dict() == {
        "leakage_speaker": "fault",
        "noisy": "warning",
        "leakage_sentence": "note",
        "stereo": "note",
    }
    row = found.loc["leakage_speaker"]
    assert row["what"].startswith("speakers are both trained on and tested")
    names = ", ".join(f'"speaker{n}"' for n in range(5))
    assert (row["count"], row["detail"]) == (7, f"in 2 folds: {names} and 2 more")
    assert found.loc["noisy", ["what", "detail"]].tolist() == [
        "recordings are noisy",
        "0.wav, 1.wav",
    ]


def test_a_tested_recording_counts_once() -> None:
    """Though it is tested in two folds, and has another copy in either."""
    rows = [
        (0, "near_duplicate", "a ~ x", 2, 1, "x"),
        (0, "near_duplicate", "a ~ y", 1, 1, "y"),
        (1, "near_duplicate", "b ~ x", 1, 1, "x"),
        (1, "duplicate", "c = x", 1, 1, "x"),
    ]
    found = findings(corpus_table(), leaks=pd.DataFrame(rows, columns=list(LEAKAGE_COLUMNS)))
    row = found.loc["leakage_near_duplicate"]
    assert (row["count"], row["detail"]) == (2, 'in 2 folds: "a ~ x", "a ~ y"')
    assert found.loc["leakage_duplicate", "what"].startswith("recording is both trained on")


def test_copies_labelled_differently() -> None:
    """Each pair counts once, with all that differs between the two."""
    rows = [
        ("a.wav", "b.wav", "near", "speaker", "anna", "ben"),
        ("a.wav", "b.wav", "near", "emotion", "happy", "sad"),
        ("a.wav", "c.wav", "exact", "emotion", "happy", "angry"),
    ]
    dispute = pd.DataFrame(rows, columns=list(DISPUTED_COLUMNS))
    row = findings(corpus_table(), dispute=dispute).loc["copies_disagree"]
    assert (row["severity"], row["count"]) == ("fault", 2)
    assert row["what"] == "pairs of copies labelled differently"
    assert row["detail"] == "a.wav (anna, happy) ~ b.wav (ben, sad), a.wav (happy) = c.wav (angry)"
    one = findings(corpus_table(), dispute=dispute[:2]).loc["copies_disagree"]
    assert (one["count"], one["what"]) == (1, "pair of copies labelled differently")


def test_an_exact_copy_is_named_with_its_original() -> None:
    """Where it is excluded; other recordings are named alone."""
    files = pd.DataFrame(
        [
            ("b.wav", "duplicate", np.nan, "the same samples as a.wav"),
            ("c.wav", "silent", np.nan, "no sound above -60 dB"),
        ],
        columns=list(FILE_COLUMNS),
    )
    found = findings(corpus_table(), files=files)
    assert found["detail"].to_dict() == {
        "duplicate": "a.wav = b.wav",
        "silent": "c.wav (no sound above -60 dB)",
    }


def _leaks(count: int) -> list[tuple[str, int]]:
    return [(kind, n) for kind in ("sentence", "speaker") for n in range(count)]
