"""The composition root: walks the data flow of ``fit``, fold by fold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from speechnet.config import ExperimentConfig, ParallelConfig, TrainerFactory
from speechnet.datamodule import SpeechDataModule
from speechnet.errors import ConfigError, DataError
from speechnet.evaluation import cluster_features, confusion_table, score_predictions
from speechnet.predictions import join, predictions_table
from speechnet.progress import console, working
from speechnet.report.summary import counts_table, dropped_table, scores_table, set_aside_table
from speechnet.reporting import draw_figures
from speechnet.run import RunFolder
from speechnet.splits import make_folds, shared_speakers
from speechnet.training import FoldTraining
from speechnet.types import Fold


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
    data = SpeechDataModule(config.data, seed=config.seed_everything)
    with parallel(config.parallel):
        data.load_corpus()
        _announce(data)
        # The protocol must fit before features are computed; files set aside may change the folds.
        make_folds(data.corpus.table, data.targets, config.data.split, seed=data.seed)
        run = RunFolder.create(Path(config.out), config.experiment, seed=config.seed_everything)
        run.write_text("config.yaml", config_text)
        prepare(data, run)
        predictions = _train(config, data, run)
        scores = _evaluate(predictions, data, run)
        _cluster(config, data, run)
    _describe(data, run)
    if config.evaluation.figures:
        with run.stage("figures"), working("drawing figures"):
            draw_figures(run)
    run.finish()
    out = Console()
    out.print(scores_table(scores, data.targets, protocol=protocol_in_words(config, data)))
    out.print(Text(f"Run folder: {run.path}"))
    return run.path


@contextmanager
def parallel(config: ParallelConfig) -> Iterator[None]:
    """Everything inside runs as ``parallel:`` says, extraction and searches alike."""
    with joblib.parallel_config(backend=config.backend, n_jobs=config.n_jobs):
        yield


def prepare(data: SpeechDataModule, run: RunFolder) -> None:
    """Features and folds; what was set aside is written down and said."""
    try:
        with run.stage("features"):
            data.prepare_data()
    finally:
        if hasattr(data, "extraction"):
            run.write_table("quarantine.csv", data.set_aside)
    if len(data.set_aside):
        console.print(set_aside_table(data.set_aside))
    data.setup()
    run.write_table("split.csv", _split_table(data))
    shared = shared_speakers(data.table, data.folds)
    if shared:
        console.print(
            Text(
                f"{len(shared)} speakers stand on both sides of the split: the scores say nothing "
                "about unseen speakers.",
                style="yellow",
            )
        )


def protocol_in_words(config: ExperimentConfig, data: SpeechDataModule) -> str:
    """What the scores are scores of, for the caption of a table."""
    split, folds = config.data.split, len(data.folds)
    many = f", {folds} folds" if folds > 1 else ""
    match split.protocol:
        case "random":
            return f"Random split{many}: speakers are in train and test alike"
        case "predefined":
            known = "seen" if shared_speakers(data.table, data.folds) else "unseen"
            return f"Predefined split{many}, {known} speakers"
        case "loso":
            return f"Leave one speaker out, {folds} speakers"
        case _:
            return f"Unseen speakers{many or ', one split'}"


def _check(config: ExperimentConfig) -> None:
    """What can be refused before anything is computed."""
    if not config.model.enabled and not config.baselines.grids():
        raise ConfigError("no model is left: enable model or one of the baselines")
    if config.model.enabled:
        TrainerFactory(config.trainer, Path(config.out))([], [])  # a GPU that is not there
        if config.data.split.dev == 0 and config.model.grid:
            raise ConfigError("model.grid needs a dev part to stop by: set data.split.dev")


def _announce(data: SpeechDataModule) -> None:
    corpus = data.corpus
    console.print(counts_table(corpus.table, data.targets))
    for note in corpus.notes:
        console.print(Text(note, style="yellow"))
    if len(corpus.dropped):
        console.print(dropped_table(corpus.dropped))


def _train(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> pd.DataFrame:
    tables, searched, history = [], [], []
    for number, fold in enumerate(data.folds):
        training = FoldTraining(config, data, number=number, folder=run.fold(number))
        models = training.models()
        while True:
            with run.stage("training"):
                name, model = next(models, (None, None))
            if name is None or model is None:
                break
            run.info.setdefault("models", {})[name] = True
            for part, rows in fold.parts().items():
                tables.append(
                    predictions_table(
                        model.predict_proba(data.X[rows]),
                        data.labels[rows],
                        [data.matrix.index[row] for row in rows],
                        data.targets,
                        part=part,
                        fold=number,
                        model=name,
                    )
                )
        searched += training.searched
        history += training.history
    if searched:
        run.write_table("search.csv", pd.concat(searched, ignore_index=True))
    if history:
        run.write_table("history.csv", pd.concat(history, ignore_index=True))
    predictions = join(tables, data.targets)
    run.write_table("predictions.parquet", predictions)
    return predictions


def _evaluate(predictions: pd.DataFrame, data: SpeechDataModule, run: RunFolder) -> pd.DataFrame:
    with run.stage("evaluation"), working("scoring"):
        scores = score_predictions(predictions, data.targets)
        run.write_table("scores.csv", scores)
        run.write_table("confusion.csv", confusion_table(predictions, data.targets))
    return scores


def _cluster(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    clustering = config.evaluation.clustering
    if not clustering.enabled:
        return
    with run.stage("clustering"), working("clustering"):
        try:
            found = cluster_features(
                data.X, data.matrix.index, data.table, clustering, seed=config.seed_everything
            )
        except ValueError as error:
            raise DataError(f"the features can't be clustered: {error}") from error
    for note in found.notes:
        console.print(Text(note, style="yellow"))
    run.info["clustering"] = {"notes": list(found.notes), "explained": list(found.explained)}
    run.write_table("clusters.csv", found.assignments)
    run.write_table("clustering.csv", found.scores)
    run.write_table("projection.csv", found.projection)


def _describe(data: SpeechDataModule, run: RunFolder) -> None:
    """What ``run.json`` and the corpus tables say of the data."""
    table = data.table.drop(columns=["path"]).join(data.extraction.facts)
    run.write_table("corpus.csv", table.reset_index())
    run.write_table("dropped.csv", data.corpus.dropped)
    run.info |= {
        "targets": data.targets,
        "models": list(run.info.get("models", {})),
        "folds": len(data.folds),
        "features": list(data.matrix.names),
        "recipe": data.config.recipe.describe(),
        "corpus": {
            "name": data.corpus.name,
            "recordings": len(data.table),
            "speakers": int(data.table["speaker"].nunique()),
            "hours": round(float(data.extraction.facts["duration"].sum()) / 3600, 4),
            "set_aside": len(data.set_aside),
            "computed": data.extraction.computed,
            "fingerprint": data.fingerprint(),
        },
    }


def _split_table(data: SpeechDataModule) -> pd.DataFrame:
    rows = []
    speakers = data.table["speaker"].to_numpy()
    for number, fold in enumerate(data.folds):
        rows += _fold_rows(data, speakers, number, fold)
    return pd.DataFrame(rows, columns=["file", "speaker", "fold", "part"])


def _fold_rows(
    data: SpeechDataModule, speakers: np.ndarray, number: int, fold: Fold
) -> list[tuple[str, str, int, str]]:
    return [
        (data.matrix.index[row], speakers[row], number, part)
        for part, rows in fold.parts().items()
        for row in rows
    ]
