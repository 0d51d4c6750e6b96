"""What is computed from a clip, under which names."""

from speechnet.features.config import PRESETS, FeaturesConfig
from speechnet.features.librosa_backend import extract

__all__ = ["PRESETS", "FeaturesConfig", "extract"]
