"""Measures the rows that are asked for and prints the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Bench, GateError, Measured

ROWS = {
    "1": "signals.denoising",
    "2": "signals.features",
    "3": "signals.files_to_rows",
    "4": "signals.files_to_rows",
    "5": "extraction.parallel_and_warm",
    "6": "extraction.parallel_and_warm",
    "7": "network.epoch",
    "8": "recipe.grids",
    "9": "recipe.end_to_end",
    "10": "recipe.end_to_end",
    "11": "applied.one_clip",
    "12": "applied.cold",
    "13": "signals.large_set",
    "14": "pretrained.files_to_rows",
    "gpu": "gpu.all_rows",
}
"""What measures a row. Imported when it is asked for: one row needs no package of another's."""


def main() -> int:
    """Entry point; the exit code says whether every gate held."""
    asked = _arguments()
    warnings.simplefilter("ignore")
    measured: list[Measured] = []
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(asked.rounds, asked.full, asked.corpus, asked.run, Path(folder))
        # Run by run, not row by row: whatever else the machine does for a while hits all rows.
        for run in range(1, asked.runs + 1):
            for name in dict.fromkeys(ROWS[row] for row in asked.rows):
                module, _, function = name.partition(".")
                try:
                    measured += getattr(import_module(f"benchmarks.{module}"), function)(bench)
                except GateError as error:
                    broken += 1
                    print(f"{name} is not timed: {error}", file=sys.stderr)
                print(f"run {run}, {name} done", file=sys.stderr)
    _show(measured)
    return broken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    every = list(ROWS)[:-1]
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=every, help="all but gpu")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the short rows")
    parser.add_argument("--runs", type=int, default=1, help="how often all of it is repeated")
    parser.add_argument("--corpus", type=Path, help="real recordings for rows 1 to 4, 11 and 13")
    parser.add_argument("--run", type=Path, help="a run for rows 11 and 12; else one is made")
    parser.add_argument("--full", action="store_true", help="rows 8 and 9 in full: takes hours")
    return parser.parse_args()


def _show(measured: list[Measured]) -> None:
    table = Table(title="Medians over the rounds, their range over the runs", width=130)
    for column in ("row", "what", "against", "ours", "theirs", "ratio", "target", "checked before"):
        table.add_column(column, justify="right" if column in {"ours", "theirs"} else "left")
    runs: dict[tuple[str, str], list[Measured]] = {}
    for one in measured:
        runs.setdefault((one.row, one.what), []).append(one)
    for repeated in runs.values():
        one = repeated[0]
        table.add_row(
            one.row,
            one.what,
            one.against,
            _seconds([median(run.ours) for run in repeated if run.ours]),
            _seconds([median(run.theirs) for run in repeated if run.theirs]),
            _ratio(repeated),
            _target(repeated),
            "; ".join(text for text in (one.gate, one.note) if text),
        )
    # Into a file or a pipe as wide as it needs to be.
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _range(low: float, high: float, digits: int) -> str:
    """Two numbers, or one where they look the same."""
    ends = dict.fromkeys((f"{low:.{digits}f}", f"{high:.{digits}f}"))
    return " to ".join(ends)


def _seconds(medians: list[float]) -> str:
    return f"{_range(1000 * min(medians), 1000 * max(medians), 1)} ms" if medians else ""


def _ratio(runs: list[Measured]) -> str:
    """The runs' medians, lowest to highest; in brackets the lowest and highest round of all."""
    if not runs[0].theirs:
        return ""
    unit, digits = (" %", 2) if runs[0].shares else ("x", 1)
    medians = [median(run.ratios) for run in runs]
    rounds = [ratio for run in runs for ratio in run.ratios]
    found = _range(min(medians), max(medians), digits) + unit
    return f"{found} ({_range(min(rounds), max(rounds), digits)})" if len(rounds) > 1 else found


def _target(runs: list[Measured]) -> str:
    one = runs[0]
    if one.target is None:
        return one.verdict
    aim = f"at most {one.target:g} %" if one.shares else f"{one.target:.3g}x"
    met = sum(run.met for run in runs)
    if 0 < met < len(runs):
        return f"{aim}, met in {met} of {len(runs)} runs"
    return f"{aim}, {'met' if met else 'not met'}"


if __name__ == "__main__":
    sys.exit(main())
