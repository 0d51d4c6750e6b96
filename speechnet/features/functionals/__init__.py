"""Statistics over time of classic features: the extractor ``functionals``."""

from speechnet.features.functionals.config import PRESETS, Functionals

__all__ = ["PRESETS", "Functionals"]
