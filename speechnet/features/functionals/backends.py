"""Two ways from samples to a row behind one contract: ``torch``, and ``reference``.

``reference`` is noisereduce and librosa themselves, which define what the numbers mean, and a floor
under what a gate leaves (``speechnet.denoise.floor``), for they would describe its rounding.
``torch`` computes the same numbers several times as fast, on a CPU or a GPU; the tests hold the one
against the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from speechnet.core.errors import ConfigError, Excluded
from speechnet.core.thread_warnings import collected_warnings
from speechnet.core.types import Float32
from speechnet.denoise import DenoiseConfig
from speechnet.features.functionals.config import FeaturesConfig
from speechnet.features.recipe import BackendName, Recipe

if TYPE_CHECKING:
    import torch

_LOG = logging.getLogger(__name__)

_GPU_SAMPLES: Final = 2**24
"""Samples, padding included, that a GPU is given at once: about 4 GB of spectra."""


class Backend(Protocol):
    """Denoises clips and describes each by a row."""

    def rows(self, clips: Sequence[Float32], sr: int) -> list[Float32 | Excluded]:
        """Compute the rows of some clips.

        Args:
            clips: float32 mono ``[n_samples]`` each, not empty; no clip changes another's row.
            sr: their rate in Hz.

        Returns:
            For each clip float32 ``[d]``, finite, in the order of ``FeaturesConfig.names()``, or
            why there is none.
        """
        ...


def make_backend(
    name: BackendName, denoise: DenoiseConfig, features: FeaturesConfig, device: str = "cpu"
) -> Backend:
    """The backend of a name.

    Args:
        name: which one.
        denoise: spectral gating.
        features: what is computed.
        device: as ``choose_device`` gives it; ``reference`` has only the CPU.
    """
    if name == "reference":
        return ReferenceBackend(denoise, features)
    return TorchBackend(denoise, features, device=device)


def choose_device(name: BackendName, device: str) -> str:
    """The device that features are computed on.

    Args:
        name: the backend.
        device: cpu, cuda, cuda:0 and so on; auto takes a GPU that is there.

    Returns:
        The device's name, never auto.

    Raises:
        ConfigError: there is no such device.
    """
    if device == "cpu" or (device == "auto" and name == "reference"):
        return "cpu"
    # Imported here: two seconds that a run on the CPU, whose rows are all cached, need not spend.
    import torch

    count = torch.cuda.device_count()
    if device == "auto":
        return "cuda" if count else "cpu"
    known = ["cuda", *(f"cuda:{i}" for i in range(count))] if count else []
    if device not in known:
        there = f"there is {', '.join(known)}" if known else "there is no GPU that torch can use"
        raise ConfigError(f"data.device is {device!r}, but {there}; set it to auto or cpu")
    if name == "reference":
        raise ConfigError(
            f"data.device is {device!r}, but data.backend: reference computes on the CPU only"
        )
    return device


def rehearse(recipe: Recipe) -> None:
    """Denoise and describe two seconds of noise, as a recording would be.

    Raises:
        ConfigError: the settings don't go together, such as an octave band above half the sample
            rate.
    """
    rate = recipe.audio.sample_rate
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * rate, dtype=np.float32)
    try:
        with collected_warnings():
            backend = make_backend(recipe.backend, recipe.denoise, recipe.features)
            (row,) = backend.rows([noise], rate)
    except Exception as error:
        raise _clash(rate, error) from error
    if isinstance(row, Excluded):
        raise _clash(rate, row)


def _clash(rate: int, error: Exception) -> ConfigError:
    return ConfigError(
        f"data.audio.sample_rate ({rate} Hz), data.denoise and data.features don't go together: "
        f"{error}"
    )


class ReferenceBackend:
    """noisereduce and librosa, clip by clip; see ``Backend``."""

    def __init__(self, denoise: DenoiseConfig, features: FeaturesConfig) -> None:
        self._denoise, self._features = denoise, features

    def rows(self, clips: Sequence[Float32], sr: int) -> list[Float32 | Excluded]:
        """See ``Backend``."""
        return [self._row(clip, sr) for clip in clips]

    def _row(self, clip: Float32, sr: int) -> Float32 | Excluded:
        from speechnet.denoise.noisereduce_backend import denoise
        from speechnet.features.functionals.librosa_backend import extract

        try:
            self._denoise.check_length(len(clip))
            gated = denoise(clip, sr, self._denoise)
            return extract(gated, sr, self._features, floor=self._denoise.floor)
        except Excluded as why:
            return why


class TorchBackend:
    """Torch, clip by clip on a CPU, in batches of about one length on a GPU; see ``Backend``.

    Args:
        denoise: spectral gating.
        features: what is computed.
        device: cpu or cuda.
        batch_samples: the most samples at once, padding included; by default what suits the
            device. A clip that is longer goes alone.
    """

    def __init__(
        self,
        denoise: DenoiseConfig,
        features: FeaturesConfig,
        *,
        device: str = "cpu",
        batch_samples: int | None = None,
    ) -> None:
        self._denoise, self._features = denoise, features
        self._device = device
        # On a CPU small arrays stay in its caches: clip by clip is faster than any batch.
        default = 0 if device == "cpu" else _GPU_SAMPLES
        self.batch_samples = default if batch_samples is None else batch_samples

    def rows(self, clips: Sequence[Float32], sr: int) -> list[Float32 | Excluded]:
        """See ``Backend``."""
        outcomes: list[Float32 | Excluded | None] = [None] * len(clips)
        for batch in self._batches([len(clip) for clip in clips]):
            found = self._smaller_if_need_be([clips[i] for i in batch], sr)
            for i, outcome in zip(batch, found, strict=True):
                outcomes[i] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Positions of clips of about one length, the longest first: they need the most memory."""
        batch: list[int] = []
        for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
            longest = lengths[batch[0]] if batch else 0
            full = (len(batch) + 1) * longest > self.batch_samples
            if batch and (full or 2 * lengths[i] < longest):
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _smaller_if_need_be(self, clips: list[Float32], sr: int) -> list[Float32 | Excluded]:
        import torch

        try:
            return self._compute(clips, sr, self._device)
        except RuntimeError as error:
            if not _no_memory(error):
                raise
        # What the failed attempt held was let go with the exception.
        if self._device != "cpu":
            torch.cuda.empty_cache()
        if len(clips) == 1:
            _LOG.warning("one clip of %.0f s is too long for the GPU: the CPU takes it",
                         len(clips[0]) / sr)  # fmt: skip
            return self._compute(clips, sr, "cpu")
        self.batch_samples = len(clips) // 2 * max(map(len, clips))
        _LOG.warning("the GPU ran out of memory: from here on batches hold at most %d samples",
                     self.batch_samples)  # fmt: skip
        return self.rows(clips, sr)

    def _compute(self, clips: Sequence[Float32], sr: int, device: str) -> list[Float32 | Excluded]:
        import torch

        from speechnet.denoise.torch_backend import denoise
        from speechnet.features.functionals.torch_backend import check_length, extract

        outcomes: list[Float32 | Excluded | None] = []
        for clip in clips:
            try:
                self._denoise.check_length(len(clip))
                check_length(len(clip), self._features)
                outcomes.append(None)
            except Excluded as why:
                outcomes.append(why)
        usable = [clip for clip, why in zip(clips, outcomes, strict=True) if why is None]
        if usable:
            with torch.inference_mode(), _one_thread(device):
                y, lengths = _padded(usable, device)
                gated = denoise(y, lengths, sr, self._denoise)
                sound = gated.isfinite().all(dim=1).cpu().numpy()
                # One clip's NaN must not reach another's row.
                floor = self._denoise.floor
                found = extract(gated.nan_to_num_(), lengths, sr, self._features, floor=floor)
                rows = found.cpu().numpy()
            rest = iter(zip(rows, sound, strict=True))
            outcomes = [self._outcome(*next(rest)) if why is None else why for why in outcomes]
        return [outcome for outcome in outcomes if outcome is not None]

    def _outcome(self, row: Float32, sound: bool) -> Float32 | Excluded:
        if not sound:
            return Excluded(
                "not_finite_denoised", f"{self._denoise.method} gating gave NaN or infinite samples"
            )
        finite = np.isfinite(row)
        if not finite.all():
            names = self._features.names()
            bad = [name for name, fine in zip(names, finite, strict=True) if not fine]
            return Excluded("not_finite_features", f"not finite: {', '.join(bad[:5])}")
        return row.copy()


def _no_memory(error: RuntimeError) -> bool:
    """Whether torch, or one of CUDA's libraries below it, found no memory."""
    said = str(error).lower()
    return "out of memory" in said or "alloc_failed" in said


def _padded(clips: Sequence[Float32], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips side by side, zero behind each one's end: ``y [b, n]`` and int64 ``lengths [b]``."""
    import torch

    lengths = [len(clip) for clip in clips]
    # Torch's own memory: MKL rounds by how an array is aligned, and NumPy aligns less.
    y = torch.zeros(len(clips), max(lengths))
    for row, clip in zip(y.numpy(), clips, strict=True):
        row[: len(clip)] = clip
    return y.to(device), torch.tensor(lengths, device=device)


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    """One thread for torch on the CPU: more would round otherwise, and cost more than they help."""
    import torch

    before = torch.get_num_threads()
    if device == "cpu":
        # Even where there is one already: MKL keeps a number of its own.
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
