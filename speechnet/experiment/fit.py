"""The command ``fit``: an experiment from corpus to report."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from speechnet.augment.chain import rehearse_effects
from speechnet.config.experiment import ExperimentConfig
from speechnet.config.trainer_factory import TrainerFactory
from speechnet.console.messages import console, output, say, tell
from speechnet.console.progress import each, file_progress, plan, stage, working
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.files import storage_errors
from speechnet.core.findings import foremost
from speechnet.core.predictions import join
from speechnet.core.targets import refuse_continuous
from speechnet.core.wording import all_of, plural
from speechnet.data.augmented import noise_files
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.cluster_findings import cluster_findings
from speechnet.evaluation.clustering import cluster_features
from speechnet.evaluation.members import member_contributions
from speechnet.evaluation.rehearsal import rehearse_metrics
from speechnet.experiment.ablation import ablate, check_ablation
from speechnet.experiment.audit import audit_fit, check_speaker_normalisation
from speechnet.experiment.cross_corpus import cross_matrix
from speechnet.experiment.description import announce, describe_run, say_copies, split_table
from speechnet.experiment.evaluate import chance_intervals, evaluate
from speechnet.experiment.fold import (
    FoldTraining,
    check_searches,
    predict_rows,
    predict_without,
)
from speechnet.experiment.importance import importance
from speechnet.experiment.mistakes import write_mistakes
from speechnet.experiment.novelty import TABLE as NOVELTY_TABLE
from speechnet.experiment.novelty import fit_novelty
from speechnet.experiment.parallel import parallel
from speechnet.experiment.report import draw_figures, report_data, write_report
from speechnet.experiment.robustness import check_robustness, robustness
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_location import check_writable
from speechnet.experiment.tensorboard import log_figures
from speechnet.features.extraction.compute import choose_device, rehearse
from speechnet.models.model import Rows
from speechnet.models.scikit.estimators import check_saving
from speechnet.models.scikit.model import ScikitModel
from speechnet.models.training.model import NetworkModel
from speechnet.report.data import ReportData
from speechnet.report.findings import limits
from speechnet.report.results import in_words, results
from speechnet.report.terminal import (
    excluded_table,
    recalls_in_words,
    scores_table,
    warnings_in_words,
)


def fit(config: ExperimentConfig, config_text: str) -> Path:
    """Run an experiment.

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
    data = SpeechDataModule(config.data, seed=config.seed_everything, progress=file_progress)
    with plan(_stages(config)), parallel(config.parallel):
        run = _begin(config, config_text, data)
        _prepare(config, data, run)
        with run.stage("training"):
            predictions, temperatures, without = _train(config, data, run)
        describe_run(config, data, run)
        _evaluate(config, predictions, temperatures, without, data, run)
        _cluster(config, data, run)
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


def _check(config: ExperimentConfig) -> None:
    """Refuse what can be refused before the corpus is read."""
    if any(isinstance(model, NetworkModel) for model in config.models.values()):
        TrainerFactory(config.trainer, Path(config.out))([], [])  # fails without the GPU asked for
    recipe = config.data.recipe
    if config.evaluation.cross and not recipe.vectors:
        raise ConfigError(
            "evaluation.cross: its models take vectors, and data.features has none; add "
            "functionals there, or leave it out"
        )
    device = choose_device(recipe, config.data.device)
    rehearse(recipe)
    if device != "cpu" or config.parallel.n_jobs != 1:  # it isn't this process's CPU that computes
        for extractor in recipe.extractors.values():
            extractor.release()
    if config.data.augment.copies:
        if recipe.by_name:
            raise ConfigError(
                f"data.augment: a changed copy would have what {', '.join(recipe.by_name)} says of "
                "the recording itself; leave it out of data.features, or set copies to 0"
            )
        noise_files(config.data)
        rehearse_effects(config.data.augment, {*recipe.rates.values()})
    if config.evaluation.robustness.enabled:
        check_robustness(config)
    rehearse_metrics()
    for name, model in config.models.items():
        if isinstance(model, ScikitModel):
            check_saving(model, name)
    check_writable(Path(config.out))


def _stages(config: ExperimentConfig) -> list[str]:
    """The stages of a run, by their names in ``seconds`` of ``run.json``.

    Only ``report`` isn't there: the page is written after ``run.json``.
    """
    evaluation, report = config.evaluation, config.report
    asked = {
        "ablation": evaluation.ablate.parts,
        "importance": evaluation.ablate.importance,
        "robustness": evaluation.robustness.enabled,
        "cross": evaluation.cross,
        "clustering": evaluation.clustering.enabled and config.data.recipe.vectors,
        "mistakes": report.mistakes,
        "figures": evaluation.figures,
        "report": report.html,
    }
    copies = ["copies"] if config.data.augment.copies else []
    always = ["corpus", "features", "audit", *copies, "training", "evaluation"]
    return [*always, *(name for name, wanted in asked.items() if wanted)]


def _begin(config: ExperimentConfig, config_text: str, data: SpeechDataModule) -> RunFolder:
    """Read the corpus, and make the run folder unless the corpus is refused."""
    begun = time.perf_counter()
    with stage("corpus"):
        _load(config, data)
    run = RunFolder.create(Path(config.out), config.experiment, seed=config.seed_everything)
    run.info["seconds"]["corpus"] = round(time.perf_counter() - begun, 3)
    run.write("config.yaml", config_text.encode())
    return run


def _load(config: ExperimentConfig, data: SpeechDataModule) -> None:
    """Read the corpus, and refuse what can be refused before features are computed."""
    data.load_corpus()
    kinds = {name: model.kinds for name, model in config.models.items()}
    refuse_continuous(data.corpus.scales, kinds)
    announce(data)
    columns = list(data.corpus.table.columns)
    for name in config.evaluation.clustering.against or []:
        if name not in columns:
            raise ConfigError(
                f"evaluation.clustering.against: the corpus has no column {name!r}; it has "
                f"{', '.join(columns)}"
            )
    check_ablation(config, data.corpus.table)
    check_speaker_normalisation(config, data.corpus.table, data.targets)
    # Files that are excluded later may change the folds.
    folds = data.divide(data.corpus.table)
    with working("checking the protocol"):
        check_searches(config, data.corpus.table, data.targets, folds)


def _prepare(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    """Compute features, make the folds and audit them; excluded files are listed in any case."""
    with run.stage("features"):
        data.extract()
    run.write_table("excluded.csv", data.excluded)
    if len(data.excluded):
        console.print(excluded_table(data.excluded))
        say(f"Each of them is listed in {run.path / 'excluded.csv'}")
    data.check_share()
    data.setup()
    if len(data.extraction.excluded):  # the folds may differ from those that were checked
        check_searches(config, data.table, data.targets, data.folds)
    run.write_table("split.csv", split_table(data))
    _note_thin_dev(data)
    audit_fit(config, data, run)
    if config.data.augment.copies:
        with run.stage("copies"):
            say_copies(data)


def _note_thin_dev(data: SpeechDataModule) -> None:
    """Say which dev parts lack a class, and so can't measure how well it is recognised."""
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
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every model's predictions, the temperatures that calibrated them, and ``predict_without``."""
    tables: list[pd.DataFrame] = []
    trained, new, without = [], [], [pd.DataFrame()]
    for number, fold in enumerate(each(data.folds, "fold")):
        folder = run.fold(number)
        with storage_errors(folder):
            folder.mkdir()
            new.append(fit_novelty(data, number, folder))
        training = FoldTraining(config, data, number=number, folder=folder)
        trained.append(training)
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
            if config.models[name].made_of:
                test = Rows(data, fold.test, extractor)
                without.append(predict_without(data, fitted, test, fold=number, model=name))
            tell(f"{training.named(name)}: {recalls_in_words(found, data.targets)}")
    if searched := [table for one in trained for table in one.searched]:
        run.write_table("search.csv", pd.concat(searched, ignore_index=True))
    if history := [table for one in trained for table in one.history]:
        run.write_table("history.csv", pd.concat(history, ignore_index=True))
    if layers := [row for one in trained for row in one.layers]:
        run.write_table("layers.csv", pd.DataFrame(layers))
    novelty = pd.concat(new, ignore_index=True)
    run.write_table(NOVELTY_TABLE, novelty)
    run.info["novelty"] = {"tested": len(novelty), "unlike": int((novelty["novelty"] > 1).sum())}
    predictions = join(tables, data.targets)
    run.write_table("predictions.parquet", predictions)
    temperatures = pd.DataFrame([row for one in trained for row in one.temperatures])
    return predictions, temperatures, pd.concat(without, ignore_index=True)


def _evaluate(
    config: ExperimentConfig,
    predictions: pd.DataFrame,
    temperatures: pd.DataFrame,
    without: pd.DataFrame,
    data: SpeechDataModule,
    run: RunFolder,
) -> None:
    """Score the predictions, and run the further analyses that are asked for."""
    evaluation, seed = config.evaluation, config.seed_everything
    with run.stage("evaluation"):
        speakers, drawn = data.table["speaker"], {"seed": seed, "resamples": evaluation.resamples}
        run.write_tables(
            evaluate(predictions, data.table, data.targets, temperatures=temperatures, **drawn)
        )
        if len(without):
            found = member_contributions(predictions, without, data.targets, speakers, **drawn)
            run.write_table("members.csv", found)
        run.info["chance"] = chance_intervals(predictions, data.targets, speakers, **drawn)
    if evaluation.ablate.parts:
        with run.stage("ablation"):
            run.write_table("ablation.csv", ablate(config, data, run, predictions))
    if evaluation.ablate.importance:
        with run.stage("importance"):
            run.write_table("importance.csv", importance(config, data, run))
    if evaluation.robustness.enabled:
        with run.stage("robustness"):
            run.write_table("robustness.csv", robustness(config, data, run, predictions))
    if evaluation.cross:
        with run.stage("cross"):
            run.write_table("cross.csv", cross_matrix(data, resamples=evaluation.resamples))


def _cluster(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    clustering = config.evaluation.clustering
    if not clustering.enabled or not data.matrix.names:
        return
    matrix = data.feature_set.matrix.averaged
    with run.stage("clustering"):
        try:
            found = cluster_features(
                matrix.X, matrix.index, data.table, clustering, seed=config.seed_everything
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


def _close(run: RunFolder, found: ReportData, *, report: bool) -> None:
    """Print the result on one screen; everything else is in the report."""
    options = {"protocol": run.info["protocol"], "unit": found.unit, "labels": run.labels}
    output.print(scores_table(found.scores, found.targets, width=output.width, **options))
    shown = ("best_model", "difference", "members", "robustness", "published")
    for line in in_words(results(found), *shown, details=False):
        say(line, to=output)
    for line in warnings_in_words(foremost(limits(found))):
        say(line, style="yellow", to=output)
    say(f"Report: {run.path / 'report.html'}" if report else f"Run folder: {run.path}", to=output)
