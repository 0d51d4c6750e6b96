"""Where librosa's definition jumps: how often the torch backend lands on the same side.

Over all 1,440 files of RAVDESS, 230,243 frames of 2,048 samples at 22,050 Hz: the tuning in every
file, the rolloff in 99.95 % of the frames, the fundamental frequency (to 0.1 %) in 99.998 %.
"""

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from speechnet.features.functionals import Functionals
from speechnet.features.functionals.torch_backend import banks, rows
from speechnet.features.functionals.torch_backend.chroma import peaks, tunings
from speechnet.features.functionals.torch_backend.frames import Clips, blocks

SR = 22_050

pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated")


def speech(ravdess: Path, step: int) -> Iterator[Clips]:
    """Every so many a file, one clip at a time."""
    for path in sorted(ravdess.rglob("*.flac"))[::step]:
        y = torch.from_numpy(librosa.load(path)[0])[None]
        lengths = torch.tensor([y.shape[1]])
        yield Clips(y, lengths, SR, Functionals(preset="original"), equal=True, precise=False)


def tuning_agrees(clips: Clips) -> np.ndarray:
    """Whether the file's is the same bin of the histogram."""
    found = tunings([peaks(block) for block in blocks(clips)], 1)
    expected = librosa.estimate_tuning(S=np.abs(librosa.stft(clips.y[0].numpy())) ** 2)
    return banks.TUNINGS[found.numpy()] == expected


def rolloff_agrees(clips: Clips) -> np.ndarray:
    """Whether each frame's is the same bin of the spectrum."""
    found = rows.over_frames(clips, {"rolloff"})["rolloff"][0, :, 0].numpy()
    expected = librosa.feature.spectral_rolloff(y=clips.y[0].numpy())[0]
    return np.abs(found - expected) < SR / 2_048 / 2


def f0_agrees(clips: Clips) -> np.ndarray:
    """Whether each frame's is the same dip."""
    found = rows.over_frames(clips, {"f0"})["f0"][0, :, 0].numpy()
    expected = librosa.yin(clips.y[0].numpy(), fmin=65, fmax=600, frame_length=2_048)
    return np.abs(found / expected - 1) < 1e-3


def test_agreement_on_real_speech(ravdess: Path) -> None:
    """At least 99.5 % of the files' tunings and the frames' rolloff, 99.9 % of their pitch."""
    compared = [
        (tuning_agrees(clips), rolloff_agrees(clips), f0_agrees(clips))
        for clips in speech(ravdess, 48)
    ]
    tuning, rolloff, f0 = (np.concatenate(parts).mean() for parts in zip(*compared, strict=True))
    assert tuning >= 0.995
    assert rolloff >= 0.995
    assert f0 >= 0.999
