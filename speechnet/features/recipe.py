"""Everything that decides what a row of the feature matrix is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final, Literal

from speechnet.audio.config import AudioConfig
from speechnet.core.errors import ConfigError
from speechnet.denoise.config import DenoiseConfig
from speechnet.features.functionals.config import FeaturesConfig

BackendName = Literal["torch", "reference"]

_CODE_VERSION: Final = 8
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
        import soundfile  # not to be waited for where a recipe is only read

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
        self.features.groups()
        highest, rate = self.features.fmax, self.audio.sample_rate
        if highest is not None and highest > rate / 2:
            raise ConfigError(
                f"data.features.fmax is {highest:g} Hz, expected at most {rate / 2:g} Hz, half of "
                f"data.audio.sample_rate ({rate} Hz)"
            )
