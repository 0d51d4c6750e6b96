"""The configuration of an experiment: one YAML, typed, any key overridable on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from jsonargparse import ArgumentParser

from speechnet.audit.config import AuditConfig
from speechnet.config.arguments import (
    Given,
    command_parser,
    flags,
    merged,
    print_if_asked,
    read_words,
    to_yaml,
)
from speechnet.config.data import DataConfig, FeaturesConfig, check_features, check_names
from speechnet.config.mapping import chosen, default_names, mapping_class
from speechnet.config.split import checked_split
from speechnet.config.trainer import (
    DECIDED_HERE,
    DEFAULTS,
    TrainerConfig,
    check_accelerator,
    names_an_object,
)
from speechnet.core.bounds import Number
from speechnet.core.errors import ConfigError
from speechnet.core.files import absolute
from speechnet.core.metrics import tuning_metric
from speechnet.core.schema import Schema, build, hints_of
from speechnet.core.wording import did_you_mean
from speechnet.evaluation.config import AblationConfig, ClusteringConfig, RobustnessConfig
from speechnet.features.extractor import EXTRACTORS
from speechnet.models.candidates import check_layers
from speechnet.models.model import MODELS, SEQUENCE, Model, fitting_order
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.training.model import NetworkModel
from speechnet.report.config import ReportConfig

ModelsConfig: Any = mapping_class(
    "ModelsConfig", MODELS, default=[name for name, kind in MODELS.items() if kind.default]
)

_MAX_SEED: Final = 2**32 - 10_000
"""NumPy's seeds end at 2^32, and folds and members of a network add to the seed."""


@dataclass
class EvaluationConfig:
    """How predictions are evaluated.

    Attributes:
        resamples: bootstrap samples for intervals, guesses for that of chance, and permutations
            for comparisons.
        tune_by: the metric that searches of hyper-parameters maximise on the inner folds: any
            registered metric of predicted labels, such as ``uar``, ``accuracy`` and ``macro_f1``.
        calibrate: calibrate probabilities on the dev part, by one temperature for each model,
            target and fold; predicted labels stay the same.
        audit: limits beyond which the audit remarks on something about the corpus.
        ablate: the experiment without some of its parts, to measure their effect.
        robustness: the finished models on worsened test recordings.
        cross: with several corpora, train on each alone and test on all.
        clustering: clustering of the features, without labels.
        figures: draw figures.
    """

    resamples: Annotated[int, Number(ge=100)] = 10_000
    tune_by: str = "uar"
    calibrate: bool = True
    audit: AuditConfig = field(default_factory=AuditConfig)
    ablate: AblationConfig = field(default_factory=AblationConfig)
    robustness: RobustnessConfig = field(default_factory=RobustnessConfig)
    cross: bool = False
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    figures: bool = True


@dataclass
class ParallelConfig:
    """Where file-level work and searches run: arguments of ``joblib.parallel_config``.

    Attributes:
        backend: processes on this machine, threads, or a cluster that is already connected.
        n_jobs: the number of processes or threads; -1 for one per core.
    """

    backend: Literal["loky", "threading", "dask", "ray"] = "loky"
    n_jobs: int = -1


@dataclass
class ExperimentConfig:
    """A whole experiment.

    Attributes:
        experiment: its name; the run folder is ``<out>/<experiment>/version_<N>``.
        out: the folder of run folders.
        seed_everything: the seed of every shuffle, weight and search.
        data: recordings, features and folds.
        models: by name, in the order in which they are fitted; those that a YAML names replace the
            default.
        trainer: Lightning's Trainer, as plain settings.
        evaluation: of the predictions.
        report: the page of the results.
        parallel: processes.
    """

    experiment: str
    out: str
    seed_everything: Annotated[int, Number(ge=0, le=_MAX_SEED)]
    data: DataConfig
    models: dict[str, Model]
    trainer: dict[str, Any]
    evaluation: EvaluationConfig
    report: ReportConfig
    parallel: ParallelConfig


def fit_parser(
    command: str = "fit", what: str = "Run an experiment from one YAML."
) -> ArgumentParser:
    """The parser that writes the help of a command on a whole experiment."""
    parser = command_parser(command, what)
    parser.add_argument("--experiment", type=str | None, default=None, help=_help("experiment"))
    parser.add_argument("--out", type=str, default="checkpoints", help=_help("out"))
    parser.add_argument("--seed_everything", type=int, default=0, help=_help("seed_everything"))
    parser.add_argument("--data", type=DataConfig, default=DataConfig())
    parser.add_argument("--models", type=ModelsConfig, default=ModelsConfig())
    parser.add_class_arguments(TrainerConfig, "trainer", instantiate=False)
    parser.add_argument("--evaluation", type=EvaluationConfig, default=EvaluationConfig())
    parser.add_argument("--report", type=ReportConfig, default=ReportConfig())
    parser.add_argument("--parallel", type=ParallelConfig, default=ParallelConfig())
    return parser


def _help(name: str) -> str:
    lines = (ExperimentConfig.__doc__ or "").splitlines()
    start = f"{name}: "
    return next(line.strip()[len(start) :] for line in lines if line.strip().startswith(start))


def fit_schema() -> Schema:
    """Every key of an experiment with its type."""
    return Schema(
        {
            **hints_of(ExperimentConfig),
            "experiment": str | None,
            "models": ModelsConfig,
            "trainer": hints_of(TrainerConfig),
        },
        refused={f"trainer.{key}": why for key, why in DECIDED_HERE.items()},
        extensible=("data.features", "models"),
    )


def read_experiment(
    arguments: Sequence[str], parser: Callable[[], ArgumentParser] = fit_parser
) -> tuple[ExperimentConfig, str]:
    """Read an experiment from the words of a command line.

    Args:
        arguments: ``["--config", "configs/x.yaml", "--trainer.max_epochs", "50", ...]``.
        parser: makes the parser that writes the command's help.

    Returns:
        The experiment, and its whole configuration as YAML text.

    Raises:
        ConfigError: a key is unknown, or a value is wrong.
        SystemExit: with code 0, after ``--help`` and ``--print_config``.
    """
    schema = fit_schema()
    given = read_words(arguments, schema, parser)
    files = [Path(text).stem for key, text in flags(arguments) if key == "config"]
    values: dict[str, Any] = {
        "experiment": None,
        "out": "checkpoints",
        "seed_everything": 0,
        "data": asdict(DataConfig()),
        "models": default_names(ModelsConfig(), "models", given),
        "trainer": DEFAULTS,
        "evaluation": asdict(EvaluationConfig()),
        "report": asdict(ReportConfig()),
        "parallel": asdict(ParallelConfig()),
    }
    values["data"]["features"] = default_names(FeaturesConfig(), "data.features", given)
    for one in given:
        values = merged(schema.keys, values, one)
    values["data"]["split"] = checked_split(values["data"]["split"], given)
    values["trainer"] = _trainer(values["trainer"], given)
    if values["experiment"] is None:
        values["experiment"] = files[-1] if files else "experiment"
    config, text = _made(schema, values)
    print_if_asked(arguments, text)
    _check(config, dropped=[one.key for one in given if one.value is None])
    return config, text


def read_experiment_file(path: Path) -> ExperimentConfig:
    """Read the ``config.yaml`` of a run folder.

    Raises:
        ConfigError: see ``read_experiment``.
    """
    return read_experiment(["--config", str(path)])[0]


def _trainer(values: dict[str, Any], given: Sequence[Given]) -> dict[str, Any]:
    """The trainer's settings, checked by Lightning if they name any of its classes."""
    said = [one for one in given if one.below("trainer")]
    pairs: list[tuple[str, Any]] = []
    for one in said:
        section, _, name = one.key.partition(".")
        pairs += [(name, one.value)] if section and name else one.below("trainer").items()
    if not any(names_an_object(key, value) for key, value in pairs):
        return values
    from speechnet.config.trainer_factory import read_trainer

    return read_trainer(said)


def _made(schema: Schema, values: Mapping[str, Any]) -> tuple[ExperimentConfig, str]:
    """The experiment, and its whole configuration as YAML."""
    parts = {name: build(schema.keys[name], value) for name, value in values.items()}
    _make_absolute(parts["data"])
    sections = {name: part for name, part in parts.items() if hasattr(part, "__dataclass_fields__")}
    plain = parts | {name: asdict(section) for name, section in sections.items()}
    for section in (plain["models"], plain["data"]["features"]):
        for name in [name for name, settings in section.items() if settings is None]:
            del section[name]  # its package need not be there where this is read back
    config = ExperimentConfig(**parts | {"models": chosen(parts["models"])})
    return config, to_yaml(plain)


def _make_absolute(data: DataConfig) -> None:
    """Make paths absolute, so that the run folder's copy means the same everywhere."""
    for corpus in (data.corpus, *data.corpora):
        if corpus.root is not None:
            corpus.root = str(absolute(corpus.root))
        if corpus.name.endswith((".yaml", ".yml")):
            corpus.name = str(absolute(corpus.name))
    for extractor in chosen(data.features).values():
        for name in extractor.paths:
            if (path := getattr(extractor, name)) is not None:
                setattr(extractor, name, str(absolute(path)))
    if (folder := data.augment.noise.folder) is not None:
        data.augment.noise.folder = str(absolute(folder))
    if data.cache_dir is not None:
        data.cache_dir = str(absolute(data.cache_dir))


def _check(config: ExperimentConfig, dropped: Sequence[str]) -> None:
    """Checks of the configuration that need no data; ``dropped`` are the keys set to null."""
    if not re.fullmatch(r"\w[\w.-]*", config.experiment):
        raise ConfigError(
            f"experiment is {config.experiment!r}, expected letters, digits, '_', '-' and '.', "
            "beginning with a letter or digit: a folder is named after it"
        )
    if config.parallel.n_jobs == 0:
        raise ConfigError("parallel.n_jobs is 0, expected 1 or more, or -1 for one a core")
    check_names(config.data.targets)
    tuning_metric(config.evaluation.tune_by, key="evaluation.tune_by")
    check_features(config.data)
    _check_models(config, dropped)


def _check_models(config: ExperimentConfig, dropped: Sequence[str]) -> None:
    if not config.models:
        raise ConfigError("no model is left: name one below models, such as models: {mlp: {}}")
    config.models = {name: config.models[name] for name in fitting_order(config.models)}
    recipe = config.data.recipe
    layers = max((recipe.extractors[name].n_layers for name in recipe.vectors), default=1)
    for name, model in config.models.items():
        _choose_sequence(config, name, model, dropped)
        if isinstance(model, NetworkModel):
            kinds = {key: list[kind] for key, kind in hints_of(type(model)).items()}  # type: ignore[valid-type]
            grid = {"models": {name: {"grid": model.grid}}}
            Schema({"models": {name: {"grid": kinds}}}).check(grid)
            _check_trainer(config.trainer)
            _check_end(config, name, model)
        try:
            model.check(list(config.data.targets), dev=config.data.split.dev != 0)
            if isinstance(model, ScikitModel):
                check_layers(model.layer, layers)
        except ConfigError as error:
            raise ConfigError(f"models.{name}.{error}") from error
    config.data.recipe.check()  # the features that models have added, too


def _choose_sequence(
    config: ExperimentConfig, name: str, model: Any, dropped: Sequence[str]
) -> None:
    """Choose the features of a model of sequences; refuse a model whose features are missing."""
    features = chosen(config.data.features)
    if model.takes != SEQUENCE:
        if not model.made_of and all(one.kind == SEQUENCE for one in features.values()):
            raise ConfigError(
                f"models.{name} takes vectors, and data.features has none; add functionals there"
            )
        return
    known = [key for key, kind in EXTRACTORS.items() if kind.kind == SEQUENCE]
    there = [key for key in known if key in features]
    if model.features is None:
        if len(there) > 1:
            raise ConfigError(
                f"models.{name}.features is null, and data.features has several sequences: name "
                f"one of {', '.join(there)}"
            )
        model.features = (there or known)[0]
    if model.features not in known:
        raise ConfigError(
            f"models.{name}.features is {model.features!r}, expected a sequence: "
            f"{', '.join(known)}{did_you_mean(model.features, known)}"
        )
    if model.features not in there:
        if (key := f"data.features.{model.features}") in dropped:
            raise ConfigError(
                f"{key} is null, but models.{name} takes it: leave that model out as well "
                f"(--models.{name} null), or name another sequence in models.{name}.features"
            )
        setattr(config.data.features, model.features, EXTRACTORS[model.features]())


def _check_trainer(settings: Mapping[str, Any]) -> None:
    """Refuse settings with which Lightning runs, but learns or keeps nothing."""
    for key in ("max_epochs", "max_steps", "limit_train_batches", "limit_val_batches"):
        if settings.get(key) == 0:
            raise ConfigError(
                f"trainer.{key} is 0, expected more; to leave a network out set "
                "--models.NAME null, to train without a dev part data.split.dev: 0"
            )
    check_accelerator(settings.get("accelerator"))


def _check_end(config: ExperimentConfig, name: str, model: NetworkModel) -> None:
    """Refuse a training that nothing ends, unless a class of Lightning's might."""
    settings = config.trainer
    endless = settings["max_epochs"] == settings["max_steps"] == -1
    if not endless or settings["max_time"] or settings["callbacks"]:
        return
    if None in model.grid.get("patience", [model.patience]) or config.data.split.dev == 0:
        raise ConfigError(
            f"trainer.max_epochs is -1, so training models.{name} would never end: set "
            f"trainer.max_epochs, or models.{name}.patience and data.split.dev"
        )
