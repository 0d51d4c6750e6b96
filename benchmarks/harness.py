"""Side by side in one process, in turns, so that whatever else the machine does hits both."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import joblib
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from speechnet.corpus.config import CorpusConfig, SynthConfig
from speechnet.corpus.reader import Corpus, load_corpus
from speechnet.corpus.synthetic.corpus import write_corpus

CONFIGS: Final = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True)
class Bench:
    """What a row is given: options of the command line, and a folder for what it makes."""

    rounds: int
    full: bool
    corpus: Path | None
    run: Path | None
    folder: Path

    def speech(self) -> list[Path]:
        """16 recordings: real ones where a corpus is named, else synthetic ones at 48 kHz."""
        root = self.corpus or self.synthetic(speakers=4, sentences=2, sample_rate=48_000)
        found = sorted(p for p in root.rglob("*") if p.suffix.lower() in {".wav", ".flac"})
        if not found:
            raise SystemExit(f"no .wav or .flac files in {root}")
        return found[:: max(1, len(found) // 16)][:16]

    def synthetic(self, *, speakers: int, sentences: int = 10, sample_rate: int = 22_050) -> Path:
        """A synthetic corpus, made once."""
        root = self.folder / f"speech_{speakers}_{sentences}_{sample_rate}"
        config = SynthConfig(speakers=speakers, sentences=sentences, sample_rate=sample_rate)
        with joblib.parallel_config(backend="loky", n_jobs=-1):
            write_corpus(root, config)
        return root

    def fitted(self) -> Path:
        """The run that is named, else one of the quickstart, made once."""
        out = self.folder / "runs"
        if not self.run and not out.exists():
            command = [sys.executable, "-m", "speechnet", "fit", "--out", str(out)]
            command += ["--config", str(CONFIGS / "quickstart.yaml")]
            command += ["--data.cache_dir", str(self.folder / "cache")]
            subprocess.run(command, check=True, capture_output=True)
        return self.run or next(out.glob("*/version_*"))


def original(root: Path) -> Corpus:
    """A synthetic corpus with the original's targets."""
    config = CorpusConfig(root=str(root), name="original")
    return load_corpus(config, {"gender": None, "emotion": None})


@dataclass(frozen=True)
class Measured:
    """One row of the table: seconds of each round, and the ratio that is asked for.

    ``gate`` is what was checked before anything was timed, ``verdict`` stands where there is no
    target. With ``shares`` the share of theirs is reported, in per cent, instead of the ratio.
    """

    row: str
    what: str
    against: str
    ours: list[float]
    theirs: list[float] = field(default_factory=list)
    target: float | None = None
    gate: str = ""
    shares: bool = False
    note: str = ""
    verdict: str = ""

    @property
    def ratios(self) -> list[float]:
        """How many times as fast, or what share in per cent, round by round."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return [100 * a / b if self.shares else b / a for a, b in pairs]

    @property
    def met(self) -> bool:
        """Whether the median ratio reaches the target."""
        if self.target is None:
            return True
        middle = median(self.ratios)
        return middle <= self.target if self.shares else middle >= self.target


def in_turns(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    rounds: int,
    warm: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[list[float], list[float]]:
    """Seconds of each, round by round, the first to go alternating; ``warm``: once more before."""
    if warm:
        ours()
        theirs()
    seconds: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds):
        turns = [(ours, seconds[0]), (theirs, seconds[1])]
        for function, kept in turns[:: 1 if i % 2 else -1]:
            kept.append(timed(function, clock))
    return seconds


def timed(function: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds that one call takes, by the wall clock or another."""
    gc.collect()
    start = clock()
    function()
    return clock() - start


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for everything that would take more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        yield
    torch.set_num_threads(before)


class GateError(Exception):
    """The numbers differ by more than they may: nothing is timed."""


def gate(passed: bool, text: str) -> str:
    """Refuse to time what is not the same computation.

    Raises:
        GateError: it is not.
    """
    if not passed:
        raise GateError(text)
    return text


def agreement(ours: list[np.ndarray], theirs: list[np.ndarray], *, least: float) -> str:
    """Refuse rows of which too few values are within 1e-3 of theirs, or of the column's spread."""
    found, expected = np.array(ours), np.array(theirs)
    off = np.abs(found - expected) / np.maximum(np.abs(expected), expected.std(axis=0))
    share = float((off <= 1e-3).mean())
    return gate(share >= least, f"{100 * share:.2f} % of values within 1e-3")
