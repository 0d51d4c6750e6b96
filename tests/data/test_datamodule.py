"""Tests of the data module: order of work, batches, fingerprint, limits."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from speechnet.config.data import DataConfig, default_cache
from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError, DataError
from speechnet.corpus.config import CorpusConfig, SynthConfig
from speechnet.corpus.synthetic.corpus import write_corpus
from speechnet.data.datamodule import SpeechDataModule
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tiny_run: Path, tiny_config: Path) -> SpeechDataModule:
    """The tiny corpus, whose features are in the cache."""
    del tiny_run
    config, _ = read_experiment(["--config", str(tiny_config)])
    module = SpeechDataModule(config.data, seed=0)
    module.prepare_data()
    module.setup()
    return module


def test_shapes(data: SpeechDataModule) -> None:
    """Features, labels and the table have the same rows in the same order."""
    assert data.X.shape == (48, 25)
    assert data.X.dtype == np.float32
    assert data.labels.shape == (48, 2)
    assert data.labels.dtype == np.int64
    assert list(data.table.index) == list(data.matrix.index)
    for column, (target, classes) in enumerate(data.targets.items()):
        assert [classes[code] for code in data.labels[:, column]] == list(data.table[target])


def test_nothing_is_done_twice(data: SpeechDataModule) -> None:
    """What is there stays there."""
    before = (data.corpus, data.extraction, data.folds)
    data.prepare_data()
    data.setup()
    after = (data.corpus, data.extraction, data.folds)
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_fingerprint(data: SpeechDataModule) -> None:
    """Names and order play no part; a label, a speaker or a sample does."""
    before = data.fingerprint()
    table, statistics = data.table, data.extraction.statistics

    def changed(table: pd.DataFrame, statistics: pd.DataFrame) -> str:
        data.__dict__["table"] = table
        data.extraction = replace(data.extraction, statistics=statistics)
        return data.fingerprint()

    order = np.random.default_rng(0).permutation(len(table))
    assert changed(table.iloc[order], statistics.iloc[order]) == before
    assert changed(table.rename(index=lambda name: f"x/{name}"), statistics) == before
    for column, value in {"emotion": None, "speaker": "new"}.items():
        other = table.copy()
        other.iloc[0, other.columns.get_loc(column)] = value
        assert changed(other, statistics) != before
    assert changed(table, statistics.assign(digest=["x", *statistics["digest"][1:]])) != before
    assert changed(table, statistics) == before


def test_too_much_is_bad(tmp_path: Path) -> None:
    """The share of faulty recordings is compared with the limit; those by policy don't count."""
    for number in range(4):
        folder = tmp_path / "corpus" / ["sad", "happy"][number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.wav").write_text("no sound")
    config = DataConfig(
        corpus=CorpusConfig(name="folders", root=str(tmp_path / "corpus")),
        targets={"emotion": None},
        cache_dir=str(tmp_path / "cache"),
    )
    module = SpeechDataModule(config, seed=0)
    message = r"4 of 4 recordings can't be used.*= 0\.1 allows: 4 unreadable\. The first: happy/1"
    with pytest.raises(DataError, match=message):
        module.prepare_data()
    assert list(module.excluded["reason"]) == ["unreadable"] * 4  # known all the same
    tolerant = SpeechDataModule(replace(config, max_bad_share=1.0), seed=0)
    with pytest.raises(DataError, match="all 4 recordings are excluded: 4 unreadable"):
        tolerant.prepare_data()


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration goes before the environment, and that before the user's cache folder."""
    monkeypatch.setenv("SPEECHNET_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert DataConfig(cache_dir="/c").cache == Path("/c")
    assert DataConfig().cache == Path("/a")
    monkeypatch.delenv("SPEECHNET_CACHE")
    assert default_cache() == "/b/speechnet"
    monkeypatch.setenv("SPEECHNET_CACHE", "")
    assert default_cache() == "/b/speechnet"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert default_cache() == "~/.cache/speechnet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert DataConfig().cache == Path.home() / ".cache" / "speechnet"


@pytest.fixture(scope="module")
def two_corpora(tmp_path_factory: pytest.TempPathFactory) -> list[CorpusConfig]:
    """Eight invented speakers, and eight others of the same numbers."""
    folder = tmp_path_factory.mktemp("two")
    for seed, name in ((1, "a"), (2, "b")):
        write_corpus(
            folder / name, SynthConfig(speakers=8, sentences=1, sample_rate=8000, seed=seed)
        )
    return [CorpusConfig("synthetic", str(folder / name)) for name in ("a", "b")]


@pytest.fixture
def alone(tiny_config: Path, tmp_path: Path) -> DataConfig:
    """The tiny experiment's data, with a cache of its own."""
    config, _ = read_experiment(["--config", str(tiny_config)])
    return replace(config.data, cache_dir=str(tmp_path / "cache"))


def test_several_corpora(two_corpora: list[CorpusConfig], alone: DataConfig) -> None:
    """The rows of several corpora are those of each alone, and come from the same cache."""
    each = []
    for corpus in two_corpora:
        module = SpeechDataModule(replace(alone, corpus=corpus), seed=0)
        module.prepare_data()
        assert module.extraction.computed == 32
        each.append(module)
    split = SplitConfig(protocol="predefined", column="corpus", dev=0.25)
    both = SpeechDataModule(replace(alone, corpora=two_corpora, split=split), seed=0)
    both.prepare_data()
    assert both.extraction.computed == 0
    np.testing.assert_array_equal(both.X, np.concatenate([module.X for module in each]))
    np.testing.assert_array_equal(both.labels, np.concatenate([one.labels for one in each]))
    assert both.table["speaker"].nunique() == 16
    both.setup()
    corpus, speaker = both.table["corpus"].to_numpy(), both.table["speaker"].to_numpy()
    tested = []
    for fold in both.folds:
        assert set(corpus[fold.train]) == set(corpus[fold.dev])
        assert set(corpus[fold.train]).isdisjoint(corpus[fold.test])
        assert set(speaker[fold.train]).isdisjoint(speaker[fold.dev])
        tested.append(sorted(set(corpus[fold.test])))
    assert tested == [["synthetic-1"], ["synthetic-2"]]


def test_duplicates_across_corpora(
    two_corpora: list[CorpusConfig], alone: DataConfig, tmp_path: Path
) -> None:
    """A recording that two corpora have is kept in the first one only."""
    wavs = sorted(Path(str(two_corpora[0].root)).rglob("*.wav"))[:3]
    for number, wav in enumerate(wavs):
        (tmp_path / "b").mkdir(exist_ok=True)
        shutil.copy(wav, tmp_path / "b" / f"copy_{number}.wav")
    rows = [f"copy_{number}.wav,s{number}" for number in range(3)]
    (tmp_path / "b" / "labels.csv").write_text("\n".join(["file,emotion", *rows]))
    labels = {"emotion": {f"s{number}": "sad" for number in range(3)}}
    copies = CorpusConfig("csv", str(tmp_path / "b"), labels=labels)
    both = SpeechDataModule(replace(alone, corpora=[two_corpora[0], copies]), seed=0)
    both.prepare_data()
    assert set(both.table["corpus"]) == {"synthetic"}
    aside = both.excluded
    assert list(aside["file"]) == [f"csv/copy_{number}.wav" for number in range(3)]
    assert set(aside["reason"]) == {"duplicate"}
    assert aside["detail"].str.startswith("the same samples as synthetic/").all()


def test_corpora_that_do_not_fit(two_corpora: list[CorpusConfig], alone: DataConfig) -> None:
    """One corpus or several; and each must be taught what it is tested on."""
    with pytest.raises(ConfigError, match=r"\(csv\) and data\.corpora \(synthetic, synthetic\)"):
        replace(alone, corpus=CorpusConfig("csv"), corpora=two_corpora)
    second = replace(two_corpora[1], labels={"emotion": {"sad": None}})
    split = SplitConfig(protocol="predefined", column="corpus")
    config = replace(alone, corpora=[two_corpora[0], second], split=split)
    with pytest.raises(DataError, match="without synthetic-1 no emotion sad is left to train on"):
        SpeechDataModule(config, seed=0).load_corpus()


def test_the_synthetic_corpus_among_others(
    two_corpora: list[CorpusConfig], alone: DataConfig
) -> None:
    """Where the synthetic corpus has no root it is made, as when it stands alone."""
    small = SynthConfig(speakers=2, sentences=1, sample_rate=8000)
    config = replace(alone, synthetic=small, corpora=[CorpusConfig(), two_corpora[0]])
    module = SpeechDataModule(config, seed=0)
    module.load_corpus()
    assert module.corpus.table["corpus"].value_counts().to_dict() == {
        "synthetic-1": 8,
        "synthetic-2": 32,
    }


def test_corpora_in_a_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several corpora are a plain list; the run's copy of it means the same everywhere."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.yaml"
    path.write_text(
        "data:\n  corpora:\n  - {name: ravdess, root: a}\n"
        "  - {name: own.yaml, root: b, labels: {emotion: {calm: null}}}\n"
    )
    config, text = read_experiment(["--config", str(path)])
    expected = [
        CorpusConfig("ravdess", str(tmp_path / "a")),
        CorpusConfig(
            str(tmp_path / "own.yaml"), str(tmp_path / "b"), labels={"emotion": {"calm": None}}
        ),
    ]
    assert config.data.corpora == expected
    (tmp_path / "again.yaml").write_text(text)
    monkeypatch.chdir("/")
    config, again = read_experiment(["--config", str(tmp_path / "again.yaml")])
    assert config.data.corpora == expected
    assert again == text
    for wrong, message in {
        "[{name: ravdess, rot: a}]": r"unknown key .* nearest known one is '.*\[0\]\.root'",
        "[{name: 3}]": r"data\.corpora\[0\]\.name is 3, expected one of aesdd, .* or text",
        "{name: ravdess}": r"data\.corpora is .*, expected a list",
    }.items():
        with pytest.raises(ConfigError, match=message):
            read_experiment(["--data.corpora", wrong])
    with pytest.raises(ConfigError, match=r"data\.corpus \(emodb\) and data\.corpora"):
        read_experiment(["--config", str(path), "--data.corpus.name", "emodb"])


def test_a_later_list_of_corpora_replaces_an_earlier_one(tmp_path: Path) -> None:
    """No corpus keeps what another one in its place had, wherever the new list stands."""
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text(
        "data:\n  corpora:\n  - {name: csv, root: /a, table: a.csv, labels: {emotion: {x: sad}}}\n"
    )
    second.write_text("data:\n  corpora:\n  - {name: ravdess, root: /b}\n")
    (tmp_path / "data.yaml").write_text("corpora:\n- {name: ravdess, root: /b}\n")
    given = ["--config", str(first)]
    for later in (
        ["--config", str(second)],
        [f"--config={second}"],
        ["--data.corpora", "[{name: ravdess, root: /b}]"],
        ["--data.corpora=[{name: ravdess, root: /b}]"],
        ["--data", str(tmp_path / "data.yaml")],
        ["--data", "{corpora: [{name: ravdess, root: /b}]}"],
    ):
        config, _ = read_experiment([*given, *later])
        assert config.data.corpora == [CorpusConfig("ravdess", "/b")]
    config, _ = read_experiment([*given, "--data.corpora+", "{name: ravdess, root: /b}"])
    assert [corpus.table for corpus in config.data.corpora] == ["a.csv", None]
    config, _ = read_experiment([*given, "--data.max_bad_share=0.5", "--data", "{verify: true}"])
    assert [corpus.table for corpus in config.data.corpora] == ["a.csv"]


def test_the_parts_by_the_name_of_the_table(tmp_path: Path) -> None:
    """A column that has another name here is named by it, before anything is computed."""
    text = "FileName,EmoClass,Split_Set\na.wav,S,Train\nb.wav,H,Test1\n"
    (tmp_path / "labels_consensus.csv").write_text(text)
    for name in "ab":
        (tmp_path / f"{name}.wav").touch()

    def load(column: str) -> None:
        config = DataConfig(
            corpus=CorpusConfig("msp-podcast", str(tmp_path)),
            targets={"emotion": None},
            split=SplitConfig(protocol="predefined", column=column),
        )
        SpeechDataModule(config, seed=0).load_corpus()

    load("split")
    with pytest.raises(ConfigError, match="'Split_Set' of the table is read as 'split'"):
        load("Split_Set")
    with pytest.raises(ConfigError, match="the corpus has no column 'part'"):
        load("part")
