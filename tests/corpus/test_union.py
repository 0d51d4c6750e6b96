"""Several corpora as one table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.core.columns import CORPUS_COLUMNS
from speechnet.core.errors import ConfigError, DataError
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.union import check_left_out, load_corpora

BOTH = {"gender": None, "emotion": None}
SPEECH = ("Actor_01/03-01-05-01-02-01-01.wav", "Actor_02/03-01-02-01-01-01-02.wav")  # angry, calm


def ravdess(root: Path, *names: str) -> CorpusConfig:
    for name in names or SPEECH:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return CorpusConfig("ravdess", str(root))


def table(root: Path, *rows: str, header: str = "file,speaker,emotion,accent") -> CorpusConfig:
    root.mkdir(parents=True, exist_ok=True)
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
    for row in rows:
        if not row.startswith("."):
            (root / row.split(",")[0]).touch()
    return CorpusConfig("csv", str(root))


def test_one_table(tmp_path: Path) -> None:
    """Names get their corpus in front, labels stay, and what a corpus lacks is missing."""
    own = table(tmp_path / "b", "x.wav,01,angry,north", "y.wav,,sad,south")
    corpus = load_corpora([ravdess(tmp_path / "a"), own], BOTH)
    assert corpus.name == "ravdess + csv"
    assert corpus.root == tmp_path.resolve()
    rows = corpus.table
    assert list(rows.columns) == [*CORPUS_COLUMNS, "corpus", "intensity", "repetition", "accent"]
    assert list(rows.index) == [*(f"ravdess/{name}" for name in SPEECH), "csv/x.wav", "csv/y.wav"]
    assert list(rows["corpus"]) == ["ravdess", "ravdess", "csv", "csv"]
    assert list(rows["speaker"]) == ["ravdess/01", "ravdess/02", "csv/01", None]
    assert list(rows["sentence"]) == ["ravdess/02", "ravdess/01", None, None]
    assert list(rows["gender"]) == ["male", "female", None, None]
    assert list(rows["accent"]) == [None, None, "north", "south"]
    assert list(rows["emotion"]) == ["angry", "calm", "angry", "sad"]
    assert all((corpus.root / path).is_file() for path in rows["path"])
    assert rows["start"].dtype == np.float64
    assert corpus.targets == {"gender": ["female", "male"], "emotion": ["angry", "sad", "calm"]}
    assert corpus.notes == (
        "classes of gender that not every corpus has: female (ravdess), male (ravdess)",
        "classes of emotion that not every corpus has: sad (csv), calm (ravdess)",
    )


def test_listed_classes(tmp_path: Path) -> None:
    """Rows of classes that aren't listed go; those of all corpora are counted together."""
    own = table(tmp_path / "b", "x.wav,01,angry,", "y.wav,01,calm,", "z.wav,01,sad,")
    targets = {"emotion": ["angry", "sad"]}
    corpus = load_corpora([ravdess(tmp_path / "a"), own], targets)
    assert list(corpus.table["emotion"]) == ["angry", "angry", "sad"]
    assert corpus.targets == targets
    dropped = corpus.dropped.itertuples(index=False, name=None)
    assert list(dropped) == [("emotion", "calm", 2, "not among the classes")]


def test_each_has_its_own_labels(tmp_path: Path) -> None:
    """A mapping is of its corpus alone, and may name classes beyond the vocabulary."""
    first, own = ravdess(tmp_path / "a"), table(tmp_path / "b", "x.wav,1,calm,", "y.wav,1,sad,")
    first.labels = {"emotion": {"calm": "at rest"}}
    own.labels = {"emotion": {"sad": None}}
    corpus = load_corpora([first, own], {"emotion": None})
    assert list(corpus.table["emotion"]) == ["angry", "at rest", "calm"]
    assert list(corpus.dropped["why"]) == ["mapped to null"]


def test_of_one_name(tmp_path: Path) -> None:
    """Two corpora of one definition are numbered; so are two tables of one folder."""
    configs = [ravdess(tmp_path / "a"), ravdess(tmp_path / "b")]
    corpus = load_corpora(configs, BOTH)
    assert corpus.table["corpus"].unique().tolist() == ["ravdess-1", "ravdess-2"]
    assert set(corpus.table["speaker"]) == {f"ravdess-{n}/0{who}" for n in (1, 2) for who in (1, 2)}
    table(tmp_path / "c", "x.wav,1,sad,", "y.wav,2,sad,")
    for name, row in {"one": "x.wav,1,sad,", "two": "y.wav,1,angry,"}.items():
        (tmp_path / "c" / f"{name}.csv").write_text(f"file,speaker,emotion,accent\n{row}\n")
    tables = [CorpusConfig("csv", str(tmp_path / "c"), f"{name}.csv") for name in ("one", "two")]
    corpus = load_corpora(tables, {"emotion": None})
    assert list(corpus.table.index) == ["csv-1/x.wav", "csv-2/y.wav"]
    assert list(corpus.table["path"]) == ["x.wav", "y.wav"]


def test_listed_twice(tmp_path: Path) -> None:
    """The same recordings can't be two corpora, whichever way they are reached."""
    once = ravdess(tmp_path / "a" / "b")
    above = CorpusConfig("ravdess", str(tmp_path / "a"))
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    for twice in (once, above, CorpusConfig("ravdess", str(tmp_path / "link"))):
        message = "ravdess-1 and ravdess-2 both hold the same 2 recordings, the first: ravdess-1/"
        with pytest.raises(ConfigError, match=message):
            load_corpora([once, twice], BOTH)


def test_nothing_outside_a_corpus_is_read(tmp_path: Path) -> None:
    """A table can't name another corpus's recordings, though they lie below a common folder."""
    own = table(tmp_path / "b", "x.wav,1,sad,", f"../a/{SPEECH[0]},1,sad,")
    corpus = load_corpora([ravdess(tmp_path / "a"), own], {"emotion": None})
    assert list(corpus.table.index) == [*(f"ravdess/{name}" for name in SPEECH), "csv/x.wav"]
    assert corpus.excluded[["file", "reason"]].to_numpy().tolist() == [
        [f"csv/../a/{SPEECH[0]}", "outside_root"]
    ]


def test_mistakes_name_the_corpus(tmp_path: Path) -> None:
    """What is wrong in one of several corpora is said with its place in the list."""
    first = ravdess(tmp_path / "a")

    def refused(second: CorpusConfig) -> str:
        with pytest.raises((ConfigError, DataError)) as caught:
            load_corpora([first, second], BOTH)
        return str(caught.value)

    said = refused(CorpusConfig("ravdess", str(tmp_path / "none")))
    assert said.startswith("data.corpora[1] (ravdess): the corpus's folder")
    assert said.endswith("give the right folder with data.corpora[1].root")
    assert "data.corpora[1].root isn't set" in refused(CorpusConfig("ravdess"))
    assert "data.corpora[1].name is neither" in refused(CorpusConfig("radvess", str(tmp_path)))
    said = refused(CorpusConfig("ravdess", str(tmp_path / "a"), labels={"emotoin": {}}))
    assert "data.corpora[1].labels: the corpus has no column 'emotoin'" in said
    said = refused(table(tmp_path / "b", "x.wav,1,joyous,"))
    assert "unknown emotion: 'joyous' (1 row, the first: line 2)" in said
    assert "data.corpora[1].labels.emotion '{\"joyous\": ...}'" in said
    own = table(tmp_path / "c", "x.wav,1,sad,here", header="file,speaker,emotion,corpus")
    assert "csv has a column 'corpus' of its own" in refused(own)
    own.columns = {"origin": "corpus"}
    assert list(load_corpora([first, own], BOTH).table["origin"]) == [None, None, "here"]


def test_what_is_asked_for_must_be_there(tmp_path: Path) -> None:
    """A class that no corpus has, a target that none has, and a corpus that has none of it."""
    configs = [ravdess(tmp_path / "a"), table(tmp_path / "b", "x.wav,1,sad,")]
    with pytest.raises(DataError, match="no row is labelled bored; there are angry"):
        load_corpora(configs, {"emotion": ["angry", "calm", "sad", "bored"]})
    with pytest.raises(ConfigError, match=r"data\.targets: the corpus has no column 'accnt'"):
        load_corpora(configs, {"accnt": None})
    message = r"no recording of csv is left, .* \(emotion: sad\)"
    with pytest.raises(DataError, match=message):
        load_corpora(configs, {"emotion": ["angry", "calm"]})
    (tmp_path / "c").mkdir()
    path = tmp_path / "c" / "csv-1.yaml"
    shipped = Path(__file__).parents[2] / "speechnet" / "corpus" / "definitions" / "csv.yaml"
    path.write_text(shipped.read_text())
    others = [table(tmp_path / name, f"{name}.wav,1,sad,") for name in ("d", "e", "f")]
    others[2].name = str(path)
    with pytest.raises(ConfigError, match="would be called csv-1, csv-2, csv-1, two of them alike"):
        load_corpora(others, {"emotion": None})


def test_each_left_out_needs_its_classes_elsewhere() -> None:
    """A class of a single corpus can't be learnt from the others; both are named."""
    rows = pd.DataFrame(
        {
            "corpus": ["a", "a", "a", "b", "b", "c", "c"],
            "emotion": ["sad", "angry", "calm", "sad", "angry", "sad", "bored"],
            "gender": ["male", "female", "male", None, None, "female", "male"],
        },
        dtype=object,
    )
    targets = {"emotion": ["angry", "sad", "calm", "bored"], "gender": ["female", "male"]}
    message = (
        "without a no emotion calm is left to train on; without c no emotion bored is left to "
        r"train on\. .* data\.targets: {emotion: \[angry, sad\], gender: \[female, male\]}"
    )
    with pytest.raises(DataError, match=message):
        check_left_out(rows, targets)
    check_left_out(rows[rows["emotion"].isin(["sad", "angry"])], {"emotion": ["angry", "sad"]})
