"""Pretrained speech encoders: the extractors ``pretrained`` and ``pretrained_frames``."""

from speechnet.features.pretrained.extractor import Pretrained, PretrainedFrames

__all__ = ["Pretrained", "PretrainedFrames"]
