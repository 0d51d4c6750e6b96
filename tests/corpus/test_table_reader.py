"""Corpora described by a CSV, read from real files."""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from speechnet.core.errors import ConfigError, DataError
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.csv_table import read_sheet
from speechnet.corpus.reader import Corpus, load_corpus

ORIGINAL = "voice_id,Text_ID,Sex,Age,emotion_ID\n"


def corpus(
    root: Path,
    text: str | bytes,
    files: list[str],
    name: str = "csv",
    *,
    targets: dict[str, list[str] | None] | None = None,
    columns: dict[str, str] | None = None,
    labels: dict[str, dict[str, str | None]] | None = None,
    table: str | None = None,
) -> Corpus:
    """Write a table and empty recordings, and read them."""
    root.mkdir(exist_ok=True)
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    (root / "labels.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    config = CorpusConfig(name, str(root), table=table, columns=columns or {}, labels=labels or {})
    return load_corpus(config, targets or {"emotion": None})


def test_original(tmp_path: Path) -> None:
    """The original's table: names without ending anywhere below the root, integer codes."""
    text = ORIGINAL + "104_3_1,3,0,23,1\n105_1_2,1,1,,2\n106,10.0,1.0,40, 3 \n107,2,0,51,4.0\n"
    files = ["104_3_1.wav", "deep/er/105_1_2.WAV", "x/106.flac", "107.mp3"]
    both = {"gender": None, "emotion": None}
    read = corpus(tmp_path, text, files, "original", targets=both)
    assert list(read.table.index) == files
    assert list(read.table["emotion"]) == ["angry", "happy", "sad", "neutral"]
    assert list(read.table["gender"]) == ["male", "female", "female", "male"]
    assert list(read.table["sentence"]) == ["3", "1", "10", "2"]
    assert read.table["speaker"].isna().all()
    assert list(read.table["Age"].fillna("-")) == ["23", "-", "40", "51"]
    assert read.table[["start", "end"]].isna().all(axis=None)
    assert read.targets == {
        "gender": ["female", "male"],
        "emotion": ["angry", "happy", "sad", "neutral"],
    }


def test_synthetic_speaker(tmp_path: Path) -> None:
    """The synthetic corpus's speaker stands before the first underscore of voice_id."""
    text = ORIGINAL + "s001_03_1,3,0,30,1\nbare,1,1,30,2\n"
    read = corpus(tmp_path, text, ["s001_03_1.wav", "bare.wav"], "synthetic")
    assert read.table["speaker"].fillna("-").to_dict() == {"s001_03_1.wav": "s001", "bare.wav": "-"}


def test_own_columns(tmp_path: Path) -> None:
    """Columns are renamed by the configuration; codes of the definition still count."""
    text = "wav,mood,sex,who\na.wav,Anger,F,1\nb.wav,joy,man,2\n"
    columns = {"file": "wav", "emotion": "mood", "gender": "sex", "speaker": "who"}
    targets = {"gender": None, "emotion": None}
    read = corpus(tmp_path, text, ["a.wav", "b.wav"], columns=columns, targets=targets)
    assert list(read.table["emotion"]) == ["angry", "happy"]
    assert list(read.table["gender"]) == ["female", "male"]
    assert list(read.table["speaker"]) == ["1", "2"]
    assert "mood" not in read.table


def test_segments(tmp_path: Path) -> None:
    """Parts of a recording are rows of their own, named by media fragments."""
    text = (
        "file,start,end,emotion\na.wav,0,1.5,sad\na.wav,1.5,3,happy\na.wav,3,,sad\nb.wav,,2,sad\n"
    )
    table = corpus(tmp_path, text + "c.wav,,,sad\n", ["a.wav", "b.wav", "c.wav"]).table
    assert list(table.index) == [
        *("a.wav#t=0,1.5", "a.wav#t=1.5,3", "a.wav#t=3", "b.wav#t=0,2", "c.wav")
    ]
    assert list(table["path"]) == ["a.wav", "a.wav", "a.wav", "b.wav", "c.wav"]
    assert table["start"].dtype == table["end"].dtype == np.float64
    np.testing.assert_array_equal(table["start"], [0, 1.5, 3, 0, np.nan])
    np.testing.assert_array_equal(table["end"], [1.5, 3, np.nan, 2, np.nan])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("2,1", "line 2: start must be at least 0 and lie before end"),
        ("1,1", "line 2: start must be"),
        ("-1,1", "line 2: start must be"),
        ("one,2", "line 2: start isn't a number of seconds"),
        ("0,inf", "line 2: end isn't a number of seconds"),
    ],
)
def test_wrong_times(tmp_path: Path, cells: str, message: str) -> None:
    """Times that are no times are refused with their line."""
    with pytest.raises(DataError, match=message):
        corpus(tmp_path, f"file,start,end,emotion\na.wav,{cells},sad\n", ["a.wav"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_dialects(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """Comma, semicolon and tab, with and without a byte order mark, Windows line ends."""
    rows = (
        ["file", "emotion", "remark"],
        ["ä.wav", "sad", '"one, two; three"'],
        ["b.wav", "happy", ""],
    )
    text = "\r\n".join(delimiter.join(row) for row in rows).encode(encoding)
    table = corpus(tmp_path, text, ["ä.wav", "b.wav"]).table
    assert list(table["emotion"]) == ["sad", "happy"]
    remark = "one, two; three" if delimiter != "\t" else '"one, two; three"'
    assert list(table["remark"].fillna("-")) == [remark, "-"]


def test_index_column_of_pandas(tmp_path: Path) -> None:
    """A nameless column, as pandas writes its index, is left out."""
    table = corpus(tmp_path, ",file,emotion\n0,a.wav,sad\n1,b.wav,sad\n", ["a.wav", "b.wav"]).table
    assert "" not in table.columns


def test_missing_labels(tmp_path: Path) -> None:
    """Empty cells and the usual words for nothing are missing labels, not classes."""
    text = "file,emotion,gender\na.wav,,f\nb.wav,NaN,m\nc.wav,None,m\nd.wav,sad,NA\ne.wav,, \n"
    both = {"gender": None, "emotion": None}
    read = corpus(tmp_path, text, [f"{stem}.wav" for stem in "abcde"], targets=both)
    assert read.targets == {"gender": ["female", "male"], "emotion": ["sad"]}
    assert list(read.table["emotion"].isna()) == [True, True, True, False]
    assert read.dropped.to_dict("records") == [
        {"target": "", "label": "", "count": 1, "why": "no label for any target"}
    ]


def test_missing_files(tmp_path: Path) -> None:
    """What is listed but not there is excluded; what is there but not listed is noted."""
    text = "file,emotion\na.wav,sad\ngone.wav,sad\nnowhere,sad\n"
    read = corpus(tmp_path, text, ["a.wav", "extra.wav"])
    assert list(read.table.index) == ["a.wav"]
    assert list(read.excluded["file"]) == ["gone.wav", "nowhere"]
    assert set(read.excluded["reason"]) == {"missing"}
    assert "line 3" in read.excluded["detail"][0]
    assert read.notes == (
        "left out 1 audio file below the root that the table doesn't list, the first: extra.wav",
    )


def test_outside_root(tmp_path: Path) -> None:
    """Nothing outside the root is read, by whichever way the table leads there."""
    (tmp_path / "secret.wav").touch()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "leak.wav").symlink_to(tmp_path / "secret.wav")
    names = ["../secret.wav", str(tmp_path / "secret.wav"), "link/secret.wav", "leak.wav", "leak"]
    text = "file,emotion\na.wav,sad\n" + "".join(f"{name},sad\n" for name in names)
    read = corpus(root, text, ["a.wav"])
    assert list(read.table.index) == ["a.wav"]
    assert list(read.excluded["file"]) == names
    assert set(read.excluded["reason"]) == {"outside_root"}


def test_ways_to_name_a_file(tmp_path: Path) -> None:
    """Absolute paths below the root, dots, another ending and no ending all find the file."""
    (tmp_path / "real").mkdir()
    root = tmp_path / "alias"
    root.symlink_to("real")
    names = [f"{root}/a.wav", "./b.wav", "sub/../c.wav", "sub/d.wav", "sub/e", "f"]
    text = "file,emotion\n" + "".join(f"{name},sad\n" for name in names)
    files = ["a.wav", "b.wav", "c.wav", "sub/d.flac", "sub/e.ogg", "sub/deep/f.wav"]
    read = corpus(root, text, files)
    assert list(read.table["path"]) == files
    assert read.excluded.empty


def test_hostile_names(tmp_path: Path) -> None:
    """Names with spaces, newlines, accents apart and bytes that are no UTF-8 are found."""
    (tmp_path / os.fsdecode(b"x\xe9.wav")).touch()
    text = 'file,emotion\na\\x0ab.wav,sad\n" c d.wav",sad\nx\\xe9.wav,sad\né.wav,sad\n'
    read = corpus(tmp_path, text, ["a\nb.wav", "c d.wav", "e\u0301.wav"])
    assert list(read.table.index) == ["a\\x0ab.wav", "c d.wav", "x\\xe9.wav", "e\u0301.wav"]
    assert all((read.root / path).is_file() for path in read.table["path"])
    assert os.fsencode(read.table.loc["x\\xe9.wav", "path"]) == b"x\xe9.wav"


def test_an_apostrophe_in_front(tmp_path: Path) -> None:
    """It belongs to the name, unless a recording is there only without it; to a label always."""
    text = "file,emotion,mark\n'-a.wav,sad,'+'\n'=b.wav,sad,'+\n"
    read = corpus(tmp_path, text, ["'-a.wav", "-a.wav", "=b.wav"])
    assert read.table["mark"].to_dict() == {"'-a.wav": "'+'", "=b.wav": "'+"}


def test_name_with_a_zero_byte(tmp_path: Path) -> None:
    """A name that no file can have is missing, not a crash."""
    read = corpus(tmp_path, "file,emotion\na.wav,sad\nb\0.wav,sad\n", ["a.wav"])
    assert read.excluded[["file", "reason"]].to_numpy().tolist() == [["b\\x00.wav", "missing"]]


def test_table_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that may not be read is refused (the tests may run as root, who may read all)."""

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "labels.csv").touch()
    monkeypatch.setattr("speechnet.corpus.csv_table.read_regular", refuse)
    with pytest.raises(DataError, match=r"can't read .*labels\.csv: Permission denied"):
        read_sheet(tmp_path / "labels.csv")


def test_ambiguous_name(tmp_path: Path) -> None:
    """A bare name that fits two recordings is refused with both."""
    with pytest.raises(DataError, match=r"line 2: 'a' could be one/a\.wav, two/a\.flac"):
        corpus(tmp_path, "file,emotion\na,sad\n", ["one/a.wav", "two/a.flac"])


def test_same_recording_twice(tmp_path: Path) -> None:
    """The same recording in two rows is refused with their lines, however it is spelt."""
    text = "file,emotion\na.wav,sad\n\nb.wav,sad\n./a.wav,happy\n"
    with pytest.raises(DataError, match=r"twice: line 2 a\.wav, line 5 a\.wav"):
        corpus(tmp_path, text, ["a.wav", "b.wav"])


def test_unknown_label(tmp_path: Path) -> None:
    """All unknown labels stand in one list, with one setting that maps them, to be filled in."""
    text = "file,emotion\n" + "".join(f"{i}.wav,{'odd' if i % 3 else 'hapy'}\n" for i in range(6))
    files = [f"{i}.wav" for i in range(6)]
    with pytest.raises(DataError) as caught:
        corpus(tmp_path, text, files)
    said = str(caught.value)
    assert "'hapy' (2 rows, the first: line 2) (did you mean 'happy'?)" in said
    assert "'odd' (4 rows, the first: line 3). Known are angry, happy" in said
    mapping = """--data.corpus.labels.emotion '{"hapy": happy, "odd": ...}'"""
    assert mapping in said
    config = yaml.safe_load(mapping.split(" ", 1)[1].strip("'"))
    with pytest.raises(ConfigError, match="in place of the dots"):
        corpus(tmp_path, text, files, labels={"emotion": config})
    read = corpus(tmp_path, text, files, labels={"emotion": config | {"odd": None}})
    assert read.table["emotion"].to_dict() == {"0.wav": "happy", "3.wav": "happy"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("file,emotion\n", "has no rows"),
        ("file,emotion\na.wav,sad,happy\n", "line 2: 3 cells, but the header has 2"),
        ("file,emotion,emotion\na.wav,sad,sad\n", "names emotion more than once"),
        ("fil,emotion\na.wav,sad\n", r"no column 'file' for file \(did you mean 'fil'\?\)"),
        ("file,emotion\n,sad\n", "line 2: file is empty"),
        ('file,emotion\n"a.wav,sad\n', "not a CSV"),
        ("file,path,emotion\na.wav,x,sad\n", "can't be called path"),
        ("file,emotion\n\xe4.wav,sad\n".encode("latin-1"), r"isn't UTF-8 \(byte 13\)"),
    ],
)
def test_malformed_table(tmp_path: Path, text: str | bytes, message: str) -> None:
    """A table that can't be read is refused with what is wrong and where."""
    with pytest.raises(DataError, match=message):
        corpus(tmp_path, text, ["a.wav"])


def test_where_the_table_is(tmp_path: Path) -> None:
    """The table is looked for below the root only; a missing one is answered with what is there."""
    text = "file,emotion\na.wav,sad\n"
    (tmp_path / "outside.csv").write_text(text)
    root = tmp_path / "root"
    assert len(corpus(root, text, ["a.wav"], table="./labels.csv").table) == 1
    with pytest.raises(DataError, match=r"'other\.csv' \(there is labels\.csv\)"):
        corpus(root, text, ["a.wav"], table="other.csv")
    with pytest.raises(DataError, match="lies outside the corpus's folder"):
        corpus(root, text, ["a.wav"], table="../outside.csv")


def test_wrong_columns(tmp_path: Path) -> None:
    """A column the table doesn't have is a mistake of the configuration."""
    text = "file,mood\na.wav,sad\n"
    with pytest.raises(ConfigError, match=r"no column 'Moood' for emotion \(did you mean 'mood'"):
        corpus(tmp_path, text, ["a.wav"], columns={"emotion": "Moood"})
    with pytest.raises(DataError, match=r"for 'emotion'.*set --data\.corpus\.columns\.emotion"):
        corpus(tmp_path, text, ["a.wav"])


def test_nothing_found(tmp_path: Path) -> None:
    """A table of which nothing exists is refused with the first row and the folder."""
    with pytest.raises(DataError, match=r"^a\.wav can't be used \(missing.*corpus\.root"):
        corpus(tmp_path, "file,emotion\na.wav,sad\n", [])


def test_any_column_can_be_a_target(tmp_path: Path) -> None:
    """A further column of the table can be a target; its classes are sorted."""
    text = "file,accent\na.wav,south\nb.wav,north\nc.wav,\n"
    read = corpus(tmp_path, text, ["a.wav", "b.wav", "c.wav"], targets={"accent": None})
    assert read.targets == {"accent": ["north", "south"]}
    assert len(read.table) == 2


@pytest.mark.parametrize(
    ("name", "table", "text", "target"),
    [
        ("csv", "labels.csv", "file,emotion\na.wav,sad\n", "emotion"),
        ("folders", "unread.csv", "", "emotion"),
        ("msp-podcast", "labels_consensus.csv", "FileName,EmoClass\na.wav,S\n", "emotion"),
        (
            "meld",
            "train_sent_emo.csv",
            "Speaker,Emotion,Dialogue_ID,Utterance_ID\nRoss,joy,0,1\n",
            "emotion",
        ),
        (
            "common-voice",
            "validated.tsv",
            "client_id\tpath\tsentence\tgender\n1\ta.mp3\tHi\tfemale_feminine\n",
            "gender",
        ),
    ],
)
def test_the_shipped_configuration_takes_any_corpus(
    tmp_path: Path, name: str, table: str, text: str, target: str
) -> None:
    """configs/csv.yaml sets nothing that holds for one definition alone."""
    shipped = Path(__file__).parents[2] / "configs" / "csv.yaml"
    settings = yaml.safe_load(shipped.read_text(encoding="utf-8"))["data"]["corpus"]
    (tmp_path / table).write_text(text)
    (tmp_path / "sad").mkdir()
    for file in ("a.wav", "a.mp3", "dia0_utt1.mp4", "sad/b.wav"):
        (tmp_path / file).touch()
    config = CorpusConfig(**(settings | {"name": name, "root": str(tmp_path)}))
    assert load_corpus(config, {target: None}).table[target].notna().any()


def test_msp_podcast_without_agreement(tmp_path: Path) -> None:
    """No agreement and another emotion are missing, and counted; contempt is a class."""
    text = "FileName,EmoClass,Gender\na,X,Male\nb,O,Male\nc,C,Female\nd,S,Female\n"
    (tmp_path / "labels_consensus.csv").write_text(text)
    for stem in "abcd":
        (tmp_path / f"{stem}.wav").touch()
    config = CorpusConfig("msp-podcast", str(tmp_path))
    read = load_corpus(config, {"gender": None, "emotion": None})
    assert list(read.table["emotion"].fillna("-")) == ["-", "-", "contempt", "sad"]
    assert read.targets["emotion"] == ["sad", "contempt"]
    (note,) = (note for note in read.notes if note.startswith("emotion: "))
    assert "'no agreement' (1 row)" in note
    assert "'another emotion' (1 row)" in note


def test_several_labels_in_a_cell_are_no_misspelling(tmp_path: Path) -> None:
    """They are named as what they are, and no class is proposed for them."""
    rows = "file,emotion\na.wav,angry;happy\nb.wav,male_angry\nc.wav,angri\n"
    with pytest.raises(DataError) as raised:
        corpus(tmp_path, rows, ["a.wav", "b.wav", "c.wav"])
    said = str(raised.value)
    assert "(several labels in one cell: angry and happy; a column has one)" in said
    assert "(several labels in one cell: male and angry; a column has one)" in said
    assert '{"angry;happy": ..., "male_angry": ..., "angri": angry}' in said
