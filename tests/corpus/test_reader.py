"""Reading whole corpora."""

from pathlib import Path

import numpy as np
import pytest

from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.targets import EMOTIONS
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.reader import load_corpus

BOTH = {"gender": None, "emotion": None}


def ravdess_like(root: Path, *names: str) -> CorpusConfig:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return CorpusConfig("ravdess", str(root))


def test_ravdess(ravdess: Path) -> None:
    """The published speech part: 1,440 files, 24 actors, 192 of each emotion, 96 neutral ones."""
    corpus = load_corpus(CorpusConfig("ravdess", str(ravdess)), BOTH)
    table = corpus.table
    assert len(table) == 1440
    assert table["speaker"].nunique() == 24
    assert table.groupby("gender")["speaker"].nunique().to_dict() == {"female": 12, "male": 12}
    counts = {emotion: 96 if emotion == "neutral" else 192 for emotion in EMOTIONS[:-2]}
    assert table["emotion"].value_counts().to_dict() == counts
    assert table["sentence"].value_counts().to_dict() == {"01": 720, "02": 720}
    assert corpus.targets["emotion"] == list(EMOTIONS[:-2])
    assert corpus.dropped.empty
    assert corpus.excluded.empty
    assert corpus.notes == ()
    assert all((corpus.root / path).is_file() for path in table["path"])


def test_ravdess_four_emotions(ravdess: Path) -> None:
    """The four emotions of the original experiment: 672 files."""
    four = ["angry", "happy", "sad", "neutral"]
    corpus = load_corpus(CorpusConfig("ravdess", str(ravdess)), {"gender": None, "emotion": four})
    assert len(corpus.table) == 672
    assert corpus.targets["emotion"] == four
    assert dict(zip(corpus.dropped["label"], corpus.dropped["count"], strict=True)) == {
        "calm": 192,
        "disgust": 192,
        "fearful": 192,
        "surprised": 192,
    }


def test_table(tmp_path: Path) -> None:
    """The table has the columns of the contract, further groups behind, and an index of files."""
    name = "Actor 07/03-01-05-02-02-01-07.OGG"
    corpus = load_corpus(ravdess_like(tmp_path, name), BOTH)
    assert corpus.table.index.name == "file"
    assert list(corpus.table.columns) == [*CORPUS_COLUMNS, "intensity", "repetition"]
    row = corpus.table.loc[name]
    assert row[list(CORPUS_COLUMNS[3:])].to_list() == ["07", "male", "angry", "02"]
    assert row[["intensity", "repetition", "path"]].to_list() == ["strong", "01", name]
    assert corpus.table["start"].dtype == np.float64
    assert corpus.root == tmp_path.resolve()
    assert corpus.name == "ravdess"


def test_other_files_are_noted(tmp_path: Path) -> None:
    """Audio that isn't the corpus's is left out with a note; a song is not speech."""
    names = "03-01-05-02-02-01-07.wav", "03-02-05-02-02-01-07.wav", "x.wav", "README.md"
    corpus = load_corpus(ravdess_like(tmp_path, *names), BOTH)
    assert list(corpus.table.index) == ["03-01-05-02-02-01-07.wav"]
    assert corpus.notes == (
        "left out 2 audio files below the root without a ravdess name "
        "(such as 03-01-06-01-02-01-12.wav), the first: 03-02-05-02-02-01-07.wav",
    )


def test_films_of_recordings_are_no_recordings(tmp_path: Path) -> None:
    """They lie in another folder, cannot be read, and are noted; a lonely one is missed."""
    stems = [f"1001_DFA_{emotion}_XX" for emotion in ("ANG", "SAD")]
    names = [f"VideoFlash/{stem}.flv" for stem in stems] + [f"AudioWAV/{stems[0]}.wav"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    corpus = load_corpus(CorpusConfig("cremad", str(tmp_path)), {"emotion": None})
    assert list(corpus.table.index) == [f"AudioWAV/{stems[0]}.wav", f"VideoFlash/{stems[1]}.flv"]
    assert [note.split(", such as")[0] for note in corpus.notes] == [
        "left out 1 file that can't be read"
    ]


def test_placeholders(tmp_path: Path) -> None:
    """NA, - and '' are no labels, Unknown is no person; but what the configuration names is one."""
    rows = ["a,Unknown,f,sad", "b,-,m,unknown", "c,anna,UNKNOWN,''", "d,ben,?,none"]
    (tmp_path / "labels.csv").write_text("file,speaker,gender,mood\n" + "\n".join(rows) + "\n")
    for stem in "abcd":
        (tmp_path / f"{stem}.wav").touch()

    def read(
        mood: list[str] | None = None, **labels: dict[str, str | None]
    ) -> tuple[dict[str, list[str]], tuple[str, ...]]:
        corpus = load_corpus(
            CorpusConfig("csv", str(tmp_path), labels=labels), {"gender": None, "mood": mood}
        )
        columns = corpus.table[["speaker", "gender", "mood"]].fillna("*")
        return {name: list(column) for name, column in columns.items()}, corpus.notes

    found, notes = read()
    assert found == {
        "speaker": ["*", "*"],  # the other two rows have no label left
        "gender": ["female", "male"],
        "mood": ["sad", "unknown"],
    }
    assert [note.split(":")[0] for note in notes] == ["speaker", "gender", "mood"]
    found, _ = read(["sad", "unknown", "none"])
    assert found["mood"] == ["sad", "unknown", "none"]
    found, _ = read(gender={"UNKNOWN": None, "?": "female"})
    assert found["gender"] == ["female", "male", "female"]


def test_labels_do_not_steer_a_terminal(tmp_path: Path) -> None:
    """What would is shown as an escape, from the table on."""
    (tmp_path / "labels.csv").write_text("file,speaker,emotion\na.wav,\x1b[31mred,sad\n")
    (tmp_path / "a.wav").touch()
    corpus = load_corpus(CorpusConfig("csv", str(tmp_path)), {"emotion": None})
    assert corpus.table["speaker"].tolist() == [r"\x1b[31mred"]


def test_links_are_excluded(tmp_path: Path) -> None:
    """A link that leaves the root stands among the set-aside recordings."""
    (tmp_path / "03-01-05-02-02-01-08.wav").touch()
    config = ravdess_like(tmp_path / "root", "03-01-05-02-02-01-07.wav")
    (tmp_path / "root" / "03-01-05-02-02-01-08.wav").symlink_to(
        tmp_path / "03-01-05-02-02-01-08.wav"
    )
    corpus = load_corpus(config, BOTH)
    assert list(corpus.table.index) == ["03-01-05-02-02-01-07.wav"]
    assert corpus.excluded[["file", "reason"]].to_numpy().tolist() == [
        ["03-01-05-02-02-01-08.wav", "outside_root"]
    ]


def test_nothing_found(tmp_path: Path) -> None:
    """A folder without the corpus is refused with what is there and what was expected."""
    config = ravdess_like(tmp_path, "notes.txt")
    with pytest.raises(
        DataError, match=r"found no audio files \(\.wav.*Expected names such as 03-01"
    ):
        load_corpus(config, BOTH)
    ravdess_like(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav")
    with pytest.raises(DataError, match=r"4 other audio files, such as a\.wav, b\.wav, c\.wav\."):
        load_corpus(config, BOTH)


def test_gender_not_published(tmp_path: Path) -> None:
    """AESDD doesn't say which speakers are women, so gender can't be a target of it."""
    (tmp_path / "a01 (1).wav").touch()
    with pytest.raises(DataError, match="no row has a label for 'gender'"):
        load_corpus(CorpusConfig("aesdd", str(tmp_path)), BOTH)


def test_unknown_folder(tmp_path: Path) -> None:
    """A folder that is no emotion is refused by name until the configuration says what it is."""
    for name in ("Happy/1.wav", "Sad/1.wav", "noise/1.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(
        DataError, match=r"unknown emotion: 'noise' \(1 row, the first: noise/1\.wav\)\. Known are"
    ):
        load_corpus(CorpusConfig("folders", str(tmp_path)), {"emotion": None})
    config = CorpusConfig("folders", str(tmp_path), labels={"emotion": {"noise": None}})
    assert load_corpus(config, {"emotion": None}).targets == {"emotion": ["happy", "sad"]}


def test_columns_need_a_table(tmp_path: Path) -> None:
    """A corpus whose labels stand in the names has no columns to rename."""
    config = CorpusConfig("ravdess", str(tmp_path), columns={"speaker": "who"})
    with pytest.raises(ConfigError, match="for corpora described by a table"):
        load_corpus(config, BOTH)


def test_own_definition(tmp_path: Path) -> None:
    """A corpus of one's own needs a YAML and no code."""
    definition = tmp_path / "podcast.yaml"
    definition.write_text(
        "title: Mine\nsource: me\nlicence: mine\n"
        "pattern: '(?P<speaker>[a-z]+)-(?P<emotion>[A-Z]+)-(?P<room>\\d)'\n"
        "fields: {emotion: {group: emotion, map: {ANG: angry, JOY: happy}}}\n"
        "example: {name: bo-ANG-1.wav, labels: {speaker: bo, emotion: angry, room: '1'}}\n"
    )
    (tmp_path / "root").mkdir()
    for name in ("bo-ANG-1.wav", "al-JOY-2.flac"):
        (tmp_path / "root" / name).touch()
    corpus = load_corpus(
        CorpusConfig(str(definition), str(tmp_path / "root")), {"emotion": None, "room": None}
    )
    assert corpus.name == "podcast"
    assert corpus.targets == {"emotion": ["angry", "happy"], "room": ["1", "2"]}


def test_excluded_files_are_named_when_no_label_is_left(tmp_path: Path) -> None:
    """Whoever links all recordings from elsewhere learns that this is why none was read."""
    root = tmp_path / "corpus"
    config = ravdess_like(root, "03-01-08-01-01-01-01.wav")
    (tmp_path / "outside.wav").touch()
    (root / "03-01-05-01-01-01-01.wav").symlink_to(tmp_path / "outside.wav")
    targets = {"emotion": ["angry", "sad"]}
    with pytest.raises(DataError, match=r"1 file is excluded, the first: .*outside_root"):
        load_corpus(config, targets)


def test_folders_elsewhere_are_the_cause(tmp_path: Path) -> None:
    """Where all folders are links out of the root, that comes first."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").mkdir()
    for actor in ("Actor_01", "Actor_02"):
        (tmp_path / "root" / actor).symlink_to(tmp_path / "elsewhere")
    config = CorpusConfig("ravdess", str(tmp_path / "root"))
    with pytest.raises(
        DataError, match=r"^Actor_01 and 1 more can't be used \(outside_root\): a link to .*copy"
    ):
        load_corpus(config, {"emotion": None})
