"""The settings that both extractors of a pretrained encoder have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from speechnet.core.bounds import Number


@dataclass
class EncoderConfig:
    """Which encoder, and how it computes.

    Attributes:
        model: the folder of a speech encoder as transformers saves it, with its weights as
            safetensors; or its id on the Hugging Face hub, such as ``microsoft/wavlm-large``.
        revision: of an id, the commit that is meant: 40 hexadecimal digits. It is downloaded once.
            A folder has none.
        dtype: the type that the network computes with.
        longest: seconds of the longest recording that passes through the network as a whole; longer
            ones go in windows of equal length.
        batch: on a GPU, seconds of sound in a batch; one that doesn't fit into memory is halved.
    """

    model: str | None = None
    revision: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    longest: Annotated[float, Number(ge=1)] = 30.0
    batch: Annotated[float, Number(gt=0)] = 240.0
