"""Using a finished run: score it again, or recognise recordings with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from speechnet.config import ExperimentConfig, parse, read_experiment_file, verb_parser
from speechnet.corpus import CorpusConfig
from speechnet.corpus.discovery import discover, printable
from speechnet.datamodule import SpeechDataModule
from speechnet.errors import ConfigError, DataError
from speechnet.evaluation import confusion_table, score_predictions
from speechnet.experiment import parallel, protocol_in_words
from speechnet.extraction import Extraction, extract_features
from speechnet.files import storage_errors, write_whole
from speechnet.models.baselines import BaselineClassifier
from speechnet.models.classifier import Classifier
from speechnet.models.network import NetworkClassifier
from speechnet.predictions import join, predictions_table
from speechnet.progress import console
from speechnet.report.summary import counts_table, dropped_table, scores_table, set_aside_table
from speechnet.run import RunFolder, table_bytes
from speechnet.types import CORPUS_COLUMNS, Float32, Float64, Targets

_BEST = "best"


class SavedRun:
    """A finished run, ready to be applied.

    Args:
        path: the run folder.

    Raises:
        DataError: it is incomplete, or its models don't fit its description.
    """

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder.open(path)
        self.config: ExperimentConfig = read_experiment_file(path / "config.yaml")
        self.targets: Targets = self.folder.info["targets"]
        self.models: list[str] = self.folder.info["models"]
        self._check_recipe()

    def classifiers(self, model: str) -> list[Classifier]:
        """One model's classifier of every fold."""
        folds = [self.folder.fold(number) for number in range(self.folder.info["folds"])]
        if model == "mlp":
            return [NetworkClassifier.load(fold, model, self.targets) for fold in folds]
        return [BaselineClassifier.load(fold, model, self.targets) for fold in folds]

    def best_model(self) -> str:
        """The highest dev UAR, mean over targets and folds; the test part has no say.

        Without a dev part: the highest score of the searches' inner folds.
        """
        scores = pd.read_csv(self.folder.path / "scores.csv", dtype={"fold": str})
        dev = scores.query("part == 'dev' and metric == 'uar' and fold == 'all'")
        means = dev.groupby("model")["value"].mean().dropna()
        if means.empty:
            searched = pd.read_csv(self.folder.path / "search.csv")
            means = searched[searched["chosen"]].groupby("model")["mean"].mean()
        return str(means.idxmax())

    def choose(self, model: str) -> list[str]:
        """The models that ``best``, ``all`` or a name stands for.

        Raises:
            ConfigError: the run has no such model.
        """
        if model == _BEST:
            return [self.best_model()]
        if model == "all":
            return self.models
        if model not in self.models:
            raise ConfigError(
                f"--model {model}: the run has {', '.join(self.models)}; or say best, or all"
            )
        return [model]

    def predict_proba(self, model: str, X: Float32) -> dict[str, Float64]:
        """Probabilities by target, averaged over the folds' classifiers: float64 ``[n, k]``."""
        outputs = [classifier.predict_proba(X) for classifier in self.classifiers(model)]
        return {t: np.mean([out[t] for out in outputs], axis=0) for t in self.targets}

    def _check_recipe(self) -> None:
        recipe = self.config.data.recipe
        now, then = recipe.describe(), self.folder.info["recipe"]
        if list(recipe.features.names()) != self.folder.info["features"]:
            raise DataError(
                f"{self.folder.path}: config.yaml and run.json disagree on the features"
            )
        changed = [
            f"{name} {then['versions'].get(name, 'absent')} -> {version}"
            for name, version in now["versions"].items()
            if then["versions"].get(name) != version
        ]
        if changed:
            text = f"Features may differ from those of the run: {', '.join(changed)}"
            console.print(Text(text, style="yellow"))


def test(arguments: Sequence[str]) -> None:
    """The verb ``test``: score a run on its own test parts, or on all of another corpus."""
    parser = verb_parser("test", "Score a saved run again.")
    parser.add_argument("--run", type=str, help="the run folder", required=True)
    parser.add_argument("--out", type=str | None, default=None, help="where the tables go")
    parser.add_argument(
        "--data.corpus", type=CorpusConfig | None, default=None, help="another corpus"
    )
    parsed = parse(parser, arguments)
    other: CorpusConfig | None = parser.instantiate_classes(parsed).data.corpus
    run = SavedRun(Path(parsed.run))
    with parallel(run.config.parallel):
        data = _data(run, other)
        _say(data)
        own = other is None or data.fingerprint() == run.folder.info["corpus"]["fingerprint"]
        tables = _score_own(run, data) if own else _score_other(run, data)
    predictions = join(tables, run.targets)
    scores = score_predictions(predictions, run.targets)
    out = Path(parsed.out) if parsed.out else _next_folder(run.folder.path / "tests")
    _write(out, scores=scores, predictions=predictions, targets=run.targets)
    words = (
        protocol_in_words(run.config, data) if own else f"Corpus {data.corpus.name}, not trained on"
    )
    console_out = Console()
    console_out.print(scores_table(scores, run.targets, protocol=words))
    console_out.print(Text(f"Tables: {out}"))


def predict(arguments: Sequence[str]) -> None:
    """The verb ``predict``: a CSV with the probability of every class for each recording."""
    parser = verb_parser("predict", "Recognise recordings with a saved run.")
    parser.add_argument("--run", type=str, help="the run folder", required=True)
    parser.add_argument("--out", type=str | None, default=None, help="a CSV; else stdout")
    parser.add_argument(
        "--model", type=str, default=_BEST, help="a model's name, best (on the dev part), or all"
    )
    parser.add_argument("paths", nargs="+", help="files or folders")
    parsed = parse(parser, arguments)
    run = SavedRun(Path(parsed.run))
    models = run.choose(parsed.model)
    with parallel(run.config.parallel):
        extraction = _extract(run, [Path(path) for path in parsed.paths])
    table = _probabilities(run, models, extraction)
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.6f")
    if parsed.out:
        with storage_errors(Path(parsed.out)):
            write_whole(Path(parsed.out), text.encode())
    else:
        sys.stdout.write(text)
    if len(extraction.set_aside):
        console.print(set_aside_table(extraction.set_aside))
    if not len(extraction.matrix.X):
        raise DataError("none of the recordings could be used; see the reasons above")


def _data(run: SavedRun, other: CorpusConfig | None) -> SpeechDataModule:
    """The run's corpus, or another one cut down to the run's classes, by the run's recipe."""
    config = run.config.data
    if other is not None:
        classes: dict[str, list[str] | None] = dict(run.targets)
        config = replace(config, corpus=other, targets=classes)
    data = SpeechDataModule(config, seed=run.config.seed_everything)
    data.load_corpus(complete=other is None)
    data.prepare_data()
    return data


def _say(data: SpeechDataModule) -> None:
    console.print(counts_table(data.corpus.table, data.targets))
    if len(data.corpus.dropped):
        console.print(dropped_table(data.corpus.dropped))
    if len(data.set_aside):
        console.print(set_aside_table(data.set_aside))


def _score_own(run: SavedRun, data: SpeechDataModule) -> list[pd.DataFrame]:
    """Each fold's models on that fold's test part, as ``split.csv`` says."""
    split = pd.read_csv(run.folder.path / "split.csv", dtype={"file": str})
    position = {file: row for row, file in enumerate(data.matrix.index)}
    absent = sorted(set(split["file"]) - set(position))
    if absent:
        raise DataError(
            f"{len(absent)} recordings of the run are not in the corpus, the first: {absent[0]}. "
            "Give the corpus with --data.corpus.name and --data.corpus.root"
        )
    tables = []
    for model in run.models:
        for number, classifier in enumerate(run.classifiers(model)):
            rows = split[(split["fold"] == number) & (split["part"] == "test")]["file"].map(
                position
            )
            tables.append(_predicted(run, data, classifier, rows.to_numpy(), number, model))
    return tables


def _score_other(run: SavedRun, data: SpeechDataModule) -> list[pd.DataFrame]:
    """All rows of another corpus, the folds' probabilities averaged."""
    rows = np.arange(len(data.table))
    return [
        predictions_table(
            run.predict_proba(model, data.X),
            data.labels,
            [data.matrix.index[row] for row in rows],
            run.targets,
            part="test",
            fold=0,
            model=model,
        )
        for model in run.models
    ]


def _predicted(
    run: SavedRun,
    data: SpeechDataModule,
    classifier: Classifier,
    rows: np.ndarray,
    fold: int,
    model: str,
) -> pd.DataFrame:
    return predictions_table(
        classifier.predict_proba(data.X[rows]),
        data.labels[rows],
        [data.matrix.index[row] for row in rows],
        run.targets,
        part="test",
        fold=fold,
        model=model,
    )


def _extract(run: SavedRun, paths: Sequence[Path]) -> Extraction:
    """Features of files and of all audio files below folders, by the run's recipe."""
    files: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            found = discover(path.resolve())
            files |= {f"{printable(str(path))}/{name}": path / p for name, p in found.files.items()}
        elif path.exists():
            files[printable(str(path))] = path
        else:
            raise DataError(f"there is no file or folder {path}")
    if not files:
        raise DataError("no audio files (wav, flac, mp3, ogg) in the folders given")
    table = pd.DataFrame(None, index=pd.Index(list(files), name="file"), columns=[*CORPUS_COLUMNS])
    table["path"] = [str(path.absolute()) for path in files.values()]
    table[["start", "end"]] = np.nan
    config = run.config.data
    return extract_features(
        Path("/"), table, config.recipe, cache_dir=config.cache, keep_duplicates=True
    )


def _probabilities(run: SavedRun, models: Sequence[str], extraction: Extraction) -> pd.DataFrame:
    """One row a file and model; a file that was set aside has its reason instead."""
    tables = []
    for model in models:
        columns: dict[str, object] = {"file": list(extraction.matrix.index), "model": model}
        probabilities = run.predict_proba(model, extraction.matrix.X)
        for target, classes in run.targets.items():
            values = probabilities[target]
            columns[target] = np.array(classes, dtype=object)[values.argmax(axis=1)]
            columns |= {f"{target}_{name}": values[:, i] for i, name in enumerate(classes)}
        tables.append(pd.DataFrame(columns))
    done = pd.concat(tables, ignore_index=True)
    failed = extraction.set_aside[["file", "reason"]]
    return done.assign(reason="").merge(failed, on=["file", "reason"], how="outer", sort=False)


def _next_folder(base: Path) -> Path:
    number = 0
    while (base / f"version_{number}").exists():
        number += 1
    return base / f"version_{number}"


def _write(out: Path, *, scores: pd.DataFrame, predictions: pd.DataFrame, targets: Targets) -> None:
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        confusion = confusion_table(predictions, targets)
        for name, table in {"scores.csv": scores, "confusion.csv": confusion}.items():
            write_whole(out / name, table_bytes(table))
        write_whole(out / "predictions.parquet", table_bytes(predictions, parquet=True))
