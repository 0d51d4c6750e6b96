"""Tests of whole experiments, on a synthetic corpus so small that its scores mean nothing."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from helpers.tables import corpus_table, speech_data
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from speechnet.config.experiment import read_experiment
from speechnet.core.errors import ConfigError, DataError, StorageError
from speechnet.evaluation.scores import validate_predictions
from speechnet.experiment.description import protocol_in_words
from speechnet.experiment.fit import fit
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.scikit import files
from speechnet.splits.config import SplitConfig

pytestmark = pytest.mark.slow

CLASSES = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad", "neutral"]}
MODELS = ["mlp", "knn", "logreg", "svm"]


def _fit(config: Path, out: Path, *flags: str) -> Path:
    return fit(*read_experiment(["--config", str(config), "--out", str(out), *flags]))


def _csv(run: Path, name: str) -> pd.DataFrame:
    return RunFolder.open(run).read_table(name)


QUICK = [
    *("--models.svm=null", "--models.logreg=null", "--evaluation.clustering.enabled=false"),
    *("--report.html=false", "--report.mistakes=0"),
]
NO_NETWORK = [*QUICK, "--models.mlp=null"]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("split.csv", ["file", "speaker", "fold", "part"]),
        ("excluded.csv", ["file", "reason", "detail"]),
        ("dropped.csv", ["target", "label", "count", "why"]),
        ("scores.csv", ["model", "target", "part", "fold", "metric", "value", "low", "high"]),
        ("comparisons.csv", ["target", "first", "second", "difference", "low", "high", "p_holm"]),
        ("calibration.csv", ["model", "target", "fold", "temperature", "ece_before", "ece_after"]),
        ("reliability.csv", ["model", "target", "part", "confidence", "accuracy", "count"]),
        ("risk_coverage.csv", ["model", "target", "part", "coverage", "risk"]),
        ("groups.csv", ["model", "target", "class", "gender", "recall", "low", "high"]),
        ("gaps.csv", ["model", "target", "class", "higher", "lower", "gap", "low", "high"]),
        ("speakers.csv", ["model", "target", "speaker", "gender", "uar"]),
        ("audit.csv", ["check", "severity", "what", "count", "detail"]),
        ("leakage.csv", ["fold", "kind", "value", "train", "test"]),
        ("inflation.csv", ["model", "target", "random", "disjoint", "difference", "low", "high"]),
        ("composition.csv", ["target", "class", "gender", "speaker", "count"]),
        ("confusion.csv", ["model", "target", "part", "truth", "predicted", "count"]),
        ("search.csv", ["fold", "model", "target", "candidate", "mean", "chosen"]),
        ("history.csv", ["epoch", "train_loss", "dev_uar", "fold", "member"]),
        ("clusters.csv", ["file", "method", "k", "cluster"]),
        ("clustering.csv", ["method", "k", "against", "metric", "value", "null_mean", "p"]),
        ("projection.csv", ["file", "pc1", "pc2"]),
        ("corpus.csv", ["file", "speaker", "gender", "emotion", "sentence", "duration"]),
    ],
)
def test_tables(tiny_run: Path, name: str, columns: list[str]) -> None:
    """Every table of the run folder has its columns."""
    assert set(columns) <= set(_csv(tiny_run, name).columns)


def test_folder(tiny_run: Path) -> None:
    """The folder is complete: the models of every fold, and nothing that is unpickled."""
    assert not (tiny_run / "INCOMPLETE").exists()
    for fold in (0, 1):
        files = {path.name for path in (tiny_run / f"fold_{fold}").iterdir()}
        skops = {f"{m}_{t}.skops" for m in MODELS[1:] for t in CLASSES}
        assert {"mlp_0.ckpt", "logs", *skops} <= files
    endings = {path.suffix for path in tiny_run.rglob("*") if path.is_file()}
    assert not endings & {".pkl", ".pickle", ".joblib", ".tmp"}


def test_run_json(tiny_run: Path) -> None:
    """What was run, where, for how long and on what; no folder of this machine is in it."""
    text = (tiny_run / "run.json").read_text()
    info = json.loads(text)
    assert info["seed"] == 0
    assert info["models"] == MODELS
    assert info["folds"] == 2
    assert info["targets"] == CLASSES
    assert set(info["seconds"]) == {
        "corpus",
        "features",
        "audit",
        "training",
        "evaluation",
        "clustering",
        "mistakes",
    }
    assert info["corpus"]["recordings"] == 48
    assert info["corpus"]["speakers"] == 12
    assert info["corpus"]["classes"]["emotion"] == dict.fromkeys(CLASSES["emotion"], 12)
    assert len(info["corpus"]["fingerprint"]) == 32
    assert info["started"] <= info["finished"]
    assert "git" in info
    assert info["protocol"] == "2 folds, unseen speakers"
    assert str(tiny_run.parents[2]) not in text


def test_speakers_are_apart(tiny_run: Path) -> None:
    """No speaker stands in two parts of a fold; every recording is tested once."""
    split = _csv(tiny_run, "split.csv")
    assert split.groupby(["fold", "speaker"])["part"].nunique().max() == 1
    tested = split[split["part"] == "test"]
    assert sorted(tested["file"]) == sorted(_csv(tiny_run, "corpus.csv")["file"])
    assert set(split["part"]) == {"train", "dev", "test"}


def test_predictions(tiny_run: Path) -> None:
    """The table is sound, and holds every model on every part and target of every fold."""
    predictions = pd.read_parquet(tiny_run / "predictions.parquet")
    validate_predictions(predictions, CLASSES)
    split = _csv(tiny_run, "split.csv")
    assert len(predictions) == len(split) * len(MODELS) * len(CLASSES)
    one = predictions.query("model == 'svm' and target == 'emotion'")
    merged = one.astype({"fold": str}).merge(split, on=["file", "fold", "part"])
    assert len(merged) == len(split)


def test_scores_by_scikit_learn(tiny_run: Path) -> None:
    """Scores recomputed from the predictions by another library are the same."""
    predictions = pd.read_parquet(tiny_run / "predictions.parquet")
    keys = ["model", "target", "part", "fold", "metric"]
    scores = _csv(tiny_run, "scores.csv").set_index(keys).sort_index()
    for (model, target, part, fold), rows in predictions.groupby(
        ["model", "target", "part", "fold"]
    ):
        found = scores["value"].loc[model, target, part, str(fold)]
        truth, predicted, classes = rows["truth"], rows["predicted"], CLASSES[target]
        assert found["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
        if set(truth) != set(classes):
            continue
        assert found["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted))
        f1 = f1_score(truth, predicted, labels=classes, average="macro", zero_division=0)
        assert found["macro_f1"] == pytest.approx(f1)
        probability = rows[[f"p_{name}" for name in classes]].to_numpy()
        one_hot = (truth.to_numpy()[:, None] == np.array(classes)).astype(int)
        auc = roc_auc_score(one_hot, probability, average="macro")
        assert found["auc_macro"] == pytest.approx(auc)


def test_config_reruns_the_experiment(tiny_run: Path, tmp_path: Path) -> None:
    """The run's config.yaml, fed back, gives every score and prediction to the last bit."""
    again = _fit(tiny_run / "config.yaml", tmp_path)
    for name in ("scores.csv", "search.csv", "split.csv", "clustering.csv", "confusion.csv"):
        assert filecmp.cmp(tiny_run / name, again / name, shallow=False), name
    first, second = (pd.read_parquet(run / "predictions.parquet") for run in (tiny_run, again))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    info = json.loads((again / "run.json").read_text())
    assert info["corpus"]["computed"] == 0  # the features were kept
    assert again.name == "version_0"
    settings = [yaml.safe_load((run / "config.yaml").read_text()) for run in (tiny_run, again)]
    settings[1]["out"] = settings[0]["out"]
    assert settings[0] == settings[1]


def test_another_seed_is_another_experiment(
    tiny_run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    """The seed reaches the split."""
    other = _fit(tiny_config, tmp_path, *NO_NETWORK, "--seed_everything=1")
    assert not _csv(other, "split.csv").equals(_csv(tiny_run, "split.csv"))


def test_one_target(tiny_config: Path, tmp_path: Path) -> None:
    """One target is enough; figures are drawn where they are asked for."""
    flags = [*QUICK, "--evaluation.figures=true", "--data.targets", "{emotion: [angry, sad]}"]
    run = _fit(tiny_config, tmp_path, *flags)
    assert {path.suffix for path in (run / "figures").iterdir()} == {".png", ".svg"}
    scores = _csv(run, "scores.csv")
    assert set(scores["target"]) == {"emotion"}
    dropped = _csv(run, "dropped.csv")
    assert dict(zip(dropped["label"], dropped["count"], strict=True)) == {
        "happy": 12,
        "neutral": 12,
    }
    predictions = pd.read_parquet(run / "predictions.parquet")
    assert [c for c in predictions if c.startswith("p_")] == ["p_angry", "p_sad"]


@pytest.fixture
def own_corpus(tmp_path: Path) -> Path:
    """A corpus of one's own: tones, a table with a third target, gaps, and odd names."""
    root = tmp_path / "own corpus"
    root.mkdir()
    generator = np.random.default_rng(0)
    rows = []
    for number in range(24):
        pitch = 200 + 100 * (number % 2)
        time = np.arange(8000) / 8000
        y = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.01 * generator.standard_normal(8000)
        name = f"übung {number}.wav"
        soundfile.write(root / name, y, 8000)
        rows.append(
            {
                "file": name,
                "speaker": f"{number // 4:02d}",
                "dialect": ["north", "south"][number % 2],
                "emotion": None if number == 3 else ["happy", "sad"][number // 2 % 2],
                "duration": "long",
            }
        )
    pd.DataFrame(rows).to_csv(root / "labels.csv", index=False)
    return root


def test_own_target(
    own_corpus: Path, tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any column can be a target; a row without a label for one still counts for the other."""
    flags = ["--data.corpus.name=csv", "--data.corpus.root", str(own_corpus)]
    run = _fit(
        tiny_config, tmp_path, *QUICK, *flags, "--data.targets", "{dialect: null, emotion: null}"
    )
    info = json.loads((run / "run.json").read_text())
    assert info["targets"] == {"dialect": ["north", "south"], "emotion": ["happy", "sad"]}
    predictions = pd.read_parquet(run / "predictions.parquet")
    rows = predictions.query("model == 'knn' and part == 'test'")["target"].value_counts()
    assert rows.to_dict() == {"dialect": 24, "emotion": 23}
    scores = _csv(run, "scores.csv").query("model == 'knn' and part == 'test' and fold == 'all'")
    assert scores.query("target == 'dialect' and metric == 'uar'")["value"].item() == 1.0
    corpus = _csv(run, "corpus.csv")  # what is measured goes before the table's own column
    assert "duration: corpus.csv has what was measured" in capsys.readouterr().err
    assert corpus["duration"].to_numpy() == pytest.approx(1.0)
    assert corpus["speaker"].iloc[0] == "00"


def test_faulty_files(own_corpus: Path, tiny_config: Path, tmp_path: Path) -> None:
    """One bad file is excluded with its reason; too many end the run, and all are written down."""
    flags = [*NO_NETWORK, "--data.corpus.name=csv", "--data.corpus.root", str(own_corpus)]
    flags += ["--data.targets", "{dialect: null}"]
    (own_corpus / "übung 5.wav").write_text("<html>")
    run = _fit(tiny_config, tmp_path, *flags)
    assert _csv(run, "excluded.csv")[["file", "reason"]].to_numpy().tolist() == [
        ["übung 5.wav", "unreadable"]
    ]
    for number in (8, 9):
        (own_corpus / f"übung {number}.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"3 of 24 recordings can't be used.*max_bad_share = 0\.1"):
        _fit(tiny_config, tmp_path, *flags)
    stopped = run.parent / "version_1"
    assert (stopped / "INCOMPLETE").exists()
    assert len(pd.read_csv(stopped / "excluded.csv")) == 3
    _fit(tiny_config, tmp_path, *flags, "--data.max_bad_share=0.2")


def test_nothing_is_left(own_corpus: Path, tiny_config: Path, tmp_path: Path) -> None:
    """Recordings excluded by policy don't count as bad, but some must be left."""
    flags = [*NO_NETWORK, "--data.corpus.name=csv", "--data.corpus.root", str(own_corpus)]
    flags += ["--data.targets", "{dialect: null}", "--data.audio.max_duration=0.5"]
    with pytest.raises(DataError, match="all 24 recordings are excluded: 24 too_long"):
        _fit(tiny_config, tmp_path, *flags)


@pytest.mark.parametrize(
    ("flags", "models"),
    [
        (["--data.split.dev=0", "--models.mlp=null"], ["knn"]),
        (["--data.split.dev=0"], ["mlp", "knn"]),
        (["--models.knn=null"], ["mlp"]),
        (["--models.mlp=null"], ["knn"]),
    ],
)
def test_parts_left_out(
    tiny_config: Path, tmp_path: Path, flags: list[str], models: list[str]
) -> None:
    """No dev part, no network, no baseline: what is left is trained and scored."""
    run = _fit(tiny_config, tmp_path, *QUICK, *flags)
    scores = _csv(run, "scores.csv")
    assert list(scores["model"].unique()) == models
    assert ("dev" in set(scores["part"])) is ("--data.split.dev=0" not in flags)
    assert (run / "search.csv").exists() is ("knn" in models)
    assert (run / "history.csv").exists() is ("mlp" in models)


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        pytest.param(
            ["--trainer.accelerator=cuda"],
            ConfigError,
            "accelerator: cuda",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        (["--trainer.devices=0"], ConfigError, "devices: 0"),
        (["--parallel.backend=dask"], ConfigError, "parallel.backend dask"),
        (["--data.corpus.name=ravdes"], ConfigError, "did you mean 'ravdess'"),
        (["--data.corpus.name=ravdess"], ConfigError, "data.corpus.root isn't set"),
        (["--data.corpus.root=/none"], DataError, "'/none' doesn't exist"),
        (["--data.targets", "{gendr: null}"], ConfigError, "no column 'gendr'"),
        (["--data.split.folds=40"], DataError, "12 speakers"),
        (["--evaluation.clustering.against", "[speker]"], ConfigError, "no column 'speker'"),
        (
            [
                "--data.audio.sample_rate=4000",
                "--data.features.functionals.include",
                "{contrast: [mean]}",
            ],
            ConfigError,
            "don't go together",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*GPU.*")
def test_refused_before_anything_is_computed(
    tiny_config: Path, tmp_path: Path, flags: list[str], error: type[Exception], message: str
) -> None:
    """A mistake leaves no run folder behind."""
    with pytest.raises(error, match=message):
        _fit(tiny_config, tmp_path / "runs", *flags)
    assert not (tmp_path / "runs").exists()


def test_a_model_that_could_not_be_read_back(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before anything is computed, too."""
    monkeypatch.setattr(files, "TRUSTED", ())
    with pytest.raises(ConfigError, match=r"knn\.skops .*add .*KNeighborsClassifier.* to trusted"):
        _fit(tiny_config, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_out_is_no_folder(tiny_config: Path, tmp_path: Path) -> None:
    """Where no run folder can be made, nothing is computed."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be made"):
        _fit(tiny_config, tmp_path / "file" / "runs")


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (
            SplitConfig(protocol="random", folds=2, dev=0.25),
            "Random split, 2 folds, without regard to speakers",
        ),
        (SplitConfig(protocol="speaker", test=0.3), "One split, unseen speakers"),
        (
            SplitConfig(protocol="predefined", column="sentence", dev=0.25),
            "Folds of the column sentence, seen speakers",
        ),
        (
            SplitConfig(protocol="predefined", column="speaker"),
            "Folds of the column speaker, unseen speakers",
        ),
    ],
)
def test_protocols_in_words(split: SplitConfig, words: str) -> None:
    """What the scores are scores of is said as it is."""
    table = corpus_table().assign(sentence=(["a"] * 4 + ["b"] * 4) * 8)
    data = speech_data(table, split=split)
    assert protocol_in_words(data) == words
