"""The configuration of an experiment: one YAML, typed, any key overridable on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger

from speechnet.datamodule import DataConfig
from speechnet.errors import ConfigError
from speechnet.evaluation import ClusteringConfig
from speechnet.models.baselines import BaselinesConfig
from speechnet.models.mlp import MLPConfig
from speechnet.models.network import network_candidates, quiet

_ALLOWED: Final = ["lightning.pytorch", "speechnet.models.baselines"]
# A YAML may name our grids and Lightning's own callbacks and strategies, and import nothing else.
set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=_ALLOWED)

_OURS: Final = {"logger", "default_root_dir", "enable_checkpointing", "barebones"}
"""Trainer arguments that the run folder decides."""

_UNKNOWN: Final = (
    re.compile(r"unrecognized arguments: --(?P<key>[\w.+-]+)"),
    re.compile(r"Option '(?P<key>[^']+)' is not accepted"),
    re.compile(r"Group '(?P<group>[^']+)' does not accept option '(?P<key>[^']+)'"),
)
"""How jsonargparse says that a key is unknown."""


@dataclass
class EvaluationConfig:
    """What is made of the predictions.

    Attributes:
        clustering: of the features, without labels.
        figures: whether figures are drawn.
    """

    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    figures: bool = True


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
    parallel: ParallelConfig


def fit_parser() -> ArgumentParser:
    """The parser of a whole experiment."""
    parser = _parser("speechnet fit", "Run an experiment from one YAML.")
    parser.add_argument("--experiment", type=str | None, default=None, help=_help("experiment"))
    parser.add_argument("--out", type=str, default="checkpoints", help=_help("out"))
    parser.add_argument("--seed_everything", type=int, default=0, help=_help("seed_everything"))
    parser.add_argument("--data", type=DataConfig, default=DataConfig())
    parser.add_argument("--model", type=MLPConfig, default=MLPConfig())
    _add_trainer(parser)
    parser.add_argument("--baselines", type=BaselinesConfig, default=BaselinesConfig())
    parser.add_argument("--evaluation", type=EvaluationConfig, default=EvaluationConfig())
    parser.add_argument("--parallel", type=ParallelConfig, default=ParallelConfig())
    return parser


def read_experiment(arguments: Sequence[str]) -> tuple[ExperimentConfig, str]:
    """Read an experiment from the command line's words.

    Args:
        arguments: ``["--config", "configs/x.yaml", "--trainer.max_epochs", "50", ...]``.

    Returns:
        The experiment, and its whole configuration as YAML text.

    Raises:
        ConfigError: an unknown key, with the nearest known one, or a value out of place.
    """
    parser = fit_parser()
    parsed = parse(parser, arguments)
    if parsed.experiment is None:
        files = [Path(str(path)).stem for path in parsed.config or []]
        parsed.experiment = files[-1] if files else "experiment"
    if not re.fullmatch(r"[\w.-]+", parsed.experiment) or parsed.experiment.startswith("."):
        raise ConfigError(
            f"experiment is {parsed.experiment!r}, expected letters, digits, '_', '-' and '.'"
        )
    if parsed.data.corpus.root is not None:
        # The run folder's copy must mean the same wherever it is read.
        parsed.data.corpus.root = str(Path(parsed.data.corpus.root).expanduser().absolute())
    return _experiment(parser, parsed)


def read_experiment_file(path: Path) -> ExperimentConfig:
    """Read the ``config.yaml`` of a run folder."""
    return read_experiment(["--config", str(path)])[0]


def _experiment(parser: ArgumentParser, parsed: Namespace) -> tuple[ExperimentConfig, str]:
    parsed.pop("config", None)
    text = parser.dump(parsed, skip_none=False)
    trainer = parsed.trainer.as_dict()
    quiet()
    made = parser.instantiate_classes(parsed)
    values = {name: getattr(made, name) for name in ExperimentConfig.__dataclass_fields__}
    config = ExperimentConfig(**values | {"trainer": trainer})
    config.data.features.groups()  # an unknown feature is refused here, not in a worker
    try:
        network_candidates(config.model)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return config, text


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
        parser = _trainer_parser()
        made = parser.instantiate_classes(parser.parse_object({"trainer": dict(self.settings)}))
        arguments = vars(made.trainer) | {"logger": loggers, "default_root_dir": str(self.folder)}
        own = arguments.pop("callbacks") or []
        own = own if isinstance(own, list) else [own]
        if arguments["strategy"] == "auto" and arguments["devices"] not in ("auto", 1, "1"):
            # The default, ddp, would start this whole program once more for every device.
            arguments["strategy"] = "ddp_spawn"
        try:
            return Trainer(**arguments, callbacks=[*callbacks, *own])
        except (MisconfigurationException, ValueError, RuntimeError) as error:
            raise ConfigError(f"trainer: {error}") from error


@lru_cache(maxsize=1)
def _trainer_parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    _add_trainer(parser)
    return parser


def _add_trainer(parser: ArgumentParser) -> None:
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, skip=_OURS)
    parser.set_defaults(
        {
            "trainer.max_epochs": 150,
            "trainer.enable_progress_bar": False,
            "trainer.enable_model_summary": False,
            "trainer.num_sanity_val_steps": 0,
        }
    )


def _parser(prog: str, description: str) -> ArgumentParser:
    parser = ArgumentParser(
        prog=prog, description=description, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--config", action="config", help="a YAML with any of the keys below")
    return parser


def verb_parser(verb: str, description: str) -> ArgumentParser:
    """An empty parser for one of the other verbs."""
    return _parser(f"speechnet {verb}", description)


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse, and say of an unknown key which known one is nearest.

    Raises:
        ConfigError: the arguments or the YAML are wrong.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise ConfigError(_explain(parser, str(error))) from error


def _explain(parser: ArgumentParser, message: str) -> str:
    for pattern in _UNKNOWN:
        if found := pattern.search(message):
            parts = found.groupdict()
            key = ".".join(filter(None, [parts.get("group"), parts["key"]]))
            known = sorted(set(_known_keys(parser)))
            near = get_close_matches(key, known, n=1, cutoff=0.0)[0]
            return f"unknown key {key!r}; the nearest known one is {near!r}"
    return message


def _known_keys(parser: ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if action.dest not in {"help", "config", "print_config"}:
            yield action.dest
    yield from parser.get_defaults().keys()


def _help(name: str) -> str:
    lines = (ExperimentConfig.__doc__ or "").splitlines()
    start = f"{name}: "
    return next(line.strip()[len(start) :] for line in lines if line.strip().startswith(start))
