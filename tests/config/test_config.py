"""Tests of reading an experiment: YAML, flags, messages, and what may be imported."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from helpers.encoders import encoder_folder
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment

from speechnet.config.experiment import read_experiment
from speechnet.config.mapping import mapping_class
from speechnet.config.trainer_factory import TrainerFactory, _never_requeued
from speechnet.core.errors import ConfigError
from speechnet.models.neural.mlp import MLP

pytestmark = pytest.mark.slow

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def _yaml(folder: Path, content: str, name: str = "x.yaml") -> str:
    path = folder / name
    path.write_text(content)
    return str(path)


def test_descriptions_are_kept_as_they_are() -> None:
    """Whoever begins one with a proper name finds it so in the help."""

    @dataclass
    class Bayes:
        """Gaussian naive Bayes."""

    made = mapping_class("Models", {"bayes": Bayes}, default=[])
    assert made.__doc__.splitlines()[-1].strip() == "bayes: Gaussian naive Bayes."


def test_defaults() -> None:
    """Without any argument there is a whole experiment."""
    config, text = read_experiment([])
    assert config.experiment == "experiment"
    assert config.data.corpus.name == "synthetic"
    assert yaml.safe_load(text)["models"]["knn"]["weights"] == ["distance"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configs(path: Path, tmp_path: Path) -> None:
    """Every shipped YAML is valid, and what it becomes gives the same when it is fed back."""
    flags = ["--config", str(path)]
    if path.stem == "pretrained":
        flags += ["--data.features.pretrained.model", str(encoder_folder(tmp_path))]
    config, text = read_experiment(flags)
    assert yaml.safe_load(text)["experiment"] == config.experiment


def test_fed_back(tmp_path: Path) -> None:
    """The whole configuration as YAML, read again, is the same configuration and text."""
    flags = ["--experiment", "x", "--models.svm", "null", "--models.mlp.grid", "{lr: [0.1, 0.01]}"]
    flags += ["--trainer.callbacks", "LearningRateMonitor", "--data.split.speakers", "[['01']]"]
    flags += ["--data.split.protocol", "predefined"]
    first, text = read_experiment(flags)
    second, again = read_experiment(["--config", _yaml(tmp_path, text)])
    assert second == first
    assert again == text


@pytest.mark.parametrize(
    ("flags", "path", "expected"),
    [
        (["--trainer.max_epochs", "3"], "trainer.max_epochs", 3),
        (["--trainer.max_epochs=3"], "trainer.max_epochs", 3),
        (["--models.mlp.lr", "1e-2"], "models.mlp.lr", 0.01),
        (["--models.mlp.hidden", "[8, 4]"], "models.mlp.hidden", [8, 4]),
        (["--models.mlp.hidden+", "4"], "models.mlp.hidden", [7, 4]),
        (["--data.corpus.root", "/a b"], "data.corpus.root", "/a b"),
        (
            ["--data.corpus.labels.emotion", "{calm: neutral, bored: null}"],
            "data.corpus.labels",
            {"emotion": {"calm": "neutral", "bored": None}},
        ),
        (
            ["--data.targets.emotion", "[angry, sad]"],
            "data.targets",
            {"gender": ["female"], "emotion": ["angry", "sad"]},
        ),
        (["--data.targets", "{age: null}"], "data.targets", {"age": None}),
        (["--models.svm.C", "[1,2]"], "models.svm.C", [1.0, 2.0]),
        (["--models.sklearn_mlp", "{hidden: [5]}"], "models.sklearn_mlp.hidden", [5]),
        (
            ["--data.features.functionals.include.f0", "[mean]"],
            "data.features.functionals.include",
            {"f0": ["mean"]},
        ),
        (
            ["--data.split.protocol=predefined", "--data.split.speakers", '[["01", "02"]]'],
            "data.split.speakers",
            [["01", "02"]],
        ),
        (["--data.audio.max_duration", "5.7"], "data.audio.max_duration", 5.7),
        (["--evaluation.figures", "false"], "evaluation.figures", False),
    ],
)
def test_flags_override(tmp_path: Path, flags: list[str], path: str, expected: Any) -> None:
    """A flag goes before the YAML, whatever its depth and kind, and leaves the rest alone."""
    models = "models: {mlp: {hidden: [7], dropout: 0.25}, svm: {}}"
    base = f"{models}\ndata: {{targets: {{gender: [female]}}}}\n"
    _, text = read_experiment(["--config", _yaml(tmp_path, base), *flags])
    settings: Any = yaml.safe_load(text)
    assert settings["models"]["mlp"]["dropout"] == 0.25
    for key in path.split("."):
        settings = settings[key]
    assert settings == expected


@pytest.mark.parametrize(
    ("content", "flags", "expected"),
    [
        ("out: x", [], ["mlp", "knn", "logreg", "svm"]),
        ("models: {svm: {}}", [], ["svm"]),
        ("models: {svm: {}}", ["--models.knn.folds", "3"], ["knn", "svm"]),
        ("models: {svm: {}, knn: {}}", ["--models.svm=null"], ["knn"]),
        ("models:\n  svm:\n  knn:\n", [], ["knn", "svm"]),
        ("models:\n  svm:\n", ["--models.knn", "{}", "--models.svm", "null"], ["knn"]),
        ("models: {svm: {}}", ["--models", "{knn}"], ["knn", "svm"]),
        ("out: x", ["--models", "{sklearn_mlp: {}}"], ["sklearn_mlp"]),
        ("out: x", ["--models.sklearn_mlp", "{}"], ["mlp", "knn", "logreg", "sklearn_mlp", "svm"]),
        ("out: x", ["--models.svm.C", "[1]"], ["mlp", "knn", "logreg", "svm"]),
    ],
)
def test_which_models(tmp_path: Path, content: str, flags: list[str], expected: list[str]) -> None:
    """Those that a YAML names replace the default; a flag adds one, changes it or takes it out."""
    config, text = read_experiment(["--config", _yaml(tmp_path, content), *flags])
    assert list(config.models) == expected
    assert set(yaml.safe_load(text)["models"]) == set(expected)


@pytest.mark.parametrize(
    ("features", "flags", "expected"),
    [
        ("{}", [], ["functionals"]),
        ("{log_mel: {}}", [], ["log_mel"]),
        ("{}", ["--data.features.log_mel", "{}"], ["functionals", "log_mel"]),
        ("{log_mel: {}}", ["--data.features.functionals", "{}"], ["functionals", "log_mel"]),
        ("{functionals: {}, log_mel: {}}", ["--data.features.functionals=null"], ["log_mel"]),
        ("{}", ["--data.features", "{log_mel: {}}"], ["log_mel"]),
        ("{log_mel: }", [], ["log_mel"]),
        ("{}", ["--data.features", "{functionals}"], ["functionals"]),
    ],
)
def test_which_features(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    features: str,
    flags: list[str],
    expected: list[str],
) -> None:
    """The same holds for extractors, and for what is printed."""
    model = "knn" if "functionals" in expected else "cnn"
    content = f"models: {{{model}: {{}}}}\ndata: {{features: {features}}}"
    words = ["--config", _yaml(tmp_path, content), *flags]
    config, _ = read_experiment(words)
    assert list(config.data.recipe.extractors) == expected
    with pytest.raises(SystemExit):
        read_experiment([*words, "--print_config"])
    assert list(yaml.safe_load(capsys.readouterr().out)["data"]["features"]) == expected


def test_later_files_go_before_earlier(tmp_path: Path) -> None:
    """Two files: sections merge, the later value counts, and the last names the experiment."""
    first = _yaml(tmp_path, "models: {mlp: {lr: 0.1, dropout: 0.1}}\nout: a\n", "first.yaml")
    second = _yaml(tmp_path, "models: {mlp: {lr: 0.2}}\nexperiment: null\n", "second.yaml")
    config, _ = read_experiment(["--config", first, "--config", second, "--out", "b"])
    assert config.models == {"mlp": MLP(lr=0.2, dropout=0.1)}
    assert config.out == "b"
    assert config.experiment == "second"


def test_flags_go_before_files(tmp_path: Path) -> None:
    """Wherever they stand: a command is often changed at its end or at its beginning."""
    whole = _yaml(tmp_path, "models: {mlp: {lr: 0.1, dropout: 0.1}}\nout: a\n")
    part = _yaml(tmp_path, "mlp: {lr: 0.2}\n", "part.yaml")
    flags = ["--models.mlp.lr", "0.3", "--out", "b"]
    config, _ = read_experiment([*flags, "--config", whole, "--models", part])
    assert config.models == {"mlp": MLP(lr=0.3, dropout=0.1)}
    assert config.out == "b"


def test_a_section_from_a_file(tmp_path: Path) -> None:
    """One section may stand in a file of its own, which is checked like all else."""
    config, _ = read_experiment(["--models", _yaml(tmp_path, "mlp: {lr: 0.3}\n")])
    assert config.models == {"mlp": MLP(lr=0.3)}
    with pytest.raises(ConfigError, match=r"unknown key 'models\.mlp\.lrr'"):
        read_experiment(["--models", _yaml(tmp_path, "mlp: {lrr: 0.3}\n")])


def test_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run folder's copy means the same from anywhere; the place of runs is left as it is."""
    monkeypatch.chdir(tmp_path)
    flags = ["--data.corpus.root", "corpus", "--data.corpus.name", "own.yaml"]
    config, text = read_experiment([*flags, "--data.cache_dir", "cache", "--out", "runs"])
    assert config.data.corpus.root == str(tmp_path / "corpus")
    assert config.data.corpus.name == str(tmp_path / "own.yaml")
    assert config.data.cache_dir == str(tmp_path / "cache")
    assert config.out == "runs"
    assert yaml.safe_load(text)["data"]["corpus"]["root"] == str(tmp_path / "corpus")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data.corpus.rot", "x"], r"unknown key 'data\.corpus\.rot'.*'data\.corpus\.root'"),
        (["--dta.corpus.root", "x"], r"unknown key 'dta\.corpus\.root'.*'data\.corpus\.root'"),
        (["--models.svm.CC", "[1]"], r"unknown key 'models\.svm\.CC'.*'models\.svm\.C'"),
        (["--trainer.max_epoch", "1"], r"unknown key 'trainer\.max_epoch'.*'trainer\.max_epochs'"),
        (["--max_epochs", "1"], r"unknown key 'max_epochs'.*'trainer\.max_epochs'"),
        (
            ["--models.mlp.grid", "{drop_out: [0.1]}"],
            r"'models\.mlp\.grid\.drop_out'.*'models\.mlp\.grid\.dropout'",
        ),
        (
            ["--models.mlp.grid", "{lr: [fast]}"],
            r"grid\.lr\[0\] is 'fast', expected a number",
        ),
        (["--models.mlp.grid", "{lr: []}"], r"models\.mlp\.grid.*lr"),
        (
            ["--models.mlp.loss_weights", "{emo: 2}"],
            r"models\.mlp\.loss_weights\.emo: .*'emotion'",
        ),
        (["--models.mlp.lr", "fast"], r"models\.mlp\.lr is 'fast', expected a number"),
        (["--data.split.protocol", "speakr"], r"protocol is 'speakr', .*did you mean speaker\?"),
        (["--models.svm.kernel", "[rbf, lin]"], r"kernel\[1\] is 'lin', .*did you mean linear"),
        (["--models.svm.C", "[]"], r"models\.svm\.C is \[\]"),
        (["--models.svm.layer", "[mean, 0]"], r"models\.svm\.layer is \['mean', 0\], but no feat"),
        (
            ["--models.crnn", "{}", "--data.features.log_mel", "null"],
            r"data\.features\.log_mel is null, but models\.crnn takes it: .*--models\.crnn null",
        ),
        (["--trainer.logger", "true"], r"trainer\.logger can't be set"),
        (["--trainer.fast_dev_run", "true"], r"trainer\.fast_dev_run can't be set"),
        (["--trainer.max_epochs", "0"], r"trainer\.max_epochs is 0.*--models\.NAME null"),
        (["--seed_everything", "-1"], "seed_everything is -1, expected 0 to"),
        (["--parallel.n_jobs", "0"], r"parallel\.n_jobs is 0"),
        (["--experiment", "../x"], r"experiment is '\.\./x', expected letters"),
        (["--data.max_bad_share", "1.5"], r"data\.max_bad_share is 1\.5, expected 0 to 1"),
        (["--data.features.functionals.include", "{mfc: [mean]}"], "unknown feature 'mfc'.*'mfcc'"),
        (["--evaluation.clustering.k", "[1]"], r"evaluation\.clustering\.k"),
        (
            [
                "--evaluation.robustness",
                "{enabled: on, noise: [], band: [], reverb: [], codec: []}",
            ],
            r"evaluation\.robustness is enabled, but .* all empty",
        ),
        (["--models.mlp.grid", "{lr: [1.0]}", "--data.split.dev", "0"], "needs a dev part"),
        (
            ["--models.mlp.schedule", "plateau", "--data.split.dev", "0"],
            r"models\.mlp\.schedule is plateau, .* dev part",
        ),
        (
            ["--models.mlp.grid", "{schedule: [none, plateau]}", "--data.split.dev", "0"],
            "needs a dev part",
        ),
        (["--trainer.max_epochs", "-1", "--data.split.dev", "0"], r"models\.mlp would never end"),
        (["--trainer.max_epochs", "-1", "--models.mlp.patience=null"], "never end: .*max_epochs"),
        (
            ["--data.features.mfcc", "{}"],
            "'data.features.mfcc'; .* has functionals, functionals_large, .*; if it comes",
        ),
        (["--models.my_mlp.lr", "1"], r"nearest known one is 'models\.mlp\.lr'; if it comes"),
        (["--models", "mlp"], r"expected keys with values \(.*\bensemble\b.*\)"),
        (["--data.targets", "emotion"], r"a mapping such as \{emotion: \[angry, happy\]\}$"),
        (["--config", "none.yaml"], r"no file none\.yaml"),
        (["--config"], "--config needs a value"),
        (["--data.corpus.root", "--out", "x"], r"--data\.corpus\.root needs a value"),
        (["stray"], "unexpected 'stray'"),
        (["--data.targets", "{emotion:null}"], "'emotion:null' can't be .* a blank stands after"),
    ],
)
def test_refused(flags: list[str], message: str) -> None:
    """A mistake is named in one line: the key, what was found, what is expected."""
    with pytest.raises(ConfigError, match=message) as caught:
        read_experiment(flags)
    assert "\n" not in str(caught.value)
    assert "Parser key" not in str(caught.value)


def test_features_that_are_a_target(tmp_path: Path) -> None:
    """Whatever the experiment predicts can't be among the numbers that it is predicted from."""
    (tmp_path / "t.csv").write_text("file,pitch,Arousal\nx,1.5,2\n")
    flags = ["--data.features.table.path", str(tmp_path / "t.csv")]
    assert "table" in read_experiment(flags)[0].data.recipe.extractors
    with pytest.raises(ConfigError, match=r"data\.features\.table has the columns Arousal, and"):
        read_experiment([*flags, "--data.targets.arousal", "[low, high]"])


def test_mistakes_in_files(tmp_path: Path) -> None:
    """A YAML's unknown keys are found at any depth, even where they hold nothing."""
    for content, message in [
        ("dat: {}", "unknown key 'dat'.*'data'"),
        (
            "data: {features: {functionals: {n_mfc: 3}}}",
            r"'data\.features\.functionals\.n_mfc'.*n_mfcc'",
        ),
        ("models: {svm: {c: [1]}}", r"'models\.svm\.c'.*'models\.svm\.C'"),
        ("evaluation: {clustering: {kk: [2]}}", r"clustering\.kk'.*clustering\.k'"),
        ("trainer:", "trainer is null, expected keys with values"),
        ("data: 3", "data is 3, expected keys with values"),
        ("data: {split: {speakers: [[01, 02]]}}", r"speakers\[0\]\[0\] is 1, .*put it in quotes"),
    ]:
        with pytest.raises(ConfigError, match=message):
            read_experiment(["--config", _yaml(tmp_path, content)])


@pytest.mark.parametrize(
    "flags",
    [
        ["--trainer.max_epochs=-1"],
        ["--trainer.max_epochs=-1", "--trainer.max_steps=9", "--data.split.dev=0"],
        ["--trainer.max_epochs=-1", "--trainer.max_time=00:00:01:00", "--data.split.dev=0"],
        ["--trainer.max_epochs=-1", "--trainer.callbacks=LambdaCallback", "--data.split.dev=0"],
    ],
)
def test_training_may_end(flags: list[str]) -> None:
    """A dev part, a number of steps, a time or a callback of Lightning's ends it."""
    assert "mlp" in read_experiment(flags)[0].models


def test_no_model_is_left() -> None:
    """An experiment without any model is refused."""
    none = [f"--models.{name}=null" for name in ("knn", "svm", "logreg")]
    with pytest.raises(ConfigError, match="no model is left"):
        read_experiment([*none, "--models.mlp", "null"])


@pytest.mark.parametrize(
    "content",
    [
        "trainer: {callbacks: [{class_path: evil_module.Evil}]}",
        "trainer: {callbacks: evil_module.Evil}",
        "trainer: {strategy: {class_path: evil_module.Evil}}",
        "trainer: {plugins: [{class_path: evil_module.Evil}]}",
        "trainer: {profiler: {class_path: evil_module.Evil}}",
        "trainer: {callbacks: [{class_path: LambdaCallback, init_args: {on_fit_start: "
        "evil_module.run}}]}",
        "models: {svm: {class_path: evil_module.Evil}}",
        "data: {class_path: evil_module.Evil}",
        "data: {corpus: {class_path: evil_module.Evil}}",
        "model: {class_path: evil_module.Evil}",
    ],
)
def test_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """A module that a YAML names, present and importable, is never imported."""
    trace = tmp_path / "imported"
    (tmp_path / "evil_module.py").write_text(f"open({str(trace)!r}, 'w')\nclass Evil: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"evil_module|unknown key"):
        read_experiment(["--config", _yaml(tmp_path, content)])
    assert not trace.exists()
    assert "evil_module" not in sys.modules


def test_lightning_callbacks_work(tmp_path: Path) -> None:
    """Lightning's own callbacks reach the Trainer, with their arguments."""
    content = (
        "trainer: {accelerator: cpu, callbacks: [{class_path: "
        "lightning.pytorch.callbacks.LearningRateMonitor, init_args: {logging_interval: epoch}}]}"
    )
    config, _ = read_experiment(["--config", _yaml(tmp_path, content)])
    trainer = TrainerFactory(config.trainer, tmp_path)([], [])
    monitors = [c for c in trainer.callbacks if isinstance(c, LearningRateMonitor)]
    assert [monitor.logging_interval for monitor in monitors] == ["epoch"]


def test_each_trainer_has_callbacks_of_its_own(tmp_path: Path) -> None:
    """Callbacks keep state, so two trainings must not share one."""
    config, _ = read_experiment(
        ["--trainer.accelerator", "cpu", "--trainer.callbacks", "LearningRateMonitor"]
    )
    make = TrainerFactory(config.trainer, tmp_path)
    first, second = make([], []), make([], [])
    assert not {map(id, first.callbacks)} & {map(id, second.callbacks)}
    assert first.max_epochs == 150


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.filterwarnings("ignore:.*GPU.*")
def test_no_gpu(tmp_path: Path) -> None:
    """A GPU asked for where there is none is refused, with the setting's name."""
    config, _ = read_experiment(["--trainer.accelerator", "cuda"])
    with pytest.raises(ConfigError, match=r"trainer \(accelerator: cuda, devices: 1\)"):
        TrainerFactory(config.trainer, tmp_path)([], [])


def test_several_devices_do_not_start_the_program_again(tmp_path: Path) -> None:
    """Lightning's default for several devices would run the whole command line in each."""
    config, _ = read_experiment(["--trainer.accelerator", "cpu", "--trainer.devices", "2"])
    trainer = TrainerFactory(config.trainer, tmp_path)([], [])
    assert getattr(trainer.strategy.launcher, "_start_method", None) == "spawn"


def test_a_job_of_slurm_is_not_requeued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning would save one network on SIGUSR1 and go on with the next one from there."""
    for name, value in {"NTASKS": "1", "JOB_NAME": "x", "JOB_ID": "123456", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    config, _ = read_experiment(["--trainer.accelerator", "cpu"])
    trainer = TrainerFactory(config.trainer, tmp_path)([], [])
    environment = trainer._accelerator_connector.cluster_environment
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue
    before = signal.getsignal(signal.SIGUSR1)
    trainer._signal_connector.register_signal_handlers()
    during = signal.getsignal(signal.SIGUSR1)
    trainer._signal_connector.teardown()
    assert during is before is signal.SIG_DFL
    own = LightningEnvironment()
    assert _never_requeued(own) is own
