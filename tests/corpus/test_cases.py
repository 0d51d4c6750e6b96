"""What people of the field really had, as the generators of ``shared/cases`` write it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.audits import summarised

from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.errors import DataError, Excluded
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.reader import Corpus, load_corpus
from speechnet.inference.inputs import gather
from speechnet.splits.config import SplitConfig
from speechnet.splits.folds import make_folds

pytestmark = pytest.mark.slow

Case = Callable[[str], Path]
EMOTION = {"emotion": None}
BOTH = {"gender": None, "emotion": None}


def read(
    root: Path,
    table: str | None = None,
    *,
    name: str = "csv",
    targets: dict[str, list[str] | None] | None = None,
    labels: dict[str, dict[str, str | None]] | None = None,
) -> Corpus:
    config = CorpusConfig(name, str(root), table=table, labels=labels or {})
    return load_corpus(config, targets or BOTH)


def decoded(corpus: Corpus) -> None:
    """A recording of each ending can be read."""
    for path in {Path(path).suffix: path for path in corpus.table["path"]}.values():
        load(corpus.root / path, AudioConfig())


@pytest.mark.parametrize("table", ["validated", "noquotes", "spanning", "silent", "silent2"])
def test_commonvoice(case: Case, table: str) -> None:
    """Sentences begin with a lone quote: all 24 rows, each clip with the labels of its own line."""
    root = case("commonvoice")
    corpus = read(
        root, f"{table}.tsv", name="common-voice", targets={"gender": None, "sentence": None}
    )
    lines = (root / f"{table}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    cells = {line.split("\t")[1]: line.split("\t") for line in lines}
    assert len(corpus.table) == len(cells) == 24
    genders = {"male_masculine": "male", "female_feminine": "female", "": "-"}
    for file, row in corpus.table.fillna({"gender": "-"}).iterrows():
        client, _, sentence, _, _, _, gender, *_ = cells[str(file).removeprefix("clips/")]
        found = [row[name] for name in ("speaker", "sentence", "gender")]
        assert found == [client, sentence, genders[gender]]


def test_msp(case: Case) -> None:
    """Unknown speakers and genders are missing, and said so; the official parts are the folds."""
    labels = {"emotion": {"contempt": None}, "split": {"Test2": None}}
    corpus = read(case("msp"), name="msp-podcast", labels=labels)
    written = pd.read_csv(case("msp") / "labels_consensus.csv", index_col="FileName")
    table = corpus.table.set_axis(corpus.table.index.str.removeprefix("Audios/"))
    written = written.loc[table.index]
    assert len(table) == 64
    for ours, theirs in (("speaker", "SpkrID"), ("gender", "Gender")):
        assert (table[ours].isna() == (written[theirs] == "Unknown")).all()
        assert any(note.startswith(f"{ours}: 'Unknown' (") for note in corpus.notes)
    assert corpus.targets["gender"] == ["female", "male"]
    split = SplitConfig(protocol="predefined", column="split")
    (fold,) = make_folds(corpus.table, corpus.targets, split, seed=0, corpus="msp-podcast")
    for part, theirs in (("train", "Train"), ("dev", "Development"), ("test", "Test1")):
        assert set(written["Split_Set"].iloc[fold.parts()[part]]) == {theirs}


def test_twogenders(case: Case) -> None:
    """One name for a woman and a man is a finding; Unknown is no speaker."""
    corpus = read(case("twogenders"))
    assert "Unknown" not in set(corpus.table["speaker"])
    assert any(note.startswith("speaker: 'Unknown' (12 rows)") for note in corpus.notes)
    found = summarised(corpus.table, corpus.targets)
    (two,) = (finding for finding in found if finding.check == "two_genders")
    assert two.count == 1
    assert "P00001 (female 8, male 8)" in two.detail


@pytest.mark.parametrize("table", ["td", "hms", "sec", "comma"])
def test_audf(case: Case, table: str) -> None:
    """Time deltas, NaT, hh:mm:ss and decimal commas are the seconds they stand for."""
    corpus = read(case("audf"), f"{table}.csv")
    assert len(corpus.table) == 24
    k = np.arange(24) % 4
    np.testing.assert_allclose(corpus.table["start"], 0.8 * k, atol=1e-9)
    np.testing.assert_allclose(
        corpus.table["end"], np.where(k < 3, 0.8 * (k + 1), np.nan), atol=1e-9
    )
    recordings, _ = gather([], case("audf") / f"{table}.csv")
    assert [r.end for r in recordings][:3] == pytest.approx([0.8, 1.6, 2.4])


@pytest.mark.parametrize("table", ["dev_sent_emo", "with_mp4", "with_wav"])
def test_meld(case: Case, table: str) -> None:
    """Names are made of two columns, or end in .mp4; the one clip that isn't there is named."""
    name = "meld" if table == "dev_sent_emo" else "csv"
    corpus = read(case("meld"), f"{table}.csv", name=name, targets=EMOTION)
    assert len(corpus.table) == 15
    assert corpus.table.loc["clips/dia1_utt2.wav", ["speaker", "emotion"]].tolist() == [
        "Dov",
        "sad",
    ]
    ((file, reason, detail),) = corpus.excluded.to_numpy()
    assert file.startswith("dia3_utt3")
    assert (reason, "line 17" in detail) == ("missing", True)
    assert corpus.table["start"].isna().all()


PATHS = ["win", "winabs", "colab", "pipe", "caps", "caps2", "dotslash"]


@pytest.mark.parametrize("table", PATHS)
def test_paths(case: Case, table: str) -> None:
    """Backslashes, paths of another machine, another delimiter and other letters are read."""
    corpus = read(case("paths"), f"{table}.csv")
    assert len(corpus.table) == 24
    assert corpus.excluded.empty
    names = corpus.table["path"].str.extract(r"Ravdess/(s\d+)_(\w+)\.wav")
    assert names[1].tolist() == corpus.table["emotion"].tolist()
    if table == "caps2":
        assert any("--data.corpus.columns.speaker 'Speaker_ID'" in note for note in corpus.notes)
    else:
        assert names[0].tolist() == corpus.table["speaker"].tolist()
    assert any("begin with" in note for note in corpus.notes) == (table in {"winabs", "colab"})


@pytest.mark.parametrize("table", ["win", "winabs", "colab"])
def test_paths_of_a_manifest(case: Case, table: str) -> None:
    """The same where they are to be recognised."""
    manifest = case("paths") / f"{table}.csv"
    recordings, notes = gather([], manifest)
    assert len(recordings) == 24
    assert all(Path(recording.path).is_file() for recording in recordings)
    assert len(notes) == (table != "win")


@pytest.mark.parametrize(
    ("table", "targets", "message"),
    [
        ("nohead", BOTH, r"line 1: 'Ravdess/s00_angry\.wav' is a recording"),
        ("numeric", BOTH, r"""--data\.corpus\.labels\.gender '\{"0": \.\.\., "1": \.\.\.\}'"""),
        ("combined", EMOTION, r"'male_angry' \(3 rows, .*'female_neutral' \(3 rows"),
    ],
)
def test_paths_that_need_an_answer(
    case: Case, table: str, targets: dict[str, list[str] | None], message: str
) -> None:
    """One sentence says what is missing, and gives the setting."""
    with pytest.raises(DataError, match=message):
        read(case("paths"), f"{table}.csv", targets=targets)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("arousal", r"44 different numbers from 0\.79 to 4\.81, which is a measure"),
        ("emotion", r"'angry;happy' \(6 rows.*\"neutral;angry\": \.\.\."),
        ("soft", r"several labels in a cell: '1\.0\|0\.0\|0\.0\|0\.0'"),
    ],
)
def test_dims(case: Case, target: str, message: str) -> None:
    """Measures, several emotions and votes in a cell are asked about; five levels are classes."""
    with pytest.raises(DataError, match=message):
        read(case("dims"), targets={target: None})
    assert read(case("dims"), targets={"level": None}).targets == {"level": [*"12345"]}


def test_endings(case: Case, ravdess: Path) -> None:
    """.opus and .aiff beside .wav: a row for each, which can be read; tables find them."""
    assert ravdess.is_dir()
    root = case("endings")
    corpus = read(root / "rav", name="ravdess")
    assert corpus.table["speaker"].value_counts().to_dict() == dict.fromkeys(
        ["01", "02", "03", "04"], 8
    )
    decoded(corpus)
    for table in ("bare.csv", "path.csv"):
        assert len(read(root / "t", table).table) == 24


def test_voicenotes(case: Case) -> None:
    """A phone's folder: .opus beside .wav, and .m4a, which has its row and can't be read."""
    root = case("voicenotes")
    corpus = read(root / "corpus", name="folders", targets=EMOTION)
    assert corpus.table["emotion"].value_counts().to_dict() == dict.fromkeys(
        ["angry", "happy", "sad", "neutral"], 12
    )
    decoded(corpus)
    for folder, readable in (("chat", 3), ("chat2", 2)):
        recordings, _ = gather([root / folder])
        m4a = [Path(r.path) for r in recordings if r.path.endswith(".m4a")]
        assert len(recordings) == readable + len(m4a)
        for path in m4a:
            with pytest.raises(Excluded) as refused:
                load(path, AudioConfig())
            assert refused.value.reason == "unreadable"
            assert "ffmpeg -i" in refused.value.detail


def test_lfs(case: Case) -> None:
    """Pointers in place of recordings: a row for each, and none can be read."""
    corpus = read(case("lfs"), name="cremad")
    assert len(corpus.table) == 48
    with pytest.raises(Excluded) as refused:
        load(corpus.root / corpus.table["path"].iloc[0], AudioConfig())
    assert refused.value.reason == "unreadable"
    assert "git lfs pull" in refused.value.detail
