"""Rows 11 and 12: a run applied, to one clip in memory and by cold processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Final

import numpy as np

import speechnet
from benchmarks.harness import Bench, Measured, in_turns, one_thread
from benchmarks.signals import SR
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.core.types import Float32

_LIMIT_S: Final = 0.03

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


def one_clip(bench: Bench) -> list[Measured]:
    """Row 11: a clip of 3 s, from samples to probabilities, on one core.

    The best model and the SVM, against loading the run again for the clip.
    """
    # Without the silence around it, which a run may trim: all of it is worked on.
    clip = np.resize(load(bench.speech()[0], AudioConfig(trim_db=30.0)).y, 3 * SR)
    with one_thread():
        return [_one_clip(bench, model, clip) for model in ("best", "svm")]


def _one_clip(bench: Bench, model: str, clip: Float32) -> Measured:
    load_run = partial(speechnet.load, bench.fitted(), model=model)
    loaded = load_run()
    ours = partial(loaded.predict, clip, SR)
    rounds = 4 * bench.rounds
    seconds = in_turns(ours, lambda: load_run().predict(clip, SR), rounds=rounds)
    spent = []  # of the core, whatever else the machine does meanwhile
    for _ in range(rounds):
        start = time.process_time()
        ours()
        spent.append(time.process_time() - start)
    core, data = median(spent), loaded.run.config.data
    return Measured(
        "11",
        f"one clip of 3 s, {loaded.models[0]} of {loaded.run.folder.info['folds']} folds, loaded",
        "the run loaded for it",
        *seconds,
        verdict=f"at most {1000 * _LIMIT_S:.0f} ms of a core: {1000 * core:.1f} ms, "
        f"{'met' if core <= _LIMIT_S else 'not met'}",
        note=f"denoise: {data.denoise.method}",
    )


def cold(bench: Bench) -> list[Measured]:
    """Row 12: CPU seconds and memory of a cold process until it has answered."""
    path, sound = str(bench.fitted()), str(bench.speech()[0])
    copy = str(shutil.copytree(path, bench.folder / "copy", dirs_exist_ok=True))
    verb = [sys.executable, "-m", "speechnet"]
    starts: dict[str, tuple[list[str], int, float]] = {
        "fit --help": ([*verb, "fit", "--help"], 0, 0.8),
        "a misspelt key": ([*verb, "fit", "--data.corpsu", "x"], 2, 0.8),
        "predict, best model": ([*verb, "predict", "--run", path, sound], 0, 5.0),
        "load and predict": ([sys.executable, "-c", _LOAD, path, sound], 0, 5.0),
        "report without figures": ([*verb, "report", "--run", copy, "--figures", "false"], 0, 3.0),
        "compare": ([*verb, "compare", path, copy], 0, 3.0),
    }
    measured = []
    for what, (command, code, limit) in starts.items():
        taken = [_used(command, code) for _ in range(bench.rounds)]
        seconds = [spent for spent, _ in taken]
        note = f"CPU seconds; {max(most for _, most in taken):.0f} MB"
        verdict = "met" if median(seconds) <= limit else "missed"
        against, gate = f"at most {limit:g} s", f"exit code {code}"
        measured.append(
            Measured("12", what, against, seconds, gate=gate, note=note, verdict=verdict)
        )
    return measured


def _used(command: Sequence[str], code: int) -> tuple[float, float]:
    """CPU seconds, user and system, and the most MB, of a process and those it waited for."""
    meter = [sys.executable, "-c", _METER, *command]
    said = subprocess.run(meter, check=True, capture_output=True, text=True).stdout.split()
    if int(said[0]) != code:
        raise SystemExit(f"{' '.join(command)} ended with {said[0]}, expected {code}")
    return float(said[1]), float(said[2]) / 1024
