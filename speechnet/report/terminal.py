"""What is printed: tables that fit 80 columns, and sentences below them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from speechnet.core.findings import Finding
from speechnet.core.metrics import METRICS, shown
from speechnet.core.safe_text import visible
from speechnet.core.types import Targets
from speechnet.evaluation.samples import blocks
from speechnet.report.data import counts
from speechnet.report.names import (
    NO_LABELS,
    UNDEFINED,
    interval_words,
    model_name,
    percent,
    readable,
    sentence,
)
from speechnet.report.scores import POOLED_NOTE, Score, fold_count, models_of, scores_by_key

_Key = tuple[str, str]
"""Part and metric of a column."""
_BESIDES: Final = (("train", "accuracy"), ("dev", "uar"))
"""What stands before the test scores."""
_DECIDING: Final = ("test", "uar")
_NARROWEST: Final = 80
"""Characters of the narrowest terminal that tables are made for."""
_HEADING: Final = "Scores in %"
_NAME: Final = len("Logistic regression")
"""The names of models get no more room; longer ones are folded."""
_BEST: Final = "▸"
_NO_INTERVAL: Final = f"[{UNDEFINED}]"
_EXAMPLES: Final = 10
"""Recordings that are named for each reason why some are excluded, one for each sentence."""
_TWO_LINES: Final = 155
_STYLES: Final = {"fault": "bold red", "warning": "yellow"}
_MEASURE: Final = re.compile(r"\d+(?:[.,]\d+)*")


def scores_table(
    scores: pd.DataFrame,
    targets: Targets,
    *,
    protocol: str,
    unit: str | None = None,
    labels: Mapping[str, str] = NO_LABELS,
    width: int = _NARROWEST,
) -> Table:
    """Every model's scores in per cent, a section per target, the best test UAR marked.

    Args:
        scores: columns ``model, target, part, fold, metric, value``, values in [0, 1], and
            ``low, high`` where there are intervals.
        targets: the ordered classes of each target.
        protocol: how training and test part were divided, in words.
        unit: what the intervals' bootstrap draws, ``speaker`` or ``recording``.
        labels: what the models are called.
        width: of the terminal; the more it has, the more scores have their interval.

    Raises:
        DataError: the table has no rows.
    """
    names = {model: model_name(model, labels) for model in models_of(scores)}
    rows, ends = _rows(scores, targets), "low" in scores
    every = [row for of_target in rows.values() for row in of_target.values()]
    keys = [*every[0]]
    room = max(width, _NARROWEST) - min(_NAME, max(map(len, [_HEADING, *names.values()])))
    wide = _with_room(every, room, intervals=ends)
    table = plain_table(gap=0)
    table.show_edge = False  # with what is said of it, it has to fit 24 lines
    table.add_column(_HEADING)
    for key in keys:
        table.add_column(_heading(key, wide=key in wide), justify="right", no_wrap=True)
    texts = ""
    for target, of_target in rows.items():
        table.add_row(Text(target, style="bold cyan"))
        deciding = [row[_DECIDING].value for row in of_target.values()]
        best = max((value for value in deciding if not math.isnan(value)), default=math.inf)
        for model, row in of_target.items():
            cells = {key: Text(_cell(row[key], wide=key in wide, intervals=ends)) for key in keys}
            if row[_DECIDING].value == best:
                cells[_DECIDING] = Text(f"{_BEST}{cells[_DECIDING]}", "bold")
            table.add_row(names[model], *cells.values())
            texts += "".join(map(str, cells.values()))
    scored = [score for row in every for score in row.values()]
    notes = [protocol.rstrip("."), *_notes(scores, scored, texts, unit=unit)]
    table.caption = Text(f"{'. '.join(notes)}.", style="dim italic")
    return table


def _rows(scores: pd.DataFrame, targets: Targets) -> dict[str, dict[str, dict[_Key, Score]]]:
    """The scores of each column, by target and model."""
    found, parts = scores_by_key(scores), set(scores["part"])
    tested = [("test", each.name) for each in shown("terminal")]
    keys = [key for key in (*_BESIDES, *tested) if key[0] in parts]
    return {
        target: {
            model: {key: found.get((model, target, *key), Score(math.nan)) for key in keys}
            for model in models_of(scores)
        }
        for target in targets
    }


def _with_room(rows: Sequence[Mapping[_Key, Score]], room: int, *, intervals: bool) -> set[_Key]:
    """The columns whose intervals fit into the room of all columns, the deciding one first."""

    def width(key: _Key, *, wide: bool) -> int:
        cells = [_cell(row[key], wide=wide, intervals=intervals) for row in rows]
        mark = len(_BEST) if key == _DECIDING else 0
        return mark + max(map(len, [*_heading(key, wide=wide).split("\n"), *cells]))

    found = set()
    room -= sum(1 + width(key, wide=False) for key in rows[0])
    tested = [key for key in rows[0] if key[0] == "test" and METRICS[key[1]].interval]
    for key in sorted(tested, key=lambda key: key != _DECIDING):
        more = width(key, wide=True) - width(key, wide=False)
        if more <= room:
            found.add(key)
            room -= more
    return found


def _heading(key: _Key, *, wide: bool) -> str:
    part, name = key
    return f"{part}\n{METRICS[name].label if wide else METRICS[name].short}"


def _cell(score: Score, *, wide: bool, intervals: bool) -> str:
    """A score with its interval, or else its deviation, in the columns that have room for one."""
    if not wide:
        return percent(score.value, pooled=score.pooled)
    lacking = intervals and not math.isnan(score.value) and not score.has_interval
    return f"{score.text()} {_NO_INTERVAL}" if lacking else score.text()


def _notes(
    scores: pd.DataFrame, every: Sequence[Score], texts: str, *, unit: str | None
) -> Iterator[str]:
    """What the cells of a table of scores are."""
    folds = fold_count(scores)
    mean = [f"Mean over {folds} folds"] if folds > 1 else []
    if any(score.has_interval for score in every):
        mean.append(f"[{interval_words(unit)}]")
    elif mean:
        mean.append("± standard deviation")
    if mean:
        yield " ".join(mean)
    if any(score.pooled for score in every):
        yield POOLED_NOTE
    if _BEST in texts:
        yield f"{_BEST} the best test UAR"
    if _NO_INTERVAL in texts:
        # When speechnet.evaluation.bootstrap.interval gives none, in short.
        why = f"all or none are right, answers don't vary or a class has one {unit or 'recording'}"
        yield f"{_NO_INTERVAL}: no interval, as {why}"
    if any(math.isnan(score.value) for score in every):
        yield f"{UNDEFINED}: undefined"
    if "train" in set(scores["part"]):  # of a run that is scored once more it can't be known
        yield "Nothing was chosen on the test part"


def counts_table(corpus: pd.DataFrame, targets: Targets) -> Table:
    """Recordings of each class by gender, and how many speakers they come from.

    ``corpus`` has columns ``speaker, gender`` and one for each target; a row without a target's
    label isn't counted there.
    """
    everything = {"": ["all recordings"]}
    total = counts(corpus.assign(**{"": "all recordings"}), everything)[""]
    genders = [name for name in total if name not in {"all", "speakers"}]
    table = plain_table("Recordings")
    for heading in ("", *map(readable, genders), "all", "speakers"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=bool(heading))
    of_targets = counts(corpus, targets) if [*targets] != ["gender"] else {}
    for target, rows in of_targets.items():
        table.add_row(Text(target, style="bold cyan"))
        numbers = rows.reindex(columns=total.columns, fill_value=0)
        for label, *found in numbers.itertuples():
            table.add_row(Text(str(label)), *map(str, found))
        table.add_section()
    table.add_row("all recordings", *map(str, total.iloc[0]))
    gender = corpus["gender"].astype(object).where(corpus["gender"].notna(), "unknown")
    speakers = corpus.groupby(gender.to_numpy())["speaker"].nunique().reindex(genders)
    table.add_row("speakers", *map(str, speakers), str(corpus["speaker"].nunique()))
    return table


def dropped_table(dropped: pd.DataFrame) -> Table:
    """Recordings left out because of their labels, columns ``target, label, count, why``."""
    table = plain_table("Left out by the configuration")
    for heading in ("target", "label", "why"):
        table.add_column(heading)
    table.add_column("recordings", justify="right", no_wrap=True)
    for _, row in dropped.iterrows():
        cells = [printable(row[name]) for name in ("target", "label", "why")]
        table.add_row(*cells, str(row["count"]))
    return table


def excluded_table(excluded: pd.DataFrame) -> Table:
    """How many recordings were excluded for each reason, with the first of each sentence.

    ``excluded`` has the columns ``file, reason, detail``.
    """
    table = plain_table("Excluded")
    table.add_column("reason", no_wrap=True)
    table.add_column("files", justify="right", no_wrap=True)
    table.add_column("the first of them", overflow="fold")
    for reason, rows in excluded.groupby("reason", sort=False):
        # Sentences that differ in what was measured, 0.1 s and 0.2 s, are one.
        alike = rows.groupby(
            rows["detail"].map(lambda said: _MEASURE.sub("0", str(said))), sort=False
        )
        examples = []
        for _, same in list(alike)[:_EXAMPLES]:
            others = f" and {len(same) - 1:,} more" if len(same) > 1 else ""
            first = printable(same["file"].iloc[0]).append(others, style="dim")
            said = printable(same["detail"].iloc[0], "dim")
            examples.append(first.append("\n").append_text(said))
        if len(alike) > _EXAMPLES:
            examples.append(Text(f"and {len(alike) - _EXAMPLES} more", style="dim"))
        table.add_row(str(reason), str(len(rows)), Text("\n").join(examples))
    return table


def plain_table(title: str | None = None, *, gap: int = 1) -> Table:
    """An empty table in the style of all of them."""
    return Table(
        title=None if title is None else Text(title, style="bold"),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, gap, 0, 0),
        pad_edge=False,
    )


def printable(value: object, style: str = "") -> Text:
    """Any value as it may be shown: never markup, nothing that breaks a line or a terminal."""
    return Text(visible(str(value)).replace("\n", "\\n"), style)


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row for each finding, in their order."""
    table = plain_table("Audit")
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("found", overflow="fold")
    for finding in findings:
        found = printable(finding.what)
        for line in filter(None, finding.detail.split("\n")):
            found.append("\n").append_text(printable(line, style="dim"))
        style = _STYLES.get(finding.severity, "")
        count = "" if finding.count is None else str(finding.count)
        table.add_row(Text(finding.severity, style), count, found)
    if not findings:
        table.add_row("", "", Text("nothing was found", style="dim"))
    return table


def warnings_in_words(findings: Sequence[Finding]) -> list[str]:
    """A sentence for each of the foremost findings, the last lines of a terminal.

    A single one has its reason too, if both fit into two lines.
    """
    sentences = [f"Warning: {each.line}." for each in findings]
    if len(findings) == 1 and (detail := findings[0].detail):
        whole = f"{sentences[0]} {sentence(detail)}"
        return [whole] if len(whole) <= _TWO_LINES else sentences
    return sentences


def recalls_in_words(predictions: Mapping[str, pd.DataFrame], targets: Targets) -> str:
    """What one model recognises of each part of one fold, as soon as that is known.

    ``predictions`` are tables of predictions by part.
    """
    said = []
    for part in sorted(set(predictions) - {"train"}, reverse=True):
        named = [
            f"{block.target} {percent(*block.sample.scores(METRICS['uar']))}"
            for block in blocks(predictions[part], targets)
        ]
        said.append(f"{part} UAR {', '.join(named)}")
    return "; ".join(said)
