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
from speechnet.corpus.synthetic.corpus import write_corpus

ROWS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "gpu")
WITH = {"4": "3", "6": "5", "10": "9"}
"""Rows that are measured with another one."""


def main() -> int:
    """Entry point; the exit code says whether every gate held."""
    asked = _arguments()
    warnings.simplefilter("ignore")
    measured: list[Measured] = []
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        # Run by run, not row by row: whatever else the machine does for a while hits all rows.
        for run in range(1, asked.runs + 1):
            for row in dict.fromkeys(WITH.get(row, row) for row in asked.rows):
                try:
                    measured += _measure(row, asked, Path(folder))
                except GateError as error:
                    broken += 1
                    print(f"row {row} is not timed: {error}", file=sys.stderr)
                print(f"run {run}, row {row} done", file=sys.stderr)
    _show(measured)
    return broken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows", nargs="+", choices=ROWS, default=list(ROWS[:-1]), help="which rows; all but gpu"
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds of the short rows")
    parser.add_argument("--runs", type=int, default=1, help="how often all of it is repeated")
    parser.add_argument("--corpus", type=Path, help="real recordings for rows 1 to 4, and 11")
    parser.add_argument(
        "--run", type=Path, help="a finished run for rows 11 and 12; by default one is made"
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
        case "12":
            from benchmarks.start import cold

            return cold(_speech(asked, folder), folder, run=asked.run, rounds=asked.rounds)
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
    if not medians:
        return ""
    low, high = min(medians), max(medians)
    return f"{_range(1000 * low, 1000 * high, 1)} ms" if high < 1 else f"{_range(low, high, 1)} s"


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
