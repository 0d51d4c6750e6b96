"""Statistics over time of classic features: the extractor ``functionals``."""

from speechnet.features.functionals.config import PRESETS
from speechnet.features.functionals.extractor import Functionals

__all__ = ["PRESETS", "Functionals"]
