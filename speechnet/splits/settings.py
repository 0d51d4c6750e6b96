"""What can be said against ``data.split`` before the corpus is known."""

from __future__ import annotations

from speechnet.core.errors import ConfigError
from speechnet.splits.config import SplitConfig


def check_settings(config: SplitConfig) -> None:
    """Refuse settings that can't be meant.

    Raises:
        ConfigError: two settings contradict each other.
    """
    if config.protocol == "kfold" and config.folds < 2:
        raise ConfigError(f"data.split.folds is {config.folds}, expected 2 or more for kfold")
    if config.protocol == "predefined" and (config.column is None) == (not config.speakers):
        raise ConfigError(
            "data.split: the predefined protocol takes either column or speakers, one of the two"
        )
    if config.named and (config.column is not None or config.speakers):
        given = "speakers" if config.speakers else "column"
        raise ConfigError(
            f"data.split.{given}: {config.protocol} has folds of its own; leave {given} out, or "
            "use data.split.protocol: predefined"
        )
