"""A run that trains on changed copies, beside the same one that doesn't."""

import json
from pathlib import Path

import pandas as pd
import pytest

from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.experiment.fit import fit
from speechnet.experiment.rescore import rescore

pytestmark = pytest.mark.slow

KEY = ["file", "part", "fold", "model", "target"]


def asked(tiny_config: Path, out: Path, *more: str) -> tuple[ExperimentConfig, str]:
    """``tiny_run`` with a sequence, a network over time and an ensemble."""
    settings = {
        "data.features.log_mel.n_mels": "20",
        **dict.fromkeys(["models.mlp", "models.knn", "models.logreg"], "null"),
        "models.cnn": "{features: log_mel}",
        "models.ensemble": "{of: [svm, cnn]}",
        "trainer.max_epochs": "2",
        "evaluation.clustering.enabled": "false",
        "out": str(out),
    }
    words = [word for key, text in settings.items() for word in (f"--{key}", text)]
    return read_experiment(["--config", str(tiny_config), *words, *more])


@pytest.fixture(scope="module")
def run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    more = ["--data.augment.copies", "2", "--evaluation.ablate.parts", "[augment, denoise]"]
    return fit(*asked(tiny_config, tmp_path_factory.mktemp("runs"), *more))


def test_the_run_says_what_training_saw(run: Path) -> None:
    """Two folds of 48 recordings train on all of them, less the dev parts, twice."""
    split = pd.read_csv(run / "split.csv")
    trained = split.loc[split["part"] == "train", "file"].nunique()
    copies = json.loads((run / "run.json").read_text())["copies"]
    assert copies["used"] == 2 * trained
    assert (copies["each"], copies["failed"]) == (2, 0)
    assert copies["effects"] == {"speed": 0.5, "reverb": 0.3, "noise": 0.5, "gain": 0.5}
    page = (run / "report.html").read_text()
    assert f"Each training recording and 2 changed copies of it, {2 * trained} in all" in page


def test_scores_are_of_recordings(run: Path) -> None:
    """Each once in each part, by every model."""
    predictions = pd.read_parquet(run / "predictions.parquet")
    assert not predictions.duplicated(KEY).any()
    split = pd.read_csv(run / "split.csv")
    assert len(predictions) == len(split) * 3 * 2
    again = pd.read_parquet(rescore(run, corpus={}, out=None) / "predictions.parquet")
    tested = predictions[predictions["part"] == "test"].sort_values(KEY)["predicted"]
    assert again.sort_values(KEY)["predicted"].tolist() == tested.tolist()


def test_an_ablation_without_copies_is_the_run_without_them(
    run: Path, tiny_config: Path, tmp_path: Path
) -> None:
    plain = fit(*asked(tiny_config, tmp_path))
    table = pd.read_csv(run / "ablation.csv")
    off = table.query("part == 'augment'").set_index("target")
    assert off["variant"].tolist() == ["off", "off"]
    predictions = pd.read_parquet(plain / "predictions.parquet")
    for target in ("gender", "emotion"):
        own = predictions.query(f"model == 'svm' and part == 'test' and target == '{target}'")
        recalls = (own["truth"] == own["predicted"]).groupby(own["truth"]).mean()
        assert off["value"][target] == pytest.approx(recalls.mean())
    with_copies = pd.read_parquet(run / "predictions.parquet")
    columns = [name for name in predictions if name.startswith("p_")]
    assert not with_copies[columns].equals(predictions[columns])
    assert set(table["part"]) == {"augment", "denoise"}
