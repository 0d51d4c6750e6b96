"""The command ``test``: score a finished run again.

Conventions:
    On another corpus a run can only be right about the classes that both have. Rows of classes
    that the run doesn't know are left out, and counted. A class of the run that the corpus lacks
    remains a possible answer, which is always wrong. UAR is the mean recall of the shared classes,
    and chance is one in the number of the run's classes. UAR is undefined with fewer than two
    shared classes, as is the AUC of a class without rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from speechnet.config.data import DataConfig
from speechnet.console.messages import console, output, say
from speechnet.console.progress import file_progress
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.files import absolute
from speechnet.core.predictions import join, predictions_table
from speechnet.core.wording import counted, listing, plural
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.labels import NOT_LISTED
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.evaluation.scores import confusion_table, score_predictions
from speechnet.experiment.description import BY_SPEAKER, announce, titles
from speechnet.experiment.fold import predict_rows
from speechnet.experiment.novelty import TABLE, unlike_in_words
from speechnet.experiment.parallel import parallel
from speechnet.experiment.run_info import missing_packages
from speechnet.experiment.run_location import check_writable, next_version
from speechnet.experiment.run_tables import write_tables
from speechnet.experiment.saved_run import SavedRun
from speechnet.models.model import Rows
from speechnet.models.novelty import Novelties
from speechnet.report.findings import seen_in_pretraining
from speechnet.report.terminal import excluded_table, scores_table


def rescore(run_path: Path, *, corpus: Mapping[str, Any], out: Path | None) -> Path:
    """Score a run on its own test parts, or on all of another corpus.

    Args:
        run_path: the run folder.
        corpus: keys of ``CorpusConfig`` that differ from the run's; empty for the run's own corpus.
        out: the folder for the tables; by default a new ``tests/version_<N>`` in the run folder.

    Returns:
        The folder of the tables: scores, confusion, predictions, excluded, novelty.

    Raises:
        SpeechnetError: the run, the corpus or the disk is at fault.
    """
    run = SavedRun(run_path)
    check_writable(out or run.folder.path)
    for missing in missing_packages(run.folder.info, metrics=True):
        say(f"The scores lack a metric: {missing}", style="yellow")
    seed, resamples = run.config.seed_everything, run.config.evaluation.resamples
    data = SpeechDataModule(_data_config(run, corpus), seed=seed, progress=file_progress)
    with parallel(run.config.parallel):
        data.load_corpus(complete=not corpus)
        announce(data)
        data.extract()
        if len(data.excluded):
            console.print(excluded_table(data.excluded))
        data.check_share()
        split = run.folder.read_table("split.csv")
        same = _is_own(run, data, split)
        own = same or not corpus
        for finding in seen_in_pretraining(run.folder.info["features"], titles(data.config)):
            say(f"{finding.line}: {finding.detail}.", style="yellow")
        if own and not same:
            say("The corpus isn't as it was: recordings or labels have changed.", style="yellow")
        found, new = _score_own(run, data, split) if own else _score_other(run, data)
    predictions = join(found, run.targets)
    speakers = data.table["speaker"]
    scores = score_predictions(predictions, run.targets, speakers, seed=seed, resamples=resamples)
    folder = out or next_version(run.folder.path / "tests")
    tables = {
        "scores.csv": scores,
        "confusion.csv": confusion_table(predictions, run.targets),
        "excluded.csv": data.excluded,
        "predictions.parquet": predictions,
        TABLE: new,
    }
    write_tables(folder, tables)
    words = run.folder.info["protocol"] if own else _other_in_words(run, data)
    unit = unit_codes(list(data.table.index), speakers)[1]
    table = scores_table(
        scores,
        run.targets,
        protocol=words,
        unit=unit,
        labels=run.folder.labels,
        width=output.width,
    )
    output.print(table)
    say(f"Tables: {folder}", to=output)
    return folder


def _data_config(run: SavedRun, given: Mapping[str, Any]) -> DataConfig:
    """The run's recipe and classes, on the given corpus."""
    config = replace(run.config.data, device="auto")  # the run's device may be missing here
    classes: dict[str, Any] = dict(run.targets)
    if not given:
        return replace(config, targets=classes)
    if given.get("root") is not None:
        given = {**given, "root": str(absolute(given["root"]))}
    if config.corpora and "name" not in given:
        raise ConfigError(
            f"the run has {len(config.corpora)} corpora: say with --corpus which one lies below "
            "--root, or leave out both to score its own test parts"
        )
    other = bool(config.corpora) or given.get("name", config.corpus.name) != config.corpus.name
    corpus = CorpusConfig(**given) if other else replace(config.corpus, **given)
    if other and corpus.root is None and corpus.name != "synthetic":
        raise ConfigError(f"--corpus {corpus.name}: give the folder it lies in with --root")
    return replace(config, corpus=corpus, corpora=[], targets=classes)


def _is_own(run: SavedRun, data: SpeechDataModule, split: pd.DataFrame) -> bool:
    """Whether it is the run's own corpus, perhaps in another folder."""
    same = bool(data.fingerprint() == run.folder.info["corpus"]["fingerprint"])
    return same and set(split["file"]) <= set(data.extraction.index)


_Scored = tuple[list[pd.DataFrame], pd.DataFrame]
"""Tables of predictions, and the recordings' novelty: file, novelty, far, bandwidth (Hz)."""


def _score_own(run: SavedRun, data: SpeechDataModule, split: pd.DataFrame) -> _Scored:
    """Each fold's models and training rows on that fold's test part, by ``split.csv``."""
    position = {file: row for row, file in enumerate(data.extraction.index)}
    absent = sorted(set(split["file"]) - set(position))
    if absent:
        raise DataError(
            f"{counted(len(absent), 'recording')} of the run {plural(len(absent), 'is', 'are')} "
            f"not in the corpus, the first: {absent[0]}. Give the corpus as it was with --root"
        )
    test = split[split["part"] == "test"]
    places = {
        int(str(fold)): np.array([position[file] for file in rows["file"]], dtype=np.int64)
        for fold, rows in test.groupby("fold", sort=False)
    }
    tables = []
    for model in run.models:
        for fold in range(run.folder.info["folds"]):
            rows = Rows(data, places[fold], run.config.models[model].extractor)
            fitted = run.fitted(model, fold)
            tables.append(predict_rows(data, fitted, rows, part="test", fold=fold, model=model))
    bands = data.extraction.statistics["bandwidth"]
    new = [
        _table(bands.iloc[rows], run.novelty(data.feature_set.take(rows), fold=fold))
        for fold, rows in places.items()
    ]
    return tables, pd.concat(new).reset_index()


def _score_other(run: SavedRun, data: SpeechDataModule) -> _Scored:
    """All rows of another corpus; the folds' probabilities and novelties are averaged."""
    _say_classes(data)
    tables = [
        predictions_table(
            run.predict_proba(model, data.feature_set),
            data.labels,
            data.extraction.index,
            data.targets,
            part="test",
            fold=0,
            model=model,
        )
        for model in run.models
    ]
    new = _table(data.extraction.statistics["bandwidth"], run.novelty(data.feature_set))
    trained = run.folder.info["corpus"].get("bandwidth", {})
    if words := unlike_in_words(new, run.config.data, trained):
        say(words, style="yellow")
    return tables, new.reset_index()


def _table(bandwidth: pd.Series, found: Novelties) -> pd.DataFrame:
    columns = {"novelty": found.novelty, "far": found.far, "bandwidth": bandwidth}
    return pd.DataFrame(columns, index=bandwidth.index).rename_axis("file")


def _say_classes(data: SpeechDataModule) -> None:
    """Say which classes the run and another corpus share, and which only one of them has."""
    name, dropped = data.corpus.name, data.corpus.dropped
    for target, classes in data.targets.items():
        present = set(data.table[target].dropna())
        both = [label for label in classes if label in present]
        lacking = [label for label in classes if label not in present]
        unknown = dropped[(dropped["target"] == target) & (dropped["why"] == NOT_LISTED)]
        if not lacking and unknown.empty:
            continue
        said = [f"{target}: the run and {name} share {listing(both) or 'no class'}"]
        if lacking and both:
            said.append(f"only the run has {listing(lacking)}, always wrong as an answer here")
        if len(unknown):
            counts = zip(unknown["label"], unknown["count"], strict=True)
            rows = listing(f"{label} ({counted(count, 'recording')})" for label, count in counts)
            said.append(f"only {name} has {rows}, left out")
        say(f"{'; '.join(said)}.", style="yellow")


def _other_in_words(run: SavedRun, data: SpeechDataModule) -> str:
    """What the scores are scores of; recordings that the run was trained on aren't a test."""
    known = set(run.folder.read_table("corpus.csv")["digest"])
    seen = int(data.extraction.statistics["digest"].isin(known).sum())
    words = f"Corpus {data.corpus.name}, not trained on"
    if seen:
        words = (
            f"Corpus {data.corpus.name}, {seen:,} of its {counted(len(data.table), 'recording')} "
            f"{plural(seen, 'is', 'are')} the run's"
        )
        say(f"{words}: the scores are too good.", style="yellow")
        words += ": the scores are too good"
    return f"{words}; {BY_SPEAKER}" if data.config.per_speaker else words
