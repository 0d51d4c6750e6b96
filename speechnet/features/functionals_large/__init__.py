"""Statistics over time of contours, and how they move: the extractor ``functionals_large``."""

from speechnet.features.functionals_large.extractor import FunctionalsLarge

__all__ = ["FunctionalsLarge"]
