"""Which effects change copies of training recordings, and how strongly (``data.augment``)."""

from __future__ import annotations

from typing import Literal

Colour = Literal["white", "pink", "brown", "speech"]
CodecName = Literal["mu_law", "mp3", "opus", "vorbis"]
