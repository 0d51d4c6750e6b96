"""Read configuration files; what of YAML they may hold says ``speechnet.core.reading``."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from speechnet.core.errors import ConfigError
from speechnet.core.reading import PlainError, parse_yaml, read_config_text


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a configuration file.

    Args:
        path: a YAML whose top level is a mapping.

    Returns:
        The mapping, of plain types.

    Raises:
        ConfigError: there is no such file, or it isn't such a YAML.
    """
    try:
        text = read_config_text(path)
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}{_near(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, expected a YAML file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text (byte {error.start}), expected YAML") from None
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    try:
        settings = parse_yaml(text)
    except PlainError as error:
        raise ConfigError(f"{path} is no valid YAML: {error}") from error
    if settings is None:
        raise ConfigError(f"{path} is empty, expected keys such as data:")
    if not isinstance(settings, dict):
        raise ConfigError(
            f"{path} holds {str(settings)[:40]!r}, expected keys with values such as data: ..."
        )
    return settings


def plain_value(text: str) -> Any:
    """What a word of the command line means as YAML; the text itself where it is none."""
    try:
        return parse_yaml(text)
    except PlainError:
        return text


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a folder {path.parent})"
    names = [other.name for other in path.parent.iterdir() if other.suffix in {".yaml", ".yml"}]
    near = get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"; did you mean {path.with_name(near[0])}?" if near else ""
