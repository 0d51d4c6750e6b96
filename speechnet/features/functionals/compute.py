"""Two ways from samples to a row behind one contract: by torch, and by librosa.

librosa defines what the numbers mean. ``torch_backend`` computes the same numbers several times as
fast, on a CPU or a GPU; the tests hold the one against the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from speechnet.core.errors import Excluded
from speechnet.core.types import Float32
from speechnet.features.extractor import Sound
from speechnet.features.functionals.config import Functionals


def by_librosa(
    clips: Sequence[Float32], sound: Sound, config: Functionals
) -> list[Float32 | Excluded]:
    """See ``Extractor.extract``."""
    from speechnet.features.functionals.librosa_backend import extract

    outcomes: list[Float32 | Excluded] = []
    for clip in clips:
        try:
            outcomes.append(extract(clip, sound.sample_rate, config, floor=sound.floor))
        except Excluded as why:
            outcomes.append(why)
    return outcomes


def by_torch(
    clips: Sequence[Float32], sound: Sound, config: Functionals
) -> list[Float32 | Excluded]:
    """See ``Extractor.extract``."""
    from torch import Tensor

    from speechnet.core.clip_batches import clip_batches
    from speechnet.features.functionals.torch_backend import check_length, extract

    def rows(y: Tensor, lengths: Tensor) -> list[Float32]:
        found = extract(y, lengths, sound.sample_rate, config, floor=sound.floor)
        return [row.copy() for row in found.cpu().numpy()]

    outcomes: dict[int, Float32 | Excluded] = {}
    for i, clip in enumerate(clips):
        try:
            check_length(len(clip), config)
        except Excluded as why:
            outcomes[i] = why
    usable = [i for i in range(len(clips)) if i not in outcomes]
    found = clip_batches(sound.device).map([clips[i] for i in usable], rows)
    outcomes |= dict(zip(usable, found, strict=True))
    return [outcomes[i] for i in range(len(clips))]
