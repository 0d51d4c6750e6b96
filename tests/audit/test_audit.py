"""A corpus with every fault, leak and copy planted in it: each is found, and named.

The sound part of it is synthetic: six speakers, three sentences, four emotions.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from speechnet.audio.config import AudioConfig
from speechnet.audit.audit import Audit, run_audit
from speechnet.audit.config import AuditConfig
from speechnet.core.findings import FINDING_COLUMNS, SEVERITIES, as_table
from speechnet.core.types import Fold
from speechnet.corpus.synthetic.synthesis import synthesise
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.functionals import Functionals

pytestmark = pytest.mark.slow

RATE = 16_000
EMOTIONS = ("angry", "happy", "sad", "neutral")
TARGETS = {"gender": ["female", "male"], "emotion": list(EMOTIONS)}
GENDERS = ("female", "male")


def speak(speaker: int, sentence: int, emotion: str) -> np.ndarray:
    return synthesise(
        gender=GENDERS[speaker % 2],
        emotion=emotion,
        sentence=sentence,
        speaker=speaker,
        sample_rate=RATE,
    )


def with_noise(y: np.ndarray) -> np.ndarray:
    return y + 0.7 * y.std() * np.random.default_rng(0).standard_normal(len(y))


FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "short": lambda y: y[8_000 : 8_000 + round(0.4 * RATE)],
    "quiet": lambda y: 0.002 * y / np.abs(y).max(),
    "mostly_silent": lambda y: np.concatenate([y, np.zeros(9 * len(y))]),
    "clipped": lambda y: np.clip(20 * y, -1, 1),
    "dc": lambda y: y + 0.1,
    "noisy": with_noise,
    "stereo": lambda y: np.stack([y, 0.5 * y], axis=1),
    "odd_rate": lambda y: y,
    "truncated": lambda y: y,
    "not_finite": lambda y: np.where(np.arange(len(y)) == 99, np.nan, y),
    "silent": lambda y: np.zeros(len(y)),
}
COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "_trimmed.wav": lambda y: y[RATE // 50 :],
    ".ogg": lambda y: y,
    "_louder.wav": lambda y: 1.5 * y,
}


def write_sound(root: Path) -> pd.DataFrame:
    """Six speakers say three sentences in four ways each."""
    rows = []
    for speaker in range(1, 7):
        for sentence in range(1, 4):
            for emotion in EMOTIONS:
                file = f"s{speaker}_{sentence}_{emotion}.wav"
                soundfile.write(root / file, speak(speaker, sentence, emotion), RATE)
                # Each speaker has sentences of their own: none is on two sides of a division.
                said = f"{speaker}-{sentence}"
                rows.append((file, f"s{speaker}", GENDERS[speaker % 2], emotion, said))
    columns = ["file", "speaker", "gender", "emotion", "sentence"]
    return pd.DataFrame(rows, columns=columns, dtype=object).set_index("file")


def plant(root: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Add a recording of each fault, an exact copy, and near-copies under a seventh name."""
    rows = {}
    for number, (fault, spoil) in enumerate(FAULTS.items()):
        y = spoil(speak(1 + number % 6, 4 + number % 7, EMOTIONS[number % 4]))
        rate = 8_000 if fault == "odd_rate" else RATE
        subtype = "FLOAT" if fault == "not_finite" else "PCM_16"
        soundfile.write(root / f"{fault}.wav", y, rate, subtype=subtype)
        rows[f"{fault}.wav"] = (f"s{1 + number % 6}", "female", EMOTIONS[number % 4], fault)
    whole = (root / "truncated.wav").read_bytes()
    (root / "truncated.wav").write_bytes(whole[:-2_001])
    for number, (ending, change) in enumerate(COPIES.items(), start=1):
        original = f"s{number}_1_{EMOTIONS[number]}.wav"
        y = change(soundfile.read(root / original)[0])
        soundfile.write(root / f"copy_{number}{ending}", y, RATE)
        rows[f"copy_{number}{ending}"] = ("s7", "male", "sad", f"copied {number}")
    shutil.copy(root / "s4_2_sad.wav", root / "exact.wav")
    rows["exact.wav"] = ("s7", "male", "sad", "1-1")
    planted = pd.DataFrame.from_dict(rows, orient="index", columns=table.columns, dtype=object)
    return pd.concat([table, planted]).rename_axis("file")


def extract(root: Path, table: pd.DataFrame, *, keep_duplicates: bool = True) -> Extraction:
    recipe = Recipe(
        AudioConfig(sample_rate=RATE), DenoiseConfig(method="none"), {"functionals": Functionals()}
    )
    paths = table.assign(path=table.index, start=np.nan, end=np.nan)
    with joblib.parallel_config(backend="threading", n_jobs=1):
        return extract_features(
            root, paths, recipe, cache_dir=root.parent / "cache", keep_duplicates=keep_duplicates
        )


def audited(
    root: Path, table: pd.DataFrame, test: list[str], *, keep_duplicates: bool = True
) -> Audit:
    """The audit of a division by speakers: some are tested, all others trained on."""
    found = extract(root, table, keep_duplicates=keep_duplicates)
    used = table.loc[list(found.features.matrix.index)]
    tested = used["speaker"].isin(test).to_numpy()
    fold = Fold(np.flatnonzero(~tested), np.zeros(0, dtype=np.int64), np.flatnonzero(tested))
    return run_audit(
        used,
        TARGETS,
        [fold],
        matrix=found.features.matrix,
        statistics=found.statistics,
        excluded=found.excluded,
        config=AuditConfig(),
        labels=table,
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    root = tmp_path_factory.mktemp("audit") / "corpus"
    root.mkdir()
    return root, write_sound(root)


@pytest.fixture(scope="module")
def spoilt(corpus: tuple[Path, pd.DataFrame]) -> Audit:
    root, table = corpus
    return audited(root, plant(root, table), ["s6", "s7"])


def test_a_sound_corpus_has_no_finding(corpus: tuple[Path, pd.DataFrame]) -> None:
    """Nothing is said of it but who said what."""
    found = audited(*corpus, ["s5", "s6"])
    for table in (
        as_table(found.findings),
        found.files,
        found.near_duplicates,
        found.leakage,
        found.disputed,
    ):
        assert table.empty
    assert found.composition["count"].sum() == 2 * 72


def test_every_planted_fault_is_named(spoilt: Audit) -> None:
    """In the file that it was planted in; sound recordings have none."""
    found = spoilt.files.groupby("file")["fault"].agg(set).to_dict()
    for fault in FAULTS:
        assert fault in found.pop(f"{fault}.wav")
    assert found == {}


def test_every_planted_copy_is_found(spoilt: Audit) -> None:
    """Each near-copy with its original, and the exact one too; no others."""
    pairs = set(zip(spoilt.near_duplicates["first"], spoilt.near_duplicates["second"], strict=True))
    assert pairs == {
        ("s1_1_happy.wav", "copy_1_trimmed.wav"),
        ("s2_1_sad.wav", "copy_2.ogg"),
        ("s3_1_neutral.wav", "copy_3_louder.wav"),
        ("s4_2_sad.wav", "exact.wav"),
    }


def test_every_planted_leak_is_named(spoilt: Audit) -> None:
    """Copies under another speaker's name, and the one sentence that is said on both sides."""
    leaks = spoilt.leakage.groupby("kind")["value"].agg(set).to_dict()
    assert leaks == {
        "sentence": {"1-1"},
        "duplicate": {"s4_2_sad.wav = exact.wav"},
        "near_duplicate": {
            "s1_1_happy.wav ~ copy_1_trimmed.wav",
            "s2_1_sad.wav ~ copy_2.ogg",
            "s3_1_neutral.wav ~ copy_3_louder.wav",
            "s4_2_sad.wav ~ exact.wav",
        },
    }


def test_copies_under_another_name_are_label_errors(spoilt: Audit) -> None:
    """All four are said to be the seventh speaker's; the exact one is so named."""
    by_speaker = spoilt.disputed[spoilt.disputed["column"] == "speaker"]
    assert sorted(by_speaker.drop(columns="column").to_numpy().tolist()) == [
        ["s1_1_happy.wav", "copy_1_trimmed.wav", "near", "s1", "s7"],
        ["s2_1_sad.wav", "copy_2.ogg", "near", "s2", "s7"],
        ["s3_1_neutral.wav", "copy_3_louder.wav", "near", "s3", "s7"],
        ["s4_2_sad.wav", "exact.wav", "exact", "s4", "s7"],
    ]
    assert {each.check: each.count for each in spoilt.findings}["copies_disagree"] == 4


def test_an_exact_copy_that_is_excluded_is_compared(corpus: tuple[Path, pd.DataFrame]) -> None:
    """It is not in the table of used recordings: its labels are those of the whole one."""
    root, table = corpus
    shutil.copy(root / "s4_2_sad.wav", root / "again.wav")
    copy = table.loc[["s4_2_sad.wav"]].rename(index={"s4_2_sad.wav": "again.wav"})
    whole = pd.concat([table, copy.assign(emotion="happy")]).rename_axis("file")
    found = audited(root, whole.sort_index(), ["s5", "s6"], keep_duplicates=False)
    disagree, duplicate = found.findings
    assert (disagree.check, duplicate.check) == ("copies_disagree", "duplicate")
    assert (disagree.severity, disagree.count) == ("fault", 1)
    assert disagree.detail == "again.wav (happy) = s4_2_sad.wav (sad)"
    assert duplicate.detail == "again.wav = s4_2_sad.wav"


def test_the_summary_says_it_in_order(spoilt: Audit) -> None:
    """The worst first; each fault has its row, with a count and the first of the files."""
    summary = as_table(spoilt.findings)
    assert summary.columns.tolist() == list(FINDING_COLUMNS)
    ranks = summary["severity"].map(SEVERITIES.index)
    assert ranks.is_monotonic_increasing
    assert set(summary["check"]) >= {*FAULTS, "near_duplicates", "single_class"}
    rows = summary.set_index("check")
    assert rows.index[0] == "leakage_duplicate"
    row = rows.loc["noisy", ["severity", "what", "count", "detail"]]
    assert row.tolist() == ["warning", "recording is noisy", 1, "noisy.wav"]
    expected = "recording is excluded: fewer samples than the header says"
    assert rows.loc["truncated", "what"] == expected
    assert rows.loc["leakage_near_duplicate", "count"] == 4
