"""The composition root: walks the data flow of ``fit``, fold by fold."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from speechnet.config.experiment import ExperimentConfig
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.console.messages import console, output, say, tell
from speechnet.console.progress import each, file_progress, plan, stage, working
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.files import storage_errors
from speechnet.core.findings import foremost
from speechnet.core.predictions import join, predictions_table
from speechnet.core.targets import refuse_continuous
from speechnet.core.wording import all_of, plural
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.cluster_findings import cluster_findings
from speechnet.evaluation.clustering import cluster_features
from speechnet.experiment.ablation import ablate, check_ablation
from speechnet.experiment.announce import announce
from speechnet.experiment.audit import audit_fit, check_speaker_normalisation
from speechnet.experiment.cross_corpus import cross_matrix
from speechnet.experiment.description import describe_data, describe_protocol, split_table
from speechnet.experiment.evaluate import evaluate
from speechnet.experiment.fold import FoldTraining, check_searches
from speechnet.experiment.importance import importance
from speechnet.experiment.mistakes import write_mistakes
from speechnet.experiment.novelty import TABLE as NOVELTY_TABLE
from speechnet.experiment.novelty import fit_novelty
from speechnet.experiment.parallel import parallel
from speechnet.experiment.report import draw_figures, report_data, write_report
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_location import check_writable
from speechnet.experiment.tensorboard import log_figures
from speechnet.features.extraction.compute import choose_device, rehearse
from speechnet.models.model import Fitted, Rows
from speechnet.models.training.model import NetworkModel
from speechnet.report.data import ReportData
from speechnet.report.findings import limits
from speechnet.report.names import label_models
from speechnet.report.results import in_words, results
from speechnet.report.terminal import (
    excluded_table,
    recalls_in_words,
    scores_table,
    warnings_in_words,
)
from speechnet.splits.config import describe
from speechnet.splits.folds import shared_speakers


def fit(config: ExperimentConfig, config_text: str) -> Path:
    """Run an experiment from corpus to figures.

    Args:
        config: the experiment.
        config_text: the whole configuration as YAML, for the run folder.

    Returns:
        The run folder.

    Raises:
        SpeechnetError: the configuration, the corpus or the disk is at fault. What can be checked
            is checked before anything is computed.
    """
    _check(config)
    label_models({name: model.label for name, model in config.models.items()})
    data = SpeechDataModule(config.data, seed=config.seed_everything, progress=file_progress)
    with plan(_stages(config)), parallel(config.parallel):
        with stage("corpus"):
            _load(config, data)
        run = RunFolder.create(Path(config.out), config.experiment, seed=config.seed_everything)
        run.write_text("config.yaml", config_text)
        _prepare(config, data, run)
        with run.stage("training"):
            predictions, temperatures = _train(config, data, run)
        run.info["models"] = [str(name) for name in predictions["model"].unique()]
        run.info["labels"] = {name: config.models[name].label for name in run.info["models"]}
        run.info["protocol"] = protocol_in_words(config, data)
        run.info["unit"] = unit_codes(list(data.table.index), data.table["speaker"])[1]
        describe_protocol(data, run)
        _evaluate(config, predictions, temperatures, data, run)
        _look_closer(config, predictions, data, run)
        _cluster(config, data, run)
        describe_data(data, run)
        if config.report.mistakes:
            with run.stage("mistakes"):
                best = run.best()
                model = None if best is None else best.model
                write_mistakes(config.report, data, run=run, predictions=predictions, model=model)
        found = report_data(run)
        if config.evaluation.figures:
            with run.stage("figures"):
                drawn = draw_figures(run, found)
                log_figures(run.path, [each.file for each in drawn if each.tensorboard])
        run.finish()
        if config.report.html:
            with stage("report"):  # after the checksums, which it lists
                write_report(run, found)
    _close(run, found, report=config.report.html)
    return run.path


BY_SPEAKER: Final = "features standardised by speaker, from all of a speaker's recordings"
"""Stands beside every score that rests on it."""


def protocol_in_words(config: ExperimentConfig, data: SpeechDataModule) -> str:
    """What the scores are scores of, for the caption of a table."""
    words = describe(config.data.split)
    if config.data.split.protocol == "predefined" and not config.data.split.speakers:
        if data.table["speaker"].isna().any():
            words += ", speakers unknown"
        else:
            shared = shared_speakers(data.table, data.folds)
            words += f", {'seen' if shared else 'unseen'} speakers"
    words = words[0].upper() + words[1:]
    return f"{words}; {BY_SPEAKER}" if config.data.per_speaker else words


def predict_rows(
    data: SpeechDataModule, fitted: Fitted, rows: Rows, *, part: str, fold: int, model: str
) -> pd.DataFrame:
    """A fitted model's predictions for some rows of the corpus, beside the truth."""
    return predictions_table(
        fitted.predict_proba(rows.features),
        rows.labels,
        [data.matrix.index[row] for row in rows.positions],
        data.targets,
        part=part,
        fold=fold,
        model=model,
    )


def _check(config: ExperimentConfig) -> None:
    """What can be refused before anything is computed."""
    if any(isinstance(model, NetworkModel) for model in config.models.values()):
        TrainerFactory(config.trainer, Path(config.out))([], [])  # a GPU that is not there
    recipe = config.data.recipe
    if config.evaluation.cross and not recipe.vectors:
        raise ConfigError(
            "evaluation.cross: its models take vectors, and data.features has none; add "
            "functionals there, or leave it out"
        )
    choose_device(recipe, config.data.device)
    rehearse(recipe)
    check_writable(Path(config.out))


def _stages(config: ExperimentConfig) -> list[str]:
    """What a run goes through, by the names that ``run.json`` has its seconds by."""
    evaluation, report = config.evaluation, config.report
    asked = {
        "ablation": evaluation.ablate.parts,
        "importance": evaluation.ablate.importance,
        "cross": evaluation.cross,
        "clustering": evaluation.clustering.enabled and config.data.recipe.vectors,
        "mistakes": report.mistakes,
        "figures": evaluation.figures,
        "report": report.html,
    }
    always = ["corpus", "features", "audit", "training", "evaluation"]
    return [*always, *(name for name, wanted in asked.items() if wanted)]


def _load(config: ExperimentConfig, data: SpeechDataModule) -> None:
    """The corpus, and all that can be refused of it before features are computed."""
    data.load_corpus()
    kinds = {name: model.kinds for name, model in config.models.items()}
    refuse_continuous(data.corpus.scales, kinds)
    announce(data)
    _check_columns(config, data)
    check_ablation(config, data.corpus.table)
    check_speaker_normalisation(config, data.corpus.table, data.targets)
    # Files that are excluded later may change the folds.
    folds = data.divide(data.corpus.table)
    with working("checking the protocol"):
        check_searches(config, data.corpus.table, data.targets, folds)


def _check_columns(config: ExperimentConfig, data: SpeechDataModule) -> None:
    columns = list(data.corpus.table.columns)
    for name in config.evaluation.clustering.against or []:
        if name not in columns:
            raise ConfigError(
                f"evaluation.clustering.against: the corpus has no column {name!r}; it has "
                f"{', '.join(columns)}"
            )


def _prepare(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    """Features and folds; what was excluded is written down and said, whatever comes of it."""
    with run.stage("features"):
        data.extract()
    run.write_table("excluded.csv", data.excluded)
    if len(data.excluded):
        console.print(excluded_table(data.excluded))
        say(f"Each of them is listed in {run.path / 'excluded.csv'}")
    data.check_share()
    data.setup()
    if len(data.extraction.excluded):  # other rows, perhaps other folds than were checked
        check_searches(config, data.table, data.targets, data.folds)
    run.write_table("split.csv", split_table(data))
    _note_thin_dev(data)
    audit_fit(config, data, run)


def _note_thin_dev(data: SpeechDataModule) -> None:
    """A dev part without a class can't tell how well that class is recognised."""
    for column, (target, classes) in enumerate(data.targets.items()):
        thin = [
            str(number)
            for number, fold in enumerate(data.folds)
            if len(fold.dev) and len({*data.labels[fold.dev, column]} - {-1}) < len(classes)
        ]
        if thin:
            say(
                f"The dev {plural(len(thin), 'part of fold', 'parts of folds')} {all_of(thin)} "
                f"{plural(len(thin), 'lacks', 'lack')} a class of {target}: there, early stopping "
                "sees the others only. data.split.dev sets the size.",
                style="yellow",
            )


def _train(
    config: ExperimentConfig, data: SpeechDataModule, run: RunFolder
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every model's predictions, and the temperatures that calibrated them."""
    tables: list[pd.DataFrame] = []
    searched, history, temperatures, new = [], [], [], []
    for number, fold in enumerate(each(data.folds, "fold")):
        folder = run.make_fold(number)
        with storage_errors(folder):
            new.append(fit_novelty(data, number, folder))
        training = FoldTraining(config, data, number=number, folder=folder)
        parts = {part: rows for part, rows in fold.parts().items() if len(rows)}
        for name, fitted in training.models():
            extractor = config.models[name].extractor
            found = {
                part: predict_rows(
                    data, fitted, Rows(data, rows, extractor), part=part, fold=number, model=name
                )
                for part, rows in parts.items()
            }
            tables += found.values()
            tell(f"{training.named(name)}: {recalls_in_words(found, data.targets)}")
        searched += training.searched
        history += training.history
        temperatures += training.temperatures
    if searched:
        run.write_table("search.csv", pd.concat(searched, ignore_index=True))
    if history:
        run.write_table("history.csv", pd.concat(history, ignore_index=True))
    novelty = pd.concat(new, ignore_index=True)
    run.write_table(NOVELTY_TABLE, novelty)
    run.info["novelty"] = {"tested": len(novelty), "unlike": int((novelty["novelty"] > 1).sum())}
    predictions = join(tables, data.targets)
    run.write_table("predictions.parquet", predictions)
    return predictions, pd.DataFrame(temperatures)


def _evaluate(
    config: ExperimentConfig,
    predictions: pd.DataFrame,
    temperatures: pd.DataFrame,
    data: SpeechDataModule,
    run: RunFolder,
) -> None:
    with run.stage("evaluation"):
        found, tables = evaluate(
            predictions,
            data.table,
            data.targets,
            temperatures=temperatures,
            seed=config.seed_everything,
            resamples=config.evaluation.resamples,
        )
        for name, table in tables.items():
            run.write_table(name, table)
    run.info["chance"] = found.chance


def _look_closer(
    config: ExperimentConfig, predictions: pd.DataFrame, data: SpeechDataModule, run: RunFolder
) -> None:
    """What each part brings, and how far a corpus carries to the others, where it is asked for."""
    evaluation = config.evaluation
    if evaluation.ablate.parts:
        with run.stage("ablation"):
            run.write_table("ablation.csv", ablate(config, data, run, predictions))
    if evaluation.ablate.importance:
        with run.stage("importance"):
            run.write_table("importance.csv", importance(config, data, run))
    if evaluation.cross:
        with run.stage("cross"):
            table = cross_matrix(data, resamples=evaluation.resamples)
            run.write_table("cross.csv", table)


def _close(run: RunFolder, found: ReportData, *, report: bool) -> None:
    """The result on one screen; whatever else there is to say stands in the report."""
    protocol = run.info["protocol"]
    output.print(scores_table(found.scores, found.targets, protocol=protocol, unit=found.unit))
    told = ("best_model", "difference", "published")
    for line in in_words(results(found), *told, details=False):
        say(line, to=output)
    for line in warnings_in_words(foremost(limits(found))):
        say(line, style="yellow", to=output)
    say(f"Report: {run.path / 'report.html'}" if report else f"Run folder: {run.path}", to=output)


def _cluster(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    clustering = config.evaluation.clustering
    if not clustering.enabled or not data.matrix.names:
        return
    with run.stage("clustering"):
        try:
            found = cluster_features(
                data.X, data.matrix.index, data.table, clustering, seed=config.seed_everything
            )
        except ValueError as error:
            raise DataError(f"the features can't be clustered: {error}") from error
    for note in found.notes:
        say(note, style="yellow")
    run.info["clustering"] = {
        "notes": list(found.notes),
        "explained": list(found.explained),
        "findings": cluster_findings(found.scores),
    }
    run.write_table("clusters.csv", found.assignments)
    run.write_table("clustering.csv", found.scores)
    run.write_table("projection.csv", found.projection)
