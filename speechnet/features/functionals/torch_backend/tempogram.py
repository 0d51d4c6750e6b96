"""Local autocorrelation of the onset strength (``librosa.feature.tempogram``)."""

from __future__ import annotations

import scipy.fft
import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.torch_backend import banks
from speechnet.features.functionals.torch_backend.frames import Clips

_TINY = torch.finfo(torch.float32).tiny


def tempogram(mel_db: Tensor, clips: Clips) -> Tensor:
    """Autocorrelation of the onsets around each frame, the largest value of each frame 1.

    Args:
        mel_db: float32 ``[b, frames, mels]``, in dB.
        clips: the clips it is of.

    Returns:
        float32 ``[b, frames, lags]``.
    """
    lags = clips.config.tempogram_lags
    onsets = _with_ramps(_onset_strength(mel_db, clips), clips, lags // 2)
    window = banks.hann(lags, torch.float32, mel_db.device)
    frames = onsets.unfold(1, lags, 1)[:, : clips.n_frames] * window
    n = scipy.fft.next_fast_len(2 * lags - 1, real=True)
    spectrum = torch.fft.rfft(frames, n=n)
    correlation: Tensor = torch.fft.irfft(spectrum * spectrum.conj(), n=n)[..., :lags]
    length = correlation.abs().amax(dim=-1, keepdim=True)
    return correlation / torch.where(length < _TINY, 1.0, length)


def _onset_strength(mel_db: Tensor, clips: Clips) -> Tensor:
    """Mean rise in dB from one frame to the next, moved to a frame's centre: ``[b, frames]``."""
    rise = mel_db.diff(dim=1).clamp_(min=0).mean(dim=-1)
    moved = 1 + clips.config.n_fft // (2 * clips.config.hop_length)
    return pad(rise, (moved, 0))[:, : clips.n_frames]


def _with_ramps(onsets: Tensor, clips: Clips, width: int) -> Tensor:
    """Each clip's onsets with a straight line from and to zero at its ends, then zeros.

    ``[b, frames] -> [b, frames + 2 * width]``, as ``np.pad(mode="linear_ramp")`` does.
    """
    if not width:
        return onsets
    position = torch.arange(-width, clips.n_frames + width, device=onsets.device)
    nearest = torch.minimum(position.clamp(min=0), clips.last)
    distance = (position - nearest).abs()
    return onsets.gather(1, nearest) * (1 - distance / width).clamp_(min=0)
