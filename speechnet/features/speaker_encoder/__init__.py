"""The extractors ``speaker_encoder`` and ``speaker_encoder_frames``, of a pretrained network."""

from speechnet.features.speaker_encoder.extractor import SpeakerEncoder, SpeakerEncoderFrames

__all__ = ["SpeakerEncoder", "SpeakerEncoderFrames"]
