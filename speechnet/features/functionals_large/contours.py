"""From samples to contours: a few numbers for each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from speechnet.features.functionals.torch_backend import banks, levels, spectral, waveform
from speechnet.features.functionals.torch_backend.frames import Block, Chosen, Clips, blocks
from speechnet.features.functionals_large.layout import MEL_BANDS, MFCC, ROLLOFFS

_PERIODIC: Final = 0.7
_SOFT_DB: Final = 40.0
_REFERENCE_HZ: Final = 55.0  # of semitones: A1

_OF_BLOCK: Final[Mapping[str, Callable[[Block], Tensor]]] = {
    "mel": spectral.mel,
    "contrast": spectral.contrast,
    "centroid": spectral.centroid,
    "bandwidth": spectral.bandwidth,
    "rolloff": lambda block: spectral.rolloff(block, ROLLOFFS),
    "flatness": spectral.flatness,
    "zero_crossing_rate": waveform.crossing_rate,
    "energy": spectral.energy,
    "voicing": waveform.voicing,
}


@dataclass(frozen=True)
class Contours:
    """Each float32 ``[b, frames, rows]``.

    Attributes:
        clips: whose they are.
        mel: 40 bands in dB, as ``librosa.power_to_db`` has them.
        mfcc: 20 coefficients of these.
        spectrum: the rows of ``layout.SPECTRUM``; Hz, and the flatness in dB. The flux is how much
            the 40 bands rise on average from the frame before, in dB.
        contrast: dB.
        energy: the root mean square in dB, no lower than 80 dB below the clip's largest.
        f0: semitones above 55 Hz, of every frame, voiced or not.
        periodicity: from -1 to 1; see ``waveform.voicing``.
    """

    clips: Clips
    mel: Tensor
    mfcc: Tensor
    spectrum: Tensor
    contrast: Tensor
    energy: Tensor
    f0: Tensor
    periodicity: Tensor

    @cached_property
    def own(self) -> Tensor:
        """Which frames are a clip's own: bool ``[b, frames]``."""
        mask = self.clips.mask
        return torch.ones_like(self.energy[..., 0], dtype=torch.bool) if mask is None else mask

    @cached_property
    def voiced(self) -> Chosen:
        """Frames that are periodic and not too soft."""
        softest = self.energy.masked_fill(~self.own[..., None], -torch.inf).amax(1) - _SOFT_DB
        periodic = (self.periodicity[..., 0] > _PERIODIC) & (self.energy[..., 0] > softest)
        return Chosen(periodic & self.own)

    @cached_property
    def unvoiced(self) -> Chosen:
        """All others."""
        return Chosen(self.own & ~self.voiced.mask)


def contours(clips: Clips) -> Contours:
    """All contours of a batch, from one STFT and one autocorrelation."""
    parts: dict[str, list[Tensor]] = {name: [] for name in _OF_BLOCK}
    for block in blocks(clips):
        for name, compute in _OF_BLOCK.items():
            parts[name].append(compute(block))
    found = {name: torch.cat(pieces, dim=1) for name, pieces in parts.items()}
    mel = levels.in_db(found["mel"], clips.mask)
    f0, periodicity = found["voicing"].chunk(2, dim=-1)
    flux = pad(mel.diff(dim=1).clamp_(min=0).mean(dim=-1, keepdim=True), (0, 0, 1, 0))
    plain = [found[name] for name in ("centroid", "bandwidth", "rolloff")]
    flatness = found["flatness"].log10_().mul_(10)
    return Contours(
        clips,
        mel=mel,
        mfcc=mel @ banks.dct(len(MFCC), MEL_BANDS, mel.device),
        spectrum=torch.cat([*plain, flatness, found["zero_crossing_rate"], flux], dim=-1),
        contrast=levels.contrast_in_db(found["contrast"], clips.mask),
        energy=levels.in_db(found["energy"].square_(), clips.mask),
        f0=(f0 / _REFERENCE_HZ).log2_().mul_(12),
        periodicity=periodicity,
    )
