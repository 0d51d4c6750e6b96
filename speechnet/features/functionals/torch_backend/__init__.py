"""librosa's features in torch: one computation for a clip on a CPU and for a batch on a GPU."""

from speechnet.features.functionals.torch_backend.rows import extract

__all__ = ["extract"]
