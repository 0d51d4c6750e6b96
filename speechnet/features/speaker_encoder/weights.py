"""The weights of the speaker encoder, which the package ``resemblyzer`` 0.1.4 holds.

They are read without importing it, so its own dependencies aren't needed.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from speechnet.core.errors import ConfigError
from speechnet.core.reading import read_regular

SHA256: Final = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""The hash of the package's ``pretrained.pt``."""

_INSTALL: Final = (
    "install it with pip install --no-deps resemblyzer==0.1.4, or leave out "
    "speaker_encoder and speaker_encoder_frames below data.features"
)


def weights_file() -> Path:
    """Where the package's weights lie.

    Raises:
        ConfigError: the package is not installed, or has no weights.
    """
    package = find_spec("resemblyzer")
    if package is None or not package.submodule_search_locations:
        raise ConfigError(
            f"the speaker encoder's weights come with the package resemblyzer, which is not "
            f"installed: {_INSTALL}"
        )
    path = Path(package.submodule_search_locations[0]) / "pretrained.pt"
    if not path.is_file():
        raise ConfigError(f"the package resemblyzer is installed, but lacks {path}: {_INSTALL}")
    return path


def read_weights() -> bytes:
    """What the file holds.

    Raises:
        ConfigError: it is missing, damaged, or another network's.
    """
    path = weights_file()
    content = read_regular(path)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ConfigError(
            f"{path} is damaged or of another version (SHA-256 {found[:8]}, expected "
            f"{SHA256[:8]}): {_INSTALL}"
        )
    return content
