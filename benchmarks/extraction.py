"""Rows 5 and 6: a corpus on two processes, and the second time."""

from __future__ import annotations

import shutil
import time
from statistics import median
from unittest import mock

import joblib
import numpy as np
import pandas as pd
import scipy.fft

from benchmarks.harness import Bench, GateError, Measured, gate, in_turns, original, timed
from speechnet.audio.config import AudioConfig
from speechnet.denoise import DenoiseConfig
from speechnet.features.extraction.extract import Extraction, extract_features
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.functionals import Functionals

RECIPE = Recipe(
    AudioConfig(remove_dc=False), DenoiseConfig(), {"functionals": Functionals(preset="original")}
)


def parallel_and_warm(bench: Bench, *, rounds: int = 3) -> list[Measured]:
    """Both rows on one corpus."""
    root = bench.synthetic(speakers=25)
    corpus = original(root)

    def run(n_jobs: int, *, keep: bool = False, table: pd.DataFrame = corpus.table) -> Extraction:
        cache = bench.folder / f"cache_{n_jobs}"
        if not keep:
            shutil.rmtree(cache, ignore_errors=True)
        with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
            return extract_features(root, table, RECIPE, cache_dir=cache)

    one, two = run(1), run(2)  # the processes stay, as they do from one fold to the next
    same = np.array_equal(one.features.matrix.X, two.features.matrix.X)
    text = gate(same, "the same bits on one process and on two")
    seconds = in_turns(lambda: run(2), lambda: run(1), rounds=rounds, warm=False)
    ceiling = median(_ceiling() for _ in range(rounds))
    with mock.patch(
        "speechnet.features.extraction.file_hashes.file_digest", side_effect=GateError("read")
    ):
        gate(run(2, keep=True).computed == 0, "a warm run computes nothing")
    warm, added, cold = [], [], []
    most = corpus.table.iloc[: round(0.99 * len(corpus.table))]
    for _ in range(rounds):
        run(2, table=most)
        added.append(timed(lambda: run(2, keep=True)))
        cold.append(timed(lambda: run(2)))
        warm.append(timed(lambda: run(2, keep=True)))
    files = f"{len(corpus.table)} recordings, wav to row"
    return [
        Measured("5", f"{files}, two processes", "one process", *seconds, target=1.8, gate=text,
                 note=f"two processes that share nothing and only transform reach {ceiling:.2f}x"),
        Measured("6", f"{files}, warm", "cold, two processes", warm, cold, target=1.0, shares=True,
                 gate="nothing is decoded or hashed the second time"),
        Measured("6", f"{files}, 1 % of them new", "cold, two processes", added, cold, target=2.0,
                 shares=True, note="the processes are there already"),
    ]  # fmt: skip


def _ceiling() -> float:
    """How much more two processes of plain FFTs get done than one: what the cores allow."""
    with joblib.parallel_config(backend="loky", n_jobs=2):
        (alone,) = joblib.Parallel()([joblib.delayed(_transform)()])
        both = max(joblib.Parallel()(joblib.delayed(_transform)() for _ in range(2)))
    return float(2 * alone / both)


def _transform() -> float:
    frames = np.random.default_rng(0).standard_normal((130, 2048))
    start = time.perf_counter()
    for _ in range(1_000):
        scipy.fft.rfft(frames)
    return time.perf_counter() - start
