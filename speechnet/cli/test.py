"""``test``: score a saved run again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jsonargparse import ArgumentParser

from speechnet.config.arguments import options_parser, parse
from speechnet.console.progress import working
from speechnet.core.errors import ConfigError, DataError
from speechnet.core.schema import Schema, hints_of
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import definition_path
from speechnet.corpus.discovery import resolve_root
from speechnet.experiment.run_location import read_info

_SHORT: Final = {
    "corpus": ("name", "another corpus: a known name, or one's own definition, a .yaml"),
    "root": ("root", "the folder it lies in"),
}
"""Short flags, each with its key of ``data.corpus`` and its help."""


@dataclass
class Options:
    """The options of ``test``.

    Attributes:
        run: the run folder.
        out: where the tables go; by default below the run.
    """

    run: str
    out: str | None = None


def parser() -> ArgumentParser:
    """The parser of ``Options`` and of the keys of a corpus, all optional."""
    what = "Score a saved run again, on its own test part or another corpus."
    made = options_parser("test", what, Options)
    for short, (name, help_) in _SHORT.items():
        described = f"{help_}; short for --data.corpus.{name}"
        made.add_argument(f"--{short}", type=str | None, default=None, help=described)
    for name, kind in _corpus().items():
        made.add_argument(
            f"--data.corpus.{name}", type=kind, default=None, help="by default the run's own"
        )
    return made


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    texts = dict.fromkeys(_SHORT, str | None)
    schema = Schema({**hints_of(Options), **texts, "data": {"corpus": _corpus()}})
    parsed = parse(parser(), arguments, schema)
    given = _given(parsed)
    try:
        read_info(Path(parsed["run"]))
        if "name" in given:
            definition_path(str(given["name"]))
        if "root" in given:
            resolve_root(str(given["root"]))
        with working("starting"):
            from speechnet.experiment.rescore import rescore

        out = None if parsed["out"] is None else Path(parsed["out"])
        rescore(Path(parsed["run"]), corpus=given, out=out)
    except (ConfigError, DataError) as error:
        said = str(error)
        for short, (name, _) in _SHORT.items():
            if parsed[short] is not None:  # name the flag that was used
                said = re.sub(rf"(--)?data\.corpus\.{name}\b", f"--{short}", said)
        raise type(error)(said) from error


def _corpus() -> dict[str, object]:
    return {name: kind | None for name, kind in hints_of(CorpusConfig).items()}


def _given(parsed: Mapping[str, Any]) -> dict[str, object]:
    """The keys of another corpus, given by full or short flags."""
    corpus = parsed["data"]["corpus"]
    given = {name: corpus[name] for name in _corpus() if corpus[name] is not None}
    for short, (name, _) in _SHORT.items():
        value = parsed[short]
        if value is not None and given.setdefault(name, value) != value:
            raise ConfigError(
                f"--{short} {value} contradicts --data.corpus.{name} {given[name]}; give one"
            )
    return given
