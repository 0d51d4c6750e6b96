"""Spectral gating of clips, by torch or by noisereduce."""

from speechnet.denoise.config import DenoiseConfig

__all__ = ["DenoiseConfig"]
