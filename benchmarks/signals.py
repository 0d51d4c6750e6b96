"""Rows 1 to 4 and 13: one core, from samples or files to numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import noisereduce
import numpy as np
import soundfile
import torch

from benchmarks import plain
from benchmarks.harness import Bench, Measured, agreement, gate, in_turns, one_thread
from speechnet.audio.config import AudioConfig
from speechnet.audio.decode import load
from speechnet.denoise import DenoiseConfig
from speechnet.denoise.torch_backend import denoise
from speechnet.features.extraction.compute import compute
from speechnet.features.extraction.recipe import Recipe
from speechnet.features.extractor import Sound
from speechnet.features.functionals import Functionals
from speechnet.features.functionals.torch_backend import extract
from speechnet.features.functionals_large import FunctionalsLarge

SR = 22_050
ORIGINAL = Functionals(preset="original")
AUDIO = AudioConfig(remove_dc=False)
_LIMIT_S = 0.03  # of a core, for a clip of row 13


def three_seconds(files: list[Path]) -> list[np.ndarray]:
    """Speech of 3 s each at 22,050 Hz: recordings repeated or cut to that length."""
    return [np.resize(load(path, AUDIO).y, 3 * SR) for path in files]


def each(function: Callable[..., Any], items: Sequence[object]) -> Callable[[], list[Any]]:
    """A call that goes through all items."""
    return lambda: [function(item) for item in items]


def alone(function: Callable[..., torch.Tensor], config: object, y: np.ndarray) -> np.ndarray:
    """What a function of batches gives for one clip."""
    with torch.inference_mode():
        lengths = torch.tensor([len(y)])
        return function(torch.from_numpy(y)[None], lengths, SR, config)[0].numpy()


def denoising(bench: Bench) -> list[Measured]:
    """Row 1, in both modes."""
    clips = three_seconds(bench.speech())
    measured = []
    for method, target in (("nonstationary", 5.0), ("stationary", 6.0)):
        config = DenoiseConfig(method=method)  # type: ignore[arg-type]
        ours = partial(alone, denoise, config)

        def theirs(y: np.ndarray, stationary: bool = method == "stationary") -> np.ndarray:
            return np.asarray(noisereduce.reduce_noise(y=y, sr=SR, stationary=stationary))

        with one_thread():
            errors = [np.abs(ours(y) - theirs(y)).max() / np.abs(y).max() for y in clips]
            worst = float(max(errors))
            text = gate(worst <= 1e-4, f"largest error {worst:.0e} of the peak")
            seconds = in_turns(each(ours, clips), each(theirs, clips), rounds=bench.rounds)
        what = f"denoise, {method}, {len(clips)} clips of 3 s"
        measured.append(
            Measured("1", what, "noisereduce.reduce_noise", *seconds, target=target, gate=text)
        )
    return measured


def features(bench: Bench) -> list[Measured]:
    """Row 2."""
    clips = three_seconds(bench.speech())
    ours, theirs = partial(alone, extract, ORIGINAL), partial(plain.five_calls, sr=SR)
    with one_thread():
        text = agreement(each(ours, clips)(), each(theirs, clips)(), least=0.995)
        seconds = in_turns(each(ours, clips), each(theirs, clips), rounds=bench.rounds)
    what = f"features, original's 65, {len(clips)} clips of 3 s"
    return [Measured("2", what, "five librosa calls", *seconds, target=4.0, gate=text)]


def large_set(bench: Bench) -> list[Measured]:
    """Row 13: all 1,432 numbers against the 581 that librosa's calls and NumPy give."""
    files = bench.speech()
    clips = [load(path, replace(AUDIO, sample_rate=16_000)).y for path in files]
    config = FunctionalsLarge()
    names = ("large_energy_mean", "large_f0_mean", "large_f0_p95")
    width, first, last = map(config.columns.index, names)

    def ours(y: np.ndarray) -> np.ndarray:
        (found,) = config.extract([y], Sound(16_000))
        return np.asarray(found)

    def shared(y: np.ndarray) -> np.ndarray:
        found = ours(y)
        return np.concatenate((found[:width], found[first : last + 1]))

    theirs = partial(plain.large, sr=16_000)
    with one_thread():
        text = agreement(each(shared, clips)(), each(theirs, clips)(), least=0.995)
        seconds = in_turns(each(ours, clips), each(theirs, clips), rounds=bench.rounds)
        core = min(_core(each(ours, clips)) for _ in range(bench.rounds)) / len(clips)
    length = sum(map(len, clips)) / len(clips) / 16_000
    what = f"functionals_large, {len(clips)} clips of {length:.1f} s"
    met = "met" if core <= _LIMIT_S else "not met"
    verdict = f"at most {1000 * _LIMIT_S:.0f} ms of a core: {1000 * core:.1f} ms, {met}"
    return [Measured("13", what, "librosa and NumPy, 581 of the numbers", *seconds, gate=text,
                     verdict=verdict, note="one STFT on either side")]  # fmt: skip


def _core(function: Callable[[], object]) -> float:
    """Seconds of a core that a call takes."""
    start = time.process_time()
    function()
    return time.process_time() - start


def files_to_rows(bench: Bench) -> list[Measured]:
    """Rows 3 and 4."""
    import opensmile

    files = bench.speech()
    recipes = [
        Recipe(AudioConfig(), config, {"functionals": ORIGINAL})
        for config in (DenoiseConfig(), DenoiseConfig(method="none"))
    ]
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=1,
    )

    def ours(recipe: Recipe, path: Path) -> np.ndarray:
        clip = load(path, AUDIO)
        (row,) = compute(recipe, {clip.sr: [clip.y]}, ["functionals"])["functionals"]
        return np.asarray(row)

    with one_thread():
        denoised, bare = (each(partial(ours, how), files) for how in recipes)
        plainly = each(plain.row, files)
        text = agreement(denoised(), plainly(), least=0.995)
        with_gate = in_turns(denoised, plainly, rounds=bench.rounds)
        smiling = each(smile.process_file, [str(file) for file in files])
        without = in_turns(bare, smiling, rounds=bench.rounds)
    seconds = sum(soundfile.info(f).duration for f in files)
    many = f"{len(files)} files, {seconds:.0f} s of speech"
    return [
        Measured("3", f"wav to row, denoised, {many}", "the plain recipe", *with_gate, target=5.0,
                 gate=text),
        Measured("4", f"wav to row, not denoised, {many}", "openSMILE eGeMAPSv02", *without,
                 target=4.0, note="65 values against 88: other features, the same use"),
    ]  # fmt: skip
