"""What is computed from a clip, under which names, and the modules that compute it."""

from speechnet.features.functionals.config import PRESETS, FeaturesConfig

__all__ = ["PRESETS", "FeaturesConfig"]
