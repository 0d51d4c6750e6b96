"""Row 12: what a cold process takes until it has answered, in CPU seconds and memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.harness import Measured
from benchmarks.latency import fitted_run

_LOAD: Final = """
import sys, soundfile, speechnet
speechnet.load(sys.argv[1]).predict(*soundfile.read(sys.argv[2]))
"""

_METER: Final = """
import resource, subprocess, sys
null = subprocess.DEVNULL
code = subprocess.run(sys.argv[1:], stdout=null, stderr=null).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""A small process in between: a child's memory counts that of its parent, which is large here."""


def cold(files: list[Path], folder: Path, *, run: Path | None, rounds: int) -> list[Measured]:
    """Every kind of start, each in a process of its own.

    Args:
        files: speech, of which the first is recognised.
        folder: where a run is made if none is given.
        run: a finished run.
        rounds: how often.
    """
    path = str(run or fitted_run(folder))
    copy = str(shutil.copytree(path, folder / "runs_12", dirs_exist_ok=True))
    verb = [sys.executable, "-m", "speechnet"]
    sound = str(files[0])
    starts: dict[str, tuple[list[str], int, float]] = {
        "fit --help": ([*verb, "fit", "--help"], 0, 0.8),
        "a misspelt key": ([*verb, "fit", "--data.corpsu", "x"], 2, 0.8),
        "predict, best model": ([*verb, "predict", "--run", path, sound], 0, 5.0),
        "load and predict": ([sys.executable, "-c", _LOAD, path, sound], 0, 5.0),
        "report without figures": ([*verb, "report", "--run", copy, "--figures", "false"], 0, 3.0),
        "compare": ([*verb, "compare", path, copy], 0, 3.0),
    }
    return [
        _measure(what, command, code, limit, rounds=rounds)
        for what, (command, code, limit) in starts.items()
    ]


def _measure(
    what: str, command: Sequence[str], code: int, limit: float, *, rounds: int
) -> Measured:
    taken = [_used(command, code) for _ in range(rounds)]
    seconds = [spent for spent, _ in taken]
    memory = max(most for _, most in taken)
    return Measured(
        row="12",
        what=what,
        against=f"at most {limit:g} s",
        ours=seconds,
        gate=f"exit code {code}",
        note=f"CPU seconds; {memory:.0f} MB",
        verdict="met" if median(seconds) <= limit else "missed",
    )


def _used(command: Sequence[str], code: int) -> tuple[float, float]:
    """CPU seconds, user and system, and the most MB, of a process and those it waited for."""
    meter = [sys.executable, "-c", _METER, *command]
    said = subprocess.run(meter, check=True, capture_output=True, text=True).stdout.split()
    if int(said[0]) != code:
        raise SystemExit(f"{' '.join(command)} ended with {said[0]}, expected {code}")
    return float(said[1]), float(said[2]) / 1024
