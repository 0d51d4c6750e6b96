"""Makes Lightning Trainers from the configuration's ``trainer:``.

It imports Lightning, so it is imported only to make a Trainer, or to check a class of Lightning's
that a configuration names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger

from speechnet.config.arguments import IMPORTABLE, Given
from speechnet.config.trainer import DECIDED_HERE, DEFAULTS
from speechnet.core.errors import ConfigError
from speechnet.models.training.lightning_fit import quiet


@dataclass(frozen=True)
class TrainerFactory:
    """Makes Lightning Trainers; picklable.

    Attributes:
        settings: ``trainer:`` as plain types.
        folder: Lightning's root folder, where nothing is left.
    """

    settings: Mapping[str, Any]
    folder: Path

    def __call__(self, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
        """A Trainer with these loggers and, in addition to the configuration's, these callbacks.

        Raises:
            ConfigError: Lightning refuses the settings, such as a GPU that doesn't exist.
        """
        quiet()
        made = _trainer_parser().instantiate(self._parsed)
        # Numbers as given: a limit of 1 is one batch and 1.0 all of them, and whether a parser
        # makes int or float of them depends on what was imported before.
        numbers = {
            key: value for key, value in self.settings.items() if type(value) in {int, float}
        }
        arguments = vars(made.trainer) | numbers
        arguments |= {"logger": loggers, "default_root_dir": str(self.folder)}
        arguments["plugins"] = _never_requeued(arguments["plugins"])
        own = arguments.pop("callbacks") or []
        own = own if isinstance(own, list) else [own]
        if arguments["strategy"] == "auto" and arguments["devices"] not in (1, "1"):
            # The default, ddp, would start this whole program again for every device.
            arguments["strategy"] = "ddp_spawn"
        try:
            return Trainer(**arguments, callbacks=[*callbacks, *own])
        except (MisconfigurationException, ValueError, RuntimeError) as error:
            chosen = ", ".join(f"{key}: {arguments[key]}" for key in ("accelerator", "devices"))
            said = " ".join(str(error).split())
            raise ConfigError(f"trainer ({chosen}) can't be made: {said}") from error

    @cached_property
    def _parsed(self) -> Namespace:
        parsed: Namespace = _trainer_parser().parse_object({"trainer": dict(self.settings)})
        return parsed


def _never_requeued(plugins: Any) -> Any:
    """The plugins, with SLURM's without requeuing.

    At the signal that a job's time is over, Lightning would save its state, and the next training
    in this folder would resume from it, whichever network it trains.
    """
    given = plugins if isinstance(plugins, list) else [plugins] if plugins else []
    named = any(isinstance(plugin, ClusterEnvironment) for plugin in given)
    if named or not SLURMEnvironment.detect():
        return plugins
    return [*given, SLURMEnvironment(auto_requeue=False)]


def read_trainer(given: Sequence[Given]) -> dict[str, Any]:
    """The settings of ``trainer:`` as Lightning itself reads them, with the classes they name.

    Args:
        given: what the command line says of the trainer, in order.

    Raises:
        ConfigError: there is no such class, or it doesn't take these arguments.
    """
    words = []
    for one in given:
        inner = one.key.startswith("trainer.")
        key = f"{one.key}{'+' * one.adds}" if inner else "trainer"
        value = one.value if inner else one.below("trainer")
        words.append(f"--{key}={value if isinstance(value, str) else json.dumps(value)}")
    try:
        settings: dict[str, Any] = _trainer_parser().parse_args(words).trainer.as_dict()
    except ArgumentError as error:
        message = str(error)
        named = re.search(r'Parser key "([^"]+)"', message)
        denied = re.search(r"Importing '([^']+)' is not allowed", message)
        if named and denied:
            raise ConfigError(
                f"{named[1]} names {denied[1]!r}, expected something from {IMPORTABLE}: a "
                "configuration can't import anything else"
            ) from error
        raise ConfigError(" ".join(message.split())) from error
    return settings


@lru_cache(maxsize=1)
def _trainer_parser() -> ArgumentParser:
    """``trainer:`` as Lightning itself has it, with every class that may be named there."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, skip=set(DECIDED_HERE))
    parser.set_defaults({f"trainer.{name}": value for name, value in DEFAULTS.items()})
    return parser
