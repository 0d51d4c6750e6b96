"""Everything that decides what a row of the feature matrix is."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import soundfile

from speechnet.audio.decode import AudioConfig
from speechnet.denoise import DenoiseConfig
from speechnet.errors import ConfigError, SetAside
from speechnet.extraction.backends import BackendName, make_backend
from speechnet.features import FeaturesConfig

_CODE_VERSION: Final = 4
"""Raised whenever the same settings give other numbers than before, or shards look otherwise."""


@dataclass(frozen=True)
class Recipe:
    """Audio, denoise and feature settings, and the backend that follows them.

    The device is no part of it: a row from a GPU stands for the same row from a CPU.
    """

    audio: AudioConfig
    denoise: DenoiseConfig
    features: FeaturesConfig
    backend: BackendName = "torch"

    def describe(self) -> dict[str, Any]:
        """All that the numbers depend on, library versions included, and nothing else.

        Settings that decide nothing, such as the lags of a tempogram that is not computed, are left
        out: a row is not computed again for them.
        """
        active = self.denoise.method != "none"
        packages = ["librosa", "numpy", "scipy", "soundfile", "soxr"]
        if self.backend == "torch":
            packages += ["torch"]
        elif active:
            packages += ["noisereduce"]
        return {
            "code": _CODE_VERSION,
            "backend": self.backend,
            "audio": asdict(self.audio),
            "denoise": self.denoise.deciding(),
            "features": self.features.deciding(self.audio.sample_rate),
            "versions": {name: version(name) for name in packages}
            | {"libsndfile": soundfile.__libsndfile_version__},
        }

    def check(self) -> None:
        """Refuse settings that are wrong whatever the recordings.

        Raises:
            ConfigError: a setting is out of its range, or unknown.
        """
        self.audio.check()
        self.denoise.check()
        self.features.groups()

    def rehearse(self) -> None:
        """Denoise and describe two seconds of noise, as a recording would be.

        Raises:
            ConfigError: the settings don't go together, such as an octave band above half the
                sample rate.
        """
        rate = self.audio.sample_rate
        noise = 0.1 * np.random.default_rng(0).standard_normal(2 * rate, dtype=np.float32)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                backend = make_backend(self.backend, self.denoise, self.features)
                (row,) = backend.rows([noise], rate)
        except Exception as error:
            raise self._clash(error) from error
        if isinstance(row, SetAside):
            raise self._clash(row)

    def _clash(self, error: Exception) -> ConfigError:
        return ConfigError(
            f"data.audio.sample_rate ({self.audio.sample_rate} Hz), data.denoise and data.features "
            f"don't go together: {error}"
        )
