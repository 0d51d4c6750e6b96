"""Measures the rows that are asked for and prints the table."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from statistics import median

import joblib
from rich.console import Console
from rich.table import Table

from benchmarks.harness import GateError, Measured
from speechnet.corpus.config import SynthConfig
from speechnet.corpus.synthetic import write_corpus

ROWS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "gpu")
WITH = {"4": "3", "6": "5", "10": "9"}
"""Rows that are measured with another one."""


def main() -> int:
    """Entry point; the exit code says whether every gate held."""
    asked = _arguments()
    warnings.simplefilter("ignore")
    measured: list[Measured] = []
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for row in dict.fromkeys(WITH.get(row, row) for row in asked.rows):
            try:
                measured += _measure(row, asked, Path(folder))
            except GateError as error:
                broken += 1
                print(f"row {row} is not timed: {error}", file=sys.stderr)
            print(f"row {row} done", file=sys.stderr)
    _show(measured)
    return broken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, default=list(ROWS[:-1]), help="which rows; all but gpu"
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the short rows")
    parser.add_argument("--corpus", type=Path, help="real recordings for rows 1 to 4, and 11")
    parser.add_argument(
        "--run", type=Path, help="a finished run for row 11; by default one is made"
    )
    parser.add_argument(
        "--full", action="store_true", help="rows 8 and 9 at the original's size: takes hours"
    )
    return parser.parse_args()


def _measure(row: str, asked: argparse.Namespace, folder: Path) -> list[Measured]:
    """Imports lie here: whoever asks for one row needs no package of another's."""
    match row:
        case "1" | "2" | "3":
            from benchmarks import signals

            files = _speech(asked, folder)
            functions = {
                "1": signals.denoising,
                "2": signals.features,
                "3": signals.files_to_rows,
            }
            return functions[row](files, rounds=asked.rounds)
        case "5":
            from benchmarks.extraction import parallel_and_warm

            root = _synthetic(folder, speakers=25, sentences=10)
            return parallel_and_warm(root, folder, rounds=3)
        case "7":
            from benchmarks.network import epoch

            return epoch(rounds=asked.rounds)
        case "8":
            from benchmarks.searches import grids

            speakers, rows = (422, 11_810) if asked.full else (60, 1_680)
            root = _synthetic(folder, speakers=speakers, sentences=10)
            return grids(root, folder, rows=rows, full=asked.full)
        case "9":
            from benchmarks.whole import end_to_end

            speakers = 400 if asked.full else 40
            root = _synthetic(folder, speakers=speakers, sentences=10)
            return end_to_end(root, folder, full=asked.full)
        case "11":
            from benchmarks.latency import one_clip

            files = _speech(asked, folder)
            return one_clip(files, folder, run=asked.run, rounds=asked.rounds)
        case _:
            from benchmarks.gpu import all_rows

            root = _synthetic(folder, speakers=25, sentences=10)
            return all_rows(root, folder, rounds=3)


def _speech(asked: argparse.Namespace, folder: Path) -> list[Path]:
    """16 recordings: real ones where a corpus is named, else synthetic ones at 48 kHz."""
    if asked.corpus is None:
        root = _synthetic(folder, speakers=4, sentences=2, sample_rate=48_000)
        found = sorted(root.rglob("*.wav"))
    else:
        endings = {".wav", ".flac"}
        found = sorted(p for p in asked.corpus.rglob("*") if p.suffix.lower() in endings)
    if not found:
        raise SystemExit(f"no .wav or .flac files in {asked.corpus}")
    return found[:: max(1, len(found) // 16)][:16]


def _synthetic(folder: Path, *, speakers: int, sentences: int, sample_rate: int = 22_050) -> Path:
    root = folder / f"speech_{speakers}_{sentences}_{sample_rate}"
    config = SynthConfig(speakers=speakers, sentences=sentences, sample_rate=sample_rate)
    with joblib.parallel_config(backend="loky", n_jobs=-1):
        write_corpus(root, config)
    return root


def _show(measured: list[Measured]) -> None:
    table = Table(
        title="Medians over the rounds; the ratio's median, lowest and highest", width=130
    )
    for column in ("row", "what", "against", "ours", "theirs", "ratio", "target", "checked before"):
        table.add_column(column, justify="right" if column in {"ours", "theirs"} else "left")
    for one in measured:
        table.add_row(
            one.row,
            one.what,
            one.against,
            _seconds(one.ours),
            _seconds(one.theirs),
            _ratio(one),
            _target(one),
            "; ".join(text for text in (one.gate, one.note) if text),
        )
    # Into a file or a pipe as wide as it needs to be.
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _seconds(values: list[float]) -> str:
    if not values:
        return ""
    middle = median(values)
    return f"{1000 * middle:.1f} ms" if middle < 1 else f"{middle:.1f} s"


def _ratio(one: Measured) -> str:
    if not one.theirs:
        return ""
    unit, digits = (" %", 2) if one.shares else ("x", 1)
    low, middle, high = min(one.ratios), median(one.ratios), max(one.ratios)
    spread = f" ({low:.{digits}f} to {high:.{digits}f})" if len(one.ratios) > 1 else ""
    return f"{middle:.{digits}f}{unit}{spread}"


def _target(one: Measured) -> str:
    if one.target is None:
        return one.verdict
    aim = f"at most {one.target:g} %" if one.shares else f"{one.target:.3g}x"
    return f"{aim}, {'met' if one.met else 'not met'}"


if __name__ == "__main__":
    sys.exit(main())
