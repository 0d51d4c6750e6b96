"""The audit, as a command and at the start of a run, and the normalisation it advises against."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.tables import TARGETS, corpus_table

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import FeatureSet
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.audit import audit, check_speaker_normalisation
from speechnet.experiment.fit import fit
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_tables import read_table
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.extraction.speaker_norm import standardise_by_speaker
from speechnet.inference.predict import recognise

pytestmark = pytest.mark.slow

ONE_MODEL = (
    "--models.mlp=null",
    "--models.knn=null",
    "--models.svm=null",
    "--evaluation.clustering.enabled=false",
)


def read(config: Path, out: Path, *flags: str) -> ExperimentConfig:
    """The tiny experiment, with what is set."""
    return read_experiment(["--config", str(config), "--out", str(out), *flags])[0]


def test_the_verb_trains_nothing_and_writes_its_tables(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Findings and inflation are printed and written."""
    folder = audit(read(tiny_config, tmp_path, "--data.split.protocol=random"))
    assert folder == tmp_path / "tiny" / "audits" / "version_0"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "audit.csv",
        "audit_files.csv",
        "composition.csv",
        "disputed.csv",
        "inflation.csv",
        "leakage.csv",
        "near_duplicates.csv",
    }
    leaks = pd.read_csv(folder / "leakage.csv")
    assert leaks.loc[leaks["kind"] == "speaker", "value"].nunique() == 12
    printed = capsys.readouterr().out
    assert "speakers are both trained on and tested" in " ".join(printed.split())
    assert "A random split" in printed


def test_a_protocol_that_does_not_fit_is_a_finding(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest of the audit is done all the same."""
    folder = audit(read(tiny_config, tmp_path, "--data.split.folds=13"))
    printed = " ".join(capsys.readouterr().out.split())
    assert "reason for fit to refuse this corpus" in printed
    assert "the corpus does not fit the protocol" in printed
    found = read_table(folder / "audit.csv")
    assert found.loc[0, ["check", "severity"]].tolist() == ["protocol", "fault"]
    assert read_table(folder / "leakage.csv").empty
    assert len(read_table(folder / "composition.csv"))


def test_a_folder_of_broken_files_is_answered_with_their_reasons(
    tiny_config: Path, tmp_path: Path
) -> None:
    """There is nothing to audit: the reasons are said, no traceback."""
    for name in ("happy", "sad"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        (tmp_path / "broken" / name / "a.wav").write_bytes(b"no sound")
    flags = ("--data.corpus.name=folders", f"--data.corpus.root={tmp_path / 'broken'}")
    config = read(tiny_config, tmp_path, *flags, "--data.targets={emotion: null}")
    with pytest.raises(DataError, match=r"2 of 2 recordings can't be used.*2 unreadable"):
        audit(config)


def test_a_run_says_what_its_audit_found(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Speakers on both sides are a fault, said before anything is trained."""
    config = ["--config", str(tiny_config), "--out", str(tmp_path), *ONE_MODEL]
    run = fit(*read_experiment([*config, "--data.split.protocol=random"]))
    said = " ".join(capsys.readouterr().err.split())
    assert "Fault: 12 speakers are both trained on and tested" in said
    assert RunFolder.open(run).info["audit"]["fault"] == 1


@pytest.fixture(scope="module")
def by_speaker(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose features are standardised by speaker."""
    out = tmp_path_factory.mktemp("by_speaker")
    config = ["--config", str(tiny_config), "--out", str(out), *ONE_MODEL]
    return fit(*read_experiment([*config, "--data.per_speaker=true"]))


def test_standardised_by_speaker_is_marked_beside_the_scores(by_speaker: Path) -> None:
    """The protocol says what the scores rest on."""
    protocol = RunFolder.open(by_speaker).info["protocol"]
    assert "features standardised by speaker, from all of a speaker's recordings" in protocol


def test_predict_standardises_the_speaker_it_is_told_of(
    by_speaker: Path, tmp_path: Path, tiny_config: Path
) -> None:
    """The same as the model applied to features standardised by hand."""
    run = SavedRun(by_speaker)
    corpus = run.folder.read_table("corpus.csv")
    someone = corpus[corpus["speaker"] == corpus["speaker"].iloc[0]]
    root = next((tiny_config.parent / "cache" / "synthetic").iterdir())
    paths = [root / file for file in someone["file"]]
    recognise(by_speaker, paths, model="logreg", out=tmp_path / "x.csv", speakers="one")
    found = pd.read_csv(tmp_path / "x.csv").set_index("file")
    data = run.config.data
    module = SpeechDataModule(data, seed=0)
    module.load_corpus()
    module.extract()
    rows = [module.matrix.index.index(file) for file in someone["file"]]
    X = standardise_by_speaker(module.matrix.X[rows], ["x"] * len(rows))
    expected = run.predict_proba("logreg", FeatureSet.vectors(X))["emotion"]
    columns = [f"emotion_{name}" for name in run.targets["emotion"]]
    shown = found.loc[[str(path) for path in paths], columns].to_numpy()
    np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_who_speaks_must_be_said_where_it_matters_and_only_there(
    by_speaker: Path, tiny_run: Path, tmp_path: Path
) -> None:
    """Both mistakes are answered with what to do."""
    with pytest.raises(ConfigError, match="say who speaks with --speakers one"):
        recognise(by_speaker, [tmp_path], model="best", out=None)
    with pytest.raises(ConfigError, match="leave the option out"):
        recognise(tiny_run, [tmp_path], model="best", out=None, speakers="folder")


def test_a_single_recording_of_a_speaker_is_refused(
    by_speaker: Path, tiny_config: Path, tmp_path: Path
) -> None:
    """Standardised by itself it would be zero in every feature."""
    root = next((tiny_config.parent / "cache" / "synthetic").iterdir())
    path = next(iter(sorted(root.rglob("*.wav"))))
    with pytest.raises(DataError, match="a single recording of a speaker"):
        recognise(by_speaker, [path], model="best", out=tmp_path / "x.csv", speakers="one")


def test_normalisation_that_would_take_the_emotion_away_is_refused(tiny_config: Path) -> None:
    """Every speaker shows one emotion: just that would be subtracted."""
    config = read(tiny_config, Path("unused"), "--data.per_speaker=true")
    table = corpus_table(8, 8)
    codes = table["speaker"].str[1:].astype(int) % 4
    table["emotion"] = [TARGETS["emotion"][code] for code in codes]
    with pytest.raises(DataError, match="one class of emotion only"):
        check_speaker_normalisation(config, table, TARGETS)


def test_normalisation_is_warned_of_where_some_speakers_show_one_emotion(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of eight is said; gender always is, as a speaker has but one."""
    config = read(tiny_config, Path("unused"), "--data.per_speaker=true")
    table = corpus_table(8, 8)
    table.loc[table["speaker"] == "s00", "emotion"] = "sad"
    check_speaker_normalisation(config, table, TARGETS)
    said = " ".join(capsys.readouterr().err.split())
    assert "1 speaker has one class of emotion only" in said
    assert "which removes most of what tells a speaker's gender" in said
