"""Row ``gpu``: what a GPU adds, against the rows of the CPU. Needs one."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import joblib
import noisereduce
import numpy as np
import torch

from benchmarks import plain
from benchmarks.extraction import RECIPE
from benchmarks.harness import Bench, Measured, agreement, in_turns, one_thread, original, timed
from benchmarks.network import TARGETS, epoch, table
from benchmarks.signals import SR, three_seconds
from speechnet.audio.decode import load
from speechnet.core.errors import Excluded
from speechnet.features.extraction.compute import compute
from speechnet.features.extraction.extract import extract_features
from speechnet.features.extraction.workers import run_in_workers
from speechnet.models.neural.mlp import MLP
from speechnet.models.training.joint_training import Member, train_together
from speechnet.models.training.lightning_module import LightningNetwork


def all_rows(bench: Bench, *, rounds: int = 3, device: str = "cuda") -> list[Measured]:
    """Rows from samples, end to end, an epoch, and 64 networks at once."""
    root = bench.synthetic(speakers=25)
    files = sorted(root.rglob("*.wav"))
    accelerator = "gpu" if device == "cuda" else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else device
    return [
        _rows(files, rounds=rounds, device=device, name=name),
        _end_to_end(root, files, bench.folder, device=device, name=name),
        *epoch(replace(bench, rounds=rounds), accelerator=accelerator, target=20.0),
        _networks(rounds=rounds, device=device, name=name),
    ]


def _rows(files: list[Path], *, rounds: int, device: str, name: str) -> Measured:
    """512 clips of 3 s as int16 in memory, against the plain recipe from the same samples."""
    clips = three_seconds(files[:: max(1, len(files) // 32)][:32])
    stored = [(clip * 32_767).astype(np.int16) for clip in clips]

    def rows(some: list[np.ndarray]) -> list[np.ndarray]:
        found = compute(RECIPE, {SR: floats(some)}, ["functionals"], device=device)["functionals"]
        return [row for row in found if not isinstance(row, Excluded)]

    def floats(some: list[np.ndarray]) -> list[np.ndarray]:
        return [one.astype(np.float32) / 32_768 for one in some]

    def plainly(some: list[np.ndarray]) -> list[np.ndarray]:
        return [plain.five_calls(noisereduce.reduce_noise(y=y, sr=SR), SR) for y in floats(some)]

    with one_thread():
        text = agreement(rows(stored), plainly(stored), least=0.99)
        seconds = in_turns(lambda: rows(stored * 16), partial(plainly, stored), rounds=rounds)
    each = [value / 16 for value in seconds[0]]
    return Measured("gpu", f"samples to rows, denoised, 32 clips of 3 s, {name}",
                    "the plain recipe, one core", each, seconds[1],
                    target=200.0, gate=text)  # fmt: skip


def _end_to_end(root: Path, files: list[Path], folder: Path, *, device: str, name: str) -> Measured:
    """From files to rows with the processes decoding, against decoding alone."""
    corpus = original(root)
    pieces = {str(path): path for path in files}
    with joblib.parallel_config(backend="loky", n_jobs=-1):
        decode = partial(load, config=RECIPE.audio)
        for _ in run_in_workers(pieces, decode):  # the processes start
            pass
        alone = timed(lambda: sum(len(done) for done in run_in_workers(pieces, decode)))
        extract = partial(extract_features, cache_dir=folder / "gpu", device=device)
        whole = timed(lambda: extract(root, corpus.table, RECIPE))
    return Measured("gpu", f"{len(files)} files to rows, {name}", "decoding alone",
                    [whole], [alone], target=0.8, note="as a share of that rate")  # fmt: skip


def _networks(*, rounds: int, device: str, name: str) -> Measured:
    """64 networks trained at once, against one."""
    X, labels = table(4_000)
    config = MLP(schedule="none", patience=None)
    rows = np.arange(len(X))

    def train(count: int) -> None:
        networks = [
            LightningNetwork(X.shape[1], TARGETS, "mlp", asdict(config)) for _ in range(count)
        ]
        train_together(
            [Member(one) for one in networks], X, labels, train=rows, dev=rows[:0], seed=0,
            epochs=3, device=torch.device(device),
        )  # fmt: skip

    seconds = in_turns(lambda: train(64), lambda: train(1), rounds=rounds)
    return Measured("gpu", f"64 networks at once, {name}", "one", *seconds, target=1 / 3,
                    note="a ratio of 0.33 is three times as long as one")  # fmt: skip
