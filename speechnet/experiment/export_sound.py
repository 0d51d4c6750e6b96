"""The log-mel front end of a network over time, as a part of its ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from speechnet.core.errors import ConfigError
from speechnet.core.types import Float32, Float64, Sequences, Targets
from speechnet.experiment.saved_run import SavedRun
from speechnet.features.extractor import Sound
from speechnet.features.log_mel import LogMel
from speechnet.models.model import SEQUENCE, Fitted
from speechnet.models.training.onnx_graph import Graph

_RATE: Final = 16_000
_SECONDS: Final = (0.3, 1.0, 2.37, 8.0)
"""Lengths of the sounds that a graph is tested with."""


def front_of(run: SavedRun, model: str) -> LogMel | None:
    """What makes a model's frames of samples; None where it takes vectors.

    Raises:
        ConfigError: it takes other frames than log-mel, or a step before them can't be in a graph.
    """
    asked, data = run.config.models[model], run.config.data
    if asked.takes != SEQUENCE:
        return None
    name = str(asked.extractor)
    made, found = data.recipe.extractors[name], ""
    if not isinstance(made, LogMel):
        found = f"models.{model}.features is {name}, expected log_mel"
    elif data.denoise.method != "none":
        found = f"data.denoise.method is {data.denoise.method}, expected none"
    elif data.per_speaker:
        found = "data.per_speaker is true, expected false"
    if found or not isinstance(made, LogMel):
        raise ConfigError(
            f"{model} can't be exported with its front end: {found}. Run fit with that, or name "
            "another network with --model"
        )
    return made


def wanted(run: SavedRun) -> str:
    """How the samples that a graph takes are made, in words."""
    audio = run.config.data.audio
    steps = [f"float32, mono ({audio.mono}), {_RATE} Hz, full scale 1"]
    if audio.trim_db is not None:
        steps.append("less their mean" if audio.remove_dc else "")
        steps.append(
            f"cut before the first and behind the last frame within {audio.trim_db:g} dB of the "
            "loudest, as librosa.effects.trim does (data.audio.trim_db)"
        )
    return ", ".join(filter(None, steps))


def front(made: LogMel, *, centred: bool) -> Callable[[Graph, str], str]:
    """What adds log-mel frames to a graph.

    The Fourier transform is a convolution with windowed cosines and sines.

    Args:
        made: its settings.
        centred: whether the mean of the samples is subtracted first.
    """
    transform = made.transform()
    spectrogram = transform.spectrogram
    size = spectrogram.n_fft
    turns = torch.outer(torch.arange(size // 2 + 1), torch.arange(size)).double() / size
    waves = torch.cat([(2 * torch.pi * turns).cos(), (2 * torch.pi * turns).sin()])
    waves = (waves * spectrogram.window).float()[:, None]

    def add(graph: Graph, samples: str) -> str:
        y = samples
        if centred:
            y = graph.add("Sub", y, graph.add("ReduceMean", y, keepdims=1))
        y = graph.add("Unsqueeze", y, torch.tensor([0, 1]))
        pads = [size // 2, size // 2]
        both = graph.add("Conv", y, waves, strides=[spectrogram.hop_length], pads=pads)
        squared = graph.add("Transpose", graph.add("Mul", both, both), perm=[0, 2, 1])
        # Of cosines and of sines alike: the sum of both is the power.
        power = graph.add("MatMul", squared, torch.cat([transform.mel_scale.fb] * 2))
        floor = Tensor([10 ** (made.floor_db / 10)])
        logarithm = graph.add("Log", graph.add("Max", power, floor))
        return graph.add("Mul", logarithm, Tensor([10 / np.log(10)]))

    return add


def sounds() -> list[Float32]:
    """Noise of several lengths, coloured and of changing loudness: float32 ``[n]`` each."""
    random = np.random.default_rng(0)
    made = []
    for seconds in _SECONDS:
        n = round(seconds * _RATE)
        noise = np.diff(random.standard_normal(n + 4).cumsum() * 0.1, n=1)[:n]
        envelope = np.interp(np.arange(n), np.linspace(0, n, 12), random.uniform(0, 0.3, 12))
        made.append((envelope * noise + 0.01).astype(np.float32))
    return made


def of_torch(
    models: Sequence[Fitted], made: LogMel, sound: Float32, targets: Targets, *, centred: bool
) -> dict[str, Float64]:
    """What the models' mean says of a sound, by target float64 ``[k]``."""
    y = sound - sound.mean() if centred else sound
    frames: Any = made.extract([y.astype(np.float32)], Sound(_RATE))[0]
    starts = np.array([0, len(frames)])
    one = Sequences(frames, starts, ("",), made.columns, made.frame_rate)
    every = [model.predict_proba(one) for model in models]
    return {target: np.mean([each[target][0] for each in every], axis=0) for target in targets}
