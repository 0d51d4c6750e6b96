"""Rows 8 to 10: the original's experiment; its grids alone, then all of it, cold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks import plain
from benchmarks.extraction import RECIPE
from benchmarks.harness import CONFIGS, Bench, Measured, gate, original, timed
from speechnet.config.experiment import read_experiment
from speechnet.core.types import encode_all
from speechnet.features.extraction.extract import extract_features
from speechnet.models.candidates import Tried
from speechnet.models.scikit.pipelines import FitAndScore
from speechnet.models.search import best, search

TARGETS: Final = {"knn": 5.0, "svm": 2.0, "logreg": None}
PLAIN = """
import json, sys
from pathlib import Path
from benchmarks import plain
scores = plain.experiment(Path(sys.argv[1]))
print(json.dumps({" ".join(name): value for name, value in scores.items()}))
"""


def grids(bench: Bench) -> list[Measured]:
    """Row 8: the grids of both targets, against a plain GridSearchCV on the same folds.

    One round of each side: a search takes minutes. Rows are drawn at random, as the original's
    split does; with ``full`` as many as it has.
    """
    speakers, rows = (422, 11_810) if bench.full else (60, 1_680)
    root = bench.synthetic(speakers=speakers)
    corpus = original(root)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = extract_features(
            root, corpus.table, RECIPE, cache_dir=bench.folder / "cache_searches"
        )
    matrix = found.features.matrix
    chosen = np.sort(np.random.default_rng(0).permutation(len(matrix.index))[:rows])
    labels = encode_all(corpus.table.loc[list(matrix.index)], corpus.targets)[chosen]
    config, _ = read_experiment(["--config", str(CONFIGS / "original.yaml")])
    measured = []
    for name in TARGETS:
        for column, target in enumerate(corpus.targets):
            X, y, model = matrix.X[chosen], labels[:, column], config.models[name]
            one = _search(name, target, X, y, model)
            aim = TARGETS[name]
            small = "" if aim is None else f"of 11,810 rows (--full): {aim:g}x"
            measured.append(one if bench.full else replace(one, target=None, verdict=small))
    return measured


def _search(name: str, target: str, X: np.ndarray, y: np.ndarray, model: Any) -> Measured:
    folds = list(StratifiedKFold(model.folds, shuffle=True, random_state=0).split(X, y))
    run = FitAndScore(model, X, y, "minmax", "accuracy", 0)
    tried: list[Tried] = []
    plainly: list[Any] = []

    def ours() -> None:
        with joblib.parallel_config(backend="loky", n_jobs=2):
            tried.extend(search(run.model.sharing(run), model.candidates(), folds))

    def theirs() -> None:
        plainly.append(plain.search(name, X.astype(np.float64), y, folds=folds))

    seconds = timed(ours), timed(theirs)
    found = plainly[0].cv_results_
    expected = np.stack([found[f"split{i}_test_score"] for i in range(len(folds))], axis=1)
    worst = float(np.abs(np.array([one.scores for one in tried]) - expected).max())
    same = tried.index(best(tried)) == plainly[0].best_index_
    gate(same and worst == 0, f"{name}, {target}: same winner {same}, scores off by {worst:.0e}")
    what = f"{name}, {target}, {len(tried)} candidates, {len(folds)} folds, {len(X):,} x 65"
    return Measured("8", what, "GridSearchCV, n_jobs=2", [seconds[0]], [seconds[1]],
                    target=TARGETS[name], gate="same winner, all scores equal"
                 + "; SVC with break_ties" * (name == "svm"))  # fmt: skip


def end_to_end(bench: Bench) -> list[Measured]:
    """Rows 9 and 10: one round of each side, in processes of their own."""
    full, folder = bench.full, bench.folder
    root = bench.synthetic(speakers=400 if full else 40)
    fit = [sys.executable, "-m", "speechnet", "fit", "--config", str(CONFIGS / "original.yaml")]
    fit += ["--data.corpus.root", str(root), "--data.cache_dir", str(folder / "cache_fit")]
    fit += ["--out", str(folder / "runs_original"), "--parallel.n_jobs", "2"]
    ours, peak, _ = _run(fit)
    theirs, plain_peak, said = _run([sys.executable, "-c", PLAIN, str(root)])
    files = len(list(root.rglob("*.wav")))
    run = json.loads(next((folder / "runs_original").glob("*/version_*/run.json")).read_text())
    stages = ", ".join(f"{name} {s:.0f} s" for name, s in run["seconds"].items())
    print(f"row 9: stages of fit: {stages}; plain scores: {said}", file=sys.stderr)
    aim = "" if full else "of the original's size (--full): "
    return [
        Measured("9", f"original.yaml, {files} recordings, cold, end to end",
                 "the plain recipe, searches on two processes", [ours], [theirs],
                 target=8.0 if full else None, verdict=f"{aim}8x",
                 note="other random splits: the scores can't be equal"),
        Measured("10", f"peak memory of row 9: {peak:.2f} GiB", f"plainly {plain_peak:.2f} GiB", [],
                 verdict=f"{aim}at most 4 GiB, {'met' if peak <= 4 else 'not met'}",
                 note="proportional set size of all its processes"),
    ]  # fmt: skip


def _run(words: list[str]) -> tuple[float, float, str]:
    """Seconds, peak GiB over its processes, and the last line it printed."""
    peak = 0.0
    start = time.perf_counter()
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CONFIGS.parent
    ) as process:
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.5):
                peak = max(peak, _tree_memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        said, complaint = process.communicate()
        done.set()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{complaint}\n{words[:4]} ended with {process.returncode}")
    return time.perf_counter() - start, peak, said.strip().splitlines()[-1]


def _tree_memory(pid: int) -> float:
    """GiB of a process and all below it; pages that several share count once (Linux only)."""
    total = 0
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = 1024 * int(re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError):
        return total / 2**30
    return total / 2**30 + sum(_tree_memory(int(child)) for child in children)
