"""Encoders of the Hugging Face hub, downloaded once by the commit that is meant."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from speechnet.core.errors import ConfigError, in_words
from speechnet.features.pretrained.folder import (
    CONFIG,
    INDEX,
    PREPROCESSOR,
    PROCESSOR,
    WEIGHTS,
    read_encoder,
)  # fmt: skip

_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_PATIENCE: Final = 20  # seconds
# Nothing else: pickles aren't wanted, and some repositories hold the weights twice.
_FILES: Final = [CONFIG, PREPROCESSOR, PROCESSOR, WEIGHTS, INDEX, "model-*.safetensors"]


def is_id(model: str) -> bool:
    """Whether a model could be an id of the hub, and isn't a folder."""
    return bool(_ID.fullmatch(model)) and not Path(model).exists()


@lru_cache(maxsize=8)
def snapshot(model: str, revision: str | None) -> Path:
    """The folder of an encoder of the hub, from the hub's own cache if it is there.

    Args:
        model: such as ``microsoft/wavlm-large``.
        revision: the commit, 40 hexadecimal digits: what a branch holds may change.

    Raises:
        ConfigError: no commit is named, or the files are neither here nor to be had.
    """
    if revision is None or not _COMMIT.fullmatch(revision):
        raise ConfigError(
            f"no folder {model} exists; if it is an id of the Hugging Face hub, revision must be "
            f"the commit that is meant, 40 hexadecimal digits, and is {revision!r:.60}"
        )
    import huggingface_hub as hub

    try:
        path = Path(
            hub.snapshot_download(
                model, revision=revision, allow_patterns=_FILES, local_files_only=True
            )
        )
        read_encoder(path)  # a download that was cut short goes on below
    except Exception:  # noqa: S110 - whatever it raises, what follows says what is wrong
        pass
    else:
        return path
    try:
        # This asks once; a download asks again and again, half a minute without a network.
        hub.model_info(model, revision=revision, timeout=_PATIENCE)
        return Path(hub.snapshot_download(model, revision=revision, allow_patterns=_FILES))
    except Exception as error:  # of the network, of the hub, of the disk
        said = in_words(error).splitlines()[0]
        raise ConfigError(
            f"no folder {model} exists; and as an id of the Hugging Face hub, at the commit "
            f"{revision[:8]}, it isn't whole in the hub's cache, and can't be downloaded "
            f"({said:.200}). Copy it into that cache, or for a new run set model to its folder"
        ) from error
