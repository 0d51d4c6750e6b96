"""What can be said against ``data.split`` before the corpus is known."""

from __future__ import annotations

from speechnet.core.errors import ConfigError
from speechnet.splits.config import SplitConfig


def check_settings(config: SplitConfig) -> None:
    """Refuse settings that can't be meant.

    Raises:
        ConfigError: a share or a number is out of its bounds, or two settings contradict each
            other.
    """
    if not 0 < config.test < 1:
        raise ConfigError(f"data.split.test is {config.test:g}, expected between 0 and 1")
    if not 0 <= config.dev < 1:
        raise ConfigError(f"data.split.dev is {config.dev:g}, expected 0 or more and below 1")
    least = 1 if config.protocol == "random" else 2
    if config.protocol in {"random", "kfold"} and config.folds < least:
        raise ConfigError(f"data.split.folds is {config.folds}, expected at least {least}")
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
