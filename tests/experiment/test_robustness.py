"""Worsened test recordings are scored as the run's own are, by the models that the run fitted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from speechnet.augment import chain
from speechnet.augment.config import Copy, GainConfig
from speechnet.config.experiment import ExperimentConfig, read_experiment
from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.config import RobustnessConfig
from speechnet.experiment import robustness as module
from speechnet.experiment.parallel import parallel
from speechnet.experiment.robustness import check_robustness, conditions, robustness
from speechnet.experiment.run_folder import RunFolder
from speechnet.models.calibration import load_fitted

pytestmark = pytest.mark.slow

KEY = ["model", "target", "part", "fold", "metric"]
VALUES = ["value", "low", "high"]


@pytest.fixture
def config(tiny_config: Path) -> ExperimentConfig:
    """The experiment of ``tiny_run``, with one effect of no strength and two of some."""
    config = read_experiment(["--config", str(tiny_config)])[0]
    config.evaluation.robustness = RobustnessConfig(True, [0.0], [1000.0], [], [0.5])
    return config


def test_scored_as_the_run_is(
    config: ExperimentConfig, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they are, and through an effect that changes nothing, scores are those of ``scores.csv``.

    That holds of every fold and interval; noise as loud as speech, or no treble, costs something.
    """
    nothing = {"codec": lambda _: {"gain": GainConfig(p=1, db=[0, 0])}}
    monkeypatch.setattr(module, "_ONE", module._ONE | nothing)
    data = SpeechDataModule(config.data, seed=config.seed_everything)
    run = RunFolder.open(tiny_run)
    with parallel(config.parallel):
        data.prepare_data()
        data.setup()
        found = robustness(config, data, run, run.read_predictions())
    scores = run.read_table("scores.csv")
    own = scores[(scores["part"] == "test") & (scores["metric"] == "uar")]
    for effect in ("clean", "codec"):
        same = found[found["effect"] == effect][KEY + VALUES]
        both = own[KEY + VALUES].merge(same, on=KEY, how="outer", suffixes=("_own", ""))
        assert len(both) == len(own) == len(same)
        np.testing.assert_array_equal(both[[f"{name}_own" for name in VALUES]], both[VALUES])
    mean = found[(found["fold"] == "mean") & (found["target"] == "emotion")]
    by_effect = mean.groupby("effect")["value"].mean()
    assert by_effect["noise"] < by_effect["clean"]
    assert by_effect["band"] < by_effect["clean"]
    assert (found["lost"] == 0).all()
    worst = found[found["effect"] != "clean"][["effect", "severity"]].drop_duplicates()
    assert [*worst.itertuples(index=False, name=None)] == [
        (one.effect, one.severity) for one in conditions(config.evaluation.robustness)
    ]


def test_lost_recordings(
    config: ExperimentConfig, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scored without them, against scikit-learn; where none is left, nothing is scored but said."""

    def worse(y: Float32, *rest: Any) -> Float32:
        [*_, one] = rest
        return y * np.float32(np.nan) if y[len(y) // 2] > 0 or one.db[0] > 0.7 else y

    monkeypatch.setattr(chain, "_APPLY", chain._APPLY | {"gain": worse})
    gain = {"codec": lambda level: {"gain": GainConfig(p=1, db=[level, level])}}
    monkeypatch.setattr(module, "_ONE", module._ONE | gain)
    config.evaluation.robustness = RobustnessConfig(True, [], [], [], [0.8, 0.5])
    data, run = SpeechDataModule(config.data, seed=config.seed_everything), RunFolder.open(tiny_run)
    with parallel(config.parallel):
        data.prepare_data()
        data.setup()
        every = run.read_predictions()
        found = robustness(config, data, run, every)
        [mild, _] = conditions(config.evaluation.robustness)
        kept = data.changed(np.arange(len(data.table)), Copy(mild.augment, 0)).index
    assert 0 < len(kept) < len(data.table)
    rows = every[every["file"].isin(kept) & (every["part"] == "test")]
    scores = found[(found["severity"] == 0.5) & (found["fold"] == "all")]
    assert (scores["lost"] == len(data.table) - len(kept)).all()
    for one in scores.itertuples():
        own = rows[(rows["model"] == one.model) & (rows["target"] == one.target)]
        assert one.value == pytest.approx(balanced_accuracy_score(own["truth"], own["predicted"]))
    nothing = found[found["severity"] == 0.8]
    assert (nothing["lost"] == len(data.table)).all()
    assert nothing["value"].isna().all()
    assert len(nothing) == len(found) / 3


def test_by_speaker(
    config: ExperimentConfig, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed recordings are standardised by those of their speakers, as others are by theirs."""
    nothing = {"codec": lambda _: {"gain": GainConfig(p=1, db=[0, 0])}}
    monkeypatch.setattr(module, "_ONE", module._ONE | nothing)
    config.data = replace(config.data, per_speaker=True)
    config.models = {"svm": config.models["svm"]}
    config.evaluation.robustness = RobustnessConfig(True, [], [], [], [0.5])
    data, run = SpeechDataModule(config.data, seed=config.seed_everything), RunFolder.open(tiny_run)
    with parallel(config.parallel):
        data.prepare_data()
        data.setup()
        found = robustness(config, data, run, run.read_predictions())
    for number, fold in enumerate(data.folds):
        model = load_fitted(run.fold(number), "svm", data.targets)
        called = model.predict(data.X[fold.test])
        for column, target in enumerate(data.targets):
            where = (found["effect"] == "codec") & (found["fold"] == str(number))
            [value] = found.loc[where & (found["target"] == target), "value"]
            truth = data.labels[fold.test, column]
            assert value == pytest.approx(balanced_accuracy_score(truth, called[:, column]))


def test_each_effect_alone() -> None:
    """No other one has a chance, and each has all of it."""
    for one in conditions(RobustnessConfig()):
        [effect] = one.augment.effects.values()
        assert effect.p == 1


def test_the_mildest_comes_first() -> None:
    """Less noise, a wider band, a drier room, a larger file."""
    asked = RobustnessConfig(True, [0, 20], [1000, 4000], [0.5, 0.2], [0.9, 0.5])
    assert [one.severity for one in conditions(asked)] == [20, 0, 4000, 1000, 0.2, 0.5, 0.5, 0.9]


def test_what_hears_nothing_is_refused(config: ExperimentConfig, tmp_path: Path) -> None:
    """Features that are looked up by name would stay the same, whatever the noise."""
    (tmp_path / "own.csv").write_text("file,one\na.wav,1\n")
    words = ["--data.features.table.path", str(tmp_path / "own.csv")]
    other = read_experiment(words)[0]
    other.evaluation = config.evaluation
    with pytest.raises(ConfigError, match=r"evaluation\.robustness: table of data\.features"):
        check_robustness(other)
