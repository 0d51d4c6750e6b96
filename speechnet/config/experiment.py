"""The configuration of an experiment: one YAML, typed, any key overridable on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_type_hints

from jsonargparse import ArgumentParser, Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger

from speechnet.audit.config import AuditConfig
from speechnet.config.arguments import given_anew, parse, verb_parser
from speechnet.config.schema import Schema
from speechnet.datamodule import DataConfig
from speechnet.errors import ConfigError
from speechnet.evaluation import ClusteringConfig
from speechnet.evaluation.ablation import AblationConfig
from speechnet.files import absolute
from speechnet.models.classical.baselines import BaselinesConfig
from speechnet.models.neural.fitting import quiet
from speechnet.models.neural.mlp import MLPConfig
from speechnet.models.neural.network import network_candidates
from speechnet.predictions import check_names
from speechnet.report.config import ReportConfig

_DECIDED_HERE: Final = {
    "logger": "the run folder decides what is logged where",
    "default_root_dir": "the run folder decides where files go",
    "enable_checkpointing": "the best network is always kept",
    "barebones": "the best network could not be found",
    "fast_dev_run": "nothing would be trained",
}
"""Trainer arguments that can't be set, and why."""

_MAX_SEED: Final = 2**32 - 10_000
"""NumPy's seeds end at 2^32; every fold and every member of the network takes one further on."""


@dataclass
class EvaluationConfig:
    """What is made of the predictions.

    Attributes:
        resamples: bootstrap samples for intervals, and permutations for comparisons.
        calibrate: whether probabilities are calibrated on the dev part, by one temperature for
            each model, target and fold; no prediction changes.
        audit: from where on something about the corpus is worth a remark.
        ablate: what each part of the experiment brings.
        cross: with several corpora, whether one after the other is trained on alone and tested on
            each of them.
        clustering: of the features, without labels.
        figures: whether figures are drawn.
    """

    resamples: int = 10_000
    calibrate: bool = True
    audit: AuditConfig = field(default_factory=AuditConfig)
    ablate: AblationConfig = field(default_factory=AblationConfig)
    cross: bool = False
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    figures: bool = True

    def __post_init__(self) -> None:
        if self.resamples < 100:
            raise ConfigError(
                f"evaluation.resamples is {self.resamples}, expected 100 or more (10000 is usual)"
            )


@dataclass
class ParallelConfig:
    """Where file-level work and searches run: handed to ``joblib.parallel_config``.

    Attributes:
        backend: processes on this machine, threads, or a cluster that is already connected.
        n_jobs: how many at once; -1 for one a core.
    """

    backend: Literal["loky", "threading", "dask", "ray"] = "loky"
    n_jobs: int = -1


@dataclass
class ExperimentConfig:
    """All of an experiment.

    Attributes:
        experiment: the run folder is ``<out>/<experiment>/version_<N>``.
        out: where run folders are made.
        seed_everything: of every shuffle, every weight and every search.
        data: from recordings to folds.
        model: the network.
        trainer: Lightning's Trainer, as plain settings.
        baselines: the classical models.
        evaluation: clustering and figures.
        report: one page that holds all of it.
        parallel: processes.
    """

    experiment: str
    out: str
    seed_everything: int
    data: DataConfig
    model: MLPConfig
    trainer: dict[str, Any]
    baselines: BaselinesConfig
    evaluation: EvaluationConfig
    report: ReportConfig
    parallel: ParallelConfig


def fit_parser(verb: str = "fit", what: str = "Run an experiment from one YAML.") -> ArgumentParser:
    """The parser of a whole experiment, for any verb that takes one."""
    parser = verb_parser(verb, what)
    parser.add_argument("--experiment", type=str | None, default=None, help=_help("experiment"))
    parser.add_argument("--out", type=str, default="checkpoints", help=_help("out"))
    parser.add_argument("--seed_everything", type=int, default=0, help=_help("seed_everything"))
    parser.add_argument("--data", type=DataConfig, default=DataConfig())
    parser.add_argument("--model", type=MLPConfig, default=MLPConfig())
    _add_trainer(parser)
    parser.add_argument("--baselines", type=BaselinesConfig, default=BaselinesConfig())
    parser.add_argument("--evaluation", type=EvaluationConfig, default=EvaluationConfig())
    parser.add_argument("--report", type=ReportConfig, default=ReportConfig())
    parser.add_argument("--parallel", type=ParallelConfig, default=ParallelConfig())
    return parser


def fit_schema() -> Schema:
    """Every key of an experiment, with what it may hold."""
    trainer = get_type_hints(Trainer.__init__)
    kept = {key: trainer[key] for key in trainer if key not in {*_DECIDED_HERE, "return"}}
    return Schema(
        get_type_hints(ExperimentConfig) | {"experiment": str | None, "trainer": kept},
        refused={f"trainer.{key}": why for key, why in _DECIDED_HERE.items()},
    )


def read_experiment(
    arguments: Sequence[str], parser: ArgumentParser | None = None
) -> tuple[ExperimentConfig, str]:
    """Read an experiment from the command line's words.

    Args:
        arguments: ``["--config", "configs/x.yaml", "--trainer.max_epochs", "50", ...]``.
        parser: that of another verb than ``fit``.

    Returns:
        The experiment, and its whole configuration as YAML text.

    Raises:
        ConfigError: an unknown key, with the nearest known one, or a value out of place.
    """
    parser = parser or fit_parser()
    parsed = parse(parser, given_anew(arguments, "data", "corpora"), fit_schema())
    if parsed.experiment is None:
        files = [Path(str(path)).stem for path in parsed.config or []]
        parsed.experiment = files[-1] if files else "experiment"
    _make_absolute(parsed)
    return _experiment(parser, parsed)


def read_experiment_file(path: Path) -> ExperimentConfig:
    """Read the ``config.yaml`` of a run folder.

    Raises:
        ConfigError: see ``read_experiment``.
    """
    return read_experiment(["--config", str(path)])[0]


def _make_absolute(parsed: Namespace) -> None:
    """The run folder's copy must mean the same wherever it is read."""
    data = parsed.data
    for corpus in (data.corpus, *data.corpora):
        if corpus.root is not None:
            corpus.root = str(absolute(corpus.root))
        if corpus.name.endswith((".yaml", ".yml")):
            corpus.name = str(absolute(corpus.name))
    if data.cache_dir is not None:
        data.cache_dir = str(absolute(data.cache_dir))


def _experiment(parser: ArgumentParser, parsed: Namespace) -> tuple[ExperimentConfig, str]:
    parsed.pop("config", None)
    text = parser.dump(parsed, skip_unset=False)
    trainer = parsed.trainer.as_dict()
    quiet()
    made = parser.instantiate(parsed)
    values = {name: getattr(made, name) for name in ExperimentConfig.__dataclass_fields__}
    config = ExperimentConfig(**values | {"trainer": trainer})
    _check(config)
    return config, text


def _check(config: ExperimentConfig) -> None:
    """What can be said of the configuration without looking at any data."""
    if not re.fullmatch(r"\w[\w.-]*", config.experiment):
        raise ConfigError(
            f"experiment is {config.experiment!r}, expected letters, digits, '_', '-' and '.', "
            "beginning with a letter or digit: a folder is named after it"
        )
    if not 0 <= config.seed_everything <= _MAX_SEED:
        raise ConfigError(f"seed_everything is {config.seed_everything}, expected 0 to {_MAX_SEED}")
    if config.parallel.n_jobs == 0:
        raise ConfigError("parallel.n_jobs is 0, expected 1 or more, or -1 for one a core")
    if not 0 <= config.data.max_bad_share <= 1:
        raise ConfigError(f"data.max_bad_share is {config.data.max_bad_share}, expected 0 to 1")
    check_names(config.data.targets)
    config.data.recipe.check()
    _check_models(config)


def _check_models(config: ExperimentConfig) -> None:
    model, grids = config.model, config.baselines.grids()
    if not model.enabled and not grids:
        raise ConfigError("no model is left: enable model or one of the baselines")
    kinds = {name: list[kind] for name, kind in get_type_hints(MLPConfig).items()}  # type: ignore[valid-type]
    Schema({"model": {"grid": kinds}}).check({"model": {"grid": model.grid}})
    try:
        network_candidates(model)
    except ValueError as error:
        raise ConfigError(f"model.grid: {error}") from error
    for name, grid in grids.items():
        if empty := [key for key, values in asdict(grid).items() if values == []]:
            raise ConfigError(f"baselines.{name}.{empty[0]} is empty, expected at least one value")
    if model.enabled:
        _check_trainer(config.trainer)
    if model.enabled and config.data.split.dev == 0 and model.grid:
        raise ConfigError("model.grid needs a dev part to stop by: set data.split.dev")
    weighed = Schema({"model": {"loss_weights": dict.fromkeys(config.data.targets, float)}})
    weighed.check({"model": {"loss_weights": model.loss_weights}})


def _check_trainer(settings: Mapping[str, Any]) -> None:
    """Settings under which Lightning runs, and nothing is learnt or kept."""
    for key in ("max_epochs", "max_steps", "limit_train_batches", "limit_val_batches"):
        if settings.get(key) == 0:
            raise ConfigError(
                f"trainer.{key} is 0, expected more; to leave the network out set "
                "model.enabled: false, to train without a dev part data.split.dev: 0"
            )


@dataclass(frozen=True)
class TrainerFactory:
    """Makes Lightning Trainers from the configuration's ``trainer:``; picklable.

    Attributes:
        settings: as read from the YAML, plain types.
        folder: Lightning's own root folder, where nothing is left.
    """

    settings: Mapping[str, Any]
    folder: Path

    def __call__(self, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
        """A Trainer with these callbacks and loggers beside those of the configuration.

        Raises:
            ConfigError: Lightning refuses the settings, as for a GPU that is not there.
        """
        made = _trainer_parser().instantiate(self._parsed)
        # Numbers as they stand: of a limit 1 is one batch and 1.0 all of them, and which of the two
        # a parser of "int or float" makes of them depends on what was imported before.
        numbers = {
            key: value for key, value in self.settings.items() if type(value) in {int, float}
        }
        arguments = vars(made.trainer) | numbers
        arguments |= {"logger": loggers, "default_root_dir": str(self.folder)}
        own = arguments.pop("callbacks") or []
        own = own if isinstance(own, list) else [own]
        if arguments["strategy"] == "auto" and arguments["devices"] not in (1, "1"):
            # The default, ddp, would start this whole program once more for every device.
            arguments["strategy"] = "ddp_spawn"
        try:
            return Trainer(**arguments, callbacks=[*callbacks, *own])
        except (MisconfigurationException, ValueError, RuntimeError) as error:
            chosen = ", ".join(f"{key}: {arguments[key]}" for key in ("accelerator", "devices"))
            said = " ".join(str(error).split())
            raise ConfigError(f"trainer ({chosen}) can't be made: {said}") from error

    @cached_property
    def _parsed(self) -> Namespace:
        parsed: Namespace = _trainer_parser().parse_object({"trainer": dict(self.settings)})
        return parsed


@lru_cache(maxsize=1)
def _trainer_parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    _add_trainer(parser)
    return parser


def _add_trainer(parser: ArgumentParser) -> None:
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, skip=set(_DECIDED_HERE))
    parser.set_defaults(
        {
            "trainer.devices": 1,
            "trainer.max_epochs": 150,
            "trainer.enable_progress_bar": False,
            "trainer.enable_model_summary": False,
            "trainer.num_sanity_val_steps": 0,
        }
    )


def _help(name: str) -> str:
    lines = (ExperimentConfig.__doc__ or "").splitlines()
    start = f"{name}: "
    return next(line.strip()[len(start) :] for line in lines if line.strip().startswith(start))
