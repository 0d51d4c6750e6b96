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

_BESIDES: Final = (("train", "accuracy"), ("dev", "uar"))
"""Part and metric of what stands before the test scores."""
_DECIDING: Final = ("test", "uar")
_INTERVALS: Final = 2
"""The most columns with an interval that fit 80 characters; all intervals stand in scores.csv."""
_ROOM: Final = 3
"""So many scores of the test part leave room for that many intervals; of more, one has its own."""
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
) -> Table:
    """Every model's scores in per cent, a section per target, the best test UAR marked.

    Args:
        scores: columns ``model, target, part, fold, metric, value``, values in [0, 1], and
            ``low, high`` where there are intervals.
        targets: the ordered classes of each target.
        protocol: how training and test part were divided, in words.
        unit: what the intervals' bootstrap draws, ``speaker`` or ``recording``.
        labels: what the models are called.

    Raises:
        DataError: the table has no rows.
    """
    table = plain_table(gap=0)  # two intervals leave no more
    table.show_edge = False  # with what is said of it, it has to fit 24 lines
    table.add_column("Scores in %")
    columns = _columns(set(scores["part"]))
    for (part, metric), wide in columns.items():
        name = METRICS[metric].label if wide else METRICS[metric].short
        table.add_column(f"{part}\n{name}", justify="right", no_wrap=True)
    found, models = scores_by_key(scores), models_of(scores)
    every: list[Score] = []
    texts: list[str] = []
    for target in targets:
        rows = [
            {key: found.get((model, target, *key), Score(math.nan)) for key in columns}
            for model in models
        ]
        deciding = [row[_DECIDING].value for row in rows]
        best = max((value for value in deciding if not math.isnan(value)), default=math.inf)
        table.add_row(Text(target, style="bold cyan"))
        for model, row in zip(models, rows, strict=True):
            cells = {
                key: Text(_cell(row[key], wide=wide, intervals="low" in scores))
                for key, wide in columns.items()
            }
            if row[_DECIDING].value == best:
                cells[_DECIDING] = Text(f"{_BEST}{cells[_DECIDING]}", "bold")
            table.add_row(model_name(model, labels), *cells.values())
            every += row.values()
            texts += map(str, cells.values())
    notes = [protocol.rstrip("."), *_notes(scores, every, "".join(texts), unit=unit)]
    table.caption = Text(f"{'. '.join(notes)}.", style="dim italic")
    return table


def _columns(parts: set[str]) -> dict[tuple[str, str], bool]:
    """The part and metric of each column, and whether it has room for an interval."""
    tested = [("test", each.name) for each in shown("terminal")]
    with_one = [key for key in tested if METRICS[key[1]].interval]
    with_one.sort(key=lambda key: key != _DECIDING)
    wide = with_one[: _INTERVALS if len(tested) <= _ROOM else 1]
    return {key: key in wide for key in (*_BESIDES, *tested) if key[0] in parts}


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

    ``predictions`` are by part, with columns ``target, truth, predicted``.
    """
    said = []
    for part in sorted(set(predictions) - {"train"}, reverse=True):
        rows = predictions[part]
        hits = (rows["truth"] == rows["predicted"]).groupby([rows["target"], rows["truth"]]).mean()
        uars = hits.groupby(level="target").mean()
        named = (f"{target} {percent(uars[target])}" for target in targets if target in uars)
        said.append(f"{part} UAR {', '.join(named)}")
    return "; ".join(said)
