"""Settings of ``data.split`` that the protocol doesn't use: refused, since nothing would say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from speechnet.config.arguments import Given
from speechnet.core.errors import ConfigError
from speechnet.core.schema import build
from speechnet.splits.config import SplitConfig

_DEFAULT = SplitConfig()


def checked_split(values: Mapping[str, Any], given: Sequence[Given]) -> dict[str, Any]:
    """Check ``data.split``, and leave out what an earlier file says for another protocol.

    Args:
        values: the value of every key of ``data.split``.
        given: what files say, in order, then flags.

    Returns:
        The values; a setting that isn't used has its default.

    Raises:
        ConfigError: a setting that the protocol doesn't use is given with it or after it; or see
            ``SplitConfig.check``.
    """
    config: SplitConfig = build(SplitConfig, values)
    flags = {name for one in given if not one.file for name in one.below("data.split")}
    sources = [set(one.below("data.split")) for one in given if one.file] + [flags]
    deciding = {"protocol", "folds"} if config.protocol == "random" else {"protocol"}
    decided = max((n for n, names in enumerate(sources) if names & deciding), default=0)
    said = set[str]().union(*sources[decided:])
    for name in config.unused:
        value, default = getattr(config, name), getattr(_DEFAULT, name)
        # The config.yaml of a run has every key: only a flag says a default on purpose.
        if name in said and (value != default or (value and name in flags)):
            raise ConfigError(config.refusal(name))
    config.check()
    return dict(values) | {name: getattr(_DEFAULT, name) for name in config.unused}
