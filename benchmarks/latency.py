"""Row 11: one clip of 3 s, from samples to probabilities, on one core."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

import speechnet
from benchmarks.harness import Measured, gate, in_turns, one_thread
from benchmarks.signals import SR
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.audio.prepare import as_samples, prepare
from speechnet.core.errors import Excluded
from speechnet.core.types import FeatureSet, Float32, Float64
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.extraction.compute import compute, gather
from speechnet.inference.predictor import Predictor

CONFIG = Path(__file__).parents[1] / "configs/quickstart.yaml"
LIMIT_S = 0.03


def one_clip(files: list[Path], folder: Path, *, run: Path | None, rounds: int) -> list[Measured]:
    """The best model and the SVM, against reading the run anew for the clip.

    Args:
        files: speech, of which the first is taken.
        folder: where a run is made if none is given.
        run: a finished run.
        rounds: a fourth of how often.
    """
    # Without the silence around it, which a run may trim: all of it is worked on.
    clip = np.resize(load(files[0], AudioConfig(trim_db=30.0)).y, 3 * SR)
    path = run or fitted_run(folder)
    with one_thread():
        loaded = {name: speechnet.load(path, model=name) for name in ("best", "svm")}
        return [_measure(path, one, clip, rounds=4 * rounds) for one in loaded.values()]


def _measure(path: Path, recogniser: Predictor, clip: Float32, *, rounds: int) -> Measured:
    (model,) = recogniser.models

    def ours() -> dict[str, dict[str, float]]:
        return recogniser.predict(clip, SR).probabilities

    def theirs() -> dict[str, Float64]:
        return _read_and_predict(path, model, clip)

    found, expected = ours(), theirs()
    worst = max(
        float(np.abs(np.array(list(by_class.values())) - expected[target]).max())
        for target, by_class in found.items()
    )
    text = gate(worst <= 1e-6, f"largest difference {worst:.0e}")
    seconds = in_turns(ours, theirs, rounds=rounds)
    core = median(_of_the_core(ours) for _ in range(rounds))
    return Measured(
        "11",
        f"one clip of 3 s, {model} of {recogniser.run.folder.info['folds']} folds, loaded",
        "the run read for it",
        *seconds,
        gate=text,
        verdict=f"at most {1000 * LIMIT_S:.0f} ms of a core: {1000 * core:.1f} ms, "
        f"{'met' if core <= LIMIT_S else 'not met'}",
        note=f"denoise: {recogniser.run.config.data.denoise.method}",
    )


def _of_the_core(function: Callable[[], object]) -> float:
    """Seconds that this process was given for a call, whatever else the machine did meanwhile."""
    start = time.process_time()
    function()
    return time.process_time() - start


def _read_and_predict(path: Path, model: str, clip: Float32) -> dict[str, Float64]:
    """The same without the library: by target float64 ``[k]``."""
    run = SavedRun(path)
    recipe = run.config.data.recipe
    y = prepare(as_samples(clip), SR, recipe.audio).y
    (row,) = compute(recipe, {recipe.audio.sample_rate: [y]}, ["functionals"])["functionals"]
    if isinstance(row, Excluded):
        raise row
    features = FeatureSet({"functionals": gather(recipe.extractors["functionals"], [row], [""])})
    return {target: p[0] for target, p in run.predict_proba(model, features).items()}


def fitted_run(folder: Path) -> Path:
    """A run of the quickstart, made once."""
    out = folder / "runs_11"
    if made := list(out.glob("*/version_*")):
        return made[0]
    command = [sys.executable, "-m", "speechnet", "fit", "--config", str(CONFIG)]
    command += ["--out", str(out), "--data.cache_dir", str(folder / "cache_11")]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*/version_*"))
