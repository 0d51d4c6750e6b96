"""What a run folder says of its data: the corpus, the folds, and how it can be repeated."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from speechnet.console.messages import say
from speechnet.core.wording import listing, plural
from speechnet.data.datamodule import SpeechDataModule
from speechnet.experiment.novelty import bandwidths
from speechnet.experiment.run_folder import RunFolder
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extraction.store import fingerprint


def describe_data(data: SpeechDataModule, run: RunFolder) -> None:
    """Write what ``run.json`` and the corpus tables say of the data."""
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
    run.info |= {
        "targets": data.targets,
        "folds": len(data.folds),
        "features": _features(data.config.recipe),
        "corpus": {
            "name": data.corpus.name,
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
        },
    }


def _features(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Of each extractor its kind, its columns, and its recipe with the hash of it."""
    found = {}
    for name, extractor in recipe.extractors.items():
        described = recipe.describe(name)
        found[name] = {
            "kind": extractor.kind,
            "columns": list(extractor.columns),
            "fingerprint": fingerprint(described),
            "recipe": {key: value for key, value in described.items() if key != "columns"},
        }
    return found


def describe_protocol(data: SpeechDataModule, run: RunFolder) -> None:
    """Published results of a named protocol, and what keeps the run's own from them."""
    named = data.config.split.named
    if named is None:
        return
    run.info["references"] = [asdict(reference) for reference in named.references]
    run.info["departures"] = named.departures(len(data.table), data.targets)


def split_table(data: SpeechDataModule) -> pd.DataFrame:
    """``split.csv``: file, speaker, fold and part of every row of every fold."""
    table = data.table.reset_index()[["file", "speaker"]]
    pieces = [
        table.iloc[rows].assign(fold=number, part=part)
        for number, fold in enumerate(data.folds)
        for part, rows in fold.parts().items()
    ]
    return pd.concat(pieces, ignore_index=True)
