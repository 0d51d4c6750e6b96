"""What a command says of its data, and what a run folder keeps of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import pandas as pd

from speechnet.config.data import DataConfig
from speechnet.config.experiment import ExperimentConfig
from speechnet.console.messages import console, say
from speechnet.core.wording import counted, listing, plural
from speechnet.corpus.definition import load_definition
from speechnet.data.datamodule import SpeechDataModule
from speechnet.evaluation.bootstrap import unit_codes
from speechnet.experiment.novelty import bandwidths
from speechnet.experiment.run_folder import RunFolder
from speechnet.experiment.run_info import plugins_of
from speechnet.features.extraction.store import fingerprint
from speechnet.report.terminal import counts_table, dropped_table
from speechnet.splits.config import describe
from speechnet.splits.folds import shared_speakers

BY_SPEAKER: Final = "features standardised by speaker, from all of a speaker's recordings"
"""Shown beside every score that depends on it."""


def announce(data: SpeechDataModule) -> None:
    """Say what a corpus holds, and what is left out of it."""
    corpus = data.corpus
    console.print(counts_table(corpus.table, data.targets))
    for note in corpus.notes:
        say(note, style="yellow")
    if len(corpus.dropped):
        console.print(dropped_table(corpus.dropped))


def describe_run(config: ExperimentConfig, data: SpeechDataModule, run: RunFolder) -> None:
    """Add to ``run.json`` what was fitted on what, and write ``corpus.csv`` and ``dropped.csv``."""
    recipe, named = config.data.recipe, config.data.split.named
    run.info |= {
        "models": list(config.models),
        "labels": {name: model.label for name, model in config.models.items()},
        "plugins": plugins_of(config),
        "protocol": protocol_in_words(data),
        "unit": unit_codes(list(data.table.index), data.table["speaker"])[1],
        "targets": data.targets,
        "folds": len(data.folds),
        "features": {
            name: {
                "kind": extractor.kind,
                "columns": list(extractor.columns),
                "provenance": asdict(found) if (found := extractor.provenance) else None,
                "fingerprint": fingerprint(described := recipe.describe(name)),
                "recipe": {key: value for key, value in described.items() if key != "columns"},
            }
            for name, extractor in recipe.extractors.items()
        },
        "corpus": _describe_corpus(data, run),
    }
    if data.copies is not None:
        run.info["copies"] = {
            "each": config.data.augment.copies,
            "used": len(data.copies.origin),
            "failed": data.copies.failed,
            "computed": data.copies.computed,
            "effects": {name: one.p for name, one in config.data.augment.effects.items()},
        }
    if named is not None:
        run.info["references"] = [asdict(reference) for reference in named.references]
        run.info["departures"] = named.departures(len(data.table), data.targets)


def say_copies(data: SpeechDataModule) -> None:
    """Say how many changed copies training will see, and how many can't be used."""
    if data.copies is None:
        return
    failed, why = data.copies.failed, data.copies.why
    lost = f"; {counted(failed, 'copy', 'copies')} can't be used and {plural(failed, 'is', 'are')} "
    say(
        f"Training also sees {counted(len(data.copies.origin), 'changed copy', 'changed copies')} "
        f"of its recordings ({listing(data.config.augment.effects)})"
        + (f"{lost}left out, the first: {why}" if failed else "")
    )


def _describe_corpus(data: SpeechDataModule, run: RunFolder) -> dict[str, Any]:
    statistics = data.extraction.statistics
    if replaced := data.table.columns.intersection(statistics.columns).tolist():
        say(
            f"{listing(replaced)}: corpus.csv has what was measured, not the table's "
            f"{plural(len(replaced), 'column of this name', 'columns of these names')}",
            style="yellow",
        )
    table = data.table.drop(columns=["path", *replaced]).join(statistics)
    run.write_table("corpus.csv", table.reset_index())
    run.write_table("dropped.csv", data.corpus.dropped)
    return {
        "name": data.corpus.name,
        "titles": titles(data.config),
        "recordings": len(table),
        "speakers": int(table["speaker"].nunique()),
        "bandwidth": bandwidths(table),
        "hours": round(float(table["duration"].sum()) / 3600, 4),
        "classes": {
            target: {label: int((table[target] == label).sum()) for label in classes}
            for target, classes in data.targets.items()
        },
        "excluded": len(data.excluded),
        "computed": data.extraction.computed,
        "fingerprint": data.fingerprint(),
    }


def titles(config: DataConfig) -> dict[str, str]:
    """The full name of each corpus by its definition's."""
    every = [load_definition(one.name) for one in config.corpora or [config.corpus]]
    return {one.name: one.title for one in every}


def protocol_in_words(data: SpeechDataModule) -> str:
    """What the scores are scores of, for the caption of a table."""
    split = data.config.split
    words = describe(split)
    if split.protocol == "predefined" and not split.speakers:
        if data.table["speaker"].isna().any():
            words += ", speakers unknown"
        else:
            shared = shared_speakers(data.table, data.folds)
            words += f", {'seen' if shared else 'unseen'} speakers"
    words = words[0].upper() + words[1:]
    return f"{words}; {BY_SPEAKER}" if data.config.per_speaker else words


def split_table(data: SpeechDataModule) -> pd.DataFrame:
    """``split.csv``: file, speaker, fold and part of every row of every fold."""
    table = data.table.reset_index()[["file", "speaker"]]
    pieces = [
        table.iloc[rows].assign(fold=number, part=part)
        for number, fold in enumerate(data.folds)
        for part, rows in fold.parts().items()
    ]
    return pd.concat(pieces, ignore_index=True)
